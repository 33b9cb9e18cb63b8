/* runtime/lower/lower.h - what the files of the lowering share. */
#ifndef WS_RUNTIME_LOWER_LOWER_H
#define WS_RUNTIME_LOWER_LOWER_H

#include "runtime/program.h"

/* A lowering in progress. After the first failure (`status`) everything else does nothing of
 * consequence. */
typedef struct ws_lowering {
    const ws_file *file;
    const ws_graph_def *graph;
    ws_packs *packs;
    ws_program *program;
    const ws_value *values; /* at the smallest dimensions: rates, ranks, fixed sizes */
    ws_dims dims;
    uint32_t *readers;                    /* how often each value is read; an output counts twice */
    const struct ws_low_rank **low_ranks; /* of each value; NULL where its rows are stored */
    wsam_status status;
    wsam_error *error;
} ws_lowering;

enum { WS_NO_OP = UINT32_MAX };

void ws_lowering_keep(ws_lowering *l, wsam_status status);
const ws_value *ws_lowering_value(const ws_lowering *l, uint32_t op);
ws_op_view ws_lowering_view(const ws_lowering *l, uint32_t op);

/* The operator that makes input i of `op`, if it does so for this operator alone; else WS_NO_OP. */
uint32_t ws_lowering_sole_source(const ws_lowering *l, uint32_t op, uint32_t i);

/* The buffer of a graph's input, of an operator's value; a buffer with a value's rows and other
 * columns. */
int ws_lowering_input(ws_lowering *l, uint32_t i);
int ws_lowering_buffer(ws_lowering *l, uint32_t op);
int ws_lowering_temporary(ws_lowering *l, wsam_rate rate, uint32_t value, int64_t columns);

/* WS_REF_NONE gives one that is absent. */
ws_operand ws_lowering_operand(ws_lowering *l, uint32_t ref);
/* Memory that lives as long as the model; NULL after a failure. */
void *ws_lowering_alloc(ws_lowering *l, size_t bytes);
const float *ws_lowering_constant(ws_lowering *l, uint32_t ref);
ws_product ws_lowering_product(ws_lowering *l, uint32_t weight, uint32_t bias);
/* The product of a transposed convolution, its bias repeated for every position of the kernel. */
ws_product ws_lowering_transposed(ws_lowering *l, uint32_t op);
wsam_act ws_lowering_act(const ws_lowering *l, uint32_t op);
wsam_rate ws_lowering_rate(const ws_lowering *l, const ws_operand *operands, int n);

/* A new step of an operator, with its rate, name and no operands; the pointer is valid until the
 * next one. */
ws_step *ws_lowering_step(ws_lowering *l, const ws_step_kind *kind, uint32_t op);

/* Whether a mask_product ends the chain of a mask head (lower_upscale.c): marks the other operators
 * of the chain as taken; lowers it and returns 1. */
void ws_find_upscale(const ws_lowering *l, uint32_t op, unsigned char *taken);
int ws_lower_upscale(ws_lowering *l, uint32_t op);

/* Whether any symbol changes the shape of a value. */
int ws_lowering_varies(ws_lowering *l, uint32_t value);

/* A depthwise weight [C,kh,kw,1] as [kh*kw][C]. */
const float *ws_lowering_by_tap(ws_lowering *l, uint32_t weight);

/* A product of a fixed number of rows, or a dense convolution, as a step of oneDNN's
 * (lower_onednn.c). NULL after a failure. The product needs n, k, bias and activation only. */
ws_step *ws_lower_onednn(ws_lowering *l, uint32_t op, int64_t rows, const ws_product *product);
ws_step *ws_lower_onednn_conv(ws_lowering *l, uint32_t op, const ws_product *product);

/* (x + position) W + b into a temporary with x's rows; its rate is its operands'. */
ws_operand ws_lowering_project(ws_lowering *l, uint32_t op, uint32_t x, uint32_t position,
                               uint32_t weight, uint32_t bias);

/* Attention between few tokens and an image's rows (lower_cross_attention.c): which side asks. READ
 * leaves the tokens' mixed rows to be projected, WRITE has lowered the whole operator. */
typedef enum ws_cross_side {
    WS_CROSS_SIDE_NONE,
    WS_CROSS_TOKEN_TO_IMAGE,
    WS_CROSS_IMAGE_TO_TOKEN
} ws_cross_side;
ws_cross_side ws_lowering_cross_side(ws_lowering *l, uint32_t op);
ws_cross_side ws_lower_cross_attention(ws_lowering *l, uint32_t op, ws_operand *mixed);

/* Low-rank forms of rows behind such attentions (lower_low_rank.c, low_rank_rows.c): the form that
 * the operator's result may have, or NULL (`a`, `in`: the attention and its operands); and, for a
 * step that reads rows in a form, the operands that the form needs. */
const struct ws_low_rank *ws_lower_low_rank(ws_lowering *l, uint32_t op,
                                            const ws_cross_attention *a, const ws_operand *in);
void ws_low_rank_operands(const struct ws_low_rank *v, ws_operand *in);
/* What low_rank_norm.c takes of the image for an attention with a low-rank result, of rows in
 * the form `previous` (NULL: the image's): steps that make it, and its operands. */
void ws_lower_low_rank_norm(ws_lowering *l, uint32_t op, const ws_cross_attention *a,
                            const struct ws_low_rank *previous, ws_operand *in);
/* The image's rows that a form is built on. */
uint32_t ws_low_rank_image_rows(const ws_lowering *l, const struct ws_low_rank *v);

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

/* Whether a transposed convolution begins the chain of a mask head (lower_upscale.c). */
int ws_begins_upscale(const ws_lowering *l, uint32_t op);

/* Whether an operator ends an inverted bottleneck (lower_inverted_bottleneck.c): marks the others
 * of the chain as taken; lowers it and returns 1. */
int ws_find_inverted_bottleneck(const ws_lowering *l, uint32_t op, unsigned char *taken);
int ws_lower_inverted_bottleneck(ws_lowering *l, uint32_t op);

/* Lets results take the place of operands, in the steps' final order (inplace_buffers.c). */
void ws_reuse_buffers_in_place(ws_program *p);

/* The operators of a clue network (lower_clues.c). */
void ws_lower_clues(ws_lowering *l, uint32_t op);

/* Operators that are never part of a chain (lower_operator.c). */
void ws_lower_operator(ws_lowering *l, uint32_t op);

#endif
