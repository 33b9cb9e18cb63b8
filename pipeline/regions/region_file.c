/* pipeline/regions/region_file.c - see region_file.h. */
#include "pipeline/regions/region_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/half.h"
#include "base/outputs.h"

#define MAGIC "WSREGN1\n"
enum { PAD = 64, MOST_REGIONS = 1 << 20, MOST_NUMBERS = 1 << 16 };

typedef struct header {
    char magic[8];
    uint32_t n, count, n_groups, zero;
    uint64_t bytes; /* of the record, padding included */
} header;

static size_t record_bytes(size_t n, size_t count, size_t n_groups)
{
    const size_t plain = sizeof(header) + n_groups * sizeof(ws_region_group) +
                         n * (4 * sizeof(float) + count * sizeof(uint16_t));
    return (plain + PAD - 1) / PAD * PAD;
}

char *ws_region_path(const char *folder, const char *image, const char *ending)
{
    const XXH128_hash_t hash = XXH3_128bits(image, strlen(image));
    const size_t size = strlen(folder) + strlen(ending) + 40;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%016llx%016llx.%s", folder, (unsigned long long)hash.high64,
                 (unsigned long long)hash.low64, ending);
    return path;
}

/* ---- writing ---- */

static wsam_status put_numbers(FILE *f, const wsam_proposals *p, size_t count, const float *rows,
                               wsam_error *error)
{
    uint16_t *halves = malloc((count + 1) * sizeof *halves);
    int finite = 1;
    if (!halves)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for regions");
    for (size_t i = 0; i < p->n; i++) {
        for (size_t k = 0; k < count; k++) {
            finite &= isfinite(rows[i * count + k]) != 0;
            halves[k] = ws_half_from_float(rows[i * count + k]);
        }
        fwrite(halves, sizeof *halves, count, f);
    }
    free(halves);
    return finite ? WSAM_OK
                  : ws_fail(error, WSAM_ERR_FORMAT,
                            "a number of a region is not finite: the model or a map is damaged");
}

static wsam_status put_record(FILE *f, const wsam_proposals *p, const ws_region_layout *l,
                              const float *rows, wsam_error *error)
{
    static const char zeros[PAD];
    header h = {.n = (uint32_t)p->n,
                .count = (uint32_t)l->count,
                .n_groups = (uint32_t)l->n_groups,
                .bytes = record_bytes(p->n, l->count, l->n_groups)};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    fwrite(&h, sizeof h, 1, f);
    fwrite(l->groups, sizeof *l->groups, l->n_groups, f);
    for (size_t i = 0; i < p->n; i++) {
        const float *b = p->items[i].box;
        const float box[4] = {b[0], b[1], b[2] + 1.0f, b[3] + 1.0f};
        fwrite(box, sizeof box, 1, f);
    }
    const wsam_status status = put_numbers(f, p, l->count, rows, error);
    const size_t used = sizeof h + l->n_groups * sizeof *l->groups +
                        p->n * (4 * sizeof(float) + l->count * sizeof(uint16_t));
    fwrite(zeros, 1, h.bytes - used, f);
    return status;
}

wsam_status ws_region_file_save(const char *path, const wsam_proposals *p,
                                const ws_region_layout *l, const float *rows, wsam_error *error)
{
    ws_outputs out = {.brief = 1};
    if (p->n > MOST_REGIONS || l->count > MOST_NUMBERS)
        return ws_fail(error, WSAM_ERR_LIMIT, "%s: %zu regions of %zu numbers are too many", path,
                       p->n, l->count);
    FILE *f = ws_outputs_open(&out, path, error);
    wsam_status status = f ? put_record(f, p, l, rows, error) : WSAM_ERR_IO;
    if (!status)
        status = ws_outputs_close(&out, error);
    return ws_outputs_finish(&out, status, error);
}

/* ---- one file of all ---- */

static wsam_status copy_file(FILE *to, const char *path, const ws_region_layout *empty,
                             wsam_error *error)
{
    const wsam_proposals none = {0};
    char *bytes;
    size_t size;
    int there;
    wsam_status status = ws_file_there(path, &there, error);
    if (status || !there)
        return status ? status : put_record(to, &none, empty, NULL, error);
    status = ws_file_read_whole(path, (uint64_t)1 << 32, &bytes, &size, error);
    if (!status)
        fwrite(bytes, 1, size, to);
    if (!status)
        free(bytes);
    return status;
}

wsam_status ws_region_set_gather(const char *path, const char *const *files, size_t n,
                                 wsam_error *error)
{
    ws_outputs out = {.brief = 1};
    const ws_region_layout empty = {0};
    FILE *f = ws_outputs_open(&out, path, error);
    wsam_status status = f ? WSAM_OK : WSAM_ERR_IO;
    for (size_t i = 0; i < n && !status; i++)
        status = copy_file(f, files[i], &empty, error);
    if (!status)
        status = ws_outputs_close(&out, error);
    return ws_outputs_finish(&out, status, error);
}

/* ---- reading ---- */

/* The record at `at` of `left` bytes; 0 where it is none. */
static int take_record(ws_region_set *s, char *at, size_t left, size_t *bytes)
{
    header h;
    ws_region_layout l = {0};
    if (left < sizeof h)
        return 0;
    memcpy(&h, at, sizeof h);
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0 || h.n > MOST_REGIONS ||
        h.count > MOST_NUMBERS || h.n_groups > WS_REGION_GROUPS || h.bytes > left ||
        h.bytes != record_bytes(h.n, h.count, h.n_groups))
        return 0;
    l.n_groups = h.n_groups;
    l.count = h.count;
    memcpy(l.groups, at + sizeof h, h.n_groups * sizeof *l.groups);
    for (size_t i = 0, next = 0; i < l.n_groups; next += l.groups[i++].count)
        if (l.groups[i].first != next || l.groups[i].count > h.count - next ||
            l.groups[i].name[sizeof l.groups[i].name - 1])
            return 0;
    if (h.n && s->layout.n_groups && memcmp(&s->layout, &l, sizeof l) != 0)
        return 0;
    if (h.n)
        s->layout = l;
    char *boxes = at + sizeof h + h.n_groups * sizeof *l.groups;
    s->pictures[s->n++] =
        (ws_region_picture){.n = h.n,
                            .boxes = (float(*)[4])(void *)boxes,
                            .numbers = (uint16_t *)(void *)(boxes + h.n * 4 * sizeof(float))};
    *bytes = h.bytes;
    return 1;
}

static wsam_status take_records(ws_region_set *s, const char *path, wsam_error *error)
{
    size_t room = 0, bytes = 0;
    for (size_t at = 0; at < s->size; at += bytes) {
        if (s->n == room) {
            room = room ? 2 * room : 256;
            void *more = realloc(s->pictures, room * sizeof *s->pictures);
            if (!more)
                return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", path);
            s->pictures = more;
        }
        if (!take_record(s, (char *)s->bytes + at, s->size - at, &bytes))
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: damaged, or regions of different sources",
                           path);
    }
    return WSAM_OK;
}

wsam_status ws_region_set_open(const char *path, ws_region_set *s, wsam_error *error)
{
    struct stat st;
    memset(s, 0, sizeof *s);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    wsam_status status = WSAM_OK;
    if (fd < 0 || fstat(fd, &st) != 0)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    if (!status && st.st_size > 0) {
        s->size = (size_t)st.st_size;
        s->bytes = mmap(NULL, s->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (s->bytes == MAP_FAILED) {
            s->bytes = NULL;
            status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
        }
    }
    if (fd >= 0)
        close(fd);
    if (!status)
        status = take_records(s, path, error);
    if (status)
        ws_region_set_close(s);
    return status;
}

void ws_region_set_close(ws_region_set *s)
{
    if (s->bytes)
        munmap(s->bytes, s->size);
    free(s->pictures);
    memset(s, 0, sizeof *s);
}
