/* pipeline/tokens/clue_train.c - see clue_train.h. */
#include "pipeline/tokens/clue_train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pipeline/regions/region_batch.h"
#include "pipeline/tokens/clue_state.h"
#include "pipeline/train/random.h"
#include "runtime/program.h"
#include "runtime/run/threads.h"

enum { WARM_STEPS = 50, STATE_MS = 10000 };

void ws_clue_train_defaults(ws_clue_train_options *o)
{
    *o = (ws_clue_train_options){.hidden = 256,
                                 .epochs = 30,
                                 .batch = 8,
                                 .rate = 1e-3,
                                 .decay = 1e-4,
                                 .smooth = 0.05,
                                 .token_drop = 0.1,
                                 .noise = 0.1,
                                 .mix = 0.25,
                                 .seed = 1};
}

/* ---- the batch ---- */

typedef struct item {
    size_t image, other; /* other: of the mixed rectangle; image itself: none */
    size_t first, height, width;
    double loss;
} item;

typedef struct training {
    const ws_clue_train_options *o;
    const ws_region_set *set;
    const wsam_labels *labels;
    const uint32_t *use;
    size_t n, most;
    wsam_type products;
    ws_clue_head *head, gradient, m, v;
    ws_clue_work work;
    uint64_t step, steps, per_epoch;
    uint32_t *order;
    item *items;
    uint8_t *shown;   /* [batch][classes] */
    double *positive; /* [classes] */
    double *values;   /* per thread: values, their gradient, the loss's room */
    size_t room;
    double epoch_loss;
} training;

static uint64_t key_of(const training *t, uint64_t stream, size_t image)
{
    return ws_key(t->o->seed, stream, t->step, image);
}

/* A rectangle of 10 to 40 % of the other image's cells, which keep their places. */
static void mix_cells(const training *t, const item *it, int view, float *rows)
{
    size_t height, width;
    const size_t in = t->head->in;
    const uint64_t key = key_of(t, WS_STREAM_FOREGROUND, it->image);
    if (it->other == it->image || !ws_clue_head_grid(&t->set->pictures[it->other], &height, &width))
        return;
    height = height < it->height ? height : it->height;
    const size_t columns = width < it->width ? width : it->width;
    const double area = 0.1 + 0.3 * (double)ws_uniform(key, 0), side = sqrt(area);
    const size_t h = (size_t)ceil(side * (double)height), w = (size_t)ceil(side * (double)columns);
    const size_t y0 = (size_t)((double)ws_uniform(key, 1) * (double)(height - h + 1));
    const size_t x0 = (size_t)((double)ws_uniform(key, 2) * (double)(columns - w + 1));
    for (size_t y = y0; y < y0 + h; y++)
        ws_clue_head_tokens(t->set, it->other, view, y * width + x0, w,
                            rows + (y * it->width + x0) * in);
}

/* Some tokens are left out; noise of four uniform numbers a draw. */
static void disturb(const training *t, const item *it, float *rows)
{
    const size_t in = t->head->in, n = it->height * it->width;
    const uint64_t drop = key_of(t, WS_STREAM_DROPOUT, it->image);
    const uint64_t noise = key_of(t, WS_STREAM_CELLS, it->image);
    const float reach = (float)(t->o->noise * sqrt(12.0)) / 65536.0f;
    for (size_t p = 0; p < n; p++) {
        float *row = rows + p * in;
        if ((double)ws_uniform(drop, p) < t->o->token_drop) {
            memset(row, 0, in * sizeof *row);
            continue;
        }
        for (size_t k = 0; k < in && reach > 0.0f; k += 4) {
            const uint64_t d = ws_draw(noise, p * in + k);
            for (size_t i = 0; i < 4 && k + i < in; i++)
                row[k + i] += reach * ((float)(int32_t)(d >> 16 * i & 0xffff) - 32767.5f);
        }
    }
}

static void fill_task(void *arg, int task, int worker)
{
    const training *t = arg;
    const item *it = &t->items[task];
    float *rows = t->work.x + it->first * t->head->in;
    const uint64_t key = key_of(t, WS_STREAM_BACKGROUND, it->image);
    const int view = t->set->layout.n_groups > 1 && ws_uniform(key, 0) < 0.5f;
    (void)worker;
    ws_clue_head_tokens(t->set, it->image, view, 0, it->height * it->width, rows);
    mix_cells(t, it, view, rows);
    disturb(t, it, rows);
}

static void loss_task(void *arg, int task, int worker)
{
    training *t = arg;
    item *it = &t->items[task];
    const size_t n = it->height * it->width * t->head->out;
    double *values = t->values + (size_t)worker * t->room, *gradient = values + n;
    const ws_clue_loss loss = {.cells = {it->height, it->width, t->labels->n_classes},
                               .shown = t->shown + (size_t)task * t->labels->n_classes,
                               .positive = t->positive,
                               .smooth = t->o->smooth};
    for (size_t i = 0; i < n; i++)
        values[i] = (double)t->work.y[it->first * t->head->out + i];
    it->loss = ws_clue_loss_image(&loss, values, gradient, NULL, gradient + n);
    for (size_t i = 0; i < n; i++)
        t->work.dy[it->first * t->head->out + i] = (float)(gradient[i] / (double)t->o->batch);
}

static void mark_shown(training *t, size_t at, size_t image)
{
    const wsam_labels *l = t->labels;
    for (size_t k = l->first[image]; k < l->first[image + 1]; k++)
        t->shown[at * l->n_classes + (size_t)l->classes[k]] = 1;
}

/* Images without cells are left out. Returns how many items there are; *rows: their cells. */
static size_t choose_items(training *t, const uint32_t *order, size_t n, size_t *rows)
{
    size_t n_items = 0;
    *rows = 0;
    memset(t->shown, 0, t->o->batch * t->labels->n_classes);
    for (size_t i = 0; i < n; i++) {
        item it = {.image = t->use[order[i]], .first = *rows};
        const size_t next = t->use[order[(i + 1) % n]];
        it.other =
            (double)ws_uniform(key_of(t, WS_STREAM_FIT, it.image), 0) < t->o->mix ? next : it.image;
        if (!ws_clue_head_grid(&t->set->pictures[it.image], &it.height, &it.width))
            continue;
        mark_shown(t, n_items, it.image);
        mark_shown(t, n_items, it.other);
        *rows += it.height * it.width;
        t->items[n_items++] = it;
    }
    return n_items;
}

/* ---- steps ---- */

static double rate_at(const training *t)
{
    const double warm = t->step < WARM_STEPS ? (double)(t->step + 1) / WARM_STEPS : 1.0;
    return t->o->rate * warm * 0.5 *
           (1.0 + cos(3.14159265358979323846 * (double)t->step / (double)t->steps));
}

/* A bias of a tap beside the middle would hold at the edges in another way than inside. */
static void clear_side_taps(ws_clue_head *g)
{
    for (size_t i = 0; i < g->out; i++)
        if (i % WS_CLUE_OUTPUTS < WS_CLUE_TAPS && i % WS_CLUE_OUTPUTS != WS_CLUE_TAPS / 2)
            g->b[1][i] = 0.0f;
}

static void update(training *t)
{
    const double rate = rate_at(t);
    const ws_adam adam = {.rate = rate, .step = ++t->step};
    for (int l = 0; l < 2; l++) {
        const size_t at = (size_t)(t->head->w[l] - t->head->block);
        const size_t weights = (size_t)(t->head->b[l] - t->head->w[l]);
        const size_t biases = l ? t->head->out : t->head->hidden;
        ws_head_adam_update(&adam, rate, t->o->decay, weights, t->gradient.block + at,
                            t->head->w[l], t->m.block + at, t->v.block + at);
        ws_head_adam_update(&adam, rate, 0.0, biases, t->gradient.b[l], t->head->b[l],
                            t->m.block + at + weights, t->v.block + at + weights);
    }
}

static wsam_status one_step(training *t, wsam_error *error)
{
    const size_t first = (size_t)(t->step % t->per_epoch) * t->o->batch;
    const size_t left = t->n - first, n = left < t->o->batch ? left : t->o->batch;
    size_t rows;
    double loss = 0.0;
    ws_permute(ws_key(t->o->seed, WS_STREAM_ORDER, t->step / t->per_epoch, 0), t->order, t->n);
    const size_t items = choose_items(t, t->order + first, n, &rows);
    memset(t->gradient.block, 0, t->gradient.count * sizeof(float));
    if (items) {
        ws_parallel_for(t->o->threads, (int)items, fill_task, t);
        ws_clue_head_forward(t->head, &t->work, rows);
        ws_parallel_for(t->o->threads, (int)items, loss_task, t);
        ws_clue_head_backward(t->head, &t->work, rows, &t->gradient);
    }
    for (size_t i = 0; i < items; i++)
        loss += t->items[i].loss;
    if (!isfinite(loss))
        return ws_fail(error, WSAM_ERR_LIMIT,
                       "learning of clues: the loss of step %llu is not a finite number",
                       (unsigned long long)t->step);
    t->epoch_loss += loss;
    clear_side_taps(&t->gradient);
    update(t);
    return WSAM_OK;
}

/* What the state belongs to, in numbers. */
static uint64_t hash_of(const training *t)
{
    const ws_clue_train_options *o = t->o;
    const double numbers[] = {(double)o->hidden, (double)o->epochs, (double)o->batch,
                              o->rate,           o->decay,          o->smooth,
                              o->token_drop,     o->noise,          o->mix,
                              (double)t->n,      (double)t->most,   (double)t->products};
    uint64_t h = ws_fold(ws_fold(o->seed, t->head->in), o->data), bits;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        memcpy(&bits, &numbers[i], sizeof bits);
        h = ws_fold(h, bits);
    }
    for (size_t i = 0; i < t->n; i++) {
        h = ws_fold(h, t->use[i]);
        for (size_t k = t->labels->first[t->use[i]]; k < t->labels->first[t->use[i] + 1]; k++)
            h = ws_fold(h, (uint64_t)t->labels->classes[k]);
    }
    return h;
}

static wsam_status run_steps(training *t, wsam_error *error)
{
    const ws_clue_state state = {t->o->state, hash_of(t),   t->head,      &t->m,         &t->v,
                                 &t->step,    t->o->losses, t->o->epochs, &t->epoch_loss};
    double last = ws_clock_ms();
    wsam_status status = t->o->state ? ws_clue_state_read(&state, error) : WSAM_OK;
    while (t->step < t->steps && !status) {
        if (t->step % t->per_epoch == 0)
            t->epoch_loss = 0.0;
        status = one_step(t, error);
        if (status)
            break;
        if (t->step % t->per_epoch == 0)
            t->o->losses[t->step / t->per_epoch - 1] = (float)(t->epoch_loss / (double)t->n);
        const int stopped = t->o->progress &&
                            t->o->progress(t->o->progress_user, (double)t->step / (double)t->steps);
        if (t->o->state && (stopped || ws_clock_ms() - last > STATE_MS || t->step == t->steps)) {
            status = ws_clue_state_write(&state, error);
            last = ws_clock_ms();
        }
        if (!status && stopped)
            status = ws_fail(error, WSAM_ERR_CANCELLED, "learning of clues was stopped");
    }
    return status;
}

/* ---- all ---- */

/* bf16 rounds tokens far less than `noise` changes them: equal quality in a sixth less time, where
 * the processor multiplies it. */
static wsam_type products_of(const wsam_kernels *k)
{
    return ws_select_gemm(k, WSAM_BF16) == &k->gemm_bf16 ? WSAM_BF16 : WSAM_F32;
}

static size_t most_cells(const ws_region_set *set, const uint32_t *use, size_t n)
{
    size_t most = 1;
    for (size_t i = 0; i < n; i++)
        most = set->pictures[use[i]].n > most ? set->pictures[use[i]].n : most;
    return most;
}

static wsam_status create(training *t, const wsam_kernels *kernels, wsam_error *error)
{
    const size_t classes = t->labels->n_classes, batch = t->o->batch;
    const size_t threads = (size_t)t->o->threads, in = t->set->layout.groups[0].count;
    ws_clue_head *const heads[4] = {t->head, &t->gradient, &t->m, &t->v};
    const ws_clue_cells most = {1, t->most, classes};
    wsam_status status = WSAM_OK;
    for (int i = 0; i < 4 && !status; i++)
        status = ws_clue_head_create(heads[i], in, t->o->hidden, classes, error);
    if (status)
        return status;
    t->room = 2 * t->most * t->head->out + ws_clue_loss_room(&most);
    t->order = malloc(t->n * sizeof *t->order);
    t->items = calloc(batch, sizeof *t->items);
    t->shown = calloc(batch, classes);
    t->positive = calloc(classes, sizeof *t->positive);
    t->values = malloc(threads * t->room * sizeof *t->values);
    if (!t->order || !t->items || !t->shown || !t->positive || !t->values)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory to learn clues");
    ws_region_batch_weigh_classes(t->labels, t->use, t->n, t->positive);
    ws_clue_head_initialise(t->head, t->o->seed);
    return ws_clue_head_work_create(&t->work, t->head, kernels, t->products, t->o->threads,
                                    t->most * batch, error);
}

wsam_status ws_clue_train(ws_clue_head *head, const ws_region_set *set, const wsam_labels *labels,
                          const uint32_t *use, size_t n, const ws_clue_train_options *o,
                          const wsam_kernels *kernels, wsam_error *error)
{
    training t = {.o = o,
                  .set = set,
                  .labels = labels,
                  .use = use,
                  .n = n,
                  .products = products_of(kernels),
                  .head = head};
    *head = (ws_clue_head){0};
    if (!n || !set->layout.n_groups)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "there are no images to learn from");
    t.most = most_cells(set, use, n);
    t.per_epoch = (n + o->batch - 1) / o->batch;
    t.steps = t.per_epoch * o->epochs;
    wsam_status status = create(&t, kernels, error);
    const uint64_t saved = wsam_float_enter();
    if (!status)
        status = run_steps(&t, error);
    wsam_float_restore(saved);
    ws_clue_head_work_free(&t.work);
    ws_clue_head_free(&t.gradient);
    ws_clue_head_free(&t.m);
    ws_clue_head_free(&t.v);
    free(t.order), free(t.items), free(t.shown), free(t.positive), free(t.values);
    if (status)
        ws_clue_head_free(head);
    return status;
}

/* ---- use ---- */

static void image_probabilities(const ws_clue_cells *cells, const float *y, double *values,
                                double *scratch, double *out)
{
    const size_t n = cells->height * cells->width;
    for (size_t i = 0; i < n * ws_clue_row(cells); i++)
        values[i] = (double)y[i];
    for (size_t c = 0; c < cells->classes; c++) {
        double s[2];
        ws_clue_loss_map_branch(cells, c, values, scratch);
        ws_clue_loss_attention(cells, c, values, scratch + n);
        ws_clue_loss_scores(cells, c, values, scratch, scratch + n, scratch + 2 * n, s);
        out[c] = 1.0 / (1.0 + exp(-0.5 * (s[0] + s[1])));
    }
}

wsam_status ws_clue_train_apply(const ws_clue_head *head, const ws_region_set *set, size_t classes,
                                const uint32_t *use, size_t n, int threads,
                                const wsam_kernels *kernels, double *probabilities,
                                wsam_error *error)
{
    ws_clue_work work = {0};
    const size_t most = most_cells(set, use, n);
    double *values = malloc(most * (head->out + 4) * sizeof *values);
    wsam_status status =
        values ? ws_clue_head_work_create(&work, head, kernels, WSAM_F32, threads, most, error)
               : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu tokens", most);
    const uint64_t saved = wsam_float_enter();
    for (size_t i = 0; i < n && !status; i++) {
        ws_clue_cells cells = {.classes = classes};
        double *out = probabilities + i * classes;
        memset(out, 0, classes * sizeof *out);
        if (!ws_clue_head_grid(&set->pictures[use[i]], &cells.height, &cells.width))
            continue;
        ws_clue_head_tokens(set, use[i], 0, 0, set->pictures[use[i]].n, work.x);
        ws_clue_head_forward(head, &work, set->pictures[use[i]].n);
        image_probabilities(&cells, work.y, values, values + most * head->out, out);
    }
    wsam_float_restore(saved);
    ws_clue_head_work_free(&work);
    free(values);
    return status;
}
