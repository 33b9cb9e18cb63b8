/* pipeline/dataset/journal.c - see journal.h. */
#include "pipeline/dataset/journal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "pipeline/stages/lines.h"

enum { MAGIC = 0x314a5357 /* "WSJ1" */, MAX_MANIFEST = 1 << 30, FORMAT = 2 };

typedef struct header {
    uint32_t magic, picture;
    uint64_t bytes, hash, manifest;
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

wsam_status ws_manifest_text(const wsam_labels *l, const char *config, ws_text *t,
                             wsam_error *error)
{
    config = config ? config : "{}";
    ws_text_printf(t, "{\"format\":%d,\"version\":\"%s\",\"config\":", FORMAT, wsam_version());
    ws_text_put(t, config, strlen(config));
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
        ws_text_put(t, "]}\n", 3);
    }
    return t->failed ? ws_fail(error, WSAM_ERR_MEMORY, "no memory for the list of pictures")
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
    cJSON_free(m->config);
    memset(m, 0, sizeof *m);
}

static wsam_status read_head(const ws_line *l, const cJSON *root, ws_manifest *m)
{
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(root, "config");
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(root, "classes"), *item;
    double format = 0;
    if (!ws_line_number(root, "format", &format) || fabs(format - FORMAT) > 0)
        return ws_line_bad(l, "format", "2: another version of this program wrote it");
    if (!cJSON_IsObject(config))
        return ws_line_bad(l, "config", "an object");
    if (!cJSON_IsArray(classes) || !cJSON_GetArraySize(classes))
        return ws_line_bad(l, "classes", "a list of names");
    m->config = cJSON_PrintUnformatted(config);
    m->classes = calloc((size_t)cJSON_GetArraySize(classes), sizeof *m->classes);
    if (!m->config || !m->classes)
        return ws_line_no_memory(l);
    cJSON_ArrayForEach(item, classes)
    {
        if (!cJSON_IsString(item))
            return ws_line_bad(l, "classes", "a list of names");
        if (!(m->classes[m->n_classes++] = strdup(item->valuestring)))
            return ws_line_no_memory(l);
    }
    return WSAM_OK;
}

static wsam_status read_image(const ws_line *l, const cJSON *root, ws_manifest *m)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(root, "image");
    if (!cJSON_IsString(name))
        return ws_line_bad(l, "image", "a file name");
    m->images[m->n] = strdup(name->valuestring);
    if (!m->images[m->n])
        return ws_line_no_memory(l);
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
    if (!m->images)
        return ws_no_memory(error, path);
    m->hash = XXH64(text, size, 0);
    wsam_status status = WSAM_OK;
    const char *at = text;
    for (ws_line l = {path, 1, error}; l.number <= lines && !status; l.number++) {
        cJSON *root;
        const char *end = strchr(at, '\n');
        if (!end)
            return ws_line_bad(&l, "line", "text");
        status = ws_line_parse(&l, at, (size_t)(end - at), &root);
        if (!status)
            status = l.number == 1 ? read_head(&l, root, m) : read_image(&l, root, m);
        cJSON_Delete(root);
        at = end + 1;
    }
    return status      ? status
           : m->config ? WSAM_OK
                       : ws_fail(error, WSAM_ERR_FORMAT, "%s: empty", path);
}

wsam_status ws_manifest_load(const char *output, ws_manifest *m, wsam_error *error)
{
    char *path = ws_state_path(output, "manifest.jsonl"), *text = NULL;
    size_t size;
    memset(m, 0, sizeof *m);
    wsam_status status =
        path ? ws_read_whole(path, MAX_MANIFEST, &text, &size, error) : ws_no_memory(error, output);
    if (!status)
        status = read_manifest(path, text, size, m, error);
    if (status)
        ws_manifest_free(m);
    free(text);
    free(path);
    return status;
}

/* ---- journals ---- */

static int read_at(int fd, void *to, size_t n, uint64_t offset)
{
    char *at = to;
    while (n) {
        const ssize_t got = pread(fd, at, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        at += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 1;
}

/* Whether the payload is whole; `failed` is its first number. */
static int payload_good(int fd, const header *h, uint64_t offset, int32_t *failed)
{
    char bytes[1 << 14];
    XXH64_state_t state;
    XXH64_reset(&state, h->picture);
    for (uint64_t done = 0; done < h->bytes;) {
        const uint64_t left = h->bytes - done;
        const size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
        if (!read_at(fd, bytes, n, offset + done))
            return 0;
        if (!done)
            memcpy(failed, bytes, sizeof *failed);
        XXH64_update(&state, bytes, n);
        done += n;
    }
    return XXH64_digest(&state) == h->hash;
}

/* Whether a whole record of this manifest begins at `offset`. */
static int record_good(int fd, const header *h, uint64_t manifest, size_t n, uint64_t offset,
                       int32_t *failed)
{
    return h->magic == MAGIC && h->picture < n && h->bytes >= sizeof *failed &&
           h->bytes <= max_record && h->manifest == manifest &&
           payload_good(fd, h, offset + sizeof *h, failed);
}

/* The first whole record from `offset` on, wherever it begins; 0: none. */
static int find_record(int fd, uint64_t manifest, size_t n, uint64_t *offset)
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
            if (memcmp(bytes + i, &magic, sizeof magic) == 0 && read_at(fd, &h, sizeof h, at + i) &&
                record_good(fd, &h, manifest, n, at + i, &failed)) {
                *offset = at + i;
                return 1;
            }
        }
        at += last + 1;
    }
}

wsam_status ws_journal_scan(int fd, const char *path, uint64_t manifest, int journal, size_t n,
                            ws_place *places, uint64_t *end, size_t *damaged, wsam_error *error)
{
    header h;
    int32_t failed;
    *end = 0;
    while (read_at(fd, &h, sizeof h, *end)) {
        if (h.manifest != manifest && record_good(fd, &h, h.manifest, SIZE_MAX, *end, &failed))
            return ws_fail(error, WSAM_ERR_MISMATCH, "%s: results of another run", path);
        if (!record_good(fd, &h, manifest, n, *end, &failed)) {
            uint64_t next = *end + 1;
            if (!find_record(fd, manifest, n, &next))
                break;
            *end = next;
            ++*damaged;
            continue;
        }
        ws_place *p = &places[h.picture];
        if (!p->offset || p->failed || !failed)
            *p = (ws_place){*end + sizeof h, h.bytes, journal, failed};
        *end += sizeof h + h.bytes;
    }
    return WSAM_OK;
}

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

wsam_status ws_journal_append(int fd, const char *path, uint64_t manifest, size_t picture,
                              const ws_text *payload, wsam_error *error)
{
    const header h = {MAGIC, (uint32_t)picture, payload->n,
                      XXH64(payload->text, payload->n, picture), manifest};
    char *record = payload->failed ? NULL : malloc(sizeof h + payload->n);
    if (!record)
        return ws_no_memory(error, path);
    memcpy(record, &h, sizeof h);
    memcpy(record + sizeof h, payload->text, payload->n);
    const int good = write_all(fd, record, sizeof h + payload->n) && fdatasync(fd) == 0;
    free(record);
    return good ? WSAM_OK : ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
}

wsam_status ws_journal_read(int fd, const char *path, const ws_place *place, char **bytes,
                            wsam_error *error)
{
    *bytes = malloc((size_t)place->bytes);
    if (!*bytes)
        return ws_no_memory(error, path);
    return read_at(fd, *bytes, (size_t)place->bytes, place->offset)
               ? WSAM_OK
               : ws_fail(error, WSAM_ERR_IO, "%s: reading failed", path);
}
