/* pipeline/dataset/contents.c - what the files of pictures are, without reading them twice. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/archive.h"
#include "base/file.h"
#include "base/outputs.h"
#include "pipeline/dataset/journal.h"
#include "pipeline/dataset/lease.h"
#include "pipeline/stages/lines.h"

enum { MAX_FILE = 1 << 30, CHUNK = 1 << 18 };

typedef struct known {
    char *image;
    uint64_t size, time, hash; /* time: of the last change, ns */
} known;

typedef struct known_list {
    known *items;
    size_t n;
} known_list;

static void free_list(known_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->items[i].image);
    free(l->items);
    *l = (known_list){0};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const known *)a)->image, ((const known *)b)->image);
}

static int read_number(const cJSON *root, const char *name, int base, uint64_t *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    char *end = NULL;
    *out = cJSON_IsString(item) ? strtoull(item->valuestring, &end, base) : 0;
    return end && end > item->valuestring && !*end;
}

/* One line; what is not one of ours is passed over: the file is read again then. */
static void read_known(const char *text, size_t n, known_list *l)
{
    const ws_line line = {"", 0, NULL};
    known *k = &l->items[l->n];
    cJSON *root = NULL;
    if (ws_line_fields_parse(&line, text, n, &root))
        return;
    const cJSON *image = cJSON_GetObjectItemCaseSensitive(root, "image");
    if (cJSON_IsString(image) && read_number(root, "size", 10, &k->size) &&
        read_number(root, "time", 10, &k->time) && read_number(root, "hash", 16, &k->hash) &&
        (k->image = strdup(image->valuestring)))
        l->n++;
    cJSON_Delete(root);
}

/* Nothing where the file is not there or not to be read. */
static void load(const char *path, known_list *l)
{
    char *text;
    size_t size, lines = 1;
    *l = (known_list){0};
    if (ws_file_read_whole(path, MAX_FILE, &text, &size, NULL))
        return;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    l->items = calloc(lines + 1, sizeof *l->items);
    for (char *at = text, *end; l->items && (end = strchr(at, '\n')); at = end + 1)
        read_known(at, (size_t)(end - at), l);
    if (l->n)
        qsort(l->items, l->n, sizeof *l->items, by_name);
    free(text);
}

static wsam_status save(const char *path, const known_list *l, wsam_error *error)
{
    ws_outputs out = {.brief = 1};
    FILE *f = ws_outputs_open(&out, path, error);
    wsam_status status = f ? WSAM_OK : WSAM_ERR_IO;
    for (size_t i = 0; f && i < l->n && !status; i++) {
        const known *k = &l->items[i];
        ws_text t = {0};
        ws_text_printf(&t, "{\"image\":");
        ws_json_bytes(&t, k->image, strlen(k->image));
        ws_text_printf(
            &t, ",\"size\":\"%" PRIu64 "\",\"time\":\"%" PRIu64 "\",\"hash\":\"%" PRIx64 "\"}\n",
            k->size, k->time, k->hash);
        if (t.failed)
            status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", path);
        else
            fwrite(t.text, 1, t.n, f);
        free(t.text);
    }
    if (f && !status)
        status = ws_outputs_close(&out, error);
    return ws_outputs_finish(&out, status, error);
}

/* At most `size` bytes: behind a member of an archive come others. */
static wsam_status hash_bytes(int fd, uint64_t size, const char *path, XXH3_state_t *state,
                              char *bytes, wsam_error *error)
{
    ssize_t n = 0;
    XXH3_64bits_reset(state);
    while (size && ((n = read(fd, bytes, size < CHUNK ? (size_t)size : CHUNK)) > 0 ||
                    (n < 0 && errno == EINTR)))
        if (n > 0) {
            XXH3_64bits_update(state, bytes, (size_t)n);
            size -= (uint64_t)n;
        }
    return n < 0 ? ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno)) : WSAM_OK;
}

/* XXH3 of a file; 0 where it is not there or not for us: the stage that loads it says why. Any other
 * failure is not the file's: with a key of its own the image would be another one in the next run. */
static wsam_status hash_file(const char *path, uint64_t *hash, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    struct stat st;
    *hash = 0;
    const int fd = ws_file_open_part(path, &st);
    if (fd < 0)
        return ws_file_errno_stays(errno)
                   ? WSAM_OK
                   : ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    char *bytes = malloc(CHUNK);
    XXH3_state_t *state = bytes ? XXH3_createState() : NULL;
    status = state ? hash_bytes(fd, (uint64_t)st.st_size, path, state, bytes, error)
                   : ws_no_memory(error, path);
    if (!status)
        *hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    free(bytes);
    close(fd);
    return status;
}

/* Size and time of a file, or of a member of an archive. */
static wsam_status measure(const char *path, known *now, int *there, wsam_error *error)
{
    struct stat st;
    ws_member m;
    now->size = now->time = now->hash = 0;
    if (stat(path, &st) == 0) {
        *there = S_ISREG(st.st_mode);
        now->size = *there ? (uint64_t)st.st_size : 0;
        now->time =
            *there ? (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec : 0;
    } else if (!ws_file_errno_stays(errno)) {
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    } else if (errno == ENOTDIR && ws_archive_find(path, &m)) {
        *there = 1;
        now->size = m.size;
        now->time = m.time;
        free(m.file);
    }
    return WSAM_OK;
}

/* `old` where size and time are the same; else the file is read, and *changed is 1. */
static wsam_status look(const char *path, const known *old, known *now, int *changed,
                        wsam_error *error)
{
    int there = 0;
    const wsam_status status = measure(path, now, &there, error);
    if (status || !there) {
        *changed |= old && old->hash;
        return status;
    }
    if (old && old->size == now->size && old->time == now->time && old->hash) {
        now->hash = old->hash;
        return WSAM_OK;
    }
    *changed = 1;
    return hash_file(path, &now->hash, error);
}

static void take(const known *old, known *now)
{
    now->size = old->size;
    now->time = old->time;
    now->hash = old->hash;
}

static wsam_status look_at_all(const wsam_labels *l, const ws_contents_options *o,
                               const known_list *old, known_list *now, int *changed,
                               wsam_error *error)
{
    const char *folder = o->folder;
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < l->n && !status; i++) {
        const known key = {.image = l->images[i]};
        const known *k =
            old->n ? bsearch(&key, old->items, old->n, sizeof *old->items, by_name) : NULL;
        const size_t size = strlen(folder) + strlen(l->images[i]) + 2;
        char *path = malloc(size);
        now->items[i].image = strdup(l->images[i]);
        now->n = i + 1;
        if (!path || !now->items[i].image) {
            free(path);
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the contents of images");
        }
        snprintf(path, size, "%s/%s", folder, l->images[i]);
        if (o->prepared && k && k->hash)
            take(k, &now->items[i]);
        else
            status = look(path, k, &now->items[i], changed, error);
        free(path);
        if (o->lease)
            ws_lease_keep(o->lease);
    }
    return status;
}

wsam_status ws_contents(const wsam_labels *l, const ws_contents_options *o, uint64_t **contents,
                        wsam_error *error)
{
    known_list old = {0}, now = {.items = calloc(l->n + 1, sizeof *now.items)};
    int changed = 0;
    char *path = ws_manifest_state_path(o->output, "contents.jsonl");
    *contents = calloc(l->n + 1, sizeof **contents);
    wsam_status status = path && *contents && now.items
                             ? WSAM_OK
                             : ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", o->output);
    if (!status)
        load(path, &old);
    if (!status)
        status = look_at_all(l, o, &old, &now, &changed, error);
    for (size_t i = 0; i < l->n && !status; i++)
        (*contents)[i] = now.items[i].hash;
    if (!status && o->save && (changed || old.n != now.n))
        status = save(path, &now, error);
    if (status) {
        free(*contents);
        *contents = NULL;
    }
    free_list(&old);
    free_list(&now);
    free(path);
    return status;
}
