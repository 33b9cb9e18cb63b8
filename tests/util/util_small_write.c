/* tests/util/util_small_write.c - see util_small.h: the bytes of a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "tests/util/util_small.h"
#include "weights/bytes.h"

static void put_metadata(ws_bytes *b, const small_file *f)
{
    ws_bytes_put_u32(b, f->n_metadata);
    for (uint32_t i = 0; i < f->n_metadata; i++) {
        const small_note *n = &f->metadata[i];
        ws_bytes_put_string(b, n->key);
        ws_bytes_put_u8(b, n->kind);
        if (n->kind == WS_META_STRING) {
            ws_bytes_put_long_string(b, n->text);
        } else if (n->kind == WS_META_INT) {
            ws_bytes_put_u64(b, (uint64_t)n->integer);
        } else {
            ws_bytes_put_u32(b, n->count);
            for (uint32_t k = 0; k < n->count && k < 4; k++)
                if (n->kind == WS_META_NUMBERS)
                    ws_bytes_put_f64(b, n->numbers[k]);
                else
                    ws_bytes_put_string(b, n->text);
        }
    }
}

static size_t elements(const ws_tensor_def *t)
{
    size_t n = 1;
    for (int d = 0; d < t->rank && d < WSAM_MAX_RANK; d++)
        n = t->dims[d] && n > SMALL_BYTES / t->dims[d] ? SMALL_BYTES : n * t->dims[d];
    return n;
}

static void pad(ws_bytes *b)
{
    while (b->size % WS_FORMAT_ALIGN && !b->failed)
        ws_bytes_put_u8(b, 0);
}

/* Small values of every type; scales are 1/64. */
static void put_values(ws_bytes *data, const ws_tensor_def *t, size_t n)
{
    uint32_t draw = (uint32_t)XXH3_64bits(t->name, strlen(t->name));
    for (size_t i = 0; i < n; i++) {
        draw = draw * 1664525u + 1013904223u;
        const int k = (int)(draw >> 20) % 255 - 127;
        const float value = (float)k / 256.0f;
        uint32_t bits;
        memcpy(&bits, &value, 4);
        if (t->type == WSAM_S8)
            ws_bytes_put_u8(data, (unsigned)k & 255);
        else if (t->type == WSAM_BF16)
            ws_bytes_put_u16(data, bits >> 16);
        else
            ws_bytes_put_u32(data, bits);
    }
}

static void put_tensor(ws_bytes *b, ws_bytes *data, const ws_tensor_def *t)
{
    static const size_t bytes[] = {4, 2, 1, 4};
    const size_t n = elements(t), room = data->size < SMALL_BYTES ? SMALL_BYTES - data->size : 0;
    const uint64_t offset = data->size, size = n * bytes[t->type & 3];
    uint64_t scales = 0, scale_bytes = 0;
    XXH3_state_t hash;
    put_values(data, t, size < room ? n : 0);
    XXH3_64bits_reset(&hash);
    if (data->size > offset)
        XXH3_64bits_update(&hash, data->data + offset, data->size - offset);
    pad(data);
    if (t->type == WSAM_S8 && size < room) {
        scales = data->size;
        scale_bytes = 4 * (uint64_t)t->dims[0];
        for (uint32_t i = 0; i < t->dims[0]; i++)
            ws_bytes_put_u32(data, 0x3c800000);
        if (scale_bytes)
            XXH3_64bits_update(&hash, data->data + scales, scale_bytes);
        pad(data);
    }
    ws_bytes_put_string(b, t->name);
    ws_bytes_put_u8(b, t->type);
    ws_bytes_put_u8(b, (unsigned)t->rank);
    for (int d = 0; d < t->rank && d < WSAM_MAX_RANK; d++)
        ws_bytes_put_u32(b, t->dims[d]);
    ws_bytes_put_u64(b, offset);
    ws_bytes_put_u64(b, size);
    ws_bytes_put_u64(b, scales);
    ws_bytes_put_u64(b, scale_bytes);
    ws_bytes_put_u64(b, XXH3_64bits_digest(&hash));
}

static void put_op(ws_bytes *b, const small_op *o)
{
    ws_bytes_put_string(b, o->def.kind);
    ws_bytes_put_string(b, o->def.name);
    ws_bytes_put_u32(b, o->def.n_inputs);
    for (uint32_t i = 0; i < o->def.n_inputs && i < WS_CAP_OP_INPUTS; i++)
        ws_bytes_put_u32(b, o->def.inputs[i]);
    ws_bytes_put_u32(b, o->def.n_attrs);
    for (uint32_t i = 0; i < o->def.n_attrs && i < SMALL_ATTRS; i++) {
        const ws_attr_def *a = &o->attrs[i];
        ws_bytes_put_string(b, a->name);
        ws_bytes_put_u8(b, a->kind);
        if (a->kind == WS_ATTR_FLOAT)
            ws_bytes_put_f64(b, a->f);
        else if (a->kind == WS_ATTR_STRING)
            ws_bytes_put_string(b, a->s);
        else if (a->kind == WS_ATTR_SYMBOL)
            ws_bytes_put_u32(b, (uint32_t)a->i);
        else
            ws_bytes_put_u64(b, (uint64_t)a->i);
    }
}

static void put_graph(ws_bytes *b, const small_graph *g)
{
    ws_bytes_put_string(b, g->def.name);
    ws_bytes_put_u32(b, g->def.n_symbols);
    for (uint32_t i = 0; i < g->def.n_symbols && i < SMALL_SYMBOLS; i++) {
        ws_bytes_put_string(b, g->symbols[i].name);
        ws_bytes_put_u32(b, g->symbols[i].min);
        ws_bytes_put_u32(b, g->symbols[i].max);
        ws_bytes_put_u32(b, g->symbols[i].multiple);
    }
    ws_bytes_put_u32(b, g->def.n_inputs);
    for (uint32_t i = 0; i < g->def.n_inputs && i < SMALL_INPUTS; i++) {
        const ws_input_def *in = &g->inputs[i];
        ws_bytes_put_string(b, in->name);
        ws_bytes_put_u8(b, in->type);
        ws_bytes_put_u8(b, in->rate);
        ws_bytes_put_u8(b, (unsigned)in->rank);
        for (int k = 0; k < in->rank && k < WSAM_MAX_RANK; k++)
            ws_bytes_put_u32(b, (uint32_t)in->dims[k]);
    }
    ws_bytes_put_u32(b, g->def.n_ops);
    for (uint32_t i = 0; i < g->def.n_ops && i < SMALL_OPS; i++)
        put_op(b, &g->ops[i]);
    ws_bytes_put_u32(b, g->def.n_outputs);
    for (uint32_t i = 0; i < g->def.n_outputs && i < SMALL_OUTPUTS; i++) {
        ws_bytes_put_string(b, g->outputs[i].name);
        ws_bytes_put_u32(b, g->outputs[i].ref);
    }
}

/* The data section ends with the last byte of the last tensor: without the padding behind it. */
static void put_data_tables(ws_bytes parts[4], const small_file *f)
{
    ws_bytes_put_u32(&parts[1], f->n_tensors);
    for (uint32_t i = 0; i < f->n_tensors && i < SMALL_TENSORS; i++)
        put_tensor(&parts[1], &parts[3], &f->tensors[i]);
    const ws_tensor_def *last = &f->tensors[f->n_tensors ? f->n_tensors - 1 : 0];
    const size_t end = last->type == WSAM_S8 ? 4 * (size_t)last->dims[0]
                                             : elements(last) * (last->type == WSAM_BF16 ? 2 : 4);
    if (end % WS_FORMAT_ALIGN && parts[3].size >= WS_FORMAT_ALIGN)
        parts[3].size -= WS_FORMAT_ALIGN - end % WS_FORMAT_ALIGN;
}

static void put_u64_at(ws_bytes *b, size_t at, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        b->data[at + (size_t)i] = (unsigned char)(v >> 8 * i);
}

unsigned char *small_write(const small_file *f, size_t *size)
{
    const size_t head = WS_FORMAT_HEADER_BYTES, row = WS_FORMAT_SECTION_BYTES;
    ws_bytes file = {0}, parts[4] = {{0}};
    put_metadata(&parts[0], f);
    put_data_tables(parts, f);
    ws_bytes_put_u32(&parts[2], f->n_graphs);
    for (uint32_t i = 0; i < f->n_graphs && i < SMALL_GRAPHS; i++)
        put_graph(&parts[2], &f->graphs[i]);
    ws_bytes_put(&file, WS_FORMAT_MAGIC, 8);
    ws_bytes_put_u32(&file, WS_FORMAT_VERSION);
    ws_bytes_put_u32(&file, WS_FORMAT_SECTIONS);
    while (file.size < head + 4 * row && !file.failed)
        ws_bytes_put_u64(&file, 0);
    for (size_t i = 0; i < 4 && !file.failed; i++) {
        pad(&file);
        put_u64_at(&file, head + i * row, i + 1);
        put_u64_at(&file, head + i * row + 8, file.size);
        put_u64_at(&file, head + i * row + 16, parts[i].size);
        if (i < 3)
            put_u64_at(&file, head + i * row + 24, XXH3_64bits(parts[i].data, parts[i].size));
        ws_bytes_put(&file, parts[i].data, parts[i].size);
    }
    for (int i = 0; i < 4; i++)
        free(parts[i].data);
    if (file.failed) {
        free(file.data);
        abort();
    }
    put_u64_at(&file, 16, file.size);
    put_u64_at(&file, 40, XXH3_64bits(file.data + head, 4 * row));
    put_u64_at(&file, 56, XXH3_64bits(file.data, 56));
    *size = file.size;
    return file.data;
}
