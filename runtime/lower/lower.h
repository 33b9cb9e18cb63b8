/* runtime/lower/lower.h - what the files of the lowering provide for one another: ws_lower_NAME for
 * every operator, and the larger groups of operators. The arrows point one way: lower.c, then
 * lower_*.c, then match_patterns.h, then lowering.h. */
#ifndef WS_RUNTIME_LOWER_LOWER_H
#define WS_RUNTIME_LOWER_LOWER_H

#include "runtime/lower/chains.h"

/* Lowers a chain that begins with (or consists of) the operator. */
typedef void ws_lower_fn(ws_lowering *l, const ws_chain *c);

#define WS_DECLARE_LOWERING(KIND, name) ws_lower_fn ws_lower_##name;
WS_OPERATORS(WS_DECLARE_LOWERING)
#undef WS_DECLARE_LOWERING

ws_lower_fn ws_lower_inverted_bottleneck; /* lower_inverted_bottleneck.c */
ws_lower_fn ws_lower_upscale;             /* lower_upscale.c */

/* ---- products of oneDNN's (lower_onednn.c) ---- */

/* A product of a fixed number of rows, or a dense convolution, as a step of oneDNN's. NULL after a
 * failure. The product needs n, k, bias and activation only. */
ws_step *ws_lower_onednn(ws_lowering *l, uint32_t op, int64_t rows, const ws_product *product);
ws_step *ws_lower_onednn_conv(ws_lowering *l, uint32_t op, const ws_product *product);

/* ---- attention between few tokens and an image's rows (lower_cross_attention.c) ---- */

/* Tokens ask: their mixed rows, [T][C], of which the caller makes the output. */
ws_operand ws_lower_token_to_image(ws_lowering *l, uint32_t op);
/* The image asks: the whole operator, output product, residual and norm included. */
void ws_lower_image_to_token(ws_lowering *l, uint32_t op);

/* ---- low-rank forms of the image's rows behind such attentions (lower_low_rank.c) ---- */

/* The form that the result of an image_to_token attention may have, or NULL: `a`, `in` are the
 * attention and its operands. */
const ws_low_rank *ws_lower_low_rank(ws_lowering *l, uint32_t op, const ws_cross_attention *a,
                                     const ws_operand *in);
/* For a step that reads rows in a form: the operands that the form needs. */
void ws_low_rank_operands(const ws_low_rank *v, ws_operand *in);
/* The image's rows that a form is built on. */
uint32_t ws_low_rank_image_rows(const ws_lowering *l, const ws_low_rank *v);

/* What the norm of such a result (low_rank_norm.c) takes of the image, of rows in the form
 * `previous` (NULL: the image's): steps that make it, and its operands (lower_low_rank_norm.c). */
void ws_lower_low_rank_norm(ws_lowering *l, uint32_t op, const ws_cross_attention *a,
                            const ws_low_rank *previous, ws_operand *in);

/* ---- after the steps ---- */

/* Which outputs depend on which steps, which image-rate buffers must outlive a bind, and the steps'
 * final order (order_steps.c). */
void ws_order_steps(ws_lowering *l);
/* Lets results take the place of operands, in the steps' final order (inplace_buffers.c). */
void ws_inplace_buffers(ws_program *p);
/* Chooses the buffers that are stored in bf16 (narrow_buffers.c). */
void ws_narrow_buffers(ws_lowering *l);
/* Marks the products that may be computed with the one before (join_steps.c). */
void ws_join_steps(ws_program *p);

#endif
