/* pipeline/tokens/clue_head.h - the clue head: tokens of a frozen network in, the values of
 * clue_loss.h out.
 *
 * A token is brought to mean 0 and spread 1 over its channels (LayerNorm; the layer behind it has
 * the scale), then goes through a linear layer, GELU, and a linear layer with all outputs. The
 * length of a class's query is its temperature. */
#ifndef WS_PIPELINE_TOKENS_CLUE_HEAD_H
#define WS_PIPELINE_TOKENS_CLUE_HEAD_H

#include "pipeline/regions/region_file.h"
#include "pipeline/tokens/clue_loss.h"
#include "runtime/training_gemm.h"
#include "weaksam/dataset.h"

#define WS_CLUE_NORM_EPS 1e-6

/* Both layers lie in one block of `count` floats: w [out][in], b [out]. */
typedef struct ws_clue_head {
    size_t in, hidden, out, count;
    float *block, *w[2], *b[2];
} ws_clue_head;

wsam_status ws_clue_head_create(ws_clue_head *head, size_t in, size_t hidden, size_t classes,
                                wsam_error *error);
void ws_clue_head_free(ws_clue_head *head);
/* Small values, and maps that show no class to begin with. */
void ws_clue_head_initialise(ws_clue_head *head, uint64_t seed);

/* Working memory for passes over `rows` tokens. */
typedef struct ws_clue_work {
    ws_train_gemm gemm;
    size_t rows;
    float *x;                         /* [rows][in], the caller's: normalised tokens */
    float *before, *h, *dh, *density; /* [rows][hidden] */
    float *y, *dy;                    /* [rows][out] */
    double *sums;
} ws_clue_work;

/* Operands of products are rounded to the type `products`, f32 or bf16. */
wsam_status ws_clue_head_work_create(ws_clue_work *work, const ws_clue_head *head,
                                     const wsam_kernels *kernels, wsam_type products, int threads,
                                     size_t rows, wsam_error *error);
void ws_clue_head_work_free(ws_clue_work *work);
/* work->y of the first m rows of work->x. */
void ws_clue_head_forward(const ws_clue_head *head, ws_clue_work *work, size_t m);
/* Adds to `gradient` from work->dy, after the forward pass of the same rows. */
void ws_clue_head_backward(const ws_clue_head *head, ws_clue_work *work, size_t m,
                           ws_clue_head *gradient);

/* ---- cells of images ---- */

/* LayerNorm of n channels, in place. */
void ws_clue_head_normalise(size_t n, float *token);

/* A set of regions whose regions are the cells of token maps (cells.h): group 0 the image, group 1
 * the mirrored one, in the image's cells. */
/* Rows and columns of an image's cells; 0 where they are no grid. */
int ws_clue_head_grid(const ws_region_picture *picture, size_t *height, size_t *width);
/* Normalised tokens of n cells of an image [n][in]; view 1: of the mirrored one. */
void ws_clue_head_tokens(const ws_region_set *set, size_t picture, int view, size_t first, size_t n,
                         float *rows);

#endif
