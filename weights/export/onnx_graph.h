/* weights/export/onnx_graph.h - an ONNX graph while it grows, and its file.
 *
 * A value is a number from 1 on; 0 stands for an optional input that is absent. Attributes belong
 * to the node that was added last. Constants taken from tensors of a weight file are read when the
 * file is written, one at a time: memory does not grow with the model. */
#ifndef WS_WEIGHTS_EXPORT_ONNX_GRAPH_H
#define WS_WEIGHTS_EXPORT_ONNX_GRAPH_H

#include "base/outputs.h"
#include "runtime/load/weight_file.h"
#include "weights/bytes.h"

/* TensorProto.DataType */
enum { WS_ONNX_F32 = 1, WS_ONNX_U8 = 2, WS_ONNX_S8 = 3, WS_ONNX_S32 = 6, WS_ONNX_S64 = 7 };

/* LayerNormalization begins with 17; every runtime of the last years has it. */
enum { WS_ONNX_OPSET = 17, WS_ONNX_IR = 8, WS_ONNX_RANK = 6 };

typedef struct ws_onnx ws_onnx;

ws_onnx *ws_onnx_new(const ws_file *file, const char *name);
void ws_onnx_free(ws_onnx *g); /* NULL is allowed */

/* A dimension is a number, or a name where it is free. */
typedef struct ws_onnx_dim {
    int64_t value;
    const char *name; /* NULL: the number */
} ws_onnx_dim;

int ws_onnx_input(ws_onnx *g, const char *name, int type, int rank, const ws_onnx_dim *dims);
/* Gives the value that name. */
void ws_onnx_output(ws_onnx *g, int value, const char *name, int type, int rank,
                    const ws_onnx_dim *dims);
void ws_onnx_meta(ws_onnx *g, const char *key, const char *value);

/* `name` is that of the operator it serves: nodes have names of their own made from it. */
int ws_onnx_node(ws_onnx *g, const char *op, const char *name, int n, const int *inputs);
/* Further outputs of the last node. */
int ws_onnx_also(ws_onnx *g);
void ws_onnx_int(ws_onnx *g, const char *name, int64_t value);
void ws_onnx_float(ws_onnx *g, const char *name, double value);
void ws_onnx_text(ws_onnx *g, const char *name, const char *value);
void ws_onnx_ints(ws_onnx *g, const char *name, int n, const int64_t *values);

/* Constants. Bytes are copied. */
int ws_onnx_constant(ws_onnx *g, const char *name, int type, int rank, const int64_t *dims,
                     const void *bytes);
int ws_onnx_numbers(ws_onnx *g, int n, const int64_t *values); /* a shape, axes */
int ws_onnx_scalar(ws_onnx *g, double value);                  /* f32 */

/* How a tensor of the file lies in the graph: its dimensions in the order `order`, under other
 * dimensions of as many elements where `rank` is not 0. */
typedef struct ws_onnx_layout {
    int order[WSAM_MAX_RANK];
    int rank;
    int64_t dims[WSAM_MAX_RANK];
} ws_onnx_layout;

/* f32 and bf16 as f32, s8 as s8; NULL: as it is. Asked twice for the same it is stored once. */
int ws_onnx_tensor(ws_onnx *g, const ws_tensor_def *tensor, const ws_onnx_layout *layout);

/* All values of a tensor, f32 (of bf16, too) or s8; free(*values). */
wsam_status ws_onnx_file_read(const ws_file *file, const ws_tensor_def *tensor, void **values,
                              wsam_error *error);

/* The same of a tensor that is not s8. */
wsam_status ws_onnx_file_read_f32(const ws_file *file, const ws_tensor_def *tensor, float **values,
                                  wsam_error *error);

typedef struct ws_onnx_counts {
    size_t nodes, constants;
    uint64_t bytes; /* of the model and its data file */
    int external;   /* 1: with a data file */
} ws_onnx_counts;

/* Adds `path` to the outputs. Where the constants exceed `most` bytes, those of a kilobyte and more
 * go to PATH.data, beside it, which the model names: a message has at most 2 GiB. */
wsam_status ws_onnx_file_write(ws_onnx *g, ws_outputs *out, const char *path, uint64_t most,
                               ws_onnx_counts *counts, wsam_error *error);

#endif
