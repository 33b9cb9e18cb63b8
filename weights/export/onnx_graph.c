/* weights/export/onnx_graph.c - see onnx_graph.h: nodes, values and constants in memory. */
#include "weights/export/onnx_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* ---- life ---- */

ws_onnx *ws_onnx_new(const ws_file *file, const char *name)
{
    ws_onnx *g = calloc(1, sizeof *g);
    if (g) {
        g->file = file;
        snprintf(g->name, sizeof g->name, "%s", name);
    }
    return g;
}

static void free_bytes(ws_bytes *b)
{
    free(b->data);
    *b = (ws_bytes){0};
}

void ws_onnx_free(ws_onnx *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_names; i++)
        free(g->names[i]);
    for (size_t i = 0; i < g->n_constants; i++)
        free(g->constants[i].bytes);
    free(g->names);
    free(g->constants);
    ws_bytes *all[] = {&g->nodes,   &g->node, &g->attributes, &g->attribute,  &g->inputs,
                       &g->results, &g->meta, &g->scratch[0], &g->scratch[1], &g->scratch[2]};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free_bytes(all[i]);
    free(g);
}

/* ---- values ---- */

/* A new value of this name, or of its number's where it is NULL. */
static int new_value(ws_onnx *g, const char *name)
{
    char made[32];
    char **names = ws_grow(g->names, g->n_names, &g->names_capacity, sizeof *names);
    if (!names) {
        g->failed = 1;
        return 0;
    }
    g->names = names;
    snprintf(made, sizeof made, "v%zu", g->n_names + 1);
    names[g->n_names] = strdup(name ? name : made);
    if (!names[g->n_names]) {
        g->failed = 1;
        return 0;
    }
    return (int)++g->n_names;
}

const char *ws_onnx_name(const ws_onnx *g, int value)
{
    return value > 0 && (size_t)value <= g->n_names ? g->names[value - 1] : "";
}

/* ValueInfoProto {name, type {tensor_type {elem_type, shape {dim...}}}} */
static void put_value_info(ws_onnx *g, ws_bytes *to, int number, const char *name, int type,
                           int rank, const ws_onnx_dim *dims)
{
    ws_bytes *dim = &g->scratch[0], *inner = &g->scratch[1], *outer = &g->scratch[2];
    for (int d = 0; d < rank; d++) {
        if (dims[d].name)
            ws_protobuf_string(dim, 2, dims[d].name);
        else
            ws_protobuf_int(dim, 1, dims[d].value);
        ws_protobuf_message(inner, 1, dim);
    }
    ws_protobuf_int(outer, 1, type);
    ws_protobuf_message(outer, 2, inner);
    ws_protobuf_message(inner, 1, outer);
    ws_protobuf_string(outer, 1, name);
    ws_protobuf_message(outer, 2, inner);
    ws_protobuf_message(to, number, outer);
}

int ws_onnx_input(ws_onnx *g, const char *name, int type, int rank, const ws_onnx_dim *dims)
{
    put_value_info(g, &g->inputs, 11, name, type, rank, dims);
    return new_value(g, name);
}

void ws_onnx_output(ws_onnx *g, int value, const char *name, int type, int rank,
                    const ws_onnx_dim *dims)
{
    const int same = ws_onnx_node(g, "Identity", name, 1, &value);
    put_value_info(g, &g->results, 12, name, type, rank, dims);
    if (!same)
        return;
    free(g->names[same - 1]);
    g->names[same - 1] = strdup(name);
    g->failed |= !g->names[same - 1];
}

void ws_onnx_meta(ws_onnx *g, const char *key, const char *value)
{
    ws_protobuf_string(&g->scratch[0], 1, key);
    ws_protobuf_string(&g->scratch[0], 2, value);
    ws_protobuf_message(&g->meta, 14, &g->scratch[0]);
}

/* ---- nodes ---- */

/* Puts the open node behind those that are complete. */
void ws_onnx_close_node(ws_onnx *g)
{
    if (!g->open)
        return;
    for (int i = 0; i < g->n_open_outputs; i++)
        ws_protobuf_string(&g->node, 2, ws_onnx_name(g, g->open_outputs[i]));
    ws_bytes_put(&g->node, g->attributes.data, g->attributes.size);
    g->attributes.size = 0;
    ws_protobuf_message(&g->nodes, 1, &g->node);
    g->open = 0;
}

int ws_onnx_node(ws_onnx *g, const char *op, const char *name, int n, const int *inputs)
{
    char text[192];
    ws_onnx_close_node(g);
    snprintf(text, sizeof text, "%s/%s_%zu", name, op, ++g->n_nodes);
    while (n && !inputs[n - 1]) /* absent ones at the end are left out */
        n--;
    for (int i = 0; i < n; i++)
        ws_protobuf_string(&g->node, 1, ws_onnx_name(g, inputs[i]));
    ws_protobuf_string(&g->node, 3, text);
    ws_protobuf_string(&g->node, 4, op);
    g->open = 1;
    g->n_open_outputs = 0;
    return ws_onnx_also(g);
}

int ws_onnx_also(ws_onnx *g)
{
    const int value = new_value(g, NULL);
    if (g->n_open_outputs < (int)(sizeof g->open_outputs / sizeof g->open_outputs[0]))
        g->open_outputs[g->n_open_outputs++] = value;
    return value;
}

enum { ATTRIBUTE_FLOAT = 1, ATTRIBUTE_INT = 2, ATTRIBUTE_STRING = 3, ATTRIBUTE_INTS = 7 };

static void end_attribute(ws_onnx *g, const char *name, int type)
{
    ws_protobuf_string(&g->attribute, 1, name);
    ws_protobuf_int(&g->attribute, 20, type);
    ws_protobuf_message(&g->attributes, 5, &g->attribute);
}

void ws_onnx_int(ws_onnx *g, const char *name, int64_t value)
{
    ws_protobuf_int(&g->attribute, 3, value);
    end_attribute(g, name, ATTRIBUTE_INT);
}

void ws_onnx_float(ws_onnx *g, const char *name, double value)
{
    ws_protobuf_float(&g->attribute, 2, (float)value);
    end_attribute(g, name, ATTRIBUTE_FLOAT);
}

void ws_onnx_text(ws_onnx *g, const char *name, const char *value)
{
    ws_protobuf_string(&g->attribute, 4, value);
    end_attribute(g, name, ATTRIBUTE_STRING);
}

void ws_onnx_ints(ws_onnx *g, const char *name, int n, const int64_t *values)
{
    for (int i = 0; i < n; i++)
        ws_protobuf_int(&g->attribute, 8, values[i]);
    end_attribute(g, name, ATTRIBUTE_INTS);
}

/* ---- constants ---- */

static ws_onnx_data *new_constant(ws_onnx *g, const char *name)
{
    char text[192];
    ws_onnx_data *all = ws_grow(g->constants, g->n_constants, &g->constants_capacity, sizeof *all);
    if (!all) {
        g->failed = 1;
        return NULL;
    }
    g->constants = all;
    ws_onnx_data *c = &all[g->n_constants];
    *c = (ws_onnx_data){0};
    snprintf(text, sizeof text, "%s#%zu", name, g->n_constants);
    c->value = new_value(g, text);
    g->n_constants += c->value != 0;
    return c->value ? c : NULL;
}

size_t ws_onnx_element_bytes(int type)
{
    return type == WS_ONNX_S64 ? 8 : (type == WS_ONNX_U8 || type == WS_ONNX_S8 ? 1 : 4);
}

uint64_t ws_onnx_bytes_of(const ws_onnx_data *c)
{
    uint64_t n = ws_onnx_element_bytes(c->type);
    for (int d = 0; d < c->rank; d++)
        n *= (uint64_t)c->dims[d];
    return n;
}

int ws_onnx_constant(ws_onnx *g, const char *name, int type, int rank, const int64_t *dims,
                     const void *bytes)
{
    ws_onnx_data *c = new_constant(g, name);
    if (!c)
        return 0;
    c->type = type;
    c->rank = rank;
    for (int d = 0; d < rank; d++)
        c->dims[d] = dims[d];
    const size_t n = (size_t)ws_onnx_bytes_of(c);
    c->bytes = malloc(n + 1);
    if (!c->bytes) {
        g->failed = 1;
        return 0;
    }
    memcpy(c->bytes, bytes, n);
    return c->value;
}

int ws_onnx_numbers(ws_onnx *g, int n, const int64_t *values)
{
    const int64_t dims[1] = {n};
    return ws_onnx_constant(g, "shape", WS_ONNX_S64, 1, dims, values);
}

int ws_onnx_scalar(ws_onnx *g, double value)
{
    const float v = (float)value;
    return ws_onnx_constant(g, "number", WS_ONNX_F32, 0, NULL, &v);
}

static int same_layout(const ws_onnx_layout *a, const ws_onnx_layout *b)
{
    return memcmp(a->order, b->order, sizeof a->order) == 0 && a->rank == b->rank &&
           memcmp(a->dims, b->dims, sizeof a->dims) == 0;
}

int ws_onnx_tensor(ws_onnx *g, const ws_tensor_def *tensor, const ws_onnx_layout *layout)
{
    ws_onnx_layout l = {.order = {0, 1, 2, 3}};
    if (layout)
        l = *layout;
    for (size_t i = 0; i < g->n_constants; i++)
        if (g->constants[i].tensor == tensor && same_layout(&g->constants[i].layout, &l))
            return g->constants[i].value;
    ws_onnx_data *c = new_constant(g, tensor->name);
    if (!c)
        return 0;
    c->type = tensor->type == WSAM_S8 ? WS_ONNX_S8 : WS_ONNX_F32;
    c->tensor = tensor;
    c->layout = l;
    c->rank = l.rank ? l.rank : tensor->rank;
    for (int d = 0; d < c->rank; d++)
        c->dims[d] = l.rank ? l.dims[d] : tensor->dims[l.order[d]];
    return c->value;
}
