/* weights/family/plain_vit.h - a ViT without windows or relative positions, as clue networks and
 * backbones share it: prefix tokens (classes, registers), then the patches of any grid. */
#ifndef WS_WEIGHTS_FAMILY_PLAIN_VIT_H
#define WS_WEIGHTS_FAMILY_PLAIN_VIT_H

#include "weights/family/family.h"

#define WS_PLAIN_EPS 1e-6

/* Sizes of the graph's input and of its tokens. */
typedef struct ws_plain_vit {
    uint32_t width, heads, mlp;
    uint32_t side;    /* of the stored position grid */
    const char *mode; /* of the positions, NULL: offset, as stored for square pictures alone */
    int layer_scale;  /* blocks.N.ls1.gamma, ls2.gamma: folded into the products before them */
} ws_plain_vit;

/* Values of a graph that the operators behind it need. */
typedef struct ws_plain_tokens {
    ws_ref grid; /* [h][w][width]: patches with positions; gives h and w */
    ws_ref x;    /* [1][prefix + h*w][width] */
} ws_plain_tokens;

/* Symbols `height` and `width` of an input in steps of `multiple` pixels, and the input `image`. */
ws_ref ws_plain_input(ws_builder *b, uint32_t patch, uint32_t multiple, uint32_t symbols[2]);

/* Patches [h][w][width] with their positions, behind the prefix. `positions` is the need
 * `pos_embed` [1][skip + side * side][width]; `prefix` the stored rows [prefix][width]. */
ws_plain_tokens ws_plain_join(ws_builder *b, const ws_plain_vit *v, ws_ref patches, int positions,
                              uint32_t skip, ws_ref prefix, const uint32_t symbols[2]);

/* norm1 and qkv of a block. */
ws_ref ws_plain_qkv(ws_builder *b, const ws_plain_vit *v, ws_ref x, uint32_t block);
/* The attention's output behind proj, before the residual. */
ws_ref ws_plain_attention(ws_builder *b, const ws_plain_vit *v, ws_ref qkv, uint32_t block);
/* norm2, fc1, gelu, fc2 and the residual. */
ws_ref ws_plain_mlp(ws_builder *b, const ws_plain_vit *v, ws_ref x, uint32_t block);

/* 1 / sqrt(head size). */
double ws_plain_scale(const ws_plain_vit *v);

/* What a checkpoint says: blocks in a row; the root of a square number, else 0. */
uint32_t ws_plain_depth(const ws_source *source);
uint32_t ws_plain_side(uint32_t cells);

#endif
