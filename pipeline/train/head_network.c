/* pipeline/train/head_network.c - see head_network.h. */
#include "pipeline/train/head.h"

#include <math.h>
#include <stdlib.h>

#define real float
typedef ws_train_gemm product_space;
#define multiply_forward ws_training_gemm_forward
#define multiply_weights ws_training_gemm_weights
#define multiply_inputs  ws_training_gemm_inputs
#include "pipeline/train/network_template.h"

/* ---- parameters ---- */

wsam_status ws_head_create(ws_head *head, size_t features, size_t hidden, size_t outputs,
                           wsam_error *error)
{
    *head = (ws_head){.in = {features, hidden, hidden}, .out = {hidden, hidden, outputs}};
    size_t at[WS_HEAD_LAYERS];
    for (int l = 0; l < WS_HEAD_LAYERS; l++) {
        at[l] = head->count;
        size_t weights;
        if (ws_mul_size(head->in[l], head->out[l], &weights) ||
            ws_add_size(head->count, weights, &head->count) ||
            ws_add_size(head->count, head->out[l], &head->count))
            return ws_fail(error, WSAM_ERR_LIMIT, "a head of %zu features is too large", features);
    }
    head->block = head->count <= SIZE_MAX / sizeof(float) / 2
                      ? ws_alloc64(head->count * sizeof(float))
                      : NULL;
    if (!head->block)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu parameters", head->count);
    memset(head->block, 0, head->count * sizeof(float));
    for (int l = 0; l < WS_HEAD_LAYERS; l++) {
        head->w[l] = head->block + at[l];
        head->b[l] = head->w[l] + head->in[l] * head->out[l];
    }
    return WSAM_OK;
}

void ws_head_free(ws_head *head)
{
    free(head->block);
    memset(head, 0, sizeof *head);
}

int ws_head_finite(const ws_head *head)
{
    int finite = 1;
    for (size_t i = 0; i < head->count; i++)
        finite &= isfinite(head->block[i]) != 0;
    return finite;
}

void ws_head_initialise(ws_head *head, uint64_t seed, size_t first, double std_first,
                        double std_rest)
{
    memset(head->block, 0, head->count * sizeof(float));
    for (int l = 0; l < WS_HEAD_LAYERS; l++) {
        const uint64_t key = ws_key(seed, WS_STREAM_WEIGHTS, (uint64_t)l, 0);
        const size_t n = head->in[l] * head->out[l];
        for (size_t i = 0; i < n; i++) {
            double reach = sqrt(3.0 / (double)head->in[l]);
            if (l == 2)
                reach = sqrt(3.0) * (i < first * head->in[l] ? std_first : std_rest);
            head->w[l][i] = (float)(reach * (2.0 * (double)ws_uniform(key, i) - 1.0));
        }
    }
}

/* ---- passes ---- */

wsam_status ws_head_work_create(ws_head_work *work, const ws_head *head, const wsam_kernels *k,
                                wsam_type products, int threads, size_t rows, wsam_error *error)
{
    size_t shapes[WS_HEAD_LAYERS][2];
    for (int l = 0; l < WS_HEAD_LAYERS; l++) {
        shapes[l][0] = head->out[l];
        shapes[l][1] = head->in[l];
    }
    *work = (ws_head_work){.rows = rows};
    const wsam_status status = ws_training_gemm_init_as(
        &work->gemm, k, products, threads, rows, WS_HEAD_LAYERS, (const size_t(*)[2])shapes, error);
    if (status)
        return status;
    work->x = ws_alloc64(rows * head->in[0] * sizeof(float));
    work->y = ws_alloc64(rows * head->out[2] * sizeof(float));
    work->dy = ws_alloc64(rows * head->out[2] * sizeof(float));
    for (int i = 0; i < 2; i++) {
        work->h[i] = ws_alloc64(rows * head->out[i] * sizeof(float));
        work->g[i] = ws_alloc64(rows * head->out[i] * sizeof(float));
    }
    if (work->x && work->y && work->dy && work->h[0] && work->h[1] && work->g[0] && work->g[1])
        return WSAM_OK;
    ws_head_work_free(work);
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu RoIs at a time", rows);
}

void ws_head_work_free(ws_head_work *work)
{
    ws_training_gemm_free(&work->gemm);
    free(work->x);
    free(work->y);
    free(work->dy);
    for (int i = 0; i < 2; i++) {
        free(work->h[i]);
        free(work->g[i]);
    }
    memset(work, 0, sizeof *work);
}

static network network_of(const ws_head *head, int threads, double drop)
{
    network net = {.threads = threads, .drop = drop};
    memcpy(net.in, head->in, sizeof net.in);
    memcpy(net.out, head->out, sizeof net.out);
    return net;
}

static layer_set layers_of(const ws_head *head)
{
    layer_set set;
    for (int l = 0; l < WS_HEAD_LAYERS; l++) {
        set.w[l] = head->w[l];
        set.b[l] = head->b[l];
    }
    return set;
}

void ws_head_forward(const ws_head *head, ws_head_work *work, size_t m, const ws_image_rows *images,
                     size_t n_images, double drop)
{
    const network net = network_of(head, work->gemm.threads, drop);
    const layer_set set = layers_of(head);
    activations a = {.x = work->x, .h = {work->h[0], work->h[1]}, .y = work->y};
    network_forward(&net, &work->gemm, &set, m, images, n_images, &a);
}

void ws_head_backward(const ws_head *head, ws_head_work *work, size_t m, double drop,
                      ws_head *gradient)
{
    const network net = network_of(head, work->gemm.threads, drop);
    const layer_set set = layers_of(head);
    layer_set to = layers_of(gradient);
    const activations a = {.x = work->x, .h = {work->h[0], work->h[1]}, .y = work->y};
    network_backward(&net, &work->gemm, &set, m, &a, work->dy, work->g, &to);
}

/* ---- Adam ---- */

void ws_head_adam_update(const ws_adam *adam, double rate, double decay, size_t n, const float *g,
                         float *theta, float *m, float *v)
{
    const double t = (double)adam->step;
    const float step = (float)(rate / (1.0 - pow(0.9, t)));
    const float root = (float)(1.0 / sqrt(1.0 - pow(0.999, t)));
    const float wd = (float)decay;
    for (size_t i = 0; i < n; i++) {
        const float gi = g[i] + wd * theta[i];
        m[i] = 0.9f * m[i] + 0.1f * gi;
        v[i] = 0.999f * v[i] + 0.001f * (gi * gi);
        theta[i] -= step * m[i] / (sqrtf(v[i]) * root + 1e-8f);
    }
}

enum { ADAM_PIECE = 65536 };

typedef struct adam_job {
    const ws_adam *adam;
    const float *g;
    float *theta, *m, *v;
    size_t n;
    double rate, decay;
} adam_job;

static void adam_task(void *arg, int task, int worker)
{
    const adam_job *j = arg;
    const size_t at = (size_t)task * ADAM_PIECE, left = j->n - at;
    (void)worker;
    ws_head_adam_update(j->adam, j->rate, j->decay, left < ADAM_PIECE ? left : ADAM_PIECE,
                        j->g + at, j->theta + at, j->m + at, j->v + at);
}

void ws_head_adam_step(const ws_adam *adam, int threads, const ws_head *gradient, ws_head *head,
                       ws_head *m, ws_head *v)
{
    for (int l = 0; l < WS_HEAD_LAYERS; l++) {
        const size_t n = head->in[l] * head->out[l];
        adam_job weights = {adam, gradient->w[l], head->w[l], m->w[l], v->w[l],
                            n,    adam->rate,     adam->decay};
        ws_parallel_for(threads, (int)((n + ADAM_PIECE - 1) / ADAM_PIECE), adam_task, &weights);
        ws_head_adam_update(adam, adam->bias_rate, adam->bias_decay, head->out[l], gradient->b[l],
                            head->b[l], m->b[l], v->b[l]);
    }
}
