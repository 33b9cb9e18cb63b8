/* pipeline/train/pca.h - principal components of a map's cells. */
#ifndef WS_PIPELINE_TRAIN_PCA_H
#define WS_PIPELINE_TRAIN_PCA_H

#include <stddef.h>

#include "base/error.h"

/* Sums over cells, in double: each entry is added up in the order of the cells. */
typedef struct ws_pca {
    size_t channels;
    double cells;
    double *sum;     /* [channels] */
    double *product; /* [channels][channels], the lower triangle */
} ws_pca;

wsam_status ws_pca_create(ws_pca *pca, size_t channels, wsam_error *error);
void ws_pca_free(ws_pca *pca);
void ws_pca_add(ws_pca *pca, size_t cells, const float *x, int threads);

/* z = weight x + bias with weight [n][channels] = V^T / rho, bias = -V^T mean / rho: the n largest
 * components, rho^2 the mean of their variances. The sign makes each one's largest coefficient
 * positive. */
wsam_status ws_pca_solve(const ws_pca *pca, size_t n, float *weight, float *bias,
                         wsam_error *error);

#endif
