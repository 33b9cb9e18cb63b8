/* pipeline/train/train.c - wsam_train: a set and its features through the loop, to a head. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "kernels/cpu.h"
#include "kernels/float_scope.h"
#include "pipeline/train/checkpoint.h"
#include "pipeline/train/features.h"
#include "pipeline/train/fit.h"
#include "pipeline/train/log.h"
#include "pipeline/train/train_report.h"
#include "weaksam/convert.h"

enum { PATH = 4096, CLASS_BYTES = 16384, MOST_TRAIN_BOXES = 20000, FEWEST_FITTED = 16 };

void wsam_train_options_default(wsam_train_stage stage, wsam_train_options *o)
{
    ws_train_config c;
    ws_trainer_defaults(stage == WSAM_TRAIN_MIL ? WS_STAGE_MIL : WS_STAGE_RETRAIN, &c);
    *o = (wsam_train_options){.stage = stage,
                              .hidden = (int)c.hidden,
                              .bins = 7,
                              .batch = (int)c.batch,
                              .rate = c.rate,
                              .decay = c.decay,
                              .dropout = c.dropout,
                              .cell_drop = c.cell_drop,
                              .roi_drop = WSAM_TRAIN_DROP_JOINT,
                              .drop_cls = 4.0,
                              .drop_reg = 4.0,
                              .drop_start = c.drop_start,
                              .trust = c.trust,
                              .seed = 1,
                              .products = WSAM_F32,
                              .checkpoint_seconds = 600.0};
}

wsam_status wsam_train_options_preset(wsam_train_options *o, const char *name, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const int fast = strcmp(name, "fast") == 0;
    if (!fast && strcmp(name, "base") != 0)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no preset '%.40s': base or fast", name);
    wsam_train_options base;
    wsam_train_options_default(o->stage, &base);
    o->hidden = fast ? 512 : base.hidden;
    o->bins = fast ? 4 : base.bins;
    return WSAM_OK;
}

/* ---- the set ---- */

typedef struct job {
    const wsam_features *features;
    const wsam_train_set *set;
    const wsam_train_options *o;
    const wsam_kernels *kernels;
    int threads;
    ws_train_image *images;
    size_t *cached;     /* of each image, its place in the cache */
    const char **names; /* and its name */
    int64_t *truth_ids;
    int *numbers;       /* classes from 1 */
    float (*copies)[4]; /* boxes and ground truth */
    float **maps;       /* per thread */
    ws_train_data data;
    ws_trainer trainer;
    int lock; /* of the state folder; -1: none */
} job;

/* Boxes of an image, each pooled by one task. */
static void pool(void *user, int worker, size_t image, size_t n, const float (*boxes)[4],
                 float *rows)
{
    const job *j = user;
    ws_pool_map maps[WSAM_FEATURE_SOURCES];
    ws_features_maps(j->features, j->cached[image], j->maps[worker], maps);
    ws_features_pool_boxes(j->kernels, maps, j->features->n_sources, j->o->bins, n, boxes, rows);
}

static int bad_box(const float b[4])
{
    return !(b[0] >= -1e6f && b[1] >= -1e6f && b[2] <= 1e6f && b[3] <= 1e6f && b[2] > b[0] &&
             b[3] > b[1]);
}

static wsam_status check_picture(const job *j, const wsam_train_picture *p, wsam_error *error)
{
    int bad = p->n_boxes > MOST_TRAIN_BOXES || p->n_truth > MOST_TRAIN_BOXES;
    for (size_t i = 0; i < p->n_labels; i++)
        bad |= p->labels[i] < 0 || (size_t)p->labels[i] >= j->set->n_classes;
    for (size_t i = 0; i < p->n_boxes && !bad; i++)
        bad |= bad_box(p->boxes[i]);
    for (size_t i = 0; i < p->n_truth && !bad; i++)
        bad |= bad_box(p->truth[i]) || p->truth_classes[i] < 0 ||
               (size_t)p->truth_classes[i] >= j->set->n_classes;
    return bad ? ws_fail(error, WSAM_ERR_ARGUMENT,
                         "%s: a box or a class is out of range, or there are over %d boxes",
                         p->image, MOST_TRAIN_BOXES)
               : WSAM_OK;
}

/* Sides are those of exclusive corners: what WeakSAM's code calls an inclusive width. */
static int large_enough(const job *j, const float box[4])
{
    const float least = (float)j->o->min_side;
    return box[2] - box[0] >= least && box[3] - box[1] >= least;
}

static size_t count_boxes(const job *j, const wsam_train_picture *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_boxes; i++)
        n += (size_t)large_enough(j, p->boxes[i]);
    return n;
}

/* One picture's data in the trainer's form; `at` are the places for numbers and boxes. */
static void add_picture(job *j, const wsam_train_picture *p, size_t *number, size_t *copy)
{
    ws_train_image *to = &j->images[j->data.n_images++];
    *to = (ws_train_image){.n_labels = p->n_labels,
                           .n_truth = p->n_truth,
                           .boxes = j->copies + *copy,
                           .labels = j->numbers + *number,
                           .truth = j->copies + *copy + p->n_boxes,
                           .truth_class = j->numbers + *number + p->n_labels,
                           .trusted = p->truth_trusted,
                           .complete = p->complete,
                           .first_truth = j->data.n_truth};
    for (size_t i = 0; i < p->n_boxes; i++)
        if (large_enough(j, p->boxes[i]))
            memcpy(to->boxes[to->n_boxes++], p->boxes[i], sizeof *to->boxes);
    if (p->n_truth)
        memcpy(to->truth, p->truth, p->n_truth * sizeof *to->truth);
    for (size_t i = 0; i < p->n_labels; i++)
        to->labels[i] = p->labels[i] + 1;
    for (size_t i = 0; i < p->n_truth; i++) {
        to->truth_class[i] = p->truth_classes[i] + 1;
        j->truth_ids[j->data.n_truth + i] = p->truth_ids ? p->truth_ids[i] : 0;
    }
    j->data.trusts |= p->complete;
    for (size_t i = 0; i < p->n_truth && p->truth_trusted; i++)
        j->data.trusts |= p->truth_trusted[i];
    *number += p->n_labels + p->n_truth;
    *copy += p->n_boxes + p->n_truth;
    j->data.n_truth += p->n_truth;
}

static wsam_status allocate_set(job *j, wsam_error *error)
{
    size_t numbers = 1, copies = 1, truth = 1;
    for (size_t i = 0; i < j->set->n; i++) {
        const wsam_train_picture *p = &j->set->pictures[i];
        numbers += p->n_labels + p->n_truth;
        copies += p->n_boxes + p->n_truth;
        truth += p->n_truth;
    }
    j->images = calloc(j->set->n + 1, sizeof *j->images);
    j->cached = calloc(j->set->n + 1, sizeof *j->cached);
    j->names = calloc(j->set->n + 1, sizeof *j->names);
    j->numbers = calloc(numbers, sizeof *j->numbers);
    j->copies = calloc(copies, sizeof *j->copies);
    j->truth_ids = calloc(truth, sizeof *j->truth_ids);
    j->maps = calloc((size_t)j->threads, sizeof *j->maps);
    int missing = !j->images || !j->cached || !j->names || !j->numbers || !j->copies ||
                  !j->truth_ids || !j->maps;
    for (int t = 0; t < j->threads && !missing; t++) {
        j->maps[t] = malloc(ws_features_room(j->features) * sizeof **j->maps);
        missing = !j->maps[t];
    }
    return missing ? ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu images", j->set->n)
                   : WSAM_OK;
}

/* What a checkpoint belongs to: the cache, and every number of the set. */
static uint64_t hash_set(const job *j)
{
    uint64_t h = j->features->hash;
    for (size_t i = 0; i < j->data.n_images; i++) {
        const ws_train_image *p = &j->images[i];
        h = XXH3_64bits_withSeed(j->names[i], strlen(j->names[i]), h);
        h = XXH3_64bits_withSeed(p->boxes, p->n_boxes * sizeof *p->boxes, h);
        h = XXH3_64bits_withSeed(p->truth, p->n_truth * sizeof *p->truth, h);
        h = XXH3_64bits_withSeed(p->labels, p->n_labels * sizeof *p->labels, h);
        h = XXH3_64bits_withSeed(p->truth_class, p->n_truth * sizeof *p->truth_class, h);
        if (p->trusted)
            h = XXH3_64bits_withSeed(p->trusted, p->n_truth, h);
        h += p->complete != 0;
    }
    return h;
}

/* Pictures without boxes have nothing to learn from; nor those whose classes nobody told (none at
 * all is an answer), nor, when retraining, those without ground truth, unless a person says that
 * nothing is there. */
static int teaches(const job *j, const wsam_train_picture *p)
{
    return count_boxes(j, p) &&
           (j->o->stage == WSAM_TRAIN_RETRAIN ? p->n_truth > 0 || p->complete : p->labels != NULL);
}

static wsam_status take_set(job *j, wsam_error *error)
{
    size_t number = 0, copy = 0;
    wsam_status status = allocate_set(j, error);
    for (size_t i = 0; i < j->set->n && !status; i++) {
        const wsam_train_picture *p = &j->set->pictures[i];
        if (!teaches(j, p))
            continue;
        status = check_picture(j, p, error);
        j->cached[j->data.n_images] = wsam_features_find(j->features, p->image);
        j->names[j->data.n_images] = p->image;
        if (!status && j->cached[j->data.n_images] == SIZE_MAX)
            status = ws_fail(error, WSAM_ERR_MISMATCH, "%s: not in the feature cache", p->image);
        if (!status)
            add_picture(j, p, &number, &copy);
    }
    j->data.images = j->images;
    j->data.classes = j->set->n_classes;
    j->data.cells = (size_t)(j->o->bins * j->o->bins);
    j->data.features = j->data.cells * j->features->components;
    j->data.pool = pool;
    j->data.user = j;
    if (!status)
        j->data.hash = hash_set(j);
    return status;
}

/* ---- outputs ---- */

static wsam_status class_text(const wsam_train_set *set, char text[CLASS_BYTES], size_t *size,
                              wsam_error *error)
{
    *size = 0;
    for (size_t i = 0; i < set->n_classes; i++) {
        const size_t n = strlen(set->classes[i]);
        if (*size + n + 1 > CLASS_BYTES || strchr(set->classes[i], '\n') || !n)
            return ws_fail(error, WSAM_ERR_ARGUMENT,
                           "class %zu has no usable name, or they take over %d bytes", i,
                           CLASS_BYTES);
        if (i)
            text[(*size)++] = '\n';
        memcpy(text + *size, set->classes[i], n);
        *size += n;
    }
    return WSAM_OK;
}

static void put_reductions(const wsam_features *f, ws_saved *to, ws_saved_note *maps,
                           ws_saved_note *sides)
{
    for (size_t s = 0; s < f->n_sources; s++, to += 2) {
        const ws_reduction *r = &f->sources[s];
        const size_t used = strlen(maps->value);
        to[0] = (ws_saved){.dtype = "F32",
                           .rank = 2,
                           .shape = {r->components, r->channels},
                           .data = r->weight,
                           .bytes = (size_t)r->components * r->channels * sizeof(float)};
        to[1] = (ws_saved){.dtype = "F32",
                           .rank = 1,
                           .shape = {r->components},
                           .data = r->bias,
                           .bytes = r->components * sizeof(float)};
        snprintf(to[0].name, sizeof to[0].name, "reduce_%s.weight", r->name);
        snprintf(to[1].name, sizeof to[1].name, "reduce_%s.bias", r->name);
        snprintf(maps->value + used, sizeof maps->value - used, "%s%s", s ? "," : "", r->name);
        const size_t digits = strlen(sides->value);
        snprintf(sides->value + digits, sizeof sides->value - digits, "%s%u", s ? "," : "",
                 r->max_side);
    }
}

/* The head's own checkpoint, then the weight file made of it. */
static wsam_status write_head(const job *j, const char *out, wsam_error *error)
{
    ws_saved tensors[WS_HEAD_TENSORS + 2 * WSAM_FEATURE_SOURCES + 1];
    ws_saved_note notes[] = {{.key = "weaksam.stage"},
                             {.key = "weaksam.bins"},
                             {.key = "weaksam.maps"},
                             {.key = "weaksam.sides"}};
    char text[CLASS_BYTES], path[PATH];
    size_t size, stem = strlen(out), n = WS_HEAD_TENSORS + 2 * j->features->n_sources;
    wsam_status status = class_text(j->set, text, &size, error);
    if (status)
        return status;
    if (stem > 5 && strcmp(out + stem - 5, ".wsam") == 0)
        stem -= 5;
    if (snprintf(path, sizeof path, "%.*s.safetensors", (int)stem, out) >= (int)sizeof path)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "the path %s is too long", out);
    ws_checkpoint_tensors(&j->trainer.head, "head.", tensors);
    put_reductions(j->features, tensors + WS_HEAD_TENSORS, &notes[2], &notes[3]);
    tensors[n++] = (ws_saved){
        .name = "classes", .dtype = "U8", .rank = 1, .shape = {size}, .data = text, .bytes = size};
    snprintf(notes[0].value, sizeof notes[0].value, "%s",
             j->o->stage == WSAM_TRAIN_MIL ? "mil" : "retrain");
    snprintf(notes[1].value, sizeof notes[1].value, "%d", j->o->bins);
    status =
        ws_checkpoint_save_tensors(path, tensors, n, notes, sizeof notes / sizeof *notes, error);
    return status ? status : wsam_convert(path, out, NULL, error);
}

/* ---- the run ---- */

static int report(const job *j, double started, uint64_t from)
{
    const ws_trainer *t = &j->trainer;
    const float *loss = t->history[t->iteration - 1];
    const double each = (ws_clock() - started) / (double)(t->iteration - from);
    const wsam_train_progress p = {.iteration = t->iteration,
                                   .iterations = t->iterations,
                                   .epoch = t->iteration / t->per_epoch,
                                   .rate = ws_trainer_rate_at(t, t->iteration - 1),
                                   .image_loss = (double)loss[WS_LOSS_IMAGE],
                                   .class_loss = (double)loss[WS_LOSS_CLS],
                                   .box_loss = (double)loss[WS_LOSS_REG],
                                   .seconds_left = each * (double)(t->iterations - t->iteration)};
    return j->o->progress && j->o->progress(j->o->progress_user, &p);
}

/* What the state folder says of the intervals that end here; their counters start anew. */
static wsam_status end_spans(job *j, wsam_error *error)
{
    ws_trainer *t = &j->trainer;
    const int ends = t->iteration % t->per_epoch == 0;
    wsam_status status = WSAM_OK;
    if (!ws_log_due(t))
        return status;
    if (j->o->state)
        status = ws_log_append(t, j->set, j->o->state, error);
    ws_trainer_counts_clear(t, WS_SPAN_INTERVAL);
    if (!status && ends && ws_checkpoint_due(t) && t->config.stage == WS_STAGE_RETRAIN &&
        j->o->state)
        status = ws_train_report_epoch(t, j->set, j->o->state, error);
    if (ends)
        ws_trainer_counts_clear(t, WS_SPAN_EPOCH);
    return status;
}

static wsam_status loop(job *j, wsam_error *error)
{
    ws_trainer *t = &j->trainer;
    const uint64_t from = t->iteration;
    const double started = ws_clock();
    double saved = started;
    while (t->iteration < t->iterations) {
        wsam_status status = ws_trainer_step(t, error);
        const int due = !status && ws_checkpoint_due(t);
        const int stop = !status && report(j, started, from);
        if (!status)
            status = end_spans(j, error);
        if (!status && j->o->state &&
            (due || stop || ws_clock() - saved >= j->o->checkpoint_seconds)) {
            status = ws_checkpoint_write(t, j->o->state, error);
            saved = ws_clock();
        }
        if (!status && stop && t->iteration < t->iterations)
            status = ws_fail(error, WSAM_ERR_CANCELLED, "stopped after iteration %llu of %llu%s",
                             (unsigned long long)t->iteration, (unsigned long long)t->iterations,
                             j->o->state ? "; the checkpoint holds it" : "");
        if (status)
            return status;
    }
    return WSAM_OK;
}

static wsam_status check_options(const wsam_train_options *o, const wsam_train_set *set,
                                 wsam_error *error)
{
    if (o->hidden < 1 || o->hidden > 8192 || o->bins < 1 || o->bins > 14 || o->epochs < 0 ||
        o->epochs > 10000 || o->iterations > 100000000 || o->batch < 1 || o->batch > 1024 ||
        o->threads < 0 || !(o->rate > 0.0) || !(o->rate < 1.0) || !(o->decay >= 0.0) ||
        !(o->dropout >= 0.0) || !(o->dropout < 1.0) || !(o->cell_drop >= 0.0) ||
        !(o->cell_drop < 1.0) || !(o->drop_start >= 0.0) || !(o->trust >= 1.0) ||
        !(o->trust <= 1000.0) || (o->products != WSAM_F32 && o->products != WSAM_BF16) ||
        (int)o->roi_drop < 0 || o->roi_drop > WSAM_TRAIN_DROP_TOP || (int)o->assign < 0 ||
        o->assign > WSAM_TRAIN_ASSIGN_OICR || o->min_side < 0)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "an option of training is out of range");
    if (!set->n_classes || set->n_classes > 1000)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%zu classes; 1 to 1000 can be trained",
                       set->n_classes);
    return WSAM_OK;
}

static ws_train_config config_of(const wsam_train_options *o)
{
    ws_train_config c;
    ws_trainer_defaults(o->stage == WSAM_TRAIN_MIL ? WS_STAGE_MIL : WS_STAGE_RETRAIN, &c);
    c.hidden = (size_t)o->hidden;
    c.batch = (size_t)o->batch;
    c.epochs = (size_t)o->epochs;
    c.iterations = o->iterations;
    c.rate = o->rate;
    c.decay = o->decay;
    c.dropout = o->dropout;
    c.cell_drop = o->cell_drop;
    c.drop = (ws_drop_rule){(ws_drop)o->roi_drop, o->drop_cls, o->drop_reg};
    c.drop_start = o->drop_start;
    c.trust = o->trust;
    c.oicr = o->assign == WSAM_TRAIN_ASSIGN_OICR;
    c.products = o->products;
    c.seed = o->seed;
    return c;
}

/* ---- how long ---- */

typedef struct fitting {
    const job *job;
    double started;
} fitting;

static int report_fit(void *user, const ws_trainer *t, uint64_t iteration, uint64_t iterations)
{
    const fitting *f = user;
    const float *loss = t->history[t->iteration - 1];
    const double each = (ws_clock() - f->started) / (double)iteration;
    const wsam_train_progress p = {.fitting = 1,
                                   .iteration = iteration,
                                   .iterations = iterations,
                                   .rate = ws_trainer_rate_at(t, t->iteration - 1),
                                   .image_loss = (double)loss[WS_LOSS_IMAGE],
                                   .class_loss = (double)loss[WS_LOSS_CLS],
                                   .box_loss = (double)loss[WS_LOSS_REG],
                                   .seconds_left = each * (double)(iterations - iteration)};
    return f->job->o->progress && f->job->o->progress(f->job->o->progress_user, &p);
}

/* What a choice belongs to: the data, and every option of training. */
static uint64_t hash_fit(const job *j, const ws_train_config *c)
{
    ws_trainer t = {.data = &j->data, .config = *c, .kernels = j->kernels};
    return ws_checkpoint_hash(&t);
}

static wsam_status fit_set(const job *j, const ws_train_config *config, wsam_train_fit *fit,
                           wsam_error *error)
{
    const uint64_t hash = hash_fit(j, config);
    fitting f = {j, ws_clock()};
    wsam_train_fit before = {.iterations = 0};
    int found = 0;
    wsam_status status =
        j->o->state ? ws_fit_load(j->o->state, hash, &before, &found, error) : WSAM_OK;
    if (found)
        *fit = before;
    if (status || found)
        return status;
    status = ws_fit(&j->data, config, j->kernels, j->threads, report_fit, &f, fit, error);
    return status || !j->o->state ? status : ws_fit_save(j->o->state, hash, fit, error);
}

/* Iterations where nobody said how many. */
static wsam_status choose_length(const job *j, ws_train_config *c, wsam_error *error)
{
    const size_t n = j->data.n_images;
    wsam_train_fit fit = {.label_ap = -1, .truth_agreement = -1};
    wsam_status status = WSAM_OK;
    if (!c->iterations && !c->epochs && n) {
        const uint64_t by_epochs = 12 * ((n + c->batch - 1) / c->batch);
        fit.iterations = ws_trainer_iterations(c->stage, n, c->batch);
        if (c->stage == WS_STAGE_MIL && fit.iterations > by_epochs && n >= FEWEST_FITTED)
            status = fit_set(j, c, &fit, error);
        c->iterations = fit.iterations;
    }
    if (j->o->fit)
        *j->o->fit = fit;
    return status;
}

/* Two processes of one state would mix their checkpoints and logs. The lock goes with the process,
 * however it ends. */
static wsam_status lock_state(job *j, wsam_error *error)
{
    const char *state = j->o->state;
    if (ws_file_folder_make(state, error))
        return WSAM_ERR_IO;
    const size_t size = strlen(state) + 8;
    char *path = malloc(size);
    if (!path)
        return ws_no_memory(error, state);
    snprintf(path, size, "%s/.lock", state);
    j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    const int busy = j->lock >= 0 && flock(j->lock, LOCK_EX | LOCK_NB) != 0;
    wsam_status status = WSAM_OK;
    if (j->lock < 0 || (busy && errno != EWOULDBLOCK))
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    else if (busy)
        status = ws_fail(error, WSAM_ERR_IO, "%s: another process trains with this state", state);
    free(path);
    return status;
}

/* A run that is resumed has its own parameters already. */
static wsam_status begin_with(job *j, int found, wsam_error *error)
{
    char text[CLASS_BYTES];
    size_t size;
    int taken;
    if (!j->o->start || found)
        return WSAM_OK;
    const wsam_status status = class_text(j->set, text, &size, error);
    return status
               ? status
               : ws_checkpoint_begin_with(&j->trainer.head, j->o->start, text, size, &taken, error);
}

static wsam_status run(job *j, const char *out, wsam_error *error)
{
    ws_train_config config = config_of(j->o);
    int found = 0;
    wsam_status status = WSAM_OK;
    if (j->o->state)
        status = lock_state(j, error);
    if (!status)
        status = choose_length(j, &config, error);
    if (!status)
        status = ws_trainer_create(&j->trainer, &j->data, &config, j->kernels, j->threads, error);
    if (!status && j->o->state)
        status = ws_checkpoint_read(&j->trainer, j->o->state, j->o->force, &found, error);
    if (!status)
        status = begin_with(j, found, error);
    if (!status && j->o->state)
        status = ws_log_cut(j->o->state, j->trainer.iteration, error);
    if (!status)
        status = loop(j, error);
    if (!status && !ws_head_finite(&j->trainer.head)) /* by the last update: no loss follows it */
        status = ws_fail(error, WSAM_ERR_LIMIT,
                         "parameters are not finite after the last iteration: no head is written");
    if (!status && j->o->stage == WSAM_TRAIN_RETRAIN && j->o->state)
        status = ws_train_report_suspects(&j->trainer, j->names, j->truth_ids, j->set, j->o->state,
                                          error);
    if (!status)
        status = ws_train_report_curves(&j->trainer, out, error);
    if (!status) /* last: a head that is there says that all is done */
        status = write_head(j, out, error);
    return status;
}

static void release(job *j)
{
    if (j->lock >= 0)
        close(j->lock);
    for (int t = 0; j->maps && t < j->threads; t++)
        free(j->maps[t]);
    free(j->maps);
    free(j->images);
    free(j->cached);
    free(j->names);
    free(j->numbers);
    free(j->copies);
    free(j->truth_ids);
    ws_trainer_free(&j->trainer);
}

wsam_status wsam_train(const wsam_features *features, const wsam_train_set *set,
                       const wsam_train_options *options, const char *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    job j = {.features = features, .set = set, .o = options, .lock = -1};
    wsam_status status = check_options(options, set, error);
    if (status)
        return status;
    j.threads = options->threads ? options->threads : wsam_default_threads();
    j.kernels = ws_kernels_find(options->isa, error);
    if (!j.kernels)
        return WSAM_ERR_UNSUPPORTED;
    status = take_set(&j, error);
    if (!status)
        status = run(&j, out, error);
    release(&j);
    return status;
}
