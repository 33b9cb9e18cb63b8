/* pipeline/tokens/clue_head.c - see clue_head.h. */
#include "pipeline/tokens/clue_head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "pipeline/train/random.h"
#include "runtime/run/threads.h"

#define real float
typedef ws_train_gemm product_space;
#define multiply_forward ws_training_gemm_forward
#define multiply_weights ws_training_gemm_weights
#define multiply_inputs  ws_training_gemm_inputs

enum { PIECE = 16384, LANES = 8 };

typedef struct piece_job {
    const wsam_vector_kernels *kernels;
    size_t n;
    const float *x;
    float *y;
} piece_job;

static size_t piece_length(const piece_job *j, int task)
{
    const size_t at = (size_t)task * PIECE;
    return j->n - at < PIECE ? j->n - at : PIECE;
}

static void gelu_task(void *arg, int task, int worker)
{
    const piece_job *j = arg;
    const size_t at = (size_t)task * PIECE;
    (void)worker;
    j->kernels->act_f32(WSAM_ACT_GELU, piece_length(j, task), j->x + at, j->y + at);
}

static void bell_task(void *arg, int task, int worker)
{
    const piece_job *j = arg;
    const size_t at = (size_t)task * PIECE, n = piece_length(j, task);
    float *y = j->y + at;
    (void)worker;
    for (size_t i = 0; i < n; i++) {
        const float x = j->x[at + i];
        y[i] = -0.5f * x * x;
    }
    j->kernels->exp_f32(n, y, y);
    for (size_t i = 0; i < n; i++)
        y[i] *= 0.3989422804f;
}

static void over_pieces(ws_train_gemm *space, size_t n, const float *x, float *y,
                        void (*task)(void *, int, int))
{
    piece_job job = {&space->kernels->vector, n, x, y};
    ws_parallel_for(space->threads, (int)((n + PIECE - 1) / PIECE), task, &job);
}

static void gelu_forward(ws_train_gemm *space, size_t n, const float *x, float *y)
{
    over_pieces(space, n, x, y, gelu_task);
}

static void bell(ws_train_gemm *space, size_t n, const float *x, float *y)
{
    over_pieces(space, n, x, y, bell_task);
}

#include "pipeline/tokens/clue_network_template.h"

/* ---- parameters ---- */

wsam_status ws_clue_head_create(ws_clue_head *head, size_t in, size_t hidden, size_t classes,
                                wsam_error *error)
{
    const size_t out = classes * WS_CLUE_OUTPUTS;
    *head = (ws_clue_head){.in = in, .hidden = hidden, .out = out};
    head->count = hidden * (in + 1) + out * (hidden + 1);
    if (!in || in > 65536 || hidden > 65536 || !classes || classes > 4096 ||
        !(head->block = ws_alloc64(head->count * sizeof(float))))
        return ws_fail(error, WSAM_ERR_MEMORY,
                       "no memory for a clue head of %zu channels and %zu classes", in, classes);
    memset(head->block, 0, head->count * sizeof(float));
    head->w[0] = head->block;
    head->b[0] = head->w[0] + hidden * in;
    head->w[1] = head->b[0] + hidden;
    head->b[1] = head->w[1] + out * hidden;
    return WSAM_OK;
}

void ws_clue_head_free(ws_clue_head *head)
{
    free(head->block);
    memset(head, 0, sizeof *head);
}

static void draw(uint64_t key, size_t n, double reach, float *w)
{
    for (size_t i = 0; i < n; i++)
        w[i] = (float)(reach * (2.0 * (double)ws_uniform(key, i) - 1.0));
}

void ws_clue_head_initialise(ws_clue_head *head, uint64_t seed)
{
    memset(head->block, 0, head->count * sizeof(float));
    draw(ws_key(seed, WS_STREAM_WEIGHTS, 0, 0), head->hidden * head->in,
         sqrt(3.0 / (double)head->in), head->w[0]);
    draw(ws_key(seed, WS_STREAM_WEIGHTS, 1, 0), head->out * head->hidden,
         sqrt(3.0 / (double)head->hidden / WS_CLUE_TAPS), head->w[1]);
    for (size_t c = 0; c < head->out / WS_CLUE_OUTPUTS; c++) {
        head->b[1][c * WS_CLUE_OUTPUTS + WS_CLUE_TAPS / 2] = -2.0f;
        head->b[1][c * WS_CLUE_OUTPUTS + WS_CLUE_VALUE] = -2.0f;
    }
}

/* ---- passes ---- */

wsam_status ws_clue_head_work_create(ws_clue_work *work, const ws_clue_head *head,
                                     const wsam_kernels *kernels, wsam_type products, int threads,
                                     size_t rows, wsam_error *error)
{
    const size_t shapes[2][2] = {{head->hidden, head->in}, {head->out, head->hidden}};
    *work = (ws_clue_work){.rows = rows};
    const wsam_status status =
        ws_training_gemm_init_as(&work->gemm, kernels, products, threads, rows, 2, shapes, error);
    if (status)
        return status;
    float **const hidden[4] = {&work->before, &work->h, &work->dh, &work->density};
    int good = 1;
    for (int i = 0; i < 4; i++)
        good &= (*hidden[i] = ws_alloc64(rows * head->hidden * sizeof(float))) != NULL;
    good &= (work->x = ws_alloc64(rows * head->in * sizeof(float))) != NULL;
    good &= (work->y = ws_alloc64(rows * head->out * sizeof(float))) != NULL;
    good &= (work->dy = ws_alloc64(rows * head->out * sizeof(float))) != NULL;
    good &= (work->sums = malloc((head->hidden + head->out) * sizeof(double))) != NULL;
    if (good)
        return WSAM_OK;
    ws_clue_head_work_free(work);
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu tokens at a time", rows);
}

void ws_clue_head_work_free(ws_clue_work *work)
{
    if (!work->rows)
        return;
    ws_training_gemm_free(&work->gemm);
    free(work->x), free(work->y), free(work->dy);
    free(work->before), free(work->h), free(work->dh), free(work->density);
    free(work->sums);
    memset(work, 0, sizeof *work);
}

static clue_layers layers_of(const ws_clue_head *h)
{
    return (clue_layers){.in = h->in,
                         .hidden = h->hidden,
                         .out = h->out,
                         .w = {h->w[0], h->w[1]},
                         .b = {h->b[0], h->b[1]}};
}

static clue_rows rows_of(const ws_clue_work *w)
{
    return (clue_rows){.x = w->x, .before = w->before, .h = w->h, .y = w->y};
}

void ws_clue_head_forward(const ws_clue_head *head, ws_clue_work *work, size_t m)
{
    const clue_layers layers = layers_of(head);
    const clue_rows rows = rows_of(work);
    clue_forward(&work->gemm, &layers, m, &rows);
}

void ws_clue_head_backward(const ws_clue_head *head, ws_clue_work *work, size_t m,
                           ws_clue_head *gradient)
{
    const clue_layers layers = layers_of(head);
    const clue_rows rows = rows_of(work);
    clue_layers to = layers_of(gradient);
    clue_backward(&work->gemm, &layers, m, &rows, work->dy, work->dh, work->density, work->sums,
                  &to);
}

/* ---- cells ---- */

int ws_clue_head_grid(const ws_region_picture *p, size_t *height, size_t *width)
{
    size_t w = 0;
    while (w < p->n && !(p->boxes[w][1] > p->boxes[0][1]))
        w++;
    *width = w;
    *height = w ? p->n / w : 0;
    return w && *height * w == p->n;
}

void ws_clue_head_normalise(size_t n, float *token)
{
    double sums[LANES] = {0}, more[LANES] = {0}, sum = 0.0, squares = 0.0;
    for (size_t k = 0; k + LANES <= n; k += LANES)
        for (size_t i = 0; i < LANES; i++) {
            const double v = (double)token[k + i];
            sums[i] += v;
            more[i] += v * v;
        }
    for (size_t k = n - n % LANES; k < n; k++) {
        sums[0] += (double)token[k];
        more[0] += (double)token[k] * (double)token[k];
    }
    for (size_t i = 0; i < LANES; i++) {
        sum += sums[i];
        squares += more[i];
    }
    const double mean = sum / (double)n, variance = squares / (double)n - mean * mean;
    const float scale = (float)(1.0 / sqrt(fmax(variance, 0.0) + WS_CLUE_NORM_EPS));
    for (size_t k = 0; k < n; k++)
        token[k] = (token[k] - (float)mean) * scale;
}

void ws_clue_head_tokens(const ws_region_set *set, size_t picture, int view, size_t first, size_t n,
                         float *rows)
{
    const ws_region_picture *p = &set->pictures[picture];
    const size_t in = set->layout.groups[view].count;
    for (size_t i = first; i < first + n; i++, rows += in) {
        const uint16_t *from = p->numbers + i * set->layout.count + set->layout.groups[view].first;
        for (size_t k = 0; k < in; k++)
            rows[k] = ws_half_to_float(from[k]);
        ws_clue_head_normalise(in, rows);
    }
}
