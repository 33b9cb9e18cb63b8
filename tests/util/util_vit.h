/* tests/util/util_vit.h - the blocks of a plain ViT in double precision, every attention map stored:
 * what clue networks and backbones are compared with. */
#ifndef WS_TESTS_UTIL_UTIL_VIT_H
#define WS_TESTS_UTIL_UTIL_VIT_H

#include "tests/util/util_safetensors.h"

/* A checkpoint of published names, and the tokens on their way through it. */
typedef struct direct_vit {
    st_file *file;
    int heads, width, tokens;
    double *x; /* [tokens][width] */
} direct_vit;

/* Zeros; ends the program without memory. */
double *vit_values(size_t n);
/* The tensor `name`, or blocks.LAYER.NAME where layer >= 0; ends the program when it is missing. */
const double *vit_tensor(const direct_vit *v, const char *name, int layer, size_t *count);
/* x [rows][k] times w [n][k], plus b [n] or NULL; free() it. */
double *vit_linear(const double *x, size_t rows, size_t k, const double *w, const double *b,
                   size_t n);
/* LayerNorm of all tokens; free() it. */
double *vit_norm(const direct_vit *v, const char *name, int layer);
/* The cubic kernel of parameter `a` at distance t. */
double vit_cubic(double a, double t);
/* x through a block, with its LayerScale where it has one; probs [heads][tokens][tokens]. Returns
 * the attention branch before LayerScale and residual, [tokens][width]; free() it. */
double *vit_block(direct_vit *v, int layer, double *probs);

#endif
