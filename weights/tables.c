/* weights/tables.c - see tables.h; FORMAT.md has the bytes. */
#include "weights/tables.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/error.h"

void ws_tables_put_tensor(ws_bytes *out, const ws_tensor_def *t)
{
    ws_bytes_put_string(out, t->name);
    ws_bytes_put_u8(out, t->type);
    ws_bytes_put_u8(out, (unsigned)t->rank);
    for (int d = 0; d < t->rank; d++)
        ws_bytes_put_u32(out, t->dims[d]);
    ws_bytes_put_u64(out, t->offset);
    ws_bytes_put_u64(out, t->bytes);
    ws_bytes_put_u64(out, t->scale_offset);
    ws_bytes_put_u64(out, t->scale_bytes);
    ws_bytes_put_u64(out, t->hash);
}

static void put_op(ws_bytes *out, const ws_op_def *op)
{
    ws_bytes_put_string(out, op->kind);
    ws_bytes_put_string(out, op->name);
    ws_bytes_put_u32(out, op->n_inputs);
    for (uint32_t i = 0; i < op->n_inputs; i++)
        ws_bytes_put_u32(out, op->inputs[i]);
    ws_bytes_put_u32(out, op->n_attrs);
    for (uint32_t i = 0; i < op->n_attrs; i++) {
        const ws_attr_def *a = &op->attrs[i];
        ws_bytes_put_string(out, a->name);
        ws_bytes_put_u8(out, a->kind);
        switch (a->kind) {
        case WS_ATTR_INT:
            ws_bytes_put_u64(out, (uint64_t)a->i);
            break;
        case WS_ATTR_FLOAT:
            ws_bytes_put_f64(out, a->f);
            break;
        case WS_ATTR_STRING:
            ws_bytes_put_string(out, a->s);
            break;
        case WS_ATTR_SYMBOL:
            ws_bytes_put_u32(out, (uint32_t)a->i);
            break;
        }
    }
}

void ws_tables_put_graph(ws_bytes *out, const ws_graph_def *g)
{
    ws_bytes_put_string(out, g->name);
    ws_bytes_put_u32(out, g->n_symbols);
    for (uint32_t i = 0; i < g->n_symbols; i++) {
        ws_bytes_put_string(out, g->symbols[i].name);
        ws_bytes_put_u32(out, g->symbols[i].min);
        ws_bytes_put_u32(out, g->symbols[i].max);
        ws_bytes_put_u32(out, g->symbols[i].multiple);
    }
    ws_bytes_put_u32(out, g->n_inputs);
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const ws_input_def *in = &g->inputs[i];
        ws_bytes_put_string(out, in->name);
        ws_bytes_put_u8(out, in->type);
        ws_bytes_put_u8(out, in->rate);
        ws_bytes_put_u8(out, (unsigned)in->rank);
        for (int d = 0; d < in->rank; d++)
            ws_bytes_put_u32(out, (uint32_t)in->dims[d]);
    }
    ws_bytes_put_u32(out, g->n_ops);
    for (uint32_t i = 0; i < g->n_ops; i++)
        put_op(out, &g->ops[i]);
    ws_bytes_put_u32(out, g->n_outputs);
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        ws_bytes_put_string(out, g->outputs[i].name);
        ws_bytes_put_u32(out, g->outputs[i].ref);
    }
}

/* ---- header and sections ---- */

void ws_tables_place(ws_sections *s, uint64_t data_bytes)
{
    uint64_t at = WS_FORMAT_HEADER_BYTES + WS_FORMAT_SECTIONS * WS_FORMAT_SECTION_BYTES;
    for (int i = 0; i < WS_FORMAT_SECTIONS; i++) {
        s->offset[i] = ws_align64((size_t)at);
        s->size[i] = i < 3 ? s->table[i].size : data_bytes;
        at = s->offset[i] + s->size[i];
    }
}

void ws_tables_put_header(ws_bytes *out, const ws_sections *s)
{
    ws_bytes table = {0};
    for (int i = 0; i < WS_FORMAT_SECTIONS; i++) {
        ws_bytes_put_u32(&table, (uint32_t)i + WS_SECTION_METADATA);
        ws_bytes_put_u32(&table, 0);
        ws_bytes_put_u64(&table, s->offset[i]);
        ws_bytes_put_u64(&table, s->size[i]);
        ws_bytes_put_u64(&table, i < 3 ? XXH3_64bits(s->table[i].data, s->table[i].size) : 0);
    }
    ws_bytes_put(out, WS_FORMAT_MAGIC, 8);
    ws_bytes_put_u32(out, WS_FORMAT_VERSION);
    ws_bytes_put_u32(out, WS_FORMAT_SECTIONS);
    ws_bytes_put_u64(out, s->offset[3] + s->size[3]);
    ws_bytes_put_u64(out, 0);
    ws_bytes_put_u64(out, 0);
    ws_bytes_put_u64(out, table.failed ? 0 : XXH3_64bits(table.data, table.size));
    ws_bytes_put_u64(out, 0);
    ws_bytes_put_u64(out, out->failed ? 0 : XXH3_64bits(out->data, 56));
    ws_bytes_put(out, table.data, table.size);
    out->failed |= table.failed;
    free(table.data);
}
