/* pipeline/dataset/journal.c - see journal.h. */
#include "pipeline/dataset/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/read_at.h"
#include "pipeline/stages/lines.h"

enum { MAGIC = 0x324a5357 /* "WSJ2" */, MAX_MANIFEST = 1 << 30, FORMAT = 3 };

typedef struct header {
    uint32_t magic, group;
    uint64_t bytes, hash, key;
} header;

/* More than any picture's results: what a length may ask to read. */
static const uint64_t max_record = (uint64_t)1 << 32;

char *ws_state_path(const char *output, const char *name)
{
    const size_t size = strlen(output) + strlen(name) + 8;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/state/%s", output, name);
    return path;
}

/* ---- the manifest ---- */

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    return XXH64(bytes, n, h);
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    return mix(h, text, strlen(text) + 1);
}

ws_keys *ws_keys_make(const wsam_labels *l, const char *config, const char *late,
                      const uint64_t *contents)
{
    ws_keys *keys = calloc(l->n + 1, sizeof *keys);
    uint64_t all = mix_text(FORMAT, config ? config : "{}");
    all = mix_text(all, wsam_version());
    for (size_t i = 0; i < l->n_classes; i++) /* records have their numbers */
        all = mix_text(all, l->names[i]);
    for (size_t i = 0; keys && i < l->n; i++) {
        ws_keys *k = &keys[i];
        k->content = contents[i];
        k->labels =
            mix(0, l->classes + l->first[i], (l->first[i + 1] - l->first[i]) * sizeof *l->classes);
        k->first = mix_text(all, l->images[i]);
        k->first = mix(k->first, &k->content, sizeof k->content);
        k->first = mix(k->first, &k->labels, sizeof k->labels);
        k->late = late ? mix_text(k->first, late) : k->first;
    }
    return keys;
}

wsam_status ws_manifest_text(const wsam_labels *l, const char *config, const char *late,
                             const ws_keys *keys, ws_text *t, wsam_error *error)
{
    config = config ? config : "{}";
    ws_text_printf(t, "{\"format\":%d,\"version\":\"%s\",\"config\":", FORMAT, wsam_version());
    ws_text_put(t, config, strlen(config));
    if (late) {
        ws_text_printf(t, ",\"late\":");
        ws_text_put(t, late, strlen(late));
    }
    ws_text_printf(t, ",\"classes\":[");
    for (size_t i = 0; i < l->n_classes; i++) {
        ws_text_put(t, ",", i > 0);
        ws_json_bytes(t, l->names[i], strlen(l->names[i]));
    }
    ws_text_put(t, "]}\n", 3);
    for (size_t i = 0; i < l->n; i++) {
        ws_text_printf(t, "{\"image\":");
        ws_json_bytes(t, l->images[i], strlen(l->images[i]));
        ws_text_printf(t, ",\"classes\":[");
        for (size_t k = l->first[i]; k < l->first[i + 1]; k++)
            ws_text_printf(t, "%s%d", k > l->first[i] ? "," : "", (int)l->classes[k]);
        ws_text_printf(t,
                       "],\"first\":\"%016" PRIx64 "\",\"late\":\"%016" PRIx64
                       "\",\"content\":\"%016" PRIx64 "\",\"labels\":\"%016" PRIx64 "\"}\n",
                       keys[i].first, keys[i].late, keys[i].content, keys[i].labels);
    }
    return t->failed ? ws_fail(error, WSAM_ERR_MEMORY, "no memory for the list of images")
                     : WSAM_OK;
}

void ws_manifest_free(ws_manifest *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->images[i]);
    for (size_t i = 0; i < m->n_classes; i++)
        free(m->classes[i]);
    free(m->images);
    free(m->classes);
    free(m->keys);
    cJSON_free(m->config);
    cJSON_free(m->late);
    memset(m, 0, sizeof *m);
}

static wsam_status read_head(const ws_line *l, const cJSON *root, ws_manifest *m)
{
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(root, "config");
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(root, "classes"), *item;
    double format = 0;
    if (!ws_lines_number(root, "format", &format) || fabs(format - FORMAT) > 0)
        return ws_lines_bad(l, "format", "3: another version of this program wrote it");
    if (!cJSON_IsObject(config))
        return ws_lines_bad(l, "config", "an object");
    if (!cJSON_IsArray(classes) || !cJSON_GetArraySize(classes))
        return ws_lines_bad(l, "classes", "a list of names");
    const cJSON *late = cJSON_GetObjectItemCaseSensitive(root, "late");
    m->config = cJSON_PrintUnformatted(config);
    m->late = cJSON_IsObject(late) ? cJSON_PrintUnformatted(late) : NULL;
    if (cJSON_IsObject(late) && !m->late)
        return ws_lines_no_memory(l);
    m->classes = calloc((size_t)cJSON_GetArraySize(classes), sizeof *m->classes);
    if (!m->config || !m->classes)
        return ws_lines_no_memory(l);
    cJSON_ArrayForEach(item, classes)
    {
        if (!cJSON_IsString(item))
            return ws_lines_bad(l, "classes", "a list of names");
        if (!(m->classes[m->n_classes++] = strdup(item->valuestring)))
            return ws_lines_no_memory(l);
    }
    return WSAM_OK;
}

static int read_key(const cJSON *root, const char *name, uint64_t *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    char *end = NULL;
    *key = cJSON_IsString(item) ? strtoull(item->valuestring, &end, 16) : 0;
    return end && end == item->valuestring + 16 && !*end;
}

static wsam_status read_image(const ws_line *l, const cJSON *root, ws_manifest *m)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(root, "image");
    ws_keys *k = &m->keys[m->n];
    if (!cJSON_IsString(name))
        return ws_lines_bad(l, "image", "a file name");
    if (!read_key(root, "first", &k->first) || !read_key(root, "late", &k->late) ||
        !read_key(root, "content", &k->content) || !read_key(root, "labels", &k->labels))
        return ws_lines_bad(l, "first", "with late, content and labels, 16 digits");
    m->images[m->n] = strdup(name->valuestring);
    if (!m->images[m->n])
        return ws_lines_no_memory(l);
    m->n++;
    return WSAM_OK;
}

static wsam_status read_manifest(const char *path, const char *text, size_t size, ws_manifest *m,
                                 wsam_error *error)
{
    size_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    m->images = calloc(lines + 1, sizeof *m->images);
    m->keys = calloc(lines + 1, sizeof *m->keys);
    if (!m->images || !m->keys)
        return ws_no_memory(error, path);
    wsam_status status = WSAM_OK;
    const char *at = text;
    for (ws_line l = {path, 1, error}; l.number <= lines && !status; l.number++) {
        cJSON *root;
        const char *end = strchr(at, '\n');
        if (!end)
            return ws_lines_bad(&l, "line", "text");
        status = ws_lines_parse(&l, at, (size_t)(end - at), &root);
        if (!status)
            status = l.number == 1 ? read_head(&l, root, m) : read_image(&l, root, m);
        cJSON_Delete(root);
        at = end + 1;
    }
    return status      ? status
           : m->config ? WSAM_OK
                       : ws_fail(error, WSAM_ERR_FORMAT, "%s: empty", path);
}

char *ws_manifest_parameters(const ws_manifest *m)
{
    const size_t n = strlen(m->config), more = m->late ? strlen(m->late) : 0;
    char *text = malloc(n + more + 2);
    if (!text)
        return NULL;
    memcpy(text, m->config, n + 1);
    if (more > 2) /* {a} and {b} are {a,b} */
        sprintf(text + n - 1, "%s%s", n > 2 ? "," : "", m->late + 1);
    return text;
}

wsam_status ws_manifest_load(const char *output, ws_manifest *m, wsam_error *error)
{
    char *path = ws_state_path(output, "manifest.jsonl"), *text = NULL;
    size_t size;
    memset(m, 0, sizeof *m);
    wsam_status status = path ? ws_file_read_whole(path, MAX_MANIFEST, &text, &size, error)
                              : ws_no_memory(error, output);
    if (!status)
        status = read_manifest(path, text, size, m, error);
    if (status)
        ws_manifest_free(m);
    free(text);
    free(path);
    return status;
}

/* ---- journals ---- */

/* Whether the payload is whole; `failed` is its first number. */
static int payload_good(int fd, const header *h, uint64_t offset, int32_t *failed)
{
    char bytes[1 << 14];
    XXH64_state_t state;
    XXH64_reset(&state, h->key);
    for (uint64_t done = 0; done < h->bytes;) {
        const uint64_t left = h->bytes - done;
        const size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
        if (!ws_read_at(fd, bytes, n, offset + done))
            return 0;
        if (!done)
            memcpy(failed, bytes, sizeof *failed);
        XXH64_update(&state, bytes, n);
        done += n;
    }
    return XXH64_digest(&state) == h->hash;
}

/* Whether a whole record begins at `offset`. */
static int record_good(int fd, const header *h, uint64_t offset, int32_t *failed)
{
    return h->magic == MAGIC && h->bytes >= sizeof *failed && h->bytes <= max_record &&
           payload_good(fd, h, offset + sizeof *h, failed);
}

/* The first whole record from `offset` on, wherever it begins; 0: none. */
static int find_record(int fd, uint64_t *offset)
{
    static const uint32_t magic = MAGIC;
    char bytes[1 << 14];
    for (uint64_t at = *offset;;) {
        const ssize_t got = pread(fd, bytes, sizeof bytes, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < (ssize_t)sizeof(header))
            return 0;
        const size_t last = (size_t)got - sizeof magic;
        for (size_t i = 0; i <= last; i++) {
            header h;
            int32_t failed;
            if (memcmp(bytes + i, &magic, sizeof magic) == 0 &&
                ws_read_at(fd, &h, sizeof h, at + i) && record_good(fd, &h, at + i, &failed)) {
                *offset = at + i;
                return 1;
            }
        }
        at += last + 1;
    }
}

static int add_place(ws_records_index *x, const ws_place *place)
{
    if (x->n == x->capacity) {
        const size_t capacity = x->capacity ? 2 * x->capacity : 256;
        ws_place *places = realloc(x->places, capacity * sizeof *places);
        if (!places)
            return 0;
        x->places = places;
        x->capacity = capacity;
    }
    x->places[x->n++] = *place;
    return 1;
}

wsam_status ws_journal_scan(int fd, const char *path, int journal, ws_records_index *index,
                            uint64_t *end, size_t *damaged, wsam_error *error)
{
    header h;
    int32_t failed;
    *end = 0;
    while (ws_read_at(fd, &h, sizeof h, *end)) {
        if (!record_good(fd, &h, *end, &failed)) {
            uint64_t next = *end + 1;
            if (!find_record(fd, &next))
                break;
            *end = next;
            ++*damaged;
            continue;
        }
        const ws_place place = {h.key, *end + sizeof h, h.bytes, h.group, journal, failed};
        if (!add_place(index, &place))
            return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for its records", path);
        *end += sizeof h + h.bytes;
    }
    return WSAM_OK;
}

/* ---- the index ---- */

static int by_key(const void *a, const void *b)
{
    const ws_place *p = a, *q = b;
    if (p->key != q->key)
        return p->key < q->key ? -1 : 1;
    if (p->failed != q->failed) /* the best first, then the last */
        return p->failed ? 1 : -1;
    if (p->journal != q->journal)
        return p->journal > q->journal ? -1 : 1;
    return (p->offset < q->offset) - (p->offset > q->offset);
}

void ws_journal_index_sort(ws_records_index *x)
{
    size_t n = 0;
    if (x->n)
        qsort(x->places, x->n, sizeof *x->places, by_key);
    for (size_t i = 0; i < x->n; i++)
        if (!n || x->places[n - 1].key != x->places[i].key)
            x->places[n++] = x->places[i];
    x->n = n;
}

const ws_place *ws_journal_index_find(const ws_records_index *x, uint64_t key)
{
    size_t low = 0;
    for (size_t high = x->n; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (x->places[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->n && x->places[low].key == key ? &x->places[low] : NULL;
}

void ws_journal_index_free(ws_records_index *x)
{
    free(x->places);
    *x = (ws_records_index){0};
}

/* ---- writing and reading ---- */

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        const ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return 0;
        bytes += done;
        n -= (size_t)done;
    }
    return 1;
}

wsam_status ws_journal_append(int fd, const char *path, const ws_new_record *records, size_t n,
                              wsam_error *error)
{
    ws_text t = {0};
    for (size_t i = 0; i < n; i++) {
        const ws_text *p = records[i].payload;
        const header h = {MAGIC, records[i].group, p->n, XXH64(p->text, p->n, records[i].key),
                          records[i].key};
        t.failed |= p->failed;
        ws_text_put(&t, (const char *)&h, sizeof h);
        ws_text_put(&t, p->text, p->n);
    }
    const int failed = t.failed;
    const int good = !failed && write_all(fd, t.text, t.n) && fdatasync(fd) == 0;
    const int why = errno;
    free(t.text);
    if (failed)
        return ws_no_memory(error, path);
    return good ? WSAM_OK : ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(why));
}

wsam_status ws_journal_read(int fd, const char *path, const ws_place *place, char **bytes,
                            wsam_error *error)
{
    *bytes = malloc((size_t)place->bytes);
    if (!*bytes)
        return ws_no_memory(error, path);
    return ws_read_at(fd, *bytes, (size_t)place->bytes, place->offset)
               ? WSAM_OK
               : ws_fail(error, WSAM_ERR_IO, "%s: reading failed", path);
}
