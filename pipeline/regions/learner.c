/* pipeline/regions/learner.c - see learner.h. */
#include "pipeline/regions/learner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "pipeline/regions/region_batch.h"
#include "pipeline/train/random.h"
#include "runtime/run/threads.h"

enum { WARM_STEPS = 50 };

void ws_learner_defaults(ws_learner_options *o)
{
    *o = (ws_learner_options){.hidden = 256,
                              .epochs = 40,
                              .batch = 8,
                              .rate = 1e-3,
                              .decay = 1e-4,
                              .dropout = 0.5,
                              .attended = 1.0,
                              .any = 1.0,
                              .refine = 1.0,
                              .seed = 1};
}

ws_region_columns ws_learner_columns(const ws_region_layout *l, uint32_t groups)
{
    ws_region_columns c = {.groups = groups};
    for (size_t g = 0; g < l->n_groups; g++)
        c.count += groups >> g & 1 ? l->groups[g].count : 0;
    return c;
}

void ws_learner_free(ws_learner *l)
{
    ws_head_free(&l->head);
    free(l->mean);
    free(l->scale);
    memset(l, 0, sizeof *l);
}

/* ---- training ---- */

/* Small values everywhere, and classes that no region shows to begin with. */
static void initialise(ws_learner *l, uint64_t seed)
{
    ws_head_initialise(&l->head, seed, 0, 0.01, 0.01);
    for (size_t c = 0; c < l->classes; c++)
        l->head.b[2][c] = -3.0f;
}

/* Warm-up, then half a cosine. */
static double rate_at(const ws_learner_options *o, uint64_t step, uint64_t steps)
{
    const double warm = step < WARM_STEPS ? (double)(step + 1) / WARM_STEPS : 1.0;
    return o->rate * warm * 0.5 *
           (1.0 + cos(3.14159265358979323846 * (double)step / (double)steps));
}

typedef struct training {
    ws_learner *learner;
    const ws_learner_options *o;
    ws_region_batch batch;
    ws_head gradient, m, v;
    uint64_t step, steps, per_epoch;
    uint32_t *order;
    size_t n;
} training;

static wsam_status one_step(training *t, wsam_error *error)
{
    const ws_learner_options *o = t->o;
    const uint64_t epoch = t->step / t->per_epoch;
    const size_t first = (size_t)(t->step % t->per_epoch) * o->batch;
    const size_t last = first + o->batch < t->n ? first + o->batch : t->n;
    if (first == 0)
        ws_permute(ws_key(o->seed, WS_STREAM_ORDER, epoch, 0), t->order, t->n);
    memset(t->gradient.block, 0, t->gradient.count * sizeof *t->gradient.block);
    const int refine = (double)t->step >= o->refine * (double)t->steps;
    const double loss = ws_region_batch_run(&t->batch, t->learner, t->order + first, last - first,
                                            t->step, refine, &t->gradient);
    if (!isfinite(loss))
        return ws_fail(error, WSAM_ERR_LIMIT,
                       "learning of regions: the loss of step %llu is not a finite number",
                       (unsigned long long)t->step);
    const double rate = rate_at(o, t->step++, t->steps);
    const ws_adam adam = {
        .rate = rate, .decay = o->decay, .bias_rate = rate, .bias_decay = 0.0, .step = t->step};
    ws_head_adam_step(&adam, o->threads, &t->gradient, &t->learner->head, &t->m, &t->v);
    return WSAM_OK;
}

static wsam_status run_steps(training *t, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    const uint64_t saved = wsam_float_enter();
    while (t->step < t->steps && !status) {
        status = one_step(t, error);
        if (!status && t->o->progress &&
            t->o->progress(t->o->progress_user, (double)t->step / (double)t->steps))
            status = ws_fail(error, WSAM_ERR_CANCELLED, "learning of regions was stopped");
    }
    wsam_float_restore(saved);
    return status;
}

static wsam_status create_training(training *t, const ws_region_set *set, const wsam_labels *labels,
                                   const uint32_t *use, const wsam_kernels *kernels,
                                   wsam_error *error)
{
    ws_learner *l = t->learner;
    ws_head *const heads[4] = {&l->head, &t->gradient, &t->m, &t->v};
    wsam_status status = ws_learner_standardise(l, set, use, t->n, error);
    for (int i = 0; i < 4 && !status; i++)
        status = ws_head_create(heads[i], l->columns.count, t->o->hidden, 2 * l->classes, error);
    t->order = malloc((t->n + 1) * sizeof *t->order);
    if (!status && !t->order)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu images", t->n);
    if (!status)
        status = ws_region_batch_create(&t->batch, l, set, labels, use, t->n, t->o, kernels, error);
    if (!status)
        initialise(l, t->o->seed);
    return status;
}

wsam_status ws_learner_train(ws_learner *l, const ws_region_set *set, const wsam_labels *labels,
                             const uint32_t *use, size_t n, uint32_t groups,
                             const ws_learner_options *o, const wsam_kernels *kernels,
                             wsam_error *error)
{
    training t = {.learner = l, .o = o, .n = n, .per_epoch = (n + o->batch - 1) / o->batch};
    *l = (ws_learner){.classes = labels->n_classes,
                      .columns = ws_learner_columns(&set->layout, groups)};
    if (!n || !l->columns.count)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "there are no regions to learn from");
    t.steps = t.per_epoch * o->epochs;
    wsam_status status = create_training(&t, set, labels, use, kernels, error);
    if (!status)
        status = run_steps(&t, error);
    ws_region_batch_free(&t.batch);
    ws_head_free(&t.gradient);
    ws_head_free(&t.m);
    ws_head_free(&t.v);
    free(t.order);
    if (status)
        ws_learner_free(l);
    return status;
}

/* ---- use ---- */

static double sigmoid(double x)
{
    return x >= 0.0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x));
}

void ws_learner_probabilities(size_t n, size_t classes, const float *outputs, float *regions,
                              double *picture)
{
    for (size_t c = 0; c < classes; c++) {
        const float *a = outputs + c, *b = a + classes;
        double top = -INFINITY, sum = 0.0, attended = 0.0, none = 1.0;
        for (size_t i = 0; i < n; i++)
            top = fmax(top, (double)b[2 * i * classes]);
        for (size_t i = 0; i < n; i++) {
            const double p = sigmoid((double)a[2 * i * classes]);
            const double e = exp((double)b[2 * i * classes] - top);
            regions[i * classes + c] = (float)p;
            sum += e;
            attended += e * p;
            none *= 1.0 - p;
        }
        picture[c] = n ? 0.5 * (attended / sum + 1.0 - none) : 0.0;
    }
}

wsam_status ws_learner_apply(const ws_learner *l, const ws_region_set *set, const uint32_t *use,
                             size_t n, int threads, const wsam_kernels *kernels, double *pictures,
                             ws_region_visit_fn visit, void *user, wsam_error *error)
{
    ws_head_work work = {0};
    size_t most = 1;
    for (size_t i = 0; i < n; i++)
        most = set->pictures[use[i]].n > most ? set->pictures[use[i]].n : most;
    float *regions = malloc(most * l->classes * sizeof *regions);
    wsam_status status =
        regions ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu regions", most);
    if (!status)
        status = ws_head_work_create(&work, &l->head, kernels, WSAM_F32, threads, most, error);
    const uint64_t saved = wsam_float_enter();
    for (size_t i = 0; i < n && !status; i++) {
        const ws_region_picture *p = &set->pictures[use[i]];
        const ws_image_rows rows = {0, p->n, 0};
        if (p->n) {
            ws_learner_numbers(l, &set->layout, p, work.x);
            ws_head_forward(&l->head, &work, p->n, &rows, 1, 0.0);
        }
        ws_learner_probabilities(p->n, l->classes, work.y, regions, pictures + i * l->classes);
        if (visit)
            visit(user, use[i], p->n, regions);
    }
    wsam_float_restore(saved);
    if (work.x)
        ws_head_work_free(&work);
    free(regions);
    return status;
}
