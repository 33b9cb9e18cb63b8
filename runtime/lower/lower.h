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
    uint32_t *readers;              /* how often each value is read; an output counts twice */
    const struct ws_level **levels; /* of each value; NULL where its rows are stored */
    wsam_status status;
    wsam_error *error;
} ws_lowering;

enum { WS_NO_OP = UINT32_MAX };

void ws_low_keep(ws_lowering *l, wsam_status status);
const ws_value *ws_low_value(const ws_lowering *l, uint32_t op);
ws_op_view ws_low_view(const ws_lowering *l, uint32_t op);

/* The operator that makes input i of `op`, if it does so for this operator alone; else WS_NO_OP. */
uint32_t ws_low_sole_source(const ws_lowering *l, uint32_t op, uint32_t i);

/* The buffer of a graph's input, of an operator's value; a buffer with a value's rows and other
 * columns. */
int ws_low_input(ws_lowering *l, uint32_t i);
int ws_low_buffer(ws_lowering *l, uint32_t op);
int ws_low_temporary(ws_lowering *l, wsam_rate rate, uint32_t value, int64_t columns);

/* WS_REF_NONE gives one that is absent. */
ws_operand ws_low_operand(ws_lowering *l, uint32_t ref);
/* Memory that lives as long as the model; NULL after a failure. */
void *ws_low_alloc(ws_lowering *l, size_t bytes);
const float *ws_low_constant(ws_lowering *l, uint32_t ref);
ws_product ws_low_product(ws_lowering *l, uint32_t weight, uint32_t bias);
/* The product of a transposed convolution, its bias repeated for every position of the kernel. */
ws_product ws_low_transposed(ws_lowering *l, uint32_t op);
wsam_act ws_low_act(const ws_lowering *l, uint32_t op);
wsam_rate ws_low_rate(const ws_lowering *l, const ws_operand *operands, int n);

/* A new step of an operator, with its rate, name and no operands; the pointer is valid until the
 * next one. */
ws_step *ws_low_step(ws_lowering *l, const ws_step_kind *kind, uint32_t op);

/* Whether a mask_product ends the chain of a mask head (lower_upscale.c): marks the other operators
 * of the chain as taken; lowers it and returns 1. */
void ws_take_upscale(const ws_lowering *l, uint32_t op, unsigned char *taken);
int ws_lower_upscale(ws_lowering *l, uint32_t op);

/* Whether any symbol changes the shape of a value. */
int ws_low_varies(ws_lowering *l, uint32_t value);

/* A depthwise weight [C,kh,kw,1] as [kh*kw][C]. */
const float *ws_low_by_tap(ws_lowering *l, uint32_t weight);

/* A product of a fixed number of rows, or a dense convolution, as a step of oneDNN's
 * (lower_onednn.c). NULL after a failure. The product needs n, k, bias and activation only. */
ws_step *ws_lower_onednn(ws_lowering *l, uint32_t op, int64_t rows, const ws_product *product);
ws_step *ws_lower_onednn_conv(ws_lowering *l, uint32_t op, const ws_product *product);

/* (x + position) W + b into a temporary with x's rows; its rate is its operands'. */
ws_operand ws_low_project(ws_lowering *l, uint32_t op, uint32_t x, uint32_t position,
                          uint32_t weight, uint32_t bias);

/* Attention between few tokens and an image's rows (lower_cross_attention.c): which side asks. READ
 * leaves the tokens' mixed rows to be projected, WRITE has lowered the whole operator. */
typedef enum ws_token_side { WS_TOKENS_NEITHER, WS_TOKENS_READ, WS_TOKENS_WRITE } ws_token_side;
ws_token_side ws_low_token_side(ws_lowering *l, uint32_t op);
ws_token_side ws_lower_tokens(ws_lowering *l, uint32_t op, ws_operand *mixed);

/* Levels of rows behind such attentions (lower_low_rank.c, low_rank_rows.c): the level that the
 * operator's result may be kept at, or NULL (`a`, `in`: the attention and its operands); and, for a
 * step that reads rows of a level, the operands that the level needs. */
const struct ws_level *ws_low_level(ws_lowering *l, uint32_t op, const ws_token_attention *a,
                                    const ws_operand *in);
void ws_low_level_operands(const struct ws_level *v, ws_operand *in);
/* What low_rank_norm.c takes of the image for an attention whose result is kept at a level, rows of
 * the level `below` (NULL: the image's): steps that make it, and its operands. */
void ws_low_moments(ws_lowering *l, uint32_t op, const ws_token_attention *a,
                    const struct ws_level *below, ws_operand *in);
/* The image's rows below a level. */
uint32_t ws_low_level_base(const ws_lowering *l, const struct ws_level *v);

/* A product of rows [n][k] that are given as f32, gain (per k, or NULL) times each; `rows` stays
 * the caller's. */
ws_product ws_low_packed(ws_lowering *l, const wsam_gemm_kernel *kernel, size_t n, size_t k,
                         const float *rows, const float *gain, const float *bias);
/* rows * offset (both as above): what an offset of the input adds to a product. NULL for NULL. */
const float *ws_low_offset(ws_lowering *l, size_t n, size_t k, const float *rows,
                           const float *offset);
/* A product's result, rows of value `ref` with `position` added, as a temporary of its own rate. */
ws_operand ws_low_table(ws_lowering *l, uint32_t op, uint32_t ref, ws_operand rows,
                        ws_operand position, const ws_product *product);

/* Whether a transposed convolution begins the chain of a mask head (lower_upscale.c). */
int ws_low_begins_upscale(const ws_lowering *l, uint32_t op);

/* Whether an operator ends an inverted bottleneck (lower_inverted_bottleneck.c): marks the others
 * of the chain as taken; lowers it and returns 1. */
int ws_take_inverted(const ws_lowering *l, uint32_t op, unsigned char *taken);
int ws_lower_inverted(ws_lowering *l, uint32_t op);

/* Lets results take the place of operands, in the steps' final order (inplace_buffers.c). */
void ws_reuse_buffers(ws_program *p);

/* The operators of a clue network (lower_clues.c). */
void ws_lower_clues(ws_lowering *l, uint32_t op);

/* Operators that are never part of a chain (lower_operator.c). */
void ws_lower_single(ws_lowering *l, uint32_t op);

#endif
