/* weights/writer.c - see writer.h; FORMAT.md has the bytes.
 *
 * Everything but the checksums is known before the first tensor is made, so the data section is
 * written first, at its final place, and the tables in front of it at the end. */
#include "weights/writer.h"
#include "weaksam/convert.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/output.h"
#include "weights/bytes.h"
#include "weights/quantize.h"
#include "weights/smooth.h"
#include "weights/tables.h"

typedef struct output {
    ws_output_file file;
    uint64_t data_offset;
} output;

static size_t element_count(const ws_tensor_def *t)
{
    size_t n = 1;
    for (int d = 0; d < t->rank; d++)
        n *= t->dims[d];
    return n;
}

static size_t type_bytes(wsam_type type)
{
    return type == WSAM_F32 ? 4 : (type == WSAM_BF16 ? 2 : 1);
}

/* Offsets and sizes of all tensors; returns the size of the data section. */
static uint64_t lay_out(ws_builder *b)
{
    uint64_t at = 0;
    for (size_t i = 0; i < ws_builder_tensor_count(b); i++) {
        ws_tensor_def *t = ws_builder_tensor(b, i);
        t->offset = at;
        t->bytes = element_count(t) * type_bytes(t->type);
        at += ws_align64(t->bytes);
        if (t->type == WSAM_S8) {
            t->scale_offset = at;
            t->scale_bytes = (uint64_t)t->dims[0] * sizeof(float);
            at += ws_align64(t->scale_bytes);
        }
    }
    return at;
}

/* ---- the three tables ---- */

static void put_metadata(ws_bytes *out, ws_builder *b)
{
    const ws_meta_def *meta;
    const size_t n = ws_builder_meta(b, &meta);
    ws_bytes_put_u32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        ws_bytes_put_string(out, meta[i].key);
        ws_bytes_put_u8(out, meta[i].kind);
        if (meta[i].kind == WS_META_STRING) {
            ws_bytes_put_long_string(out, meta[i].string);
        } else if (meta[i].kind == WS_META_INT) {
            ws_bytes_put_u64(out, (uint64_t)meta[i].integer);
        } else if (meta[i].kind == WS_META_STRINGS) {
            ws_bytes_put_u32(out, (uint32_t)meta[i].n_strings);
            const char *at = meta[i].string;
            for (size_t j = 0; j < meta[i].n_strings; at += strlen(at) + 1, j++)
                ws_bytes_put_string(out, at);
        } else {
            ws_bytes_put_u32(out, (uint32_t)meta[i].n_numbers);
            for (int j = 0; j < meta[i].n_numbers; j++)
                ws_bytes_put_f64(out, meta[i].numbers[j]);
        }
    }
}

static void put_tensors(ws_bytes *out, ws_builder *b)
{
    ws_bytes_put_u32(out, (uint32_t)ws_builder_tensor_count(b));
    for (size_t i = 0; i < ws_builder_tensor_count(b); i++)
        ws_tables_put_tensor(out, ws_builder_tensor(b, i));
}

static void put_graphs(ws_bytes *out, const ws_builder *b)
{
    ws_bytes_put_u32(out, (uint32_t)ws_builder_graph_count(b));
    for (size_t i = 0; i < ws_builder_graph_count(b); i++)
        ws_tables_put_graph(out, ws_builder_graph(b, i));
}

/* ---- bytes to the file ---- */

/* What is stored must be finite: one infinite weight makes every mask NaN. */
static wsam_status check_values(const ws_tensor_def *t, size_t n, const float *v, wsam_error *error)
{
    const float top = t->type == WSAM_BF16 ? 0x1.fep127f : FLT_MAX; /* of the stored type */
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(v[i]) <= top))
            return ws_fail(error, WSAM_ERR_FORMAT,
                           "tensor '%s' holds a value that is not finite or too large", t->name);
    return WSAM_OK;
}

/* Makes one tensor, stores it, and notes its checksum. */
static wsam_status write_tensor(ws_builder *b, size_t i, const output *o, wsam_error *error)
{
    ws_tensor_def *t = ws_builder_tensor(b, i);
    const ws_recipe *recipe = ws_builder_recipe(b, i);
    const size_t n = element_count(t);
    float *values = malloc(n * sizeof *values), *scale = NULL;
    void *stored = values;
    wsam_status status = WSAM_OK;
    if (t->type != WSAM_F32)
        stored = malloc((size_t)t->bytes);
    if (t->type == WSAM_S8)
        scale = malloc((size_t)t->scale_bytes);
    if (!values || !stored || (t->type == WSAM_S8 && !scale))
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for tensor '%s'", t->name);
    if (!status)
        status = recipe->make(b, recipe, values, error);
    if (!status)
        status = ws_smooth(b, recipe, t, values, error);
    if (!status)
        status = check_values(t, n, values, error);
    if (!status && t->type == WSAM_BF16)
        ws_quantize_bf16(n, values, stored);
    if (!status && t->type == WSAM_S8)
        ws_quantize_s8(t->dims[0], n / t->dims[0], values, stored, scale);
    if (!status) {
        XXH3_state_t hash;
        XXH3_64bits_reset(&hash);
        XXH3_64bits_update(&hash, stored, (size_t)t->bytes);
        if (scale)
            XXH3_64bits_update(&hash, scale, (size_t)t->scale_bytes);
        t->hash = XXH3_64bits_digest(&hash);
        status = ws_output_write_at(&o->file, o->data_offset + t->offset, stored, (size_t)t->bytes,
                                    error);
    }
    if (!status && scale)
        status = ws_output_write_at(&o->file, o->data_offset + t->scale_offset, scale,
                                    (size_t)t->scale_bytes, error);
    if (stored != values)
        free(stored);
    free(values);
    free(scale);
    return status;
}

static wsam_status write_tensors(ws_builder *b, const output *o, wsam_error *error)
{
    const wsam_convert_options *options = ws_builder_options(b);
    const size_t n = ws_builder_tensor_count(b);
    for (size_t i = 0; i < n; i++) {
        const wsam_status status = write_tensor(b, i, o, error);
        if (status)
            return status;
        if (options->progress &&
            options->progress(options->progress_user, (double)(i + 1) / (double)n))
            return ws_fail(error, WSAM_ERR_CANCELLED, "conversion cancelled");
    }
    return WSAM_OK;
}

/* ---- sections ---- */

static wsam_status write_tables(const ws_sections *s, const output *o, wsam_error *error)
{
    ws_bytes header = {0};
    ws_tables_put_header(&header, s);
    wsam_status status = header.failed
                             ? ws_fail(error, WSAM_ERR_MEMORY, "no memory for the tables")
                             : ws_output_write_at(&o->file, 0, header.data, header.size, error);
    for (int i = 0; i < 3 && !status; i++)
        status =
            ws_output_write_at(&o->file, s->offset[i], s->table[i].data, s->table[i].size, error);
    free(header.data);
    return status;
}

/* Tables have the same size before and after the checksums are known. */
static wsam_status write_everything(ws_builder *b, output *o, wsam_error *error)
{
    ws_sections s = {.table = {{0}}};
    const uint64_t data_bytes = lay_out(b);
    put_metadata(&s.table[0], b);
    put_tensors(&s.table[1], b);
    put_graphs(&s.table[2], b);
    ws_tables_place(&s, data_bytes);
    o->data_offset = s.offset[3];
    wsam_status status = WSAM_OK;
    if (s.table[0].failed || s.table[1].failed || s.table[2].failed)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for the tables");
    if (!status && ftruncate(o->file.fd, (off_t)(s.offset[3] + s.size[3])) != 0)
        status = ws_fail(error, WSAM_ERR_IO, "%.500s: %s", o->file.path, strerror(errno));
    if (!status)
        status = write_tensors(b, o, error);
    if (!status) {
        s.table[1].size = 0;
        put_tensors(&s.table[1], b);
        status = write_tables(&s, o, error);
    }
    for (int i = 0; i < 3; i++)
        free(s.table[i].data);
    return status;
}

/* What the runtime would refuse gets no name: better no file than one that fails where it is used. */
static wsam_status check(const output *o, wsam_error *error)
{
    char by_number[32];
    wsam_error inner = {0};
    snprintf(by_number, sizeof by_number, "/proc/self/fd/%d", o->file.fd);
    const wsam_status status =
        wsam_verify(o->file.temporary ? o->file.temporary : by_number, &inner);
    if (status == WSAM_OK || status == WSAM_ERR_MEMORY || status == WSAM_ERR_IO)
        return status ? ws_fail(error, status, "%s", inner.message) : WSAM_OK;
    return ws_fail(error, status, "%.300s: not written, as the runtime would refuse it: %.600s",
                   o->file.path, inner.message);
}

wsam_status ws_writer_write(ws_builder *b, const char *path, wsam_error *error)
{
    output o;
    wsam_status status = ws_builder_status(b, error);
    if (!status)
        status = ws_output_open(&o.file, path, 1, error);
    if (status)
        return status;
    status = write_everything(b, &o, error);
    if (!status)
        status = check(&o, error);
    return ws_output_finish(&o.file, status, error);
}
