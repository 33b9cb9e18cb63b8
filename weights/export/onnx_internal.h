/* weights/export/onnx_internal.h - what onnx_graph.c collects and onnx_file.c writes. */
#ifndef WS_WEIGHTS_EXPORT_ONNX_INTERNAL_H
#define WS_WEIGHTS_EXPORT_ONNX_INTERNAL_H

#include "weights/export/onnx_graph.h"
#include "weights/export/protobuf.h"

typedef struct ws_onnx_data {
    int value, type, rank;
    int64_t dims[WS_ONNX_RANK];
    void *bytes;                 /* of its own, or */
    const ws_tensor_def *tensor; /* a tensor of the file */
    ws_onnx_layout layout;
    uint64_t offset; /* in the data file */
    int external;
} ws_onnx_data;

struct ws_onnx {
    const ws_file *file;
    char name[128];
    size_t n_names, names_capacity;
    char **names; /* of the values */
    size_t n_constants, constants_capacity;
    ws_onnx_data *constants;
    size_t n_nodes;
    ws_bytes nodes, inputs, results, meta; /* complete fields of the graph and the model */
    int open, n_open_outputs, open_outputs[4];
    ws_bytes node, attributes, attribute; /* of the open node */
    ws_bytes scratch[3];
    int failed;
};

void ws_onnx_close_node(ws_onnx *g);
const char *ws_onnx_name(const ws_onnx *g, int value);
size_t ws_onnx_element_bytes(int type);
uint64_t ws_onnx_bytes_of(const ws_onnx_data *c);

#endif
