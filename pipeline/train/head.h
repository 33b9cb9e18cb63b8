/* pipeline/train/head.h - the head: its parameters, their initialisation, passes in f32, and Adam.
 */
#ifndef WS_PIPELINE_TRAIN_HEAD_H
#define WS_PIPELINE_TRAIN_HEAD_H

#include "runtime/training_gemm.h"

enum { WS_HEAD_LAYERS = 3 };

/* Layer l is w[l] [out[l]][in[l]] and b[l]; all of them lie in one block, `count` floats. */
typedef struct ws_head {
    size_t in[WS_HEAD_LAYERS], out[WS_HEAD_LAYERS];
    size_t count;
    float *block;
    float *w[WS_HEAD_LAYERS], *b[WS_HEAD_LAYERS];
} ws_head;

/* Zeroed parameters (or gradients) of features -> hidden -> hidden -> outputs. */
wsam_status ws_head_create(ws_head *head, size_t features, size_t hidden, size_t outputs,
                           wsam_error *error);
void ws_head_free(ws_head *head);
int ws_head_finite(const ws_head *head);
/* Uniform: the hidden layers within sqrt(3/in), rows [0, first) of the predictors with standard
 * deviation `std_first`, the others with `std_rest`; biases 0. */
void ws_head_initialise(ws_head *head, uint64_t seed, size_t first, double std_first,
                        double std_rest);

/* Rows of several images below each other; `key` is that of the image's dropout. */
typedef struct ws_image_rows {
    size_t first, n;
    uint64_t key;
} ws_image_rows;

/* Working memory for passes over at most `rows` RoIs. */
typedef struct ws_head_work {
    ws_train_gemm gemm;
    size_t rows;
    float *x;           /* [rows][in[0]], the caller's */
    float *h[2], *g[2]; /* [rows][hidden] */
    float *y, *dy;      /* [rows][out[2]] */
} ws_head_work;

wsam_status ws_head_work_create(ws_head_work *work, const ws_head *head, const wsam_kernels *k,
                                wsam_type products, int threads, size_t rows, wsam_error *error);
void ws_head_work_free(ws_head_work *work);

/* work->y of the first m rows of work->x. */
void ws_head_forward(const ws_head *head, ws_head_work *work, size_t m, const ws_image_rows *images,
                     size_t n_images, double drop);
/* Adds to `gradient` from work->dy, after the forward pass of the same rows. */
void ws_head_backward(const ws_head *head, ws_head_work *work, size_t m, double drop,
                      ws_head *gradient);

/* Adam as PyTorch has it: weight decay is added to the gradient. */
typedef struct ws_adam {
    double rate, decay;
    double bias_rate, bias_decay; /* of biases */
    uint64_t step;                /* counts from 1 */
} ws_adam;
void ws_head_adam_update(const ws_adam *adam, double rate, double decay, size_t n, const float *g,
                         float *theta, float *m, float *v);
void ws_head_adam_step(const ws_adam *adam, int threads, const ws_head *gradient, ws_head *head,
                       ws_head *m, ws_head *v);

#endif
