/* weights/import/source.c - a checkpoint's tensors: adding, checking, reading. */
#include "weights/import/source.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/half.h"
#include "kernels/vector.h"

size_t ws_source_dtype_bytes(ws_dtype dtype)
{
    switch (dtype) {
    case WS_DTYPE_F32:
        return 4;
    case WS_DTYPE_F64:
        return 8;
    case WS_DTYPE_F16:
    case WS_DTYPE_BF16:
        return 2;
    case WS_DTYPE_INT:
        break;
    }
    return 1;
}

wsam_status ws_source_bytes(const ws_source *s, uint64_t offset, void *to, size_t n,
                            wsam_error *error)
{
    char *at = to;
    if (offset >= s->size && n && offset - s->size <= s->n_extra &&
        n <= s->n_extra - (offset - s->size)) {
        memcpy(at, s->extra + (offset - s->size), n);
        return WSAM_OK;
    }
    if (offset > s->size || n > s->size - offset)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s: truncated: expected %zu bytes at offset %llu of %llu", s->path, n,
                       (unsigned long long)offset, (unsigned long long)s->size);
    while (n) {
        const ssize_t got = pread(s->fd, at, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ws_fail(error, WSAM_ERR_IO, "%s: %s", s->path, strerror(errno));
        if (got == 0)
            return ws_fail(error, WSAM_ERR_IO, "%s: the file shrank while it was read", s->path);
        at += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return WSAM_OK;
}

wsam_status ws_source_add(ws_source *s, const char *name, ws_source_tensor **out, wsam_error *error)
{
    *out = NULL;
    if (strlen(name) > WS_SOURCE_NAME || !*name)
        return ws_fail(error, WSAM_ERR_LIMIT, "%s: a tensor name of %zu bytes", s->path,
                       strlen(name));
    if (s->n_tensors == s->capacity) {
        const size_t capacity = s->capacity ? 2 * s->capacity : 64;
        if (capacity > WS_SOURCE_TENSORS)
            return ws_fail(error, WSAM_ERR_LIMIT, "%s: too many tensors", s->path);
        ws_source_tensor *grown = realloc(s->tensors, capacity * sizeof *grown);
        if (!grown)
            return ws_no_memory(error, s->path);
        s->tensors = grown;
        s->capacity = capacity;
    }
    ws_source_tensor *t = &s->tensors[s->n_tensors++];
    memset(t, 0, sizeof *t);
    snprintf(t->name, sizeof t->name, "%s", name);
    *out = t;
    return WSAM_OK;
}

void ws_source_contiguous_strides(ws_source_tensor *t)
{
    uint64_t stride = 1;
    for (int d = t->rank - 1; d >= 0; d--) {
        t->strides[d] = stride;
        stride *= t->dims[d];
    }
}

uint64_t ws_source_elements(const ws_source_tensor *t)
{
    uint64_t n = 1;
    for (int d = 0; d < t->rank; d++)
        n *= t->dims[d];
    return n;
}

wsam_status ws_source_check_extent(const ws_source *s, const ws_source_tensor *t, uint64_t begin,
                                   uint64_t end, wsam_error *error)
{
    uint64_t count = 1, last = 0;
    for (int d = 0; d < t->rank; d++) {
        if (t->dims[d] == 0)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' has a dimension of 0", s->path,
                           t->name);
        if (count > (uint64_t)1 << 33 || t->strides[d] > (uint64_t)1 << 33)
            return ws_fail(error, WSAM_ERR_LIMIT, "%s: tensor '%s' is too large", s->path, t->name);
        count *= t->dims[d];
        last += (uint64_t)(t->dims[d] - 1) * t->strides[d];
        if (last > (uint64_t)1 << 40)
            return ws_fail(error, WSAM_ERR_LIMIT, "%s: tensor '%s' is too large", s->path, t->name);
    }
    const uint64_t bytes = (last + 1) * ws_source_dtype_bytes(t->dtype);
    /* an element count beyond the extent would be an overlapping view: an allocation on the file's
     * word */
    if (count > last + 1 || begin > end || t->offset < begin || t->offset > end ||
        bytes > end - t->offset)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' reaches outside its data", s->path,
                       t->name);
    return WSAM_OK;
}

static float element(ws_dtype dtype, const unsigned char *p)
{
    uint16_t h;
    float f;
    double d;
    switch (dtype) {
    case WS_DTYPE_F32:
        memcpy(&f, p, sizeof f);
        return f;
    case WS_DTYPE_F64:
        memcpy(&d, p, sizeof d);
        return (float)d;
    case WS_DTYPE_F16:
        memcpy(&h, p, sizeof h);
        return ws_half_to_float(h);
    case WS_DTYPE_BF16:
        memcpy(&h, p, sizeof h);
        return ws_f32_from_bf16(h);
    case WS_DTYPE_INT:
        break;
    }
    return 0.0f;
}

static int is_contiguous(const ws_source_tensor *t)
{
    uint64_t stride = 1;
    for (int d = t->rank - 1; d >= 0; d--) {
        if (t->dims[d] > 1 && t->strides[d] != stride)
            return 0;
        stride *= t->dims[d];
    }
    return 1;
}

/* `n` consecutive elements through a bounded buffer. */
static wsam_status read_run(const ws_source *s, ws_dtype dtype, uint64_t offset, uint64_t n,
                            float *out, wsam_error *error)
{
    enum { CHUNK = 8192 };
    unsigned char buffer[CHUNK * 8];
    const size_t bytes = ws_source_dtype_bytes(dtype);
    if (dtype == WS_DTYPE_F32)
        return ws_source_bytes(s, offset, out, (size_t)n * 4, error);
    while (n) {
        const size_t now = n < CHUNK ? (size_t)n : CHUNK;
        const wsam_status status = ws_source_bytes(s, offset, buffer, now * bytes, error);
        if (status)
            return status;
        for (size_t i = 0; i < now; i++)
            out[i] = element(dtype, buffer + i * bytes);
        out += now;
        n -= now;
        offset += now * bytes;
    }
    return WSAM_OK;
}

/* A view may leave out at most 15 of 16 elements: the memory for its extent stays in proportion. */
enum { SPREAD = 16 };

/* Any strides: the tensor's whole extent is read once, then gathered. */
static wsam_status read_strided(const ws_source *s, const ws_source_tensor *t, float *out,
                                wsam_error *error)
{
    uint64_t last = 0;
    for (int d = 0; d < t->rank; d++)
        last += (uint64_t)(t->dims[d] - 1) * t->strides[d];
    if (last / SPREAD > ws_source_elements(t))
        return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                       "%s: tensor '%s' is a thin view of a large storage", s->path, t->name);
    float *extent = calloc((size_t)last + 1, sizeof *extent);
    if (!extent)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for tensor '%s'", s->path, t->name);
    const wsam_status status = read_run(s, t->dtype, t->offset, last + 1, extent, error);
    uint32_t at[WS_SOURCE_RANK] = {0};
    const uint64_t n = ws_source_elements(t);
    for (uint64_t i = 0; !status && i < n; i++) {
        uint64_t from = 0;
        for (int d = 0; d < t->rank; d++)
            from += at[d] * t->strides[d];
        out[i] = extent[from];
        for (int d = t->rank - 1; d >= 0 && ++at[d] == t->dims[d]; d--)
            at[d] = 0;
    }
    free(extent);
    return status;
}

wsam_status ws_source_stack(const ws_source *s, ws_source_tensor *first,
                            const ws_source_tensor *second, const ws_source_tensor *third,
                            wsam_error *error)
{
    const ws_source_tensor *all[3] = {first, second, third};
    for (int i = 0; i < 3; i++)
        if (all[i]->dtype != first->dtype || all[i]->dtype == WS_DTYPE_INT ||
            all[i]->rank != first->rank || !first->rank || all[i]->stacked ||
            memcmp(all[i]->dims, first->dims, (size_t)first->rank * sizeof first->dims[0]) != 0 ||
            !is_contiguous(all[i]) || first->dims[0] > UINT32_MAX / 3)
            return ws_fail(error, WSAM_ERR_MISMATCH,
                           "%s: '%s' does not have the shape and type of '%s'", s->path,
                           all[i]->name, first->name);
    first->stacked = 1;
    first->part_offset[0] = second->offset;
    first->part_offset[1] = third->offset;
    first->dims[0] *= 3;
    return WSAM_OK;
}

static wsam_status read_stacked(const ws_source *s, const ws_source_tensor *t, float *out,
                                wsam_error *error)
{
    const uint64_t part = ws_source_elements(t) / 3;
    wsam_status status = read_run(s, t->dtype, t->offset, part, out, error);
    for (int i = 0; i < 2 && !status; i++)
        status =
            read_run(s, t->dtype, t->part_offset[i], part, out + (uint64_t)(i + 1) * part, error);
    return status;
}

wsam_status ws_source_read(const ws_source *s, const ws_source_tensor *t, float *out,
                           wsam_error *error)
{
    if (t->dtype == WS_DTYPE_INT)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "%s: tensor '%s' holds integers", s->path,
                       t->name);
    if (t->stacked)
        return read_stacked(s, t, out, error);
    if (!is_contiguous(t))
        return read_strided(s, t, out, error);
    return read_run(s, t->dtype, t->offset, ws_source_elements(t), out, error);
}

wsam_status ws_source_check_finite(const ws_source *s, const float *data, size_t n,
                                   wsam_error *error)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(data[i]))
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: holds values that are not finite", s->path);
    return WSAM_OK;
}
