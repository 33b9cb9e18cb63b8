/* pipeline/detect/files.c - a detector on many pictures: one per thread, with working memory of its
 * own; the document is written in the order of the pictures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/detect/detector.h"
#include "pipeline/picture/picture.h"
#include "runtime/run/threads.h"
#include "weaksam/detector.h"

/* What became of a picture. */
typedef struct outcome {
    wsam_status status;
    wsam_error error;
    int width, height;
    wsam_instances found;
} outcome;

typedef struct work {
    const wsam_detector_files_options *o;
    wsam_detector **detectors;   /* one per worker */
    wsam_segmenter **segmenters; /* the same; NULL without a segmenter */
    int workers;
    size_t first; /* of the round */
    outcome *round;
    size_t most; /* pictures of a round */
    wsam_coco_writer *writer;
    wsam_classes classes;
    const char **names;
    wsam_detector_files_summary sum;
    wsam_detector_params params;
} work;

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void wsam_detector_files_options_default(wsam_detector_files_options *o)
{
    *o = (wsam_detector_files_options){0};
    wsam_detector_params_default(&o->params);
}

/* ---- a picture ---- */

static wsam_status save_overlay(const work *w, const char *path, const wsam_picture *picture,
                                const wsam_detections *found, wsam_error *error)
{
    char name[4096];
    wsam_picture drawn;
    ws_outputs out = {0};
    FILE *f = NULL;
    if (snprintf(name, sizeof name, "%s/%s.png", w->o->overlays, name_of(path)) >= (int)sizeof name)
        return ws_fail(error, WSAM_ERR_LIMIT, "the name of an overlay is too long");
    wsam_status status = wsam_detections_overlay(found, picture, &drawn, error);
    if (status)
        return status;
    f = ws_outputs_open(&out, name, error);
    status = f ? ws_png_write(&drawn, f, error) : WSAM_ERR_IO;
    if (!status)
        status = ws_outputs_close(&out, error);
    wsam_picture_free(&drawn);
    return ws_outputs_finish(&out, status, error);
}

/* The segmenter's masks of what was found; boxes without a pixel in the picture go. */
static wsam_status segment(const work *w, int worker, const wsam_picture *picture,
                           wsam_instances *found, wsam_error *error)
{
    wsam_embedding *embedding = NULL;
    wsam_instances masks = {0};
    if (!found->n)
        return WSAM_OK;
    wsam_status status = wsam_segmenter_encode(w->segmenters[worker], picture, &embedding, error);
    if (!status)
        status = wsam_masks_run(w->segmenters[worker], embedding, found, &masks, error);
    wsam_embedding_free(embedding);
    if (status)
        return status;
    wsam_instances_clear(found);
    *found = masks;
    return WSAM_OK;
}

/* What is in the document, over the picture. */
static wsam_status draw(const work *w, const char *path, const wsam_picture *picture,
                        const wsam_instances *found, wsam_error *error)
{
    wsam_detections *list = NULL;
    wsam_status status = ws_detections_of(found, picture->height, picture->width, &list, error);
    if (!status)
        status = save_overlay(w, path, picture, list, error);
    wsam_detections_free(list);
    return status;
}

static void run_picture(void *arg, int i, int worker)
{
    const work *w = arg;
    const char *path = w->o->paths[w->first + (size_t)i];
    outcome *out = &w->round[i];
    wsam_picture picture = {0};
    wsam_detections *found = NULL;
    wsam_error e = {0};
    memset(out, 0, sizeof *out);
    out->status = wsam_picture_load(path, &w->o->limits, &picture, &out->error);
    if (out->status)
        return;
    out->status = wsam_detector_run(w->detectors[worker], &picture, &w->params, &found, &e);
    if (!out->status)
        out->status = wsam_detections_instances(found, &out->found, &e);
    if (!out->status && w->segmenters)
        out->status = segment(w, worker, &picture, &out->found, &e);
    if (!out->status && w->o->overlays)
        out->status = draw(w, path, &picture, &out->found, &e);
    if (out->status)
        ws_fail(&out->error, out->status, "%.300s: %.700s", path, e.message);
    out->width = picture.width;
    out->height = picture.height;
    wsam_detections_free(found);
    wsam_picture_free(&picture);
}

/* ---- rounds ---- */

static wsam_status put(work *w, size_t i, wsam_error *error)
{
    outcome *out = &w->round[i];
    const char *path = w->o->paths[w->first + i];
    const wsam_coco_image image = {
        .file_name = name_of(path), .width = out->width, .height = out->height};
    if (!out->status) {
        w->sum.images++;
        w->sum.boxes += out->found.n;
        return wsam_coco_put(w->writer, &image, &out->found, error);
    }
    if (!w->o->failed || out->status == WSAM_ERR_CANCELLED || out->status == WSAM_ERR_MEMORY)
        return ws_fail(error, out->status, "%s", out->error.message);
    w->sum.failed++;
    w->o->failed(w->o->failed_user, path, &out->error);
    return WSAM_OK;
}

static wsam_status run_round(work *w, wsam_error *error)
{
    const size_t left = w->o->n_paths - w->first, n = left < w->most ? left : w->most;
    wsam_status status = WSAM_OK;
    if (w->workers > 1)
        ws_parallel_for(w->workers, (int)n, run_picture, w);
    else
        run_picture(w, 0, 0); /* with all threads inside */
    for (size_t i = 0; i < n; i++) {
        if (!status)
            status = put(w, i, error);
        wsam_instances_clear(&w->round[i].found);
    }
    w->first += n;
    if (!status && w->o->progress &&
        w->o->progress(w->o->progress_user, (double)w->first / (double)w->o->n_paths))
        status = ws_fail(error, WSAM_ERR_CANCELLED, "stopped after %zu of %zu images", w->first,
                         w->o->n_paths);
    return status;
}

/* ---- the call ---- */

static wsam_status open_workers(work *w, wsam_model *model, wsam_error *error)
{
    const int threads = wsam_model_threads(model);
    w->workers = w->o->n_paths > 1 ? threads : 1;
    if ((size_t)w->workers > w->o->n_paths)
        w->workers = (int)w->o->n_paths;
    w->most = w->workers > 1 ? 4 * (size_t)w->workers : 1;
    w->detectors = calloc((size_t)w->workers, sizeof *w->detectors);
    w->round = calloc(w->most, sizeof *w->round);
    wsam_status status = w->detectors && w->round
                             ? WSAM_OK
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for detectors");
    for (int i = 0; i < w->workers && !status; i++)
        status = wsam_detector_create(model, &w->detectors[i], error);
    if (status || !w->o->segmenter)
        return status;
    w->params.masks = 0;
    w->segmenters = calloc((size_t)w->workers, sizeof *w->segmenters);
    if (!w->segmenters)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for segmenters");
    for (int i = 0; i < w->workers && !status; i++)
        status = wsam_segmenter_create(w->o->segmenter, &w->segmenters[i], error);
    return status;
}

static wsam_status open_document(work *w, const char *output, wsam_error *error)
{
    const wsam_detector *d = w->detectors[0];
    const int masks = w->segmenters || (wsam_detector_has_masks(d) && w->params.masks);
    w->classes.n = wsam_detector_class_count(d);
    w->names = calloc(w->classes.n, sizeof *w->names);
    if (!w->names)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for classes");
    for (size_t i = 0; i < w->classes.n; i++)
        w->names[i] = wsam_detector_class_name(d, i);
    w->classes.names = w->names;
    return wsam_coco_open(output, masks ? WSAM_COCO_MASKS : WSAM_COCO_RESULTS, &w->classes, NULL,
                          &w->writer, error);
}

static wsam_status run_all(work *w, wsam_model *model, const char *output, wsam_error *error)
{
    ws_outputs folder = {0};
    if (!w->o->n_paths)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no images to detect in");
    wsam_status status = open_workers(w, model, error);
    if (!status && w->o->overlays)
        status = ws_outputs_folder(&folder, w->o->overlays, error);
    if (!status)
        status = open_document(w, output, error);
    if (w->writer) {
        while (w->first < w->o->n_paths && !status)
            status = run_round(w, error);
        status = wsam_coco_finish(w->writer, status, error);
    }
    return ws_outputs_finish(&folder, status, error);
}

wsam_status wsam_detector_files(wsam_model *model, const wsam_detector_files_options *options,
                                const char *output, wsam_detector_files_summary *summary,
                                wsam_error *error)
{
    WS_FLOAT_SCOPE;
    work w = {.o = options, .params = options->params};
    const wsam_status status = run_all(&w, model, output, error);
    for (int i = 0; w.detectors && i < w.workers; i++)
        wsam_detector_free(w.detectors[i]);
    for (int i = 0; w.segmenters && i < w.workers; i++)
        wsam_segmenter_free(w.segmenters[i]);
    free(w.segmenters);
    free(w.detectors);
    free(w.round);
    free((void *)w.names);
    if (summary)
        *summary = w.sum;
    return status;
}
