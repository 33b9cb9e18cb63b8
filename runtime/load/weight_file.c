/* runtime/load/weight_file.c - see weight_file.h. Tables and tensors are copied with pread: a file that shrinks
 * or changes while it is open gives an error, never a signal, and what was validated is what is
 * used.
 */
#include "runtime/load/weight_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

wsam_status ws_weight_file_read(const ws_file *f, uint64_t offset, void *to, size_t n,
                                wsam_error *error)
{
    char *at = to;
    if (offset > f->size || n > f->size - offset)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s: truncated: %zu bytes at %llu wanted, %llu there", f->path, n,
                       (unsigned long long)offset, (unsigned long long)f->size);
    if (f->memory) {
        memcpy(to, f->memory + offset, n);
        return WSAM_OK;
    }
    while (n) {
        const ssize_t got = pread(f->fd, at, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ws_fail(error, WSAM_ERR_IO, "%s: %s", f->path, strerror(errno));
        if (got == 0)
            return ws_fail(error, WSAM_ERR_IO, "%s: the file shrank while it was open", f->path);
        at += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return WSAM_OK;
}

wsam_status ws_weight_file_tensor(const ws_file *f, const ws_tensor_def *t, uint64_t at, void *to,
                                  size_t n, wsam_error *error)
{
    return ws_weight_file_read(f, f->sections[3].offset + t->offset + at, to, n, error);
}

wsam_status ws_weight_file_scales(const ws_file *f, const ws_tensor_def *t, float *to,
                                  wsam_error *error)
{
    return ws_weight_file_read(f, f->sections[3].offset + t->scale_offset, to,
                               (size_t)t->scale_bytes, error);
}

void ws_weight_file_release(const ws_file *f, const ws_tensor_def *t)
{
    if (f->fd >= 0)
        posix_fadvise(f->fd, (off_t)(f->sections[3].offset + t->offset), (off_t)t->bytes,
                      POSIX_FADV_DONTNEED);
}

static wsam_status check_s8(const ws_file *f, const ws_tensor_def *t, const unsigned char *bytes,
                            size_t n, wsam_error *error)
{
    if (t->type == WSAM_S8 && memchr(bytes, 0x80, n))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' holds the value -128", f->path,
                       t->name);
    return WSAM_OK;
}

static wsam_status check_scales(const ws_file *f, const ws_tensor_def *t, XXH3_state_t *hash,
                                wsam_error *error)
{
    const size_t n = (size_t)t->scale_bytes / sizeof(float);
    if (!n)
        return WSAM_OK;
    float *scales = malloc((size_t)t->scale_bytes);
    if (!scales)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for scales", f->path);
    wsam_status status = ws_weight_file_scales(f, t, scales, error);
    if (!status)
        XXH3_64bits_update(hash, scales, (size_t)t->scale_bytes);
    for (size_t i = 0; i < n && !status; i++)
        if (!(scales[i] >= 0.0f) || isinf(scales[i]))
            status = ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' has a scale that is no scale",
                             f->path, t->name);
    free(scales);
    return status;
}

wsam_status ws_weight_file_verify(const ws_file *f, const ws_tensor_def *t, wsam_error *error)
{
    enum { CHUNK = 1 << 16 };
    unsigned char *chunk = malloc(CHUNK);
    XXH3_state_t *hash = XXH3_createState();
    wsam_status status = WSAM_OK;
    if (!chunk || !hash)
        status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory to verify", f->path);
    else
        XXH3_64bits_reset(hash);
    for (uint64_t at = 0; at < t->bytes && !status; at += CHUNK) {
        const size_t n = t->bytes - at < CHUNK ? (size_t)(t->bytes - at) : CHUNK;
        status = ws_weight_file_tensor(f, t, at, chunk, n, error);
        if (!status)
            status = check_s8(f, t, chunk, n, error);
        if (!status)
            XXH3_64bits_update(hash, chunk, n);
    }
    if (!status)
        status = check_scales(f, t, hash, error);
    if (!status && XXH3_64bits_digest(hash) != t->hash)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' is damaged (checksum)", f->path,
                         t->name);
    free(chunk);
    XXH3_freeState(hash);
    return status;
}

/* ---- opening ---- */

static uint32_t u32_at(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t u64_at(const unsigned char *p)
{
    return (uint64_t)u32_at(p) | (uint64_t)u32_at(p + 4) << 32;
}

static int all_zero(const unsigned char *p, size_t n)
{
    while (n--)
        if (*p++)
            return 0;
    return 1;
}

enum { HEAD = WS_FORMAT_HEADER_BYTES + WS_FORMAT_SECTIONS * WS_FORMAT_SECTION_BYTES };

static wsam_status check_header(const ws_file *f, const unsigned char *h, wsam_error *error)
{
    if (memcmp(h, WS_FORMAT_MAGIC, 8) != 0)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: not a weaksam weight file", f->path);
    const uint32_t version = u32_at(h + 8);
    if (version > WS_FORMAT_VERSION)
        return ws_fail(error, WSAM_ERR_VERSION,
                       "%s: weight file version %u; this library reads up to %d", f->path, version,
                       WS_FORMAT_VERSION);
    if (version < 1)
        return ws_fail(error, WSAM_ERR_VERSION, "%s: weight file version %u", f->path, version);
    if (XXH3_64bits(h, 56) != u64_at(h + 56))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: the header is damaged (checksum)", f->path);
    if (u32_at(h + 12) != WS_FORMAT_SECTIONS)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: %u sections instead of %d", f->path,
                       u32_at(h + 12), WS_FORMAT_SECTIONS);
    if (u64_at(h + 16) != f->size)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: the file has %llu bytes, its header says %llu",
                       f->path, (unsigned long long)f->size, (unsigned long long)u64_at(h + 16));
    if (!all_zero(h + 24, 16) || !all_zero(h + 48, 8))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: reserved header fields are not zero", f->path);
    if (XXH3_64bits(h + WS_FORMAT_HEADER_BYTES, HEAD - WS_FORMAT_HEADER_BYTES) != u64_at(h + 40))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: the section table is damaged (checksum)",
                       f->path);
    return WSAM_OK;
}

/* Sections follow each other on multiples of 64; the gaps are zero; the last one ends the file. */
static wsam_status check_sections(ws_file *f, const unsigned char *table, wsam_error *error)
{
    static const char *const names[] = {"metadata", "tensors", "graphs", "data"};
    uint64_t end = HEAD;
    for (int i = 0; i < WS_FORMAT_SECTIONS; i++) {
        const unsigned char *row = table + i * WS_FORMAT_SECTION_BYTES;
        ws_section *s = &f->sections[i];
        s->offset = u64_at(row + 8);
        s->size = u64_at(row + 16);
        s->hash = u64_at(row + 24);
        const uint64_t expected = (end + 63) / 64 * 64;
        unsigned char gap[64];
        if (u32_at(row) != (uint32_t)i + 1 || u32_at(row + 4) != 0 || s->offset != expected ||
            s->offset > f->size || s->size > f->size - s->offset)
            return ws_fail(error, WSAM_ERR_FORMAT,
                           "%s: section %s is misplaced (offset %llu, %llu bytes)", f->path,
                           names[i], (unsigned long long)s->offset, (unsigned long long)s->size);
        if (i < 3 && s->size > WS_CAP_TABLE_BYTES)
            return ws_fail(error, WSAM_ERR_LIMIT, "%s: section %s is too large", f->path, names[i]);
        const wsam_status status =
            ws_weight_file_read(f, end, gap, (size_t)(expected - end), error);
        if (status)
            return status;
        if (!all_zero(gap, (size_t)(expected - end)))
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: bytes before section %s are not zero",
                           f->path, names[i]);
        end = s->offset + s->size;
    }
    if (end != f->size)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: bytes after the last section", f->path);
    return WSAM_OK;
}

typedef wsam_status (*parse_fn)(ws_file *, const unsigned char *, size_t, wsam_error *);

/* Copies one table, compares its checksum, parses it. */
static wsam_status read_table(ws_file *f, int i, parse_fn parse, wsam_error *error)
{
    static const char *const names[] = {"metadata", "tensors", "graphs"};
    const ws_section *s = &f->sections[i];
    unsigned char *bytes = malloc((size_t)s->size + 1);
    if (!bytes)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for its tables", f->path);
    wsam_status status = ws_weight_file_read(f, s->offset, bytes, (size_t)s->size, error);
    if (!status && XXH3_64bits(bytes, (size_t)s->size) != s->hash)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: section %s is damaged (checksum)", f->path,
                         names[i]);
    if (!status)
        status = parse(f, bytes, (size_t)s->size, error);
    free(bytes);
    return status;
}

static wsam_status read_all(ws_file *f, wsam_error *error)
{
    unsigned char head[HEAD];
    if (f->size == 0)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: the file is empty", f->path);
    if (f->size < HEAD) {
        unsigned char magic[8] = {0};
        if (f->size >= 8 && ws_weight_file_read(f, 0, magic, 8, error) == WSAM_OK &&
            memcmp(magic, WS_FORMAT_MAGIC, 8) == 0)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: truncated: %llu bytes", f->path,
                           (unsigned long long)f->size);
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: not a weaksam weight file", f->path);
    }
    wsam_status status = ws_weight_file_read(f, 0, head, HEAD, error);
    if (!status)
        status = check_header(f, head, error);
    if (!status)
        status = check_sections(f, head + WS_FORMAT_HEADER_BYTES, error);
    if (!status)
        status = read_table(f, 0, ws_parse_tables_metadata, error);
    if (!status)
        status = read_table(f, 1, ws_parse_tables_tensors, error);
    if (!status)
        status = read_table(f, 2, ws_parse_tables_graphs, error);
    return status;
}

static wsam_status open_path(ws_file *f, const char *path, wsam_error *error)
{
    struct stat st;
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, &st) != 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", f->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", f->path,
                       S_ISDIR(st.st_mode) ? "is a directory" : "is not a regular file");
    f->size = (uint64_t)st.st_size;
    return WSAM_OK;
}

static wsam_status open_any(const char *path, const void *memory, size_t size, ws_file **out,
                            wsam_error *error)
{
    *out = NULL;
    ws_file *f = calloc(1, sizeof *f);
    if (!f)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory to open a weight file");
    f->fd = -1;
    f->memory = memory;
    f->size = size;
    snprintf(f->path, sizeof f->path, "%s", path);
    wsam_status status = memory ? WSAM_OK : open_path(f, path, error);
    if (!status)
        status = read_all(f, error);
    if (status)
        ws_weight_file_close(f);
    else
        *out = f;
    return status;
}

wsam_status ws_weight_file_open(const char *path, ws_file **file, wsam_error *error)
{
    return open_any(path, NULL, 0, file, error);
}

wsam_status ws_weight_file_open_memory(const void *data, size_t size, ws_file **file,
                                       wsam_error *error)
{
    return open_any("(memory)", data, size, file, error);
}

void ws_weight_file_close(ws_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    ws_parse_tables_free(f);
    free(f);
}

const ws_metadata *ws_weight_file_metadata(const ws_file *f, const char *key)
{
    for (size_t i = 0; i < f->n_metadata; i++)
        if (strcmp(f->metadata[i].key, key) == 0)
            return &f->metadata[i];
    return NULL;
}

const ws_graph_def *ws_weight_file_graph(const ws_file *f, const char *name)
{
    for (size_t i = 0; i < f->n_graphs; i++)
        if (strcmp(f->graphs[i].name, name) == 0)
            return &f->graphs[i];
    return NULL;
}
