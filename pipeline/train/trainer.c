/* pipeline/train/trainer.c - see trainer.h. */
#include "pipeline/train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/train/random.h"
#include "runtime/run/threads.h"

/* RoIs per pass: packing a weight pays from some thousands on, and their features take memory. */
enum { GROUP_FLOATS = 1 << 24, LEAST_GROUP = 1536, MOST_GROUP = 4096 };

void ws_trainer_defaults(ws_stage stage, ws_train_config *config)
{
    const int mil = stage == WS_STAGE_MIL;
    *config = (ws_train_config){.stage = stage,
                                .hidden = 1024,
                                .batch = mil ? 8 : 16,
                                .epochs = 12,
                                .rate = 1e-4,
                                .decay = mil ? 5e-4 : 1e-4,
                                .dropout = mil ? 0.5 : 0.0,
                                .cell_drop = mil ? 0.3 / 9.0 : 0.0,
                                .warm_from = mil ? 1.0 / 3.0 : 1e-3,
                                .warm_steps = mil ? 200 : 30,
                                .drop = {WS_DROP_JOINT, 4.0, 4.0},
                                .drop_start = 0.22,
                                .trust = 3.0,
                                .products = WSAM_F32,
                                .seed = 1};
}

/* 204 iterations, 12 epochs of 130 images, were little more than the warm-up of 200: boxes of AP50 4
 * where 680 gave 20. */
uint64_t ws_trainer_iterations(ws_stage stage, size_t n_images, size_t batch)
{
    enum { EPOCHS = 12, LEAST_MIL = 600, LEAST_RETRAIN = 360 };
    const uint64_t least = stage == WS_STAGE_MIL ? LEAST_MIL : LEAST_RETRAIN;
    const uint64_t n = EPOCHS * ((n_images + batch - 1) / batch);
    return n > least ? n : least;
}

static size_t outputs_of(const ws_train_data *data, const ws_train_config *config)
{
    return (config->stage == WS_STAGE_MIL ? 17 : 5) * (data->classes + 1);
}

/* The most RoIs that an image brings into a step. */
static size_t most_rows(const ws_train_data *data, ws_stage stage)
{
    size_t most = 1;
    for (size_t i = 0; i < data->n_images; i++) {
        const ws_train_image *image = &data->images[i];
        const size_t n = image->n_boxes + (stage == WS_STAGE_RETRAIN ? image->n_truth : 0);
        most = n > most ? n : most;
    }
    return stage == WS_STAGE_RETRAIN && most > 512 ? 512 : most;
}

static size_t most_candidates(const ws_train_data *data)
{
    size_t most = 1;
    for (size_t i = 0; i < data->n_images; i++) {
        const size_t n = data->images[i].n_boxes + data->images[i].n_truth;
        most = n > most ? n : most;
    }
    return most;
}

static wsam_status create_heads(ws_trainer *t, wsam_error *error)
{
    ws_head *const heads[4] = {&t->head, &t->gradient, &t->m, &t->v};
    const size_t c = t->data->classes + 1;
    for (int i = 0; i < 4; i++) {
        const wsam_status status = ws_head_create(heads[i], t->data->features, t->config.hidden,
                                                  outputs_of(t->data, &t->config), error);
        if (status)
            return status;
    }
    const int mil = t->config.stage == WS_STAGE_MIL;
    ws_head_initialise(&t->head, t->config.seed, mil ? 0 : c, 0.01, 0.001);
    return WSAM_OK;
}

static int create_batch(ws_trainer *t)
{
    const size_t rows = t->max_rows * t->config.batch, c = t->data->classes + 1;
    const size_t out = outputs_of(t->data, &t->config);
    t->n_counts = (c + 1) * WS_COUNTS + 2 * WS_LOSS_BINS;
    /* outputs and gradients; what the losses need beside them; candidates with labels and targets
     */
    t->scratch_doubles = t->max_rows * (2 * out + 16 * c + 16);
    t->history = calloc(t->iterations, sizeof *t->history);
    t->counts = calloc(WS_SPANS * t->n_counts, sizeof *t->counts);
    t->truth_use = calloc(t->data->n_truth + 1, sizeof *t->truth_use);
    t->order = malloc(t->data->n_images * sizeof *t->order);
    t->items = calloc(t->config.batch, sizeof *t->items);
    t->boxes = malloc(rows * sizeof *t->boxes);
    t->label = malloc(rows * sizeof *t->label);
    t->target = malloc(rows * sizeof *t->target);
    t->truth = malloc(rows * sizeof *t->truth);
    t->weight = malloc(rows * sizeof *t->weight);
    t->rois = malloc(rows * sizeof *t->rois);
    t->sample = malloc(3 * most_candidates(t->data) * sizeof *t->sample);
    t->scratch = malloc(t->scratch_doubles * (size_t)t->threads * sizeof *t->scratch);
    return t->history && t->counts && t->truth_use && t->order && t->items && t->boxes &&
           t->label && t->target && t->truth && t->weight && t->rois && t->sample && t->scratch;
}

static size_t group_rows(const ws_train_data *data, size_t max_rows)
{
    size_t rows = GROUP_FLOATS / data->features;
    rows = rows < LEAST_GROUP ? LEAST_GROUP : rows;
    rows = rows > MOST_GROUP ? MOST_GROUP : rows;
    return rows > max_rows ? rows : max_rows;
}

wsam_status ws_trainer_create(ws_trainer *t, const ws_train_data *data,
                              const ws_train_config *config, const wsam_kernels *kernels,
                              int threads, wsam_error *error)
{
    *t = (ws_trainer){.data = data, .config = *config, .kernels = kernels, .threads = threads};
    if (!data->n_images)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "there are no images to train on");
    t->per_epoch = (data->n_images + config->batch - 1) / config->batch;
    t->iterations = config->iterations ? config->iterations : t->per_epoch * config->epochs;
    t->max_rows = most_rows(data, config->stage);
    t->order_epoch = UINT64_MAX;
    wsam_status status = create_heads(t, error);
    if (!status && !create_batch(t))
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu images", data->n_images);
    if (!status)
        status = ws_head_work_create(&t->work, &t->head, kernels, config->products, threads,
                                     group_rows(data, t->max_rows), error);
    if (status)
        ws_trainer_free(t);
    return status;
}

void ws_trainer_free(ws_trainer *t)
{
    void *const all[] = {t->history, t->counts, t->truth_use, t->order, t->items,
                         t->boxes,   t->label,  t->target,    t->truth, t->weight,
                         t->sample,  t->rois,   t->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    ws_head_free(&t->head);
    ws_head_free(&t->gradient);
    ws_head_free(&t->m);
    ws_head_free(&t->v);
    ws_head_work_free(&t->work);
    memset(t, 0, sizeof *t);
}

/* Linear warm-up, and a tenth from 2/3 and from 8/9 of the iterations on. */
double ws_trainer_rate_at(const ws_trainer *t, uint64_t iteration)
{
    const ws_train_config *c = &t->config;
    double rate = c->rate;
    if (iteration < c->warm_steps)
        rate *= c->warm_from + (1.0 - c->warm_from) * (double)iteration / (double)c->warm_steps;
    if (c->steady)
        return rate;
    if (3 * iteration >= 2 * t->iterations)
        rate *= 0.1;
    if (9 * iteration >= 8 * t->iterations)
        rate *= 0.1;
    return rate;
}

void ws_trainer_counts_clear(ws_trainer *t, int span)
{
    memset(t->counts + (size_t)span * t->n_counts, 0, t->n_counts * sizeof *t->counts);
}

/* ---- one iteration ---- */

typedef struct group {
    ws_trainer *t;
    size_t first, last; /* items */
} group;

static void losses_task(void *arg, int task, int worker)
{
    const group *g = arg;
    ws_trainer *t = g->t;
    ws_batch_item *item = &t->items[g->first + (size_t)task];
    ws_image_loss_item(t, item, item->first - t->items[g->first].first,
                       t->scratch + (size_t)worker * t->scratch_doubles);
}

/* Items from `first` on whose rows fit one pass; one at least. */
static size_t group_end(const ws_trainer *t, size_t first)
{
    size_t last = first, rows = 0;
    while (last < t->n_items && rows + t->items[last].n <= t->work.rows)
        rows += t->items[last++].n;
    return last;
}

static size_t group_images(const ws_trainer *t, const group *g, ws_image_rows *images)
{
    size_t rows = 0;
    for (size_t i = g->first; i < g->last; i++) {
        const ws_batch_item *item = &t->items[i];
        images[i - g->first] = (ws_image_rows){
            rows, item->n,
            ws_key(t->config.seed, WS_STREAM_DROPOUT, t->iteration, (uint64_t)item->image)};
        rows += item->n;
    }
    return rows;
}

static wsam_status run_group(group *g, ws_image_rows *images)
{
    ws_trainer *t = g->t;
    const size_t rows = group_images(t, g, images), n = g->last - g->first;
    ws_batch_pool(t, g->first, g->last);
    ws_head_forward(&t->head, &t->work, rows, images, n, t->config.dropout);
    ws_parallel_for(t->threads, (int)n, losses_task, g);
    ws_head_backward(&t->head, &t->work, rows, t->config.dropout, &t->gradient);
    return WSAM_OK;
}

static void update(ws_trainer *t)
{
    const int mil = t->config.stage == WS_STAGE_MIL;
    const double rate = ws_trainer_rate_at(t, t->iteration);
    const ws_adam adam = {.rate = rate,
                          .decay = t->config.decay,
                          .bias_rate = mil ? 2.0 * rate : rate,
                          .bias_decay = mil ? 0.0 : t->config.decay,
                          .step = t->iteration + 1};
    ws_head_adam_step(&adam, t->threads, &t->gradient, &t->head, &t->m, &t->v);
}

/* Sums of the items' losses in their order. */
static int add_losses(ws_trainer *t)
{
    double sum[WS_LOSSES] = {0};
    for (size_t i = 0; i < t->n_items; i++)
        for (int k = 0; k < WS_LOSSES; k++)
            sum[k] += t->items[i].loss[k];
    int finite = 1;
    for (int k = 0; k < WS_LOSSES; k++) {
        t->history[t->iteration][k] = (float)sum[k];
        finite &= isfinite(sum[k]) != 0;
    }
    return finite;
}

wsam_status ws_trainer_step(ws_trainer *t, wsam_error *error)
{
    ws_image_rows *images = malloc(t->config.batch * sizeof *images);
    if (!images)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a batch");
    const uint64_t saved = wsam_float_enter();
    memset(t->gradient.block, 0, t->gradient.count * sizeof(float));
    ws_batch_choose(t);
    for (size_t first = 0; first < t->n_items;) {
        group g = {t, first, group_end(t, first)};
        run_group(&g, images);
        first = g.last;
    }
    free(images);
    const int finite = add_losses(t);
    if (finite) {
        if (t->config.stage == WS_STAGE_RETRAIN)
            ws_image_loss_count_drops(t);
        update(t);
        t->iteration++;
    }
    wsam_float_restore(saved);
    return finite ? WSAM_OK
                  : ws_fail(error, WSAM_ERR_LIMIT,
                            "the loss of iteration %llu is not a finite number; a smaller rate may "
                            "help",
                            (unsigned long long)t->iteration);
}

void ws_trainer_infer(ws_trainer *t, size_t image, size_t n, const float (*boxes)[4])
{
    const ws_image_rows rows = {0, n, 0};
    if (!n)
        return;
    t->data->pool(t->data->user, 0, image, n, boxes, t->work.x);
    ws_head_forward(&t->head, &t->work, n, &rows, 1, 0.0);
}
