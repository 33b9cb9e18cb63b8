/* runtime/inspect.c - what a weight file says, as JSON, and whether all of it is sound. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/graph.h"
#include "runtime/json.h"
#include "weaksam/convert.h"

static const char *type_name(wsam_type type)
{
    static const char *const names[] = {"f32", "bf16", "s8", "s32"};
    return names[type];
}

static const char *rate_name(wsam_rate rate)
{
    static const char *const names[] = {"model", "image", "prompt"};
    return names[rate];
}

static void put_sections(ws_json *j, const ws_file *f)
{
    static const char *const names[] = {"metadata", "tensors", "graphs", "data"};
    ws_json_open(j, "sections", '[');
    for (int i = 0; i < WS_FORMAT_SECTIONS; i++) {
        ws_json_open(j, NULL, '{');
        ws_json_string(j, "name", names[i]);
        ws_json_int(j, "offset", (int64_t)f->sections[i].offset);
        ws_json_int(j, "bytes", (int64_t)f->sections[i].size);
        ws_json_close(j, '}');
    }
    ws_json_close(j, ']');
}

static void put_metadata(ws_json *j, const ws_metadata *m)
{
    switch (m->kind) {
    case WS_META_STRING:
        ws_json_string(j, m->key, m->string);
        return;
    case WS_META_INT:
        ws_json_int(j, m->key, m->integer);
        return;
    case WS_META_NUMBERS:
        ws_json_open(j, m->key, '[');
        for (size_t i = 0; i < m->count; i++)
            ws_json_number(j, NULL, m->numbers[i]);
        ws_json_close(j, ']');
        return;
    case WS_META_STRINGS:
        ws_json_open(j, m->key, '[');
        for (size_t i = 0; i < m->count; i++)
            ws_json_string(j, NULL, m->strings[i]);
        ws_json_close(j, ']');
        return;
    }
}

static void put_tensor(ws_json *j, const ws_tensor_def *t)
{
    char hash[24];
    ws_json_open(j, NULL, '{');
    ws_json_string(j, "name", t->name);
    ws_json_string(j, "type", type_name(t->type));
    ws_json_open(j, "shape", '[');
    for (int d = 0; d < t->rank; d++)
        ws_json_int(j, NULL, t->dims[d]);
    ws_json_close(j, ']');
    ws_json_int(j, "offset", (int64_t)t->offset);
    ws_json_int(j, "bytes", (int64_t)(t->bytes + t->scale_bytes));
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)t->hash);
    ws_json_string(j, "xxh3", hash);
    ws_json_close(j, '}');
}

/* ---- graphs ---- */

static void put_symbols(ws_json *j, const ws_graph_def *g)
{
    ws_json_open(j, "symbols", '[');
    for (uint32_t i = 0; i < g->n_symbols; i++) {
        ws_json_open(j, NULL, '{');
        ws_json_string(j, "name", g->symbols[i].name);
        ws_json_int(j, "min", g->symbols[i].min);
        ws_json_int(j, "max", g->symbols[i].max);
        ws_json_int(j, "multiple", g->symbols[i].multiple);
        ws_json_close(j, '}');
    }
    ws_json_close(j, ']');
}

static void put_inputs(ws_json *j, const ws_graph_def *g)
{
    ws_json_open(j, "inputs", '[');
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const ws_input_def *in = &g->inputs[i];
        ws_json_open(j, NULL, '{');
        ws_json_string(j, "name", in->name);
        ws_json_string(j, "type", type_name(in->type));
        ws_json_string(j, "rate", rate_name(in->rate));
        ws_json_open(j, "shape", '[');
        for (int d = 0; d < in->rank; d++)
            if (in->dims[d] >= 0)
                ws_json_int(j, NULL, in->dims[d]);
            else
                ws_json_string(j, NULL, g->symbols[-1 - in->dims[d]].name);
        ws_json_close(j, ']');
        ws_json_close(j, '}');
    }
    ws_json_close(j, ']');
}

/* What a reference stands for: a tensor's name, an input's, an operator's. */
static const char *ref_name(const ws_file *f, const ws_graph_def *g, uint32_t ref)
{
    if (ref == WS_REF_NONE)
        return "";
    if (ref >= WS_REF_TENSOR)
        return f->tensors[ref - WS_REF_TENSOR].name;
    return ref < g->n_inputs ? g->inputs[ref].name : g->ops[ref - g->n_inputs].name;
}

static void put_attrs(ws_json *j, const ws_graph_def *g, const ws_op_def *op)
{
    ws_json_open(j, "attributes", '{');
    for (uint32_t i = 0; i < op->n_attrs; i++) {
        const ws_attr_def *a = &op->attrs[i];
        switch (a->kind) {
        case WS_ATTR_INT:
            ws_json_int(j, a->name, a->i);
            break;
        case WS_ATTR_FLOAT:
            ws_json_number(j, a->name, a->f);
            break;
        case WS_ATTR_STRING:
            ws_json_string(j, a->name, a->s);
            break;
        case WS_ATTR_SYMBOL:
            ws_json_string(j, a->name, g->symbols[a->i].name);
            break;
        }
    }
    ws_json_close(j, '}');
}

static void put_ops(ws_json *j, const ws_file *f, const ws_graph_def *g, const ws_value *values)
{
    ws_json_open(j, "operators", '[');
    for (uint32_t i = 0; i < g->n_ops; i++) {
        const ws_op_def *op = &g->ops[i];
        const ws_value *v = &values[g->n_inputs + i];
        ws_json_open(j, NULL, '{');
        ws_json_string(j, "kind", op->kind);
        ws_json_string(j, "name", op->name);
        ws_json_string(j, "rate", rate_name(v->rate));
        ws_json_open(j, "inputs", '[');
        for (uint32_t k = 0; k < op->n_inputs; k++)
            ws_json_string(j, NULL, ref_name(f, g, op->inputs[k]));
        ws_json_close(j, ']');
        ws_json_open(j, "shape", '[');
        for (int d = 0; d < v->shape.rank; d++)
            ws_json_int(j, NULL, v->shape.dims[d]);
        ws_json_close(j, ']');
        put_attrs(j, g, op);
        ws_json_close(j, '}');
    }
    ws_json_close(j, ']');
}

/* Shapes of operators are those at the smallest dimensions. */
static wsam_status put_graph(ws_json *j, const ws_file *f, const ws_graph_def *g, wsam_error *error)
{
    ws_value *values = calloc((size_t)g->n_inputs + g->n_ops + 1, sizeof *values);
    ws_dims dims = {.prompts = 1};
    if (!values)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory to inspect its graphs", f->path);
    ws_dims_min(g, &dims);
    const wsam_status status = ws_infer(f, g, &dims, values, error);
    if (!status) {
        ws_json_open(j, NULL, '{');
        ws_json_string(j, "name", g->name);
        put_symbols(j, g);
        put_inputs(j, g);
        put_ops(j, f, g, values);
        ws_json_open(j, "outputs", '{');
        for (uint32_t i = 0; i < g->n_outputs; i++)
            ws_json_string(j, g->outputs[i].name, ref_name(f, g, g->outputs[i].ref));
        ws_json_close(j, '}');
        ws_json_close(j, '}');
    }
    free(values);
    return status;
}

static wsam_status put_file(ws_json *j, const ws_file *f, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    ws_json_open(j, NULL, '{');
    ws_json_int(j, "version", WS_FORMAT_VERSION);
    ws_json_int(j, "bytes", (int64_t)f->size);
    put_sections(j, f);
    ws_json_open(j, "metadata", '{');
    for (size_t i = 0; i < f->n_metadata; i++)
        put_metadata(j, &f->metadata[i]);
    ws_json_close(j, '}');
    ws_json_open(j, "tensors", '[');
    for (size_t i = 0; i < f->n_tensors; i++)
        put_tensor(j, &f->tensors[i]);
    ws_json_close(j, ']');
    ws_json_open(j, "graphs", '[');
    for (size_t i = 0; i < f->n_graphs && !status; i++)
        status = put_graph(j, f, &f->graphs[i], error);
    ws_json_close(j, ']');
    ws_json_close(j, '}');
    return status;
}

wsam_status wsam_inspect(const char *path, char **json, wsam_error *error)
{
    ws_file *f = NULL;
    ws_json j = {.text = NULL};
    if (!path || !json)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "wsam_inspect: no path or no place for the text");
    *json = NULL;
    wsam_status status = ws_file_open(path, &f, error);
    if (!status)
        status = put_file(&j, f, error);
    *json = ws_json_finish(&j);
    if (!status && !*json)
        status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory to inspect it", path);
    if (status) {
        free(*json);
        *json = NULL;
    }
    ws_file_close(f);
    return status;
}

wsam_status wsam_verify(const char *path, wsam_error *error)
{
    ws_file *f = NULL;
    if (!path)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "wsam_verify: no path");
    wsam_status status = ws_file_open(path, &f, error);
    for (size_t i = 0; !status && i < f->n_graphs; i++)
        status = ws_check_graph(f, &f->graphs[i], 0, error);
    for (size_t i = 0; !status && i < f->n_tensors; i++)
        status = ws_tensor_verify(f, &f->tensors[i], error);
    ws_file_close(f);
    return status;
}
