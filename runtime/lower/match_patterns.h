/* runtime/lower/match_patterns.h - groups of operators that the lowering makes one step of. Here
 * they are recognised; nothing is lowered. */
#ifndef WS_RUNTIME_LOWER_MATCH_PATTERNS_H
#define WS_RUNTIME_LOWER_MATCH_PATTERNS_H

#include "runtime/lower/lowering.h"

/* The operator that makes input i of `op`, if it does so for this operator alone; else WS_NO_OP. */
uint32_t ws_match_sole_source(const ws_lowering *l, uint32_t op, uint32_t i);

/* linear, or a convolution over all channels. */
int ws_match_product(const ws_lowering *l, uint32_t op);
int ws_match_depthwise(const ws_lowering *l, uint32_t op);

/* The operators of a group; WS_NO_OP where one is absent. */

/* An inverted bottleneck: conv 1x1 -> activation -> depthwise 3x3 -> [activation] -> conv 1x1
 * [-> add -> activation]. */
typedef struct ws_bottleneck_ops {
    uint32_t expand, expand_act, depthwise, depthwise_act, project, add, add_act;
} ws_bottleneck_ops;

/* Whether `op` is the last operator of a bottleneck. */
int ws_match_bottleneck(const ws_lowering *l, uint32_t op, ws_bottleneck_ops *b);

/* A mask head: transposed conv -> norm -> activation -> transposed conv -> activation -> product.
 */
typedef struct ws_mask_head_ops {
    uint32_t first, norm, act, second, second_act, product;
} ws_mask_head_ops;

/* Whether `op` is the product that ends a mask head. */
int ws_match_mask_head(const ws_lowering *l, uint32_t op, ws_mask_head_ops *h);
/* Whether `op` is the transposed convolution that begins one. */
int ws_match_mask_head_begin(const ws_lowering *l, uint32_t op);

/* A projected_attention between few tokens and an image's rows: which side asks. */
typedef enum ws_cross_side {
    WS_CROSS_SIDE_NONE,
    WS_CROSS_TOKEN_TO_IMAGE,
    WS_CROSS_IMAGE_TO_TOKEN
} ws_cross_side;

ws_cross_side ws_match_cross_side(ws_lowering *l, uint32_t op);

#endif
