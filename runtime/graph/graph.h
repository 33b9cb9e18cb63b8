/* runtime/graph/graph.h - shapes, types and rates of a graph's values. */
#ifndef WS_RUNTIME_GRAPH_GRAPH_H
#define WS_RUNTIME_GRAPH_GRAPH_H

#include "runtime/load/weight_file.h"
#include "weights/operators.h"

typedef struct ws_shape {
    int rank;
    int64_t dims[WSAM_MAX_RANK];
} ws_shape;

/* Values of a graph's symbols, and the number of prompts of a run. */
typedef struct ws_dims {
    int64_t symbols[WS_CAP_SYMBOLS];
    int64_t prompts;
} ws_dims;

/* What is known of a value (or tensor) when its operator is checked. */
typedef struct ws_value {
    ws_shape shape;
    wsam_type type;
    wsam_rate rate;
} ws_value;

/* An operator in its graph, for shape rules and lowerings. */
typedef struct ws_op_view {
    const ws_file *file;
    const ws_graph_def *graph;
    const ws_op_def *op;
    const ws_value *values; /* of the graph: inputs, then operators */
    const ws_dims *dims;
} ws_op_view;

/* The first attribute of that name, or NULL. */
const ws_attr_def *ws_op_attr(const ws_op_def *op, const char *name);
/* Attributes: the value, or `otherwise` when absent. Symbols are replaced by their values. */
int64_t ws_op_int(const ws_op_view *v, const char *name, int64_t otherwise);
double ws_op_float(const ws_op_view *v, const char *name, double otherwise);
const char *ws_op_string(const ws_op_view *v, const char *name, const char *otherwise);

/* Input i: 1 and its value when it is there. */
int ws_op_input(const ws_op_view *v, uint32_t i, ws_value *value);
/* The tensor behind a reference, or NULL for a computed value. */
const ws_tensor_def *ws_ref_tensor(const ws_file *file, uint32_t ref);

/* A value, the values of all prompts of a run, and a temporary have at most this many elements:
 * task numbers then fit an int and sizes in bytes cannot overflow. */
#define WS_CAP_ELEMENTS ((int64_t)1 << 34)

/* Both stop at WS_CAP_ELEMENTS + 1. */
int64_t ws_elements(const ws_shape *s);
/* Product of all dimensions but the last, and the last. */
int64_t ws_rows(const ws_shape *s);
int64_t ws_columns(const ws_shape *s);
int ws_same_shape(const ws_shape *a, const ws_shape *b);

/* The shapes, types and rates of all values at these dimensions: values[n_inputs + n_ops]. Checks
 * every rule of FORMAT.md, that of the graph's role included; errors name the operator. */
wsam_status ws_graph_infer(const ws_file *file, const ws_graph_def *graph, const ws_dims *dims,
                           ws_value *values, wsam_error *error);

/* Smallest dimensions of a graph. */
void ws_dims_min(const ws_graph_def *graph, ws_dims *dims);

/* Bit per symbol that an image-rate value depends on: these must be the same in a bind and its
 * runs. */
uint32_t ws_graph_values_image_symbols(const ws_graph_def *graph, const ws_value *values);

/* A graph at its smallest dimensions, and at several values of each symbol, the largest among them,
 * with the others smallest. Notes the sizes of its role in the file. */
wsam_status ws_graph_check(ws_file *file, const ws_graph_def *graph, uint64_t max_memory,
                           wsam_error *error);

/* The kind of an operator, -1 for an unknown one. */
int ws_signatures_kind_of(const ws_op_def *op);

#endif
