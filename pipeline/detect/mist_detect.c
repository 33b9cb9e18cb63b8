/* pipeline/detect/mist_detect.c - which of MIST's boxes are detections (wetectron engine/inference,
 * bbox_aug with heuristic AVG), and many pictures. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "kernels/boxes.h"
#include "kernels/float_scope.h"
#include "pipeline/detect/mist.h"
#include "pipeline/labels/picture_path.h"
#include "pipeline/learn/learn.h"
#include "runtime/run/threads.h"
#include "weaksam/masks.h"

/* ---- one picture ---- */

/* What the classes have left, one after another. */
typedef struct finder {
    const wsam_mist_views *views;
    const wsam_mist_params *p;
    float x, y; /* from the first view to the picture */
    float (*boxes)[4], *scores;
    uint64_t *scratch;
    uint32_t *indices;
    wsam_instances found;
    size_t capacity;
} finder;

static wsam_status put(finder *f, size_t class_index, const float box[4], float score,
                       wsam_error *error)
{
    wsam_instance *items = ws_grow(f->found.items, f->found.n, &f->capacity, sizeof *items);
    if (!items)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", f->found.n + 1);
    f->found.items = items;
    const double x0 = (double)(box[0] * f->x), y0 = (double)(box[1] * f->y);
    f->found.items[f->found.n++] = (wsam_instance){
        .class_index = (int32_t)class_index,
        .bbox = {x0, y0, (double)(box[2] * f->x) - x0 + 1.0, (double)(box[3] * f->y) - y0 + 1.0},
        .score = (double)score};
    return WSAM_OK;
}

/* NMS takes the corners as they are: areas are without the pixel more. */
static wsam_status find_class(finder *f, size_t c, wsam_error *error)
{
    const wsam_mist_views *v = f->views;
    const size_t slots = v->n_classes + 1;
    size_t n = 0;
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < v->n; i++) {
        const float score = v->scores[i * slots + c + 1];
        if (!((double)score > f->p->min_score))
            continue;
        memcpy(f->boxes[n], v->boxes[i * slots + c + 1], sizeof f->boxes[n]);
        f->scores[n++] = score;
    }
    const size_t kept = wsam_box_nms(f->boxes[0], f->scores, n, f->p->nms, f->scratch, f->indices);
    for (size_t i = 0; i < kept && !status; i++)
        status = put(f, c, f->boxes[f->indices[i]], f->scores[f->indices[i]], error);
    return status;
}

static int falling(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return (a < b) - (a > b);
}

/* Those with the score of the best `most` at least: more where scores are equal. */
static wsam_status keep_best(finder *f, wsam_error *error)
{
    const size_t most = f->p->most;
    size_t left = 0;
    if (!most || f->found.n <= most)
        return WSAM_OK;
    double *scores = malloc(f->found.n * sizeof *scores);
    if (!scores)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", f->found.n);
    for (size_t i = 0; i < f->found.n; i++)
        scores[i] = f->found.items[i].score;
    qsort(scores, f->found.n, sizeof *scores, falling);
    const double least = scores[most - 1];
    for (size_t i = 0; i < f->found.n; i++)
        if (f->found.items[i].score >= least)
            f->found.items[left++] = f->found.items[i];
    f->found.n = left;
    free(scores);
    return WSAM_OK;
}

wsam_status wsam_mist_detect(const wsam_mist_views *views, int height, int width,
                             const wsam_mist_params *params, wsam_instances *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_mist_params defaults;
    wsam_mist_params_default(&defaults);
    const size_t n = views->n + 1;
    float(*boxes)[4] = malloc(n * sizeof *boxes), *scores = malloc(n * sizeof *scores);
    uint64_t *scratch = malloc(n * sizeof *scratch);
    uint32_t *indices = malloc(n * sizeof *indices);
    finder f = {.views = views,
                .p = params ? params : &defaults,
                .x = (float)((double)width / views->width),
                .y = (float)((double)height / views->height),
                .boxes = boxes,
                .scores = scores,
                .scratch = scratch,
                .indices = indices};
    wsam_status status = boxes && scores && scratch && indices
                             ? WSAM_OK
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", n);
    for (size_t c = 0; c < views->n_classes && !status; c++)
        status = find_class(&f, c, error);
    if (!status)
        status = keep_best(&f, error);
    free(boxes);
    free(scores);
    free(scratch);
    free(indices);
    if (status)
        wsam_instances_clear(&f.found);
    *out = f.found;
    return status;
}

/* ---- many pictures ---- */

typedef struct outcome {
    wsam_status status;
    wsam_error error;
    wsam_instances found;
} outcome;

typedef struct work {
    const char *images;
    const wsam_mist_params *p;
    ws_box_list list;
    wsam_mist **mists; /* one per worker */
    int workers;
    size_t first, most;
    outcome *round;
    wsam_coco_writer *writer;
    wsam_classes classes;
    const char **names;
    wsam_detector_files_summary sum;
} work;

static void run_picture(void *arg, int i, int worker)
{
    const work *w = arg;
    const ws_boxes *b = &w->list.items[w->first + (size_t)i];
    outcome *out = &w->round[i];
    wsam_picture picture = {0};
    wsam_mist_views *views = NULL;
    char *path = NULL;
    memset(out, 0, sizeof *out);
    out->status = ws_picture_path(w->images, b->image, &path, &out->error);
    if (!out->status)
        out->status = wsam_picture_load(path, NULL, &picture, &out->error);
    if (!out->status)
        out->status = wsam_mist_run(w->mists[worker], &picture, b->n, (const float(*)[4])b->boxes,
                                    w->p, &views, &out->error);
    if (!out->status && w->p->dump && !w->first && !i)
        out->status = wsam_mist_views_save(views, w->p->dump, &out->error);
    if (!out->status)
        out->status =
            wsam_mist_detect(views, picture.height, picture.width, w->p, &out->found, &out->error);
    wsam_mist_views_free(views);
    wsam_picture_free(&picture);
    free(path);
}

static wsam_status run_round(work *w, wsam_error *error)
{
    const size_t left = w->list.n - w->first, n = left < w->most ? left : w->most;
    wsam_status status = WSAM_OK;
    if (w->workers > 1)
        ws_parallel_for(w->workers, (int)n, run_picture, w);
    else
        run_picture(w, 0, 0); /* with all threads inside */
    for (size_t i = 0; i < n; i++) {
        outcome *out = &w->round[i];
        const ws_boxes *b = &w->list.items[w->first + i];
        const wsam_coco_image image = {
            .file_name = b->image, .width = b->width, .height = b->height};
        if (!status && out->status) {
            status = ws_fail(error, out->status, "%s", out->error.message);
            ws_boxes_about(b->image, error);
        }
        if (!status)
            status = wsam_coco_put(w->writer, &image, &out->found, error);
        w->sum.images++;
        w->sum.boxes += out->found.n;
        wsam_instances_clear(&out->found);
    }
    w->first += n;
    return status;
}

static wsam_status open_workers(work *w, wsam_model *model, wsam_error *error)
{
    w->workers = wsam_model_threads(model);
    if ((size_t)w->workers > w->list.n)
        w->workers = w->list.n ? (int)w->list.n : 1;
    w->most = w->workers > 1 ? 4 * (size_t)w->workers : 1;
    w->mists = calloc((size_t)w->workers, sizeof *w->mists);
    w->round = calloc(w->most, sizeof *w->round);
    wsam_status status =
        w->mists && w->round ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for MIST");
    for (int i = 0; i < w->workers && !status; i++)
        status = wsam_mist_create(model, &w->mists[i], error);
    return status;
}

static wsam_status open_document(work *w, const char *output, wsam_error *error)
{
    w->classes.n = wsam_mist_class_count(w->mists[0]);
    w->names = calloc(w->classes.n, sizeof *w->names);
    if (!w->names)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for classes");
    for (size_t i = 0; i < w->classes.n; i++)
        w->names[i] = wsam_mist_class_name(w->mists[0], i);
    w->classes.names = w->names;
    return wsam_coco_open(output, WSAM_COCO_RESULTS, &w->classes, NULL, &w->writer, error);
}

wsam_status wsam_mist_files(wsam_model *model, const char *proposals, const char *images,
                            const wsam_mist_params *params, const char *output,
                            wsam_detector_files_summary *summary, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_mist_params defaults;
    wsam_mist_params_default(&defaults);
    work w = {.images = images, .p = params ? params : &defaults};
    wsam_status status = ws_boxes_read(proposals, &w.list, error);
    if (!status)
        status = open_workers(&w, model, error);
    if (!status)
        status = open_document(&w, output, error);
    if (w.writer) {
        while (w.first < w.list.n && !status)
            status = run_round(&w, error);
        status = wsam_coco_finish(w.writer, status, error);
    }
    for (int i = 0; w.mists && i < w.workers; i++)
        wsam_mist_free(w.mists[i]);
    free(w.mists);
    free(w.round);
    free((void *)w.names);
    ws_boxes_free(&w.list);
    if (summary)
        *summary = w.sum;
    return status;
}
