/* pipeline/regions/region_batch.c - see batch.h. */
#include "pipeline/regions/region_batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/regions/mil_loss.h"
#include "pipeline/regions/refine.h"
#include "pipeline/train/random.h"
#include "runtime/run/threads.h"

void ws_region_batch_weigh_classes(const wsam_labels *l, const uint32_t *use, size_t n,
                                   double *positive)
{
    memset(positive, 0, l->n_classes * sizeof *positive);
    for (size_t i = 0; i < n; i++)
        for (size_t k = l->first[use[i]]; k < l->first[use[i] + 1]; k++)
            positive[l->classes[k]] += 1.0;
    for (size_t c = 0; c < l->n_classes; c++) {
        const double shown = positive[c] > 0.0 ? positive[c] : 1.0;
        positive[c] = fmin(fmax(sqrt(((double)n - shown) / shown), 1.0), 10.0);
    }
}

wsam_status ws_region_batch_create(ws_region_batch *b, const ws_learner *learner,
                                   const ws_region_set *set, const wsam_labels *labels,
                                   const uint32_t *use, size_t n, const ws_learner_options *o,
                                   const wsam_kernels *kernels, wsam_error *error)
{
    const size_t classes = labels->n_classes;
    *b = (ws_region_batch){
        .set = set, .labels = labels, .use = use, .o = o, .most = 1, .learner = learner};
    for (size_t i = 0; i < n; i++)
        b->most = set->pictures[use[i]].n > b->most ? set->pictures[use[i]].n : b->most;
    /* values and gradients, probabilities, and what the targets need */
    b->scratch_doubles =
        b->most * (4 * classes + 2 * classes) + 2 * classes + ws_region_refine_room(b->most);
    b->rows = calloc(o->batch, sizeof *b->rows);
    b->shown = calloc(o->batch * classes, sizeof *b->shown);
    b->positive = calloc(classes, sizeof *b->positive);
    b->losses = calloc(o->batch, sizeof *b->losses);
    b->scratch = malloc(b->scratch_doubles * (size_t)o->threads * sizeof *b->scratch);
    if (!b->rows || !b->shown || !b->positive || !b->losses || !b->scratch)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a batch of regions");
    ws_region_batch_weigh_classes(labels, use, n, b->positive);
    return ws_head_work_create(&b->work, &learner->head, kernels, WSAM_F32, o->threads,
                               b->most * o->batch, error);
}

void ws_region_batch_free(ws_region_batch *b)
{
    if (b->work.x)
        ws_head_work_free(&b->work);
    free(b->rows);
    free(b->shown);
    free(b->positive);
    free(b->losses);
    free(b->scratch);
    memset(b, 0, sizeof *b);
}

static size_t picture_of(const ws_region_batch *b, int item)
{
    return b->use[b->items[item]];
}

/* The numbers of one picture, with noise of a uniform distribution. */
static void fill_task(void *arg, int item, int worker)
{
    ws_region_batch *b = arg;
    const ws_image_rows *r = &b->rows[item];
    const size_t count = b->learner->columns.count;
    float *rows = b->work.x + r->first * count;
    const float reach = (float)(sqrt(3.0) * b->o->noise);
    const uint64_t key = ws_key(b->o->seed, WS_STREAM_CELLS, b->step, picture_of(b, item));
    (void)worker;
    ws_learner_numbers(b->learner, &b->set->layout, &b->set->pictures[picture_of(b, item)], rows);
    for (size_t i = 0; i < r->n * count && reach > 0.0f; i++)
        rows[i] += reach * (2.0f * ws_uniform(key, i) - 1.0f);
}

static void loss_task(void *arg, int item, int worker)
{
    ws_region_batch *b = arg;
    const ws_image_rows *r = &b->rows[item];
    const size_t classes = b->learner->classes, row = 2 * classes, values = r->n * row;
    double *v = b->scratch + (size_t)worker * b->scratch_doubles, *g = v + values, *p = g + values;
    const ws_region_loss loss = {.n = r->n,
                                 .classes = classes,
                                 .row = row,
                                 .shown = b->shown + (size_t)item * classes,
                                 .positive = b->positive,
                                 .smooth = b->o->smooth,
                                 .attended = b->o->attended,
                                 .any = b->o->any};
    for (size_t i = 0; i < values; i++)
        v[i] = (double)b->work.y[r->first * row + i];
    b->losses[item] = ws_region_mil_loss(&loss, v, g, p, p + classes);
    if (b->refine)
        b->losses[item] += ws_region_refine(&loss, b->set->pictures[picture_of(b, item)].boxes, v,
                                            g, p + 2 * classes);
    for (size_t i = 0; i < values; i++)
        b->work.dy[r->first * row + i] = (float)(g[i] / (double)b->o->batch);
}

static size_t place_rows(ws_region_batch *b, size_t n)
{
    const wsam_labels *l = b->labels;
    const size_t classes = b->learner->classes;
    size_t rows = 0;
    memset(b->shown, 0, n * classes);
    for (size_t i = 0; i < n; i++) {
        const size_t at = picture_of(b, (int)i), regions = b->set->pictures[at].n;
        b->rows[i] =
            (ws_image_rows){rows, regions, ws_key(b->o->seed, WS_STREAM_DROPOUT, b->step, at)};
        for (size_t k = l->first[at]; k < l->first[at + 1]; k++)
            b->shown[i * classes + (size_t)l->classes[k]] = 1;
        rows += regions;
    }
    return rows;
}

double ws_region_batch_run(ws_region_batch *b, const ws_learner *learner, const uint32_t *items,
                           size_t n, uint64_t step, int refine, ws_head *gradient)
{
    double loss = 0.0;
    b->learner = learner;
    b->items = items;
    b->step = step;
    b->refine = refine;
    const size_t rows = place_rows(b, n);
    if (!rows)
        return 0.0;
    ws_parallel_for(b->o->threads, (int)n, fill_task, b);
    ws_head_forward(&learner->head, &b->work, rows, b->rows, n, b->o->dropout);
    ws_parallel_for(b->o->threads, (int)n, loss_task, b);
    ws_head_backward(&learner->head, &b->work, rows, b->o->dropout, gradient);
    for (size_t i = 0; i < n; i++)
        loss += b->losses[i] / (double)b->o->batch;
    return loss;
}
