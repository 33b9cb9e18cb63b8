/* runtime/lower/lowering.h - a lowering in progress, and the primitives that all files of the
 * lowering are written with: values, buffers, constants, steps (lowering.c), products and tables
 * (lowering_products.c). */
#ifndef WS_RUNTIME_LOWER_LOWERING_H
#define WS_RUNTIME_LOWER_LOWERING_H

#include "runtime/program.h"

/* After the first failure (`status`) everything else does nothing of consequence. */
typedef struct ws_lowering {
    const ws_file *file;
    const ws_graph_def *graph;
    ws_packs *packs;
    ws_program *program;
    const ws_value *values; /* at the smallest dimensions: rates, ranks, fixed sizes */
    ws_dims dims;
    uint32_t *readers;             /* how often each value is read; an output counts twice */
    const ws_low_rank **low_ranks; /* form of each value; NULL where its rows are stored */
    wsam_status status;
    wsam_error *error;
} ws_lowering;

enum { WS_NO_OP = UINT32_MAX };

void ws_lowering_keep(ws_lowering *l, wsam_status status);
void ws_lowering_no_memory(ws_lowering *l);

/* ---- the graph ---- */

const ws_op_def *ws_lowering_op(const ws_lowering *l, uint32_t op);
const ws_value *ws_lowering_value(const ws_lowering *l, uint32_t op);
ws_op_view ws_lowering_view(const ws_lowering *l, uint32_t op);
/* The operator's kind; -1 for WS_NO_OP. */
int ws_lowering_kind(const ws_lowering *l, uint32_t op);
/* Input i, WS_REF_NONE where the operator has fewer. */
uint32_t ws_lowering_ref(const ws_lowering *l, uint32_t op, uint32_t i);
/* The function of an activation. */
wsam_act ws_lowering_act(const ws_lowering *l, uint32_t op);
/* Whether any symbol changes the shape of a value. */
int ws_lowering_varies(ws_lowering *l, uint32_t value);

/* ---- buffers, constants, steps ---- */

/* The buffer of a graph's input, of an operator's value; a buffer with a value's rows and other
 * columns. */
int ws_lowering_input(ws_lowering *l, uint32_t i);
int ws_lowering_buffer(ws_lowering *l, uint32_t op);
int ws_lowering_temporary(ws_lowering *l, wsam_rate rate, uint32_t value, int64_t columns);

/* WS_REF_NONE gives one that is absent. */
ws_operand ws_lowering_operand(ws_lowering *l, uint32_t ref);
void ws_lowering_no_operands(ws_operand in[WS_STEP_OPERANDS]);
/* The highest rate of n operands. */
wsam_rate ws_lowering_rate(const ws_lowering *l, const ws_operand *operands, int n);

/* Memory that lives as long as the model; NULL after a failure. */
void *ws_lowering_alloc(ws_lowering *l, size_t bytes);
const float *ws_lowering_constant(ws_lowering *l, uint32_t ref);

/* A new step of an operator, with its rate, name and no operands; the pointer is valid until the
 * next one. NULL after a failure. */
ws_step *ws_lowering_step(ws_lowering *l, const ws_step_kind *kind, uint32_t op);
/* One with the operator's first n inputs as operands and its value as result. */
ws_step *ws_lowering_simple(ws_lowering *l, const ws_step_kind *kind, uint32_t op, uint32_t n);

/* ---- products (lowering_products.c) ---- */

ws_product ws_lowering_product(ws_lowering *l, uint32_t weight, uint32_t bias);
/* The same with the kernel of another type: ws_packs_product. */
ws_product ws_lowering_product_as(ws_lowering *l, wsam_type as, uint32_t weight, uint32_t bias);
/* A convolution of 3x3 as the products of Winograd's points for tiles of `side`: k is its channels. */
ws_product ws_lowering_winograd(ws_lowering *l, int side, uint32_t weight, uint32_t bias);
/* The product of a transposed convolution, its bias repeated for every position of the kernel. */
ws_product ws_lowering_transposed(ws_lowering *l, uint32_t op);
/* A product of rows [n][k] that are given as f32, gain (per k, or NULL) times each; `rows` stays
 * the caller's. */
ws_product ws_lowering_packed(ws_lowering *l, const wsam_gemm_kernel *kernel, size_t n, size_t k,
                              const float *rows, const float *gain, const float *bias);
/* rows * offset (both as above): what an offset of the input adds to a product. NULL for NULL. */
const float *ws_lowering_offset(ws_lowering *l, size_t n, size_t k, const float *rows,
                                const float *offset);
/* A product's result, rows of value `ref` with `position` added, as a temporary of its own rate. */
ws_operand ws_lowering_table(ws_lowering *l, uint32_t op, uint32_t ref, ws_operand rows,
                             ws_operand position, const ws_product *product);
/* (x + position) W + b into a temporary with x's rows; its rate is its operands'. */
ws_operand ws_lowering_project(ws_lowering *l, uint32_t op, uint32_t x, uint32_t position,
                               uint32_t weight, uint32_t bias);
/* A depthwise weight [C,kh,kw,1] as [kh*kw][C]. */
const float *ws_lowering_by_tap(ws_lowering *l, uint32_t weight);
/* Weight, bias and eps of a layer_norm or group_norm. */
ws_norm ws_lowering_norm(ws_lowering *l, uint32_t op);

#endif
