/* weights/export/onnx_file.c - an ONNX graph to its file, constants read one at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/vector.h"
#include "weights/export/onnx_internal.h"

enum { LEAST_EXTERNAL = 1024, DATA_ALIGN = 64 };

/* ---- values of a tensor ---- */

wsam_status ws_onnx_file_read(const ws_file *file, const ws_tensor_def *t, void **values,
                              wsam_error *error)
{
    const size_t n = ws_tensor_elements(t);
    char *to = malloc(t->type == WSAM_S8 ? n : n * sizeof(float));
    if (!to)
        return ws_no_memory(error, t->name);
    const wsam_status status = ws_weight_file_tensor(file, t, 0, to, (size_t)t->bytes, error);
    ws_weight_file_release(file, t);
    if (status) {
        free(to);
        return status;
    }
    for (size_t i = t->type == WSAM_BF16 ? n : 0; i-- > 0;) { /* from the end: in place */
        uint16_t half;
        memcpy(&half, to + 2 * i, sizeof half);
        const float wide = ws_f32_from_bf16(half);
        memcpy(to + 4 * i, &wide, sizeof wide);
    }
    *values = to;
    return WSAM_OK;
}

wsam_status ws_onnx_file_read_f32(const ws_file *file, const ws_tensor_def *t, float **values,
                                  wsam_error *error)
{
    void *read = NULL;
    const wsam_status status = ws_onnx_file_read(file, t, &read, error);
    *values = read;
    return status;
}

/* The dimensions in another order: `order` names the source's dimension of each of the result's. */
static void reorder(const ws_tensor_def *t, const int *order, size_t size, const char *in,
                    char *out)
{
    size_t dims[WSAM_MAX_RANK], strides[WSAM_MAX_RANK], step[WSAM_MAX_RANK], at = 1;
    for (int d = WSAM_MAX_RANK; d-- > 0;) {
        strides[d] = at;
        at *= d < t->rank ? t->dims[d] : 1;
    }
    for (int d = 0; d < WSAM_MAX_RANK; d++) {
        dims[d] = order[d] < t->rank ? t->dims[order[d]] : 1;
        step[d] = order[d] < t->rank ? strides[order[d]] : 0;
    }
    for (size_t a = 0; a < dims[0]; a++)
        for (size_t b = 0; b < dims[1]; b++)
            for (size_t c = 0; c < dims[2]; c++)
                for (size_t e = 0; e < dims[3]; e++, out += size)
                    memcpy(out, in + (a * step[0] + b * step[1] + c * step[2] + e * step[3]) * size,
                           size);
}

/* A tensor's values in the layout of its constant, to be freed. */
static wsam_status load_constant(const ws_onnx *g, const ws_onnx_data *c, void **values,
                                 wsam_error *error)
{
    const ws_tensor_def *t = c->tensor;
    int in_order = 1;
    const wsam_status status = ws_onnx_file_read(g->file, t, values, error);
    for (int d = 0; d < t->rank; d++)
        in_order &= c->layout.order[d] == d;
    if (status || in_order)
        return status;
    char *in = *values, *out = malloc((size_t)ws_onnx_bytes_of(c));
    if (out)
        reorder(t, c->layout.order, ws_onnx_element_bytes(c->type), in, out);
    free(in);
    *values = out;
    return out ? WSAM_OK : ws_no_memory(error, t->name);
}

/* Failures of the stream show when it is closed. */
static wsam_status put_constant(const ws_onnx *g, const ws_onnx_data *c, FILE *f, wsam_error *error)
{
    void *loaded = NULL;
    const wsam_status status = c->tensor ? load_constant(g, c, &loaded, error) : WSAM_OK;
    if (!status)
        fwrite(c->tensor ? loaded : c->bytes, 1, (size_t)ws_onnx_bytes_of(c), f);
    free(loaded);
    return status;
}

/* ---- the data file ---- */

/* Which constants go there, and where; the size of the file. */
static uint64_t place_external(ws_onnx *g, uint64_t most)
{
    uint64_t all = 0, at = 0;
    for (size_t i = 0; i < g->n_constants; i++)
        all += ws_onnx_bytes_of(&g->constants[i]);
    for (size_t i = 0; i < g->n_constants; i++) {
        ws_onnx_data *c = &g->constants[i];
        const uint64_t n = ws_onnx_bytes_of(c);
        c->external = all > most && n >= LEAST_EXTERNAL;
        if (!c->external)
            continue;
        c->offset = at = (at + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
        at += n;
    }
    return at;
}

static wsam_status write_data(const ws_onnx *g, ws_outputs *out, const char *path,
                              wsam_error *error)
{
    static const char zeros[DATA_ALIGN] = {0};
    wsam_status status = WSAM_OK;
    uint64_t at = 0;
    FILE *f = ws_outputs_open(out, path, error);
    if (!f)
        return WSAM_ERR_IO;
    for (size_t i = 0; i < g->n_constants && !status; i++) {
        const ws_onnx_data *c = &g->constants[i];
        if (!c->external)
            continue;
        fwrite(zeros, 1, (size_t)(c->offset - at), f);
        at = c->offset + ws_onnx_bytes_of(c);
        status = put_constant(g, c, f, error);
    }
    return status ? status : ws_outputs_close(out, error);
}

/* ---- the model ---- */

static void put_pair(ws_bytes *to, ws_bytes *pair, const char *key, const char *value)
{
    ws_protobuf_string(pair, 1, key);
    ws_protobuf_string(pair, 2, value);
    ws_protobuf_message(to, 13, pair);
}

/* A TensorProto without the bytes of its values, and how many of those follow. */
static uint64_t describe_constant(ws_onnx *g, const ws_onnx_data *c, const char *data_name,
                                  ws_bytes *to)
{
    char number[32];
    const uint64_t n = ws_onnx_bytes_of(c);
    to->size = 0;
    for (int d = 0; d < c->rank; d++)
        ws_protobuf_int(to, 1, c->dims[d]);
    ws_protobuf_int(to, 2, c->type);
    ws_protobuf_string(to, 8, ws_onnx_name(g, c->value));
    if (!c->external) {
        ws_protobuf_head(to, 9, n);
        return n;
    }
    put_pair(to, &g->scratch[1], "location", data_name);
    snprintf(number, sizeof number, "%llu", (unsigned long long)c->offset);
    put_pair(to, &g->scratch[1], "offset", number);
    snprintf(number, sizeof number, "%llu", (unsigned long long)n);
    put_pair(to, &g->scratch[1], "length", number);
    ws_protobuf_int(to, 14, 1);
    return 0;
}

static size_t head_bytes(ws_bytes *scratch, int number, uint64_t n)
{
    scratch->size = 0;
    ws_protobuf_head(scratch, number, n);
    return scratch->size;
}

/* The graph's bytes behind its own head. */
static uint64_t graph_bytes(ws_onnx *g, const char *data_name)
{
    ws_bytes *tensor = &g->scratch[0];
    uint64_t n = g->nodes.size + g->inputs.size + g->results.size;
    n += head_bytes(&g->scratch[2], 2, strlen(g->name)) + strlen(g->name);
    for (size_t i = 0; i < g->n_constants; i++) {
        const uint64_t values = describe_constant(g, &g->constants[i], data_name, tensor);
        n += tensor->size + values;
        n += head_bytes(&g->scratch[2], 5, tensor->size + values);
    }
    return n;
}

static void put(FILE *f, const ws_bytes *b)
{
    if (b->size)
        fwrite(b->data, 1, b->size, f);
}

static wsam_status write_graph(ws_onnx *g, const char *data_name, FILE *f, wsam_error *error)
{
    ws_bytes *tensor = &g->scratch[0], *head = &g->scratch[2];
    wsam_status status = WSAM_OK;
    put(f, &g->nodes);
    head->size = 0;
    ws_protobuf_string(head, 2, g->name);
    put(f, head);
    for (size_t i = 0; i < g->n_constants && !status; i++) {
        const ws_onnx_data *c = &g->constants[i];
        const uint64_t values = describe_constant(g, c, data_name, tensor);
        head->size = 0;
        ws_protobuf_head(head, 5, tensor->size + values);
        put(f, head);
        put(f, tensor);
        if (!c->external)
            status = put_constant(g, c, f, error);
    }
    put(f, &g->inputs);
    put(f, &g->results);
    return status;
}

static wsam_status write_model(ws_onnx *g, ws_outputs *out, const char *path, const char *data_name,
                               uint64_t *bytes, wsam_error *error)
{
    ws_bytes *head = &g->scratch[0];
    const uint64_t graph = graph_bytes(g, data_name);
    FILE *f = ws_outputs_open(out, path, error);
    if (!f)
        return WSAM_ERR_IO;
    head->size = 0;
    ws_protobuf_int(head, 1, WS_ONNX_IR);
    ws_protobuf_string(head, 2, "weaksam");
    ws_protobuf_string(head, 3, wsam_version());
    ws_protobuf_int(&g->scratch[1], 2, WS_ONNX_OPSET);
    ws_protobuf_message(head, 8, &g->scratch[1]);
    ws_bytes_put(head, g->meta.data, g->meta.size);
    ws_protobuf_head(head, 7, graph);
    *bytes = head->size + graph;
    put(f, head);
    const wsam_status status = write_graph(g, data_name, f, error);
    return status ? status : ws_outputs_close(out, error);
}

static int ran_out(const ws_onnx *g)
{
    return g->failed || g->nodes.failed || g->inputs.failed || g->results.failed ||
           g->meta.failed || g->scratch[0].failed || g->scratch[1].failed || g->scratch[2].failed;
}

wsam_status ws_onnx_file_write(ws_onnx *g, ws_outputs *out, const char *path, uint64_t most,
                               ws_onnx_counts *counts, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    const char *slash = strrchr(path, '/');
    const size_t n = strlen(path) + sizeof ".data";
    char *data = malloc(n);
    ws_onnx_close_node(g);
    if (!data || ran_out(g)) {
        free(data);
        return ws_no_memory(error, path);
    }
    snprintf(data, n, "%s.data", path);
    const uint64_t external = place_external(g, most);
    *counts = (ws_onnx_counts){g->n_nodes, g->n_constants, 0, external > 0};
    if (external)
        status = write_data(g, out, data, error);
    if (!status)
        status = write_model(g, out, path, slash ? data + (slash - path) + 1 : data, &counts->bytes,
                             error);
    if (!status && ran_out(g))
        status = ws_no_memory(error, path);
    counts->bytes += external;
    free(data);
    return status;
}
