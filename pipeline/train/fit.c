/* pipeline/train/fit.c - see fit.h. */
#include "pipeline/train/fit.h"
#include "base/locale.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/outputs.h"
#include "pipeline/train/random.h"

enum { POINTS = 3, STREAMS = 3 };
/* Iterations of the whole set at which the halves are looked at. */
static const uint64_t points[POINTS] = {600, 900, 1200};
/* A smaller gain is noise where a class has some dozens of images. */
static const double worth = 0.01;

typedef struct half {
    const ws_train_data *whole;
    ws_train_data data;
    ws_train_image *images; /* [data.n_images] */
    size_t *from;           /* of each, its place in the whole set */
    ws_trainer trainer;
    double *scores;    /* [n_images of the whole][classes]: that a class is there */
    double (*best)[4]; /* [pairs]: the best box of each class of each image */
} half;

typedef struct fit_job {
    const ws_train_data *data;
    const ws_train_config *config;
    half halves[2];
    uint8_t *side;  /* [n_images]: the half that has it */
    size_t *pair;   /* [n_images]: its first pair */
    size_t pairs;   /* of image and class */
    double *ranked; /* [2 * n_images]: work of average precision */
} fit_job;

/* ---- halves ---- */

static void pool_half(void *user, int worker, size_t image, size_t n, const float (*boxes)[4],
                      float *rows)
{
    const half *h = user;
    h->whole->pool(h->whole->user, worker, h->from[image], n, boxes, rows);
}

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for two heads on half of the images each");
}

/* Every other image of a random order. */
static wsam_status split(fit_job *j, wsam_error *error)
{
    const size_t n = j->data->n_images;
    uint32_t *order = malloc(n * sizeof *order);
    j->side = malloc(n);
    j->pair = malloc(n * sizeof *j->pair);
    j->ranked = malloc(2 * n * sizeof *j->ranked);
    if (!order || !j->side || !j->pair || !j->ranked) {
        free(order);
        return no_memory(error);
    }
    ws_permute(ws_key(j->config->seed, WS_STREAM_FIT, 0, 0), order, n);
    for (size_t i = 0; i < n; i++)
        j->side[order[i]] = i & 1;
    for (size_t i = 0; i < n; i++) {
        j->pair[i] = j->pairs;
        j->pairs += j->data->images[i].n_labels;
    }
    free(order);
    return WSAM_OK;
}

static wsam_status make_half(fit_job *j, int side, const wsam_kernels *kernels, int threads,
                             wsam_error *error)
{
    half *h = &j->halves[side];
    const size_t n = j->data->n_images;
    ws_train_config config = *j->config;
    h->whole = j->data;
    h->data = *j->data;
    h->data.n_images = 0;
    h->data.pool = pool_half;
    h->data.user = h;
    h->images = calloc(n, sizeof *h->images);
    h->from = calloc(n, sizeof *h->from);
    h->scores = calloc(n * j->data->classes, sizeof *h->scores);
    h->best = calloc(j->pairs + 1, sizeof *h->best);
    if (!h->images || !h->from || !h->scores || !h->best)
        return no_memory(error);
    for (size_t i = 0; i < n; i++)
        if (j->side[i] == side) {
            h->from[h->data.n_images] = i;
            h->images[h->data.n_images++] = j->data->images[i];
        }
    h->data.images = h->images;
    config.steady = 1;
    config.iterations = points[POINTS - 1]; /* room for the losses: half of it is needed */
    config.seed = ws_fold(config.seed, (uint64_t)side + 1);
    return ws_trainer_create(&h->trainer, &h->data, &config, kernels, threads, error);
}

static void free_half(half *h)
{
    ws_trainer_free(&h->trainer);
    free(h->images), free(h->from), free(h->scores), free(h->best);
}

/* ---- what a head says of an image ---- */

/* Streams of the head's outputs: two of MIL, then three softmaxes with their deltas. */
typedef struct outputs {
    double *score, *mil; /* [n][c] */
    double (*box)[4];    /* [n]: of one class */
    float *y;            /* [n][width] */
    size_t n, c, width;
} outputs;

static void free_outputs(outputs *o)
{
    free(o->score), free(o->mil), free(o->box), free(o->y);
}

static int make_outputs(const ws_trainer *t, const ws_train_image *image, outputs *o)
{
    const size_t c = t->data->classes + 1;
    *o = (outputs){.n = image->n_boxes, .c = c, .width = 17 * c};
    o->score = calloc(o->n * c + 1, sizeof *o->score);
    o->mil = calloc(3 * o->n * c + 1, sizeof *o->mil);
    o->box = calloc(o->n + 1, sizeof *o->box);
    o->y = malloc((o->n * o->width + 1) * sizeof *o->y);
    return o->score && o->mil && o->box && o->y;
}

static void run_head(half *h, size_t image, outputs *o)
{
    const ws_train_image *i = &h->whole->images[image];
    ws_trainer *t = &h->trainer;
    for (size_t at = 0; at < o->n; at += t->work.rows) {
        const size_t m = o->n - at < t->work.rows ? o->n - at : t->work.rows;
        const ws_image_rows rows = {0, m, 0};
        h->whole->pool(h->whole->user, 0, image, m, (const float(*)[4])(i->boxes + at), t->work.x);
        ws_head_forward(&t->head, &t->work, m, &rows, 1, 0.0);
        memcpy(o->y + at * o->width, t->work.y, m * o->width * sizeof *o->y);
    }
}

/* Image-level probabilities: sums over boxes of both streams' softmaxes. */
static void image_scores(const outputs *o, double *scores)
{
    double *classes = o->mil, *boxes = o->mil + o->n * o->c;
    for (size_t b = 0; b < o->n; b++)
        for (size_t k = 0; k < o->c; k++) {
            classes[b * o->c + k] = (double)o->y[b * o->width + k];
            boxes[k * o->n + b] = (double)o->y[b * o->width + o->c + k];
        }
    ws_losses_softmax_rows(o->n, o->c, classes, o->c, classes);
    ws_losses_softmax_rows(o->c, o->n, boxes, o->n, boxes);
    for (size_t k = 1; k < o->c; k++) {
        double sum = 0;
        for (size_t b = 0; b < o->n; b++)
            sum += classes[b * o->c + k] * boxes[k * o->n + b];
        scores[k - 1] = sum;
    }
}

static void box_scores(const outputs *o)
{
    double *row = o->mil; /* free again */
    for (size_t b = 0; b < o->n; b++)
        for (size_t s = 0; s < STREAMS; s++) {
            for (size_t k = 0; k < o->c; k++)
                row[k] = (double)o->y[b * o->width + (2 + s) * o->c + k];
            ws_losses_softmax_rows(1, o->c, row, o->c, row);
            for (size_t k = 0; k < o->c; k++)
                o->score[b * o->c + k] += row[k] / STREAMS;
        }
}

/* The best box of a class as the head refines it. */
static void best_box(const outputs *o, const ws_train_image *image, size_t class, double out[4])
{
    size_t best = 0;
    double delta[4], from[4];
    for (size_t b = 1; b < o->n; b++)
        if (o->score[b * o->c + class] > o->score[best * o->c + class])
            best = b;
    for (size_t i = 0; i < 4; i++) {
        from[i] = (double)image->boxes[best][i];
        delta[i] = 0;
        for (size_t s = 0; s < STREAMS; s++)
            delta[i] +=
                (double)o->y[best * o->width + (5 + 4 * s) * o->c + 4 * class + i] / STREAMS;
    }
    ws_losses_box_decode(delta, from, out);
}

static wsam_status look(fit_job *j, half *h, wsam_error *error)
{
    for (size_t i = 0; i < j->data->n_images; i++) {
        const ws_train_image *image = &j->data->images[i];
        outputs o;
        if (!make_outputs(&h->trainer, image, &o)) {
            free_outputs(&o);
            return no_memory(error);
        }
        run_head(h, i, &o);
        image_scores(&o, h->scores + i * j->data->classes);
        box_scores(&o);
        for (size_t k = 0; k < image->n_labels; k++)
            best_box(&o, image, (size_t)image->labels[k], h->best[j->pair[i] + k]);
        free_outputs(&o);
    }
    return WSAM_OK;
}

/* ---- figures ---- */

static int has(const ws_train_image *image, size_t class)
{
    for (size_t k = 0; k < image->n_labels; k++)
        if (image->labels[k] == (int)class)
            return 1;
    return 0;
}

static int descending(const void *a, const void *b)
{
    const double *p = a, *q = b;
    return p[0] > q[0] ? -1 : p[0] < q[0];
}

/* Average precision of one class on the images that the head did not see; negative: none has it. */
static double class_ap(const fit_job *j, int side, size_t class)
{
    size_t n = 0, found = 0;
    double sum = 0;
    for (size_t i = 0; i < j->data->n_images; i++)
        if (j->side[i] != side) {
            j->ranked[2 * n] = j->halves[side].scores[i * j->data->classes + class - 1];
            j->ranked[2 * n++ + 1] = has(&j->data->images[i], class);
        }
    qsort(j->ranked, n, 2 * sizeof *j->ranked, descending);
    for (size_t i = 0; i < n; i++)
        if (j->ranked[2 * i + 1] > 0)
            sum += (double)++found / (double)(i + 1);
    return found && found < n ? sum / (double)found : -1;
}

static void measure_labels(const fit_job *j, wsam_train_fit *fit)
{
    double sum = 0, shares = 0;
    size_t n = 0;
    for (int side = 0; side < 2; side++)
        for (size_t class = 1; class <= j->data->classes; class ++) {
            const double ap = class_ap(j, side, class);
            size_t with = 0;
            for (size_t i = 0; i < j->data->n_images && ap >= 0; i++)
                with += (size_t)has(&j->data->images[i], class);
            if (ap < 0)
                continue;
            sum += ap;
            shares += (double)with / (double)j->data->n_images;
            n++;
        }
    fit->label_ap = n ? sum / (double)n : -1;
    fit->chance = n ? shares / (double)n : 0;
}

/* Whether a box is one of the image's own boxes of the class: 1 or 0; -1: it has none. */
static int meets_truth(const ws_train_image *image, int class, const double *box)
{
    int any = -1;
    for (size_t k = 0; k < image->n_truth; k++) {
        double truth[4];
        for (int i = 0; i < 4; i++)
            truth[i] = (double)image->truth[k][i];
        if (image->truth_class[k] == class && any < 1)
            any = ws_losses_box_iou(box, truth) >= 0.5;
    }
    return any;
}

static void measure_boxes(const fit_job *j, wsam_train_fit *fit)
{
    size_t same = 0, with_truth = 0, true_ones = 0;
    for (size_t i = 0; i < j->data->n_images; i++) {
        const ws_train_image *image = &j->data->images[i];
        for (size_t k = 0; k < image->n_labels; k++) {
            const double *a = j->halves[0].best[j->pair[i] + k];
            const double *b = j->halves[1].best[j->pair[i] + k];
            const int met[2] = {meets_truth(image, image->labels[k], a),
                                meets_truth(image, image->labels[k], b)};
            same += ws_losses_box_iou(a, b) >= 0.5;
            with_truth += met[0] >= 0 ? 2 : 0;
            true_ones += met[0] >= 0 ? (size_t)(met[0] + met[1]) : 0;
        }
    }
    fit->pairs = j->pairs;
    fit->agreement = j->pairs ? (double)same / (double)j->pairs : 0;
    fit->truth_agreement = with_truth ? (double)true_ones / (double)with_truth : -1;
}

/* ---- the loop ---- */

/* Iterations of a half that are as many passes as `whole` ones of the set. */
static uint64_t of_half(const fit_job *j, const half *h, uint64_t whole)
{
    const uint64_t per_epoch = (j->data->n_images + j->config->batch - 1) / j->config->batch;
    return (whole * h->trainer.per_epoch + per_epoch - 1) / per_epoch;
}

static wsam_status train_to(fit_job *j, uint64_t whole, ws_fit_progress progress, void *user,
                            wsam_error *error)
{
    uint64_t all = 0;
    wsam_status status = WSAM_OK;
    for (int side = 0; side < 2; side++)
        all += of_half(j, &j->halves[side], points[POINTS - 1]);
    for (int side = 0; side < 2; side++) {
        half *h = &j->halves[side];
        const ws_trainer *other = &j->halves[!side].trainer;
        const uint64_t end = of_half(j, h, whole);
        while (!status && h->trainer.iteration < end) {
            status = ws_trainer_step(&h->trainer, error);
            if (!status && progress &&
                progress(user, &h->trainer, h->trainer.iteration + other->iteration, all))
                status = ws_fail(error, WSAM_ERR_CANCELLED,
                                 "stopped while the set was looked at; nothing is kept of it");
        }
    }
    return status;
}

static wsam_status measure(fit_job *j, wsam_train_fit *fit, wsam_error *error)
{
    wsam_status status = look(j, &j->halves[0], error);
    if (!status)
        status = look(j, &j->halves[1], error);
    if (status)
        return status;
    measure_labels(j, fit);
    measure_boxes(j, fit);
    return WSAM_OK;
}

/* The fewest iterations that are as good as any. */
static wsam_status choose(fit_job *j, ws_fit_progress progress, void *user, wsam_train_fit *fit,
                          wsam_error *error)
{
    wsam_train_fit at[POINTS];
    size_t n = 0, best = 0;
    wsam_status status = WSAM_OK;
    for (; n < POINTS && !status; n++) {
        if (n > 1 && at[n - 1].label_ap < at[n - 2].label_ap + worth)
            break;
        status = train_to(j, points[n], progress, user, error);
        if (!status)
            status = measure(j, &at[n], error);
        at[n].iterations = points[n];
    }
    if (status)
        return status;
    for (size_t i = 1; i < n; i++)
        best = at[i].label_ap > at[best].label_ap ? i : best;
    for (size_t i = 0; i < best; i++)
        if (at[i].label_ap >= at[best].label_ap - worth)
            best = i;
    *fit = at[best];
    return WSAM_OK;
}

wsam_status ws_fit(const ws_train_data *data, const ws_train_config *config,
                   const wsam_kernels *kernels, int threads, ws_fit_progress progress, void *user,
                   wsam_train_fit *fit, wsam_error *error)
{
    fit_job j = {.data = data, .config = config};
    wsam_status status = split(&j, error);
    for (int side = 0; side < 2 && !status; side++)
        status = make_half(&j, side, kernels, threads, error);
    if (!status)
        status = choose(&j, progress, user, fit, error);
    for (int side = 0; side < 2; side++)
        free_half(&j.halves[side]);
    free(j.side), free(j.pair), free(j.ranked);
    return status;
}

/* ---- fit.json ---- */

static const char format[] = "{\"hash\":\"%" PRIx64 "\",\"iterations\":%" PRIu64
                             ",\"label_ap\":%.6f,\"chance\":%.6f,\"agreement\":%.6f,"
                             "\"truth_agreement\":%.6f,\"pairs\":%" PRIu64 "}\n";

static int path_of(const char *folder, char path[4096])
{
    return snprintf(path, 4096, "%s/fit.json", folder) < 4096;
}

wsam_status ws_fit_save(const char *folder, uint64_t hash, const wsam_train_fit *f,
                        wsam_error *error)
{
    char path[4096];
    ws_outputs out = {0};
    if (!path_of(folder, path))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "the path %s is too long", folder);
    FILE *file = ws_outputs_open(&out, path, error);
    if (!file)
        return WSAM_ERR_IO;
    const locale_t before = ws_locale_plain();
    fprintf(file, format, hash, f->iterations, f->label_ap, f->chance, f->agreement,
            f->truth_agreement, f->pairs);
    ws_locale_restore(before);
    return ws_outputs_finish(&out, ws_outputs_close(&out, error), error);
}

/* A file that is damaged is none; one that cannot be read now is not. */
static wsam_status read_fit(const char *path, uint64_t *of, wsam_train_fit *f, int *found,
                            wsam_error *error)
{
    char *text = NULL;
    size_t size;
    *found = 0;
    wsam_status status = ws_file_there(path, found, error);
    if (status || !*found)
        return status;
    status = ws_file_read_whole(path, 4096, &text, &size, error);
    *found = !status;
    if (status)
        return status == WSAM_ERR_FORMAT || status == WSAM_ERR_LIMIT ? WSAM_OK : status;
    const locale_t before = ws_locale_plain();
    const int n = sscanf(text,
                         "{\"hash\":\"%" SCNx64 "\",\"iterations\":%" SCNu64
                         ",\"label_ap\":%lf,\"chance\":%lf,\"agreement\":%lf,\"truth_agreement\":"
                         "%lf,\"pairs\":%" SCNu64,
                         of, &f->iterations, &f->label_ap, &f->chance, &f->agreement,
                         &f->truth_agreement, &f->pairs);
    ws_locale_restore(before);
    free(text);
    *found = n == 7;
    return WSAM_OK;
}

wsam_status ws_fit_read(const char *path, wsam_train_fit *f, int *found, wsam_error *error)
{
    uint64_t of;
    return read_fit(path, &of, f, found, error);
}

wsam_status ws_fit_load(const char *folder, uint64_t hash, wsam_train_fit *f, int *found,
                        wsam_error *error)
{
    char path[4096];
    uint64_t of = 0;
    *found = 0;
    const wsam_status status =
        path_of(folder, path) ? read_fit(path, &of, f, found, error) : WSAM_OK;
    *found =
        *found && of == hash && f->iterations >= points[0] && f->iterations <= points[POINTS - 1];
    return status;
}
