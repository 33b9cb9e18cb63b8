/* runtime/graph/inspect.c - wsam_inspect and wsam_verify: a weight file without a program. */
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "runtime/graph/graph.h"
#include "weaksam/convert.h"

static const char *type_name(wsam_type type)
{
    static const char *const names[] = {"f32", "bf16", "s8", "s32"};
    return names[type];
}

static void put_sections(ws_text *j, const ws_file *f)
{
    static const char *const names[] = {"metadata", "tensors", "graphs", "data"};
    ws_text_printf(j, "\"sections\":[");
    for (int i = 0; i < WS_FORMAT_SECTIONS; i++)
        ws_text_printf(j, "%s{\"name\":\"%s\",\"offset\":%llu,\"bytes\":%llu}", i ? "," : "",
                       names[i], (unsigned long long)f->sections[i].offset,
                       (unsigned long long)f->sections[i].size);
    ws_text_printf(j, "]");
}

static void put_metadata(ws_text *j, const ws_file *f)
{
    ws_text_printf(j, "\"metadata\":{");
    for (size_t i = 0; i < f->n_metadata; i++) {
        const ws_metadata *m = &f->metadata[i];
        ws_json_comma(j, i == 0);
        ws_json_string(j, m->key);
        ws_text_printf(j, ":");
        if (m->kind == WS_META_STRING)
            ws_json_string(j, m->string);
        else if (m->kind == WS_META_INT)
            ws_text_printf(j, "%lld", (long long)m->integer);
        else
            ws_text_printf(j, "[");
        for (size_t k = 0; m->kind >= WS_META_NUMBERS && k < m->count; k++) {
            ws_json_comma(j, k == 0);
            if (m->kind == WS_META_NUMBERS)
                ws_json_number(j, m->numbers[k]);
            else
                ws_json_string(j, m->strings[k]);
        }
        if (m->kind >= WS_META_NUMBERS)
            ws_text_printf(j, "]");
    }
    ws_text_printf(j, "}");
}

static void put_tensors(ws_text *j, const ws_file *f)
{
    ws_text_printf(j, "\"tensors\":[");
    for (size_t i = 0; i < f->n_tensors; i++) {
        const ws_tensor_def *t = &f->tensors[i];
        ws_text_printf(j, "%s{\"name\":", i ? "," : "");
        ws_json_string(j, t->name);
        ws_text_printf(j, ",\"type\":\"%s\",\"shape\":[", type_name(t->type));
        for (int d = 0; d < t->rank; d++)
            ws_text_printf(j, "%s%u", d ? "," : "", t->dims[d]);
        ws_text_printf(j, "],\"bytes\":%llu}", (unsigned long long)(t->bytes + t->scale_bytes));
    }
    ws_text_printf(j, "]");
}

static void put_shape(ws_text *j, const ws_graph_def *g, const ws_input_def *in)
{
    ws_text_printf(j, "[");
    for (int d = 0; d < in->rank; d++) {
        ws_json_comma(j, d == 0);
        if (in->dims[d] >= 0)
            ws_text_printf(j, "%d", in->dims[d]);
        else
            ws_json_string(j, g->symbols[-1 - in->dims[d]].name);
    }
    ws_text_printf(j, "]");
}

static void put_graph(ws_text *j, const ws_graph_def *g)
{
    ws_text_printf(j, "{\"name\":");
    ws_json_string(j, g->name);
    ws_text_printf(j, ",\"symbols\":[");
    for (uint32_t i = 0; i < g->n_symbols; i++) {
        ws_text_printf(j, "%s{\"name\":", i ? "," : "");
        ws_json_string(j, g->symbols[i].name);
        ws_text_printf(j, ",\"min\":%u,\"max\":%u,\"multiple\":%u}", g->symbols[i].min,
                       g->symbols[i].max, g->symbols[i].multiple);
    }
    ws_text_printf(j, "],\"inputs\":[");
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        ws_text_printf(j, "%s{\"name\":", i ? "," : "");
        ws_json_string(j, g->inputs[i].name);
        ws_text_printf(j,
                       ",\"type\":\"%s\",\"rate\":\"%s\",\"shape\":", type_name(g->inputs[i].type),
                       g->inputs[i].rate == WSAM_RATE_IMAGE ? "image" : "prompt");
        put_shape(j, g, &g->inputs[i]);
        ws_text_printf(j, "}");
    }
    ws_text_printf(j, "],\"outputs\":[");
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        ws_json_comma(j, i == 0);
        ws_json_string(j, g->outputs[i].name);
    }
    ws_text_printf(j, "],\"operators\":%u}", g->n_ops);
}

wsam_status wsam_inspect(const char *path, char **json, wsam_error *error)
{
    ws_file *f = NULL;
    ws_text j = {0};
    *json = NULL;
    wsam_status status = ws_weight_file_open(path, &f, error);
    for (size_t i = 0; !status && i < f->n_graphs; i++)
        status = ws_graph_check(f, &f->graphs[i], 0, error);
    if (!status) {
        ws_text_printf(&j, "{\"version\":%d,\"bytes\":%llu,", WS_FORMAT_VERSION,
                       (unsigned long long)f->size);
        put_sections(&j, f);
        ws_text_printf(&j, ",");
        put_metadata(&j, f);
        ws_text_printf(&j, ",");
        put_tensors(&j, f);
        ws_text_printf(&j, ",\"graphs\":[");
        for (size_t i = 0; i < f->n_graphs; i++) {
            ws_json_comma(&j, i == 0);
            put_graph(&j, &f->graphs[i]);
        }
        ws_text_printf(&j, "]}");
        *json = ws_text_finish(&j);
        if (!*json)
            status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for its description", f->path);
    }
    ws_weight_file_close(f);
    return status;
}

wsam_status wsam_verify(const char *path, wsam_error *error)
{
    ws_file *f = NULL;
    wsam_status status = ws_weight_file_open(path, &f, error);
    for (size_t i = 0; !status && i < f->n_graphs; i++)
        status = ws_graph_check(f, &f->graphs[i], 0, error);
    for (size_t i = 0; !status && i < f->n_tensors; i++)
        status = ws_weight_file_verify(f, &f->tensors[i], error);
    ws_weight_file_close(f);
    return status;
}
