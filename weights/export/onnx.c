/* weights/export/onnx.c - wsam_export_onnx: the graphs of a weight file as ONNX models. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/locale.h"
#include "weaksam/convert.h"
#include "weights/export/onnx_operators.h"

/* Constants beyond this go to a data file: a message has at most 2 GiB. */
#define MOST_INSIDE ((uint64_t)1 << 30)

void wsam_onnx_options_default(wsam_onnx_options *options)
{
    memset(options, 0, sizeof *options);
    options->first_mask = 1;
    options->masks = 3;
}

/* ---- dimensions ---- */

static int is_mask_symbol(const char *name)
{
    return strcmp(name, "first_mask") == 0 || strcmp(name, "masks") == 0;
}

/* A symbol's two values: equal where it is fixed. */
static wsam_status set_symbol(ws_onnx_export *x, uint32_t i, const wsam_onnx_options *o)
{
    const ws_symbol_def *s = &x->graph->symbols[i];
    const int64_t least = 2; /* one would look like a dimension that spreads */
    int64_t fixed = strcmp(s->name, "first_mask") == 0 ? o->first_mask
                    : strcmp(s->name, "masks") == 0    ? o->masks
                    : strcmp(s->name, "points") == 0   ? o->points
                                                       : 0;
    if (fixed || is_mask_symbol(s->name)) {
        if (fixed < s->min || fixed > s->max || fixed % s->multiple)
            return ws_fail(x->error, WSAM_ERR_ARGUMENT,
                           "%s: graph %s: %s must be %u to %u, not %lld", x->file->path,
                           x->graph->name, s->name, s->min, s->max, (long long)fixed);
        x->dims.symbols[i] = x->wider.symbols[i] = fixed;
        return WSAM_OK;
    }
    int64_t value = s->min;
    while (value < least && value + s->multiple <= s->max)
        value += s->multiple;
    x->dims.symbols[i] = value;
    x->wider.symbols[i] = value + s->multiple <= s->max ? value + s->multiple : value;
    return WSAM_OK;
}

/* Dimension d of a value as ONNX has it: a number, or the name of the free symbol that it is. */
static ws_onnx_dim dim_of(const ws_onnx_export *x, uint32_t value, int d)
{
    const int64_t a = x->values[value].shape.dims[d], b = x->wide_values[value].shape.dims[d];
    ws_onnx_dim out = {.value = a};
    for (uint32_t s = 0; a != b && s < x->graph->n_symbols && !out.name; s++)
        if (x->dims.symbols[s] == a && x->wider.symbols[s] == b)
            out.name = x->graph->symbols[s].name;
    return a != b && !out.name ? (ws_onnx_dim){.name = "any"} : out;
}

/* A value with its leading dimension; of a map's planes when `planes`. */
static int dims_of(const ws_onnx_export *x, uint32_t value, int planes, int64_t prompts,
                   ws_onnx_dim out[WSAM_MAX_RANK + 1])
{
    const int rank = x->values[value].shape.rank;
    out[0] = (ws_onnx_dim){.value = 1};
    if (x->values[value].rate == WSAM_RATE_PROMPT)
        out[0] = prompts ? (ws_onnx_dim){.value = prompts} : (ws_onnx_dim){.name = "prompts"};
    for (int d = 0; d < rank; d++)
        out[d + 1] = dim_of(x, value, planes ? (d + rank - 1) % rank : d);
    return rank + 1;
}

/* ---- the graph ---- */

static void put_inputs(ws_onnx_export *x, const wsam_onnx_options *o)
{
    ws_onnx_dim dims[WSAM_MAX_RANK + 1];
    for (uint32_t i = 0; i < x->graph->n_inputs; i++) {
        const ws_input_def *in = &x->graph->inputs[i];
        const int planes = in->rank == 3, rank = dims_of(x, i, planes, o->prompts, dims);
        const int value = ws_onnx_input(
            x->g, in->name, in->type == WSAM_S32 ? WS_ONNX_S32 : WS_ONNX_F32, rank, dims);
        *(planes ? &x->maps[i].planes : &x->maps[i].rows) = value;
        if (in->rate == WSAM_RATE_PROMPT)
            x->prompts = value;
    }
}

/* NULL: not written. */
static ws_onnx_rule *rule_of(ws_op_kind kind)
{
    static ws_onnx_rule *const rules[WS_OP_KINDS] = {
        [WS_OP_LINEAR] = ws_onnx_linear,
        [WS_OP_CONV2D] = ws_onnx_conv2d,
        [WS_OP_CONV_TRANSPOSE2D] = ws_onnx_conv_transpose2d,
        [WS_OP_MAX_POOL2D] = ws_onnx_max_pool2d,
        [WS_OP_LAYER_NORM] = ws_onnx_layer_norm_op,
        [WS_OP_GROUP_NORM] = ws_onnx_group_norm,
        [WS_OP_ACTIVATION] = ws_onnx_activation,
        [WS_OP_BINARY] = ws_onnx_binary_op,
        [WS_OP_CONCAT] = ws_onnx_concat,
        [WS_OP_SLICE] = ws_onnx_slice,
        [WS_OP_RESHAPE] = ws_onnx_reshape_op,
        [WS_OP_RESIZE] = ws_onnx_resize,
        [WS_OP_ATTENTION] = ws_onnx_attention,
        [WS_OP_PROJECTED_ATTENTION] = ws_onnx_projected_attention,
        [WS_OP_POINT_TOKENS] = ws_onnx_point_tokens,
        [WS_OP_POSITION_GRID] = ws_onnx_position_grid,
        [WS_OP_MASK_PRODUCT] = ws_onnx_mask_product};
    return rules[kind];
}

/* How many of an operator's first inputs may be values; those behind must be tensors. Concat and
 * binary take both everywhere. */
static uint32_t value_inputs(ws_op_kind kind)
{
    return kind == WS_OP_PROJECTED_ATTENTION                          ? WS_PROJECTED_Q_WEIGHT
           : kind == WS_OP_POINT_TOKENS || kind == WS_OP_MASK_PRODUCT ? 2
           : kind == WS_OP_POSITION_GRID                              ? 0
                                                                      : 1;
}

static int operands_fit(const ws_onnx_op *o, ws_op_kind kind)
{
    const uint32_t values = value_inputs(kind);
    int good = 1;
    for (uint32_t i = 0; i < o->view.op->n_inputs && kind != WS_OP_CONCAT && kind != WS_OP_BINARY;
         i++) {
        ws_value v;
        if (ws_op_input(&o->view, i, &v))
            good &= (ws_onnx_weight(o, i) == NULL) == (i < values);
    }
    return good;
}

static wsam_status put_operator(ws_onnx_export *x, uint32_t i)
{
    const uint32_t value = x->graph->n_inputs + i;
    const ws_onnx_op o = {.x = x,
                          .view = {.file = x->file,
                                   .graph = x->graph,
                                   .op = &x->graph->ops[i],
                                   .values = x->values,
                                   .dims = &x->dims},
                          .name = x->graph->ops[i].name,
                          .value = &x->values[value],
                          .out = &x->maps[value]};
    const ws_op_kind kind = (ws_op_kind)ws_signatures_kind_of(o.view.op);
    ws_onnx_rule *rule = rule_of(kind);
    if (!rule || !operands_fit(&o, kind))
        return ws_fail(x->error, WSAM_ERR_UNSUPPORTED,
                       "%s: graph %s: operator %s '%s' cannot be exported to ONNX", x->file->path,
                       x->graph->name, o.view.op->kind, o.name);
    return rule(&o);
}

static wsam_status put_outputs(ws_onnx_export *x, const wsam_onnx_options *options)
{
    ws_onnx_dim dims[WSAM_MAX_RANK + 1];
    for (uint32_t i = 0; i < x->graph->n_outputs; i++) {
        const ws_output_def *out = &x->graph->outputs[i];
        if (out->ref >= WS_REF_TENSOR)
            return ws_fail(x->error, WSAM_ERR_UNSUPPORTED, "%s: output '%s' is a tensor",
                           x->file->path, out->name);
        const ws_op_def look = {.n_inputs = 1, .inputs = {out->ref}};
        const ws_onnx_op o = {.x = x, .view = {.op = &look, .file = x->file}, .name = out->name};
        const int planes =
            x->values[out->ref].shape.rank == 3 && x->values[out->ref].rate == WSAM_RATE_IMAGE;
        const int rank = dims_of(x, out->ref, planes, options->prompts, dims);
        const int value = planes ? ws_onnx_planes(&o, 0) : ws_onnx_rows(&o, 0);
        ws_onnx_output(x->g, value, out->name, WS_ONNX_F32, rank, dims);
    }
    return WSAM_OK;
}

/* What a user needs to prepare inputs: the file's strings and numbers. */
static void put_metadata(const ws_onnx_export *x)
{
    for (size_t i = 0; i < x->file->n_metadata; i++) {
        const ws_metadata *m = &x->file->metadata[i];
        char text[512] = "";
        if (m->kind == WS_META_STRING)
            ws_onnx_meta(x->g, m->key, m->string);
        else if (m->kind == WS_META_INT)
            snprintf(text, sizeof text, "%lld", (long long)m->integer);
        for (size_t k = 0; m->kind == WS_META_NUMBERS && k < m->count && strlen(text) < 480; k++)
            ws_locale_print(text + strlen(text), sizeof text - strlen(text), "%s%.9g", k ? "," : "",
                            m->numbers[k]);
        if (*text)
            ws_onnx_meta(x->g, m->key, text);
    }
}

static wsam_status build(ws_onnx_export *x, const wsam_onnx_options *o)
{
    wsam_status status = WSAM_OK;
    x->dims.prompts = 1;
    x->wider.prompts = 1;
    for (uint32_t i = 0; i < x->graph->n_symbols && !status; i++)
        status = set_symbol(x, i, o);
    if (!status)
        status = ws_graph_infer(x->file, x->graph, &x->dims, x->values, x->error);
    if (!status)
        status = ws_graph_infer(x->file, x->graph, &x->wider, x->wide_values, x->error);
    if (status)
        return status;
    put_inputs(x, o);
    for (uint32_t i = 0; i < x->graph->n_ops && !status; i++)
        status = put_operator(x, i);
    if (!status)
        status = put_outputs(x, o);
    put_metadata(x);
    return status;
}

static wsam_status export_graph(ws_file *file, const ws_graph_def *graph,
                                const wsam_onnx_options *o, ws_outputs *out, const char *path,
                                wsam_onnx_file *made, wsam_error *error)
{
    const size_t n = graph->n_inputs + graph->n_ops;
    ws_onnx_export x = {.g = ws_onnx_new(file, graph->name),
                        .file = file,
                        .graph = graph,
                        .values = calloc(n, sizeof *x.values),
                        .wide_values = calloc(n, sizeof *x.values),
                        .maps = calloc(n, sizeof *x.maps),
                        .ranges = o->ranges,
                        .error = error};
    ws_onnx_counts counts;
    wsam_status status =
        x.g && x.values && x.wide_values && x.maps ? WSAM_OK : ws_no_memory(error, path);
    if (!status)
        status = ws_graph_check(file, graph, 0, error);
    if (!status)
        status = build(&x, o);
    if (!status)
        status =
            ws_onnx_file_write(x.g, out, path, o->external_data ? 0 : MOST_INSIDE, &counts, error);
    if (!status && made) {
        snprintf(made->graph, sizeof made->graph, "%s", graph->name);
        made->nodes = counts.nodes;
        made->bytes = counts.bytes;
        made->external = counts.external;
    }
    ws_onnx_free(x.g);
    free(x.values);
    free(x.wide_values);
    free(x.maps);
    return status;
}

/* ---- files ---- */

static int is_one_file(const char *out)
{
    const size_t n = strlen(out);
    return n > 5 && strcmp(out + n - 5, ".onnx") == 0;
}

/* The folder is left when it was there before. */
static wsam_status make_folder(ws_outputs *out, const char *path, wsam_error *error)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return WSAM_OK;
    return ws_outputs_folder(out, path, error);
}

static wsam_status export_all(ws_file *file, const char *out, const wsam_onnx_options *o,
                              ws_outputs *outputs, wsam_onnx_file *made, size_t most, size_t *n,
                              wsam_error *error)
{
    char path[4096];
    wsam_status status = make_folder(outputs, out, error);
    for (size_t i = 0; i < file->n_graphs && !status; i++) {
        if (o->graph && strcmp(o->graph, file->graphs[i].name) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s.onnx", out, file->graphs[i].name);
        status = export_graph(file, &file->graphs[i], o, outputs, path,
                              *n < most ? &made[*n] : NULL, error);
        ++*n;
    }
    return status;
}

wsam_status wsam_export_onnx(const char *model, const char *out, const wsam_onnx_options *options,
                             wsam_onnx_file *files, size_t most, size_t *n, wsam_error *error)
{
    wsam_onnx_options o;
    ws_outputs outputs = {0};
    ws_file *file = NULL;
    wsam_error unused;
    error = error ? error : &unused;
    error->message[0] = 0;
    *n = 0;
    wsam_onnx_options_default(&o);
    if (options)
        o = *options;
    wsam_status status = ws_weight_file_open(model, &file, error);
    const int one = is_one_file(out);
    if (!status && one && !o.graph)
        o.graph = "image_encoder";
    const ws_graph_def *graph = !status && o.graph ? ws_weight_file_graph(file, o.graph) : NULL;
    if (!status && o.graph && !graph)
        status = ws_fail(error, WSAM_ERR_ARGUMENT, "%s: no graph '%.60s'", model, o.graph);
    if (!status && one) {
        status = export_graph(file, graph, &o, &outputs, out, most ? files : NULL, error);
        *n = 1;
    } else if (!status) {
        status = export_all(file, out, &o, &outputs, files, most, n, error);
    }
    ws_weight_file_close(file);
    return ws_outputs_finish(&outputs, status, error);
}
