/* runtime/training_gemm.h - the three products of training, on the packed f32 or bf16 kernels: with
 * bf16 all operands are rounded to it, sums and results are f32.
 *
 * Threads share output tiles, never a sum. Inputs are added up in blocks of about 512, RoIs of the
 * weight gradient in blocks of 256, in ascending order; both depend on sizes alone. So results do
 * not depend on the number of threads. */
#ifndef WS_RUNTIME_TRAINING_GEMM_H
#define WS_RUNTIME_TRAINING_GEMM_H

#include "base/error.h"
#include "weaksam/kernels.h"

enum { WS_GRADIENT_BLOCK = 256 };

/* Working memory for the largest product; belongs to one caller at a time. */
typedef struct ws_train_gemm {
    const wsam_kernels *kernels;
    const wsam_gemm_kernel *kernel;
    int threads;
    int bf16;
    char *rows;   /* prepared rows of all tiles and blocks */
    char *panels; /* per thread: a strip's packed panels, and rounded weights */
    size_t rows_bytes, worker_bytes;
} ws_train_gemm;

/* For f32 products of at most `m` RoIs with layers of shapes [n, k]; and for products of a type. */
wsam_status ws_training_gemm_init(ws_train_gemm *g, const wsam_kernels *kernels, int threads,
                                  size_t m, size_t layers, const size_t (*shapes)[2],
                                  wsam_error *error);
wsam_status ws_training_gemm_init_as(ws_train_gemm *g, const wsam_kernels *kernels, wsam_type type,
                                     int threads, size_t m, size_t layers,
                                     const size_t (*shapes)[2], wsam_error *error);
void ws_training_gemm_free(ws_train_gemm *g);

/* y[m][n] = x[m][k] . w[n][k]^T + bias */
void ws_training_gemm_forward(ws_train_gemm *g, size_t m, size_t n, size_t k, const float *x,
                              const float *w, const float *bias, float *y);
/* dw[n][k] += dy[m][n]^T . x[m][k] */
void ws_training_gemm_weights(ws_train_gemm *g, size_t m, size_t n, size_t k, const float *dy,
                              const float *x, float *dw);
/* dx[m][k] = dy[m][n] . w[n][k] */
void ws_training_gemm_inputs(ws_train_gemm *g, size_t m, size_t n, size_t k, const float *dy,
                             const float *w, float *dx);

#endif
