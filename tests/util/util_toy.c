#include "tests/util/util_toy.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weights/bytes.h"

/* ---- the description ---- */

static void name(char *to, const char *from)
{
    strcpy(to, from);
}

static void add_tensor(toy *t, int i, const char *label, wsam_type type, int rank, uint32_t d0,
                       uint32_t d1, uint64_t *end)
{
    static const size_t bytes[] = {4, 2, 1};
    ws_tensor_def *d = &t->tensors[i];
    name(d->name, label);
    d->type = type;
    d->rank = rank;
    d->dims[0] = d0;
    d->dims[1] = d1;
    d->offset = *end;
    d->bytes = bytes[type] * d0 * (rank > 1 ? d1 : 1);
    *end = (d->offset + d->bytes + 63) / 64 * 64;
    if (type == WSAM_S8) {
        d->scale_offset = *end;
        d->scale_bytes = 4 * d0;
        *end = (d->scale_offset + d->scale_bytes + 63) / 64 * 64;
    }
}

/* Small values of every type: floats k/8, bf16 the same, s8 k, scales 1/64. */
static void fill(toy *t, const ws_tensor_def *d)
{
    unsigned char *values = t->data + d->offset;
    const size_t n = d->bytes / (d->type == WSAM_F32 ? 4 : d->type == WSAM_BF16 ? 2 : 1);
    for (size_t i = 0; i < n; i++) {
        const int k = (int)(i * 5 % 13) - 6;
        const float f = (float)k / 8.0f;
        uint32_t bits;
        memcpy(&bits, &f, 4);
        if (d->type == WSAM_F32)
            memcpy(values + 4 * i, &f, 4);
        else if (d->type == WSAM_BF16)
            values[2 * i] = (unsigned char)(bits >> 16),
                       values[2 * i + 1] = (unsigned char)(bits >> 24);
        else
            values[i] = (unsigned char)k;
    }
    const float scale = 1.0f / 64.0f;
    for (size_t i = 0; i < d->scale_bytes / 4; i++)
        memcpy(t->data + d->scale_offset + 4 * i, &scale, 4);
}

static ws_attr_def *add_attr(toy_op *op, const char *label, ws_attr_kind kind)
{
    ws_attr_def *a = &op->attrs[op->def.n_attrs++];
    name(a->name, label);
    a->kind = kind;
    return a;
}

static toy_op *add_op(toy_graph *g, const char *kind, uint32_t a, uint32_t b, uint32_t c)
{
    toy_op *op = &g->ops[g->def.n_ops++];
    const uint32_t refs[3] = {a, b, c};
    name(op->def.kind, kind);
    strcat(strcpy(op->def.name, "toy."), kind);
    for (int i = 0; i < 3; i++)
        if (refs[i] != WS_REF_NONE)
            op->def.inputs[op->def.n_inputs++] = refs[i];
    return op;
}

static void add_input(toy_graph *g, const char *label, wsam_rate rate, int rank, int32_t d0,
                      int32_t d1, int32_t d2)
{
    ws_input_def *in = &g->inputs[g->def.n_inputs++];
    name(in->name, label);
    in->type = WSAM_F32;
    in->rate = rate;
    in->rank = rank;
    in->dims[0] = d0;
    in->dims[1] = d1;
    in->dims[2] = d2;
}

static void add_output(toy_graph *g, const char *label, uint32_t ref)
{
    ws_output_def *out = &g->outputs[g->def.n_outputs++];
    name(out->name, label);
    out->ref = ref;
}

static void describe_encoder(toy_graph *g)
{
    name(g->def.name, "small_encoder");
    add_input(g, "image", WSAM_RATE_IMAGE, 3, 4, 4, 8);
    add_op(g, "linear", 0, WS_REF_TENSOR + TOY_S8, WS_REF_TENSOR + TOY_BIAS);
    name(add_attr(add_op(g, "activation", 1, WS_REF_NONE, WS_REF_NONE), "function", WS_ATTR_STRING)
             ->s,
         "gelu");
    add_attr(add_op(g, "layer_norm", 2, WS_REF_TENSOR + TOY_NORM_W, WS_REF_TENSOR + TOY_NORM_B),
             "eps", WS_ATTR_FLOAT)
        ->f = 1e-6;
    add_op(g, "linear", 3, WS_REF_TENSOR + TOY_LINEAR, WS_REF_NONE);
    add_output(g, "embedding", 4);
}

static void describe_decoder(toy_graph *g)
{
    name(g->def.name, "tiny_decoder");
    name(g->symbols[0].name, "points");
    g->symbols[0] = (ws_symbol_def){.name = "points", .min = 1, .max = 16, .multiple = 1};
    g->def.n_symbols = 1;
    add_input(g, "embedding", WSAM_RATE_IMAGE, 3, 4, 4, 8);
    add_input(g, "vectors", WSAM_RATE_PROMPT, 2, -1, 8, 0);
    add_op(g, "linear", 1, WS_REF_TENSOR + TOY_BF16, WS_REF_NONE);
    add_op(g, "mask_product", 0, 2, WS_REF_NONE);
    add_output(g, "low_res", 3);
}

void toy_init(toy *t)
{
    memset(t, 0, sizeof *t);
    t->version = WS_FORMAT_VERSION;
    t->n_sections = WS_FORMAT_SECTIONS;
    t->n_tensors = TOY_TENSORS;
    t->n_graphs = TOY_GRAPHS;
    t->n_metadata = 3;
    uint64_t end = 0;
    add_tensor(t, TOY_S8, "proj.weight", WSAM_S8, 2, 16, 8, &end);
    add_tensor(t, TOY_BIAS, "proj.bias", WSAM_F32, 1, 16, 0, &end);
    add_tensor(t, TOY_NORM_W, "norm.weight", WSAM_F32, 1, 16, 0, &end);
    add_tensor(t, TOY_NORM_B, "norm.bias", WSAM_F32, 1, 16, 0, &end);
    add_tensor(t, TOY_LINEAR, "out.weight", WSAM_F32, 2, 8, 16, &end);
    add_tensor(t, TOY_BF16, "vector.weight", WSAM_BF16, 2, 8, 8, &end);
    for (int i = 0; i < TOY_TENSORS; i++)
        fill(t, &t->tensors[i]);
    describe_encoder(&t->graphs[0]);
    describe_decoder(&t->graphs[1]);
}

/* ---- the bytes ---- */

static void put_metadata(ws_bytes *b, const toy *t)
{
    ws_bytes_put_u32(b, t->n_metadata);
    ws_bytes_put_string(b, "model.id");
    ws_bytes_put_u8(b, WS_META_STRING);
    ws_bytes_put_long_string(b, "00000000000000000000000000000000-int8");
    ws_bytes_put_string(b, "picture.mean");
    ws_bytes_put_u8(b, WS_META_NUMBERS);
    ws_bytes_put_u32(b, 3);
    for (int i = 0; i < 3; i++)
        ws_bytes_put_f64(b, 0.5);
    ws_bytes_put_string(b, "picture.size");
    ws_bytes_put_u8(b, WS_META_INT);
    ws_bytes_put_u64(b, 4);
}

static void put_tensors(ws_bytes *b, const toy *t)
{
    ws_bytes_put_u32(b, t->n_tensors);
    for (int i = 0; i < TOY_TENSORS; i++) {
        const ws_tensor_def *d = &t->tensors[i];
        ws_bytes_put_string(b, d->name);
        ws_bytes_put_u8(b, d->type);
        ws_bytes_put_u8(b, (unsigned)d->rank);
        for (int k = 0; k < d->rank && k < WSAM_MAX_RANK; k++)
            ws_bytes_put_u32(b, d->dims[k]);
        ws_bytes_put_u64(b, d->offset);
        ws_bytes_put_u64(b, d->bytes);
        ws_bytes_put_u64(b, d->scale_offset);
        ws_bytes_put_u64(b, d->scale_bytes);
        ws_bytes_put_u64(b, 0);
    }
}

static void put_op(ws_bytes *b, const toy_op *op)
{
    ws_bytes_put_string(b, op->def.kind);
    ws_bytes_put_string(b, op->def.name);
    ws_bytes_put_u32(b, op->def.n_inputs);
    for (uint32_t i = 0; i < op->def.n_inputs && i < WS_CAP_OP_INPUTS; i++)
        ws_bytes_put_u32(b, op->def.inputs[i]);
    ws_bytes_put_u32(b, op->def.n_attrs);
    for (uint32_t i = 0; i < op->def.n_attrs && i < 4; i++) {
        const ws_attr_def *a = &op->attrs[i];
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

static void put_graph(ws_bytes *b, const toy_graph *g)
{
    ws_bytes_put_string(b, g->def.name);
    ws_bytes_put_u32(b, g->def.n_symbols);
    for (uint32_t i = 0; i < g->def.n_symbols && i < 2; i++) {
        ws_bytes_put_string(b, g->symbols[i].name);
        ws_bytes_put_u32(b, g->symbols[i].min);
        ws_bytes_put_u32(b, g->symbols[i].max);
        ws_bytes_put_u32(b, g->symbols[i].multiple);
    }
    ws_bytes_put_u32(b, g->def.n_inputs);
    for (uint32_t i = 0; i < g->def.n_inputs && i < 2; i++) {
        const ws_input_def *in = &g->inputs[i];
        ws_bytes_put_string(b, in->name);
        ws_bytes_put_u8(b, in->type);
        ws_bytes_put_u8(b, in->rate);
        ws_bytes_put_u8(b, (unsigned)in->rank);
        for (int k = 0; k < in->rank && k < WSAM_MAX_RANK; k++)
            ws_bytes_put_u32(b, (uint32_t)in->dims[k]);
    }
    ws_bytes_put_u32(b, g->def.n_ops);
    for (uint32_t i = 0; i < g->def.n_ops && i < TOY_OPS; i++)
        put_op(b, &g->ops[i]);
    ws_bytes_put_u32(b, g->def.n_outputs);
    for (uint32_t i = 0; i < g->def.n_outputs && i < 1; i++) {
        ws_bytes_put_string(b, g->outputs[i].name);
        ws_bytes_put_u32(b, g->outputs[i].ref);
    }
}

static void pad(ws_bytes *b)
{
    while (b->size % WS_FORMAT_ALIGN && !b->failed)
        ws_bytes_put_u8(b, 0);
}

/* The data section ends with the last byte of the last tensor. */
static size_t data_size(const toy *t)
{
    const ws_tensor_def *last = &t->tensors[TOY_TENSORS - 1];
    const uint64_t end = last->offset + last->bytes;
    return end <= TOY_DATA ? (size_t)end : TOY_DATA;
}

unsigned char *toy_write(const toy *t, size_t *size)
{
    ws_bytes file = {0}, parts[3] = {{0}};
    put_metadata(&parts[0], t);
    put_tensors(&parts[1], t);
    ws_bytes_put_u32(&parts[2], t->n_graphs);
    for (int i = 0; i < TOY_GRAPHS; i++)
        put_graph(&parts[2], &t->graphs[i]);

    ws_bytes_put(&file, WS_FORMAT_MAGIC, 8);
    ws_bytes_put_u32(&file, t->version);
    ws_bytes_put_u32(&file, t->n_sections);
    for (int i = 0; i < 6; i++)
        ws_bytes_put_u64(&file, 0);
    uint64_t at = WS_FORMAT_HEADER_BYTES + WS_FORMAT_SECTIONS * WS_FORMAT_SECTION_BYTES;
    for (uint32_t i = 0; i < WS_FORMAT_SECTIONS; i++) {
        const uint64_t bytes = i < 3 ? parts[i].size : data_size(t);
        ws_bytes_put_u32(&file, i + 1);
        ws_bytes_put_u32(&file, 0);
        ws_bytes_put_u64(&file, at);
        ws_bytes_put_u64(&file, bytes);
        ws_bytes_put_u64(&file, 0);
        at = (at + bytes + 63) / 64 * 64;
    }
    for (int i = 0; i < 3; i++) {
        pad(&file);
        ws_bytes_put(&file, parts[i].data, parts[i].size);
        free(parts[i].data);
    }
    pad(&file);
    ws_bytes_put(&file, t->data, data_size(t));
    *size = file.size;
    const uint64_t total = file.size;
    memcpy(file.data + 16, &total, 8);
    toy_rehash(file.data, file.size);
    return file.data;
}

/* ---- checksums ---- */

static uint64_t get(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static void set(unsigned char *p, uint64_t v)
{
    memcpy(p, &v, 8);
}

typedef struct span {
    unsigned char *data;
    uint64_t size;
} span;

static int inside(span s, uint64_t offset, uint64_t bytes)
{
    return offset <= s.size && bytes <= s.size - offset;
}

static span section(unsigned char *file, size_t size, int i)
{
    const span all = {file, size}, none = {NULL, 0};
    const unsigned char *row = file + WS_FORMAT_HEADER_BYTES + i * WS_FORMAT_SECTION_BYTES;
    const uint64_t offset = get(row + 8, 8), bytes = get(row + 16, 8);
    if (!inside(all, offset, bytes))
        return none;
    return (span){file + offset, bytes};
}

static void hash_tensor(span data, unsigned char *fields)
{
    const uint64_t offset = get(fields, 8), bytes = get(fields + 8, 8);
    const uint64_t scales = get(fields + 16, 8), scale_bytes = get(fields + 24, 8);
    XXH3_state_t state;
    if (!inside(data, offset, bytes) || !inside(data, scales, scale_bytes))
        return;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, data.data + offset, bytes);
    XXH3_64bits_update(&state, data.data + scales, scale_bytes);
    set(fields + 32, XXH3_64bits_digest(&state));
}

static void hash_tensors(span table, span data)
{
    uint64_t at = 4;
    for (int i = 0; i < TOY_TENSORS && inside(table, at, 4); i++) {
        at += 2 + get(table.data + at, 2); /* the name */
        if (!inside(table, at, 2))
            return;
        at += 2 + 4 * get(table.data + at + 1, 1); /* type, rank, dimensions */
        if (!inside(table, at, 40))
            return;
        hash_tensor(data, table.data + at);
        at += 40;
    }
}

void toy_rehash(unsigned char *file, size_t size)
{
    const size_t head = WS_FORMAT_HEADER_BYTES + WS_FORMAT_SECTIONS * WS_FORMAT_SECTION_BYTES;
    if (size < head)
        return;
    const span tensors = section(file, size, 1), data = section(file, size, 3);
    if (tensors.data && data.data)
        hash_tensors(tensors, data);
    for (int i = 0; i < 3; i++) {
        const span s = section(file, size, i);
        if (s.data)
            set(file + WS_FORMAT_HEADER_BYTES + i * WS_FORMAT_SECTION_BYTES + 24,
                XXH3_64bits(s.data, s.size));
    }
    set(file + 40,
        XXH3_64bits(file + WS_FORMAT_HEADER_BYTES, WS_FORMAT_SECTIONS * WS_FORMAT_SECTION_BYTES));
    set(file + 56, XXH3_64bits(file, 56));
}
