/* pipeline/train/network_template.h - the head's forward and backward pass: two linear layers with
 * ReLU and inverted dropout, and one linear layer of all predictors.
 *
 * The including file defines before the include
 *     real                          float, or double for the check of the gradients
 *     product_space                 what the products below work in
 *     multiply_forward, multiply_weights, multiply_inputs
 *                                   as ws_training_gemm_forward, ws_training_gemm_weights and ws_training_gemm_inputs
 * so that what is checked in double is what is trained in float. */
#include <math.h>
#include <string.h>

#include "pipeline/train/head.h"
#include "pipeline/train/random.h"
#include "runtime/run/threads.h"

enum { LAYERS = 3, ROWS_PER_TASK = 64, BIAS_COLUMNS = 64 };

/* Weights [out][in] and biases [out] of the layers, or their gradients. */
typedef struct layer_set {
    real *w[LAYERS], *b[LAYERS];
} layer_set;

typedef struct network {
    size_t in[LAYERS], out[LAYERS];
    int threads;
    double drop; /* probability that a hidden unit is zeroed; 0: no dropout */
} network;

typedef struct activations {
    const real *x; /* [m][in] */
    real *h[2];    /* hidden layers after ReLU and dropout */
    real *y;       /* predictors */
} activations;

/* ---- ReLU and dropout, in place; a unit that is zero has no gradient ---- */

typedef struct hidden_rows {
    const network *net;
    const ws_image_rows *images;
    size_t n_images, layer;
    real *h, *g;
    size_t m;
} hidden_rows;

/* A unit is kept where ws_uniform >= drop. Compared as whole numbers and without a branch: half of
 * all units go, by no pattern, and mispredicted jumps took as long as a third of the products. */
static void activate_rows(const hidden_rows *j, const ws_image_rows *image, size_t from, size_t to)
{
    const size_t width = j->net->out[j->layer];
    const real scale = (real)(1.0 / (1.0 - j->net->drop));
    const uint64_t least = (uint64_t)ceilf((float)j->net->drop * 0x1p24f);
    for (size_t r = from; r < to; r++) {
        real *h = j->h + r * width;
        const uint64_t first = (j->layer * image->n + (r - image->first)) * width;
        for (size_t u = 0; u < width && !least; u++)
            h[u] = h[u] <= 0 ? 0 : h[u]; /* not h > 0: NaN is kept, to be noticed */
        for (size_t u = 0; u < width && least; u++) {
            const int gone = (ws_draw(image->key, first + u) >> 40 < least) | (h[u] <= 0);
            const real choice[2] = {h[u] * scale, 0};
            h[u] = choice[gone];
        }
    }
}

static void activate_task(void *arg, int task, int worker)
{
    const hidden_rows *j = arg;
    const size_t from = (size_t)task * ROWS_PER_TASK;
    const size_t to = from + ROWS_PER_TASK < j->m ? from + ROWS_PER_TASK : j->m;
    (void)worker;
    for (size_t i = 0; i < j->n_images; i++) {
        const ws_image_rows *image = &j->images[i];
        const size_t end = image->first + image->n;
        activate_rows(j, image, from > image->first ? from : image->first, to < end ? to : end);
    }
}

static void pass_task(void *arg, int task, int worker)
{
    const hidden_rows *j = arg;
    const size_t width = j->net->out[j->layer], from = (size_t)task * ROWS_PER_TASK;
    const size_t to = from + ROWS_PER_TASK < j->m ? from + ROWS_PER_TASK : j->m;
    const real scale = (real)(1.0 / (1.0 - j->net->drop));
    (void)worker;
    for (size_t i = from * width; i < to * width; i++)
        j->g[i] = j->h[i] > 0 ? j->g[i] * scale : 0;
}

static int row_tasks(size_t m)
{
    return (int)((m + ROWS_PER_TASK - 1) / ROWS_PER_TASK);
}

/* ---- the gradient of a bias: sums over rows in double, chunks of 64 ---- */

typedef struct bias_sum {
    size_t m, n;
    const real *dy;
    real *db;
} bias_sum;

static void bias_task(void *arg, int task, int worker)
{
    const bias_sum *j = arg;
    const size_t c0 = (size_t)task * BIAS_COLUMNS;
    const size_t c1 = c0 + BIAS_COLUMNS < j->n ? c0 + BIAS_COLUMNS : j->n;
    double total[BIAS_COLUMNS] = {0};
    (void)worker;
    for (size_t from = 0; from < j->m; from += ROWS_PER_TASK) {
        double part[BIAS_COLUMNS] = {0};
        for (size_t r = from; r < j->m && r < from + ROWS_PER_TASK; r++)
            for (size_t c = c0; c < c1; c++)
                part[c - c0] += (double)j->dy[r * j->n + c];
        for (size_t c = c0; c < c1; c++)
            total[c - c0] += part[c - c0];
    }
    for (size_t c = c0; c < c1; c++)
        j->db[c] += (real)total[c - c0];
}

/* ---- both passes ---- */

/* a->h and a->y from a->x. */
static void network_forward(const network *net, product_space *space, const layer_set *p, size_t m,
                            const ws_image_rows *images, size_t n_images, activations *a)
{
    const real *x = a->x;
    for (size_t l = 0; l < LAYERS; l++) {
        real *y = l < 2 ? a->h[l] : a->y;
        multiply_forward(space, m, net->out[l], net->in[l], x, p->w[l], p->b[l], y);
        if (l < 2) {
            hidden_rows rows = {
                .net = net, .images = images, .n_images = n_images, .layer = l, .h = y, .m = m};
            ws_parallel_for(net->threads, row_tasks(m), activate_task, &rows);
        }
        x = y;
    }
}

/* Adds the gradients to `g`; dy is the gradient by a->y, work[2] hold [m][hidden] each. */
static void network_backward(const network *net, product_space *space, const layer_set *p, size_t m,
                             const activations *a, const real *dy, real *const work[2],
                             layer_set *g)
{
    for (size_t l = LAYERS; l-- > 0;) {
        const real *x = l ? a->h[l - 1] : a->x;
        bias_sum sum = {m, net->out[l], dy, g->b[l]};
        ws_parallel_for(net->threads, (int)((net->out[l] + BIAS_COLUMNS - 1) / BIAS_COLUMNS),
                        bias_task, &sum);
        multiply_weights(space, m, net->out[l], net->in[l], dy, x, g->w[l]);
        if (!l)
            break; /* no gradient into the features */
        multiply_inputs(space, m, net->out[l], net->in[l], dy, p->w[l], work[l - 1]);
        hidden_rows rows = {.net = net, .layer = l - 1, .h = a->h[l - 1], .g = work[l - 1], .m = m};
        ws_parallel_for(net->threads, row_tasks(m), pass_task, &rows);
        dy = work[l - 1];
    }
}
