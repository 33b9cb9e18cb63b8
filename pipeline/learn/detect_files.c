/* pipeline/learn/detect_files.c - a head on the proposals of a file: detections, with masks if
 * wanted. */
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/labels/picture_path.h"
#include "pipeline/learn/learn.h"

typedef struct work {
    const wsam_detect_files_options *o;
    wsam_model *model;
    wsam_head *head;
    wsam_features *features;
    ws_image_maps maps;
    ws_box_list list;
    wsam_labels *labels;
    wsam_coco_writer *writer;
    wsam_classes classes;
    const char **names;
    size_t boxes, empty;
    int clue_size, trained_clue_size;
} work;

void wsam_detect_files_options_default(wsam_detect_files_options *o)
{
    *o = (wsam_detect_files_options){0};
    wsam_feature_models_default(&o->models);
    wsam_detect_options_default(&o->detect);
}

static wsam_status open_head(work *w, wsam_error *error)
{
    wsam_status status = wsam_model_open(w->o->head, &w->o->models.runtime, &w->model, error);
    if (!status)
        status = wsam_head_create(w->model, &w->head, error);
    if (status)
        return status;
    w->classes.n = wsam_head_class_count(w->head);
    w->names = calloc(w->classes.n + 1, sizeof *w->names);
    if (!w->names)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for classes");
    for (size_t i = 0; i < w->classes.n; i++)
        w->names[i] = wsam_head_class_name(w->head, i);
    w->classes.names = w->names;
    return WSAM_OK;
}

/* Images of other sizes give other features: the head's own, unless somebody asks for another. */
static wsam_feature_models models_of(work *w)
{
    wsam_feature_models models = w->o->models;
    for (size_t i = 0; wsam_head_source(w->head, i); i++)
        if (strcmp(wsam_head_source(w->head, i), "clues") == 0)
            w->trained_clue_size = wsam_head_source_side(w->head, i);
    if (models.clue_size < 0)
        models.clue_size = w->trained_clue_size ? w->trained_clue_size : WS_CLUE_SIZE;
    w->clue_size = models.clue_size;
    return models;
}

static wsam_status open_maps(work *w, wsam_error *error)
{
    const wsam_feature_models models = models_of(w);
    return ws_image_maps_open(&models, !w->o->features, &w->maps, error);
}

static wsam_status open_all(work *w, wsam_error *error)
{
    const wsam_detect_files_options *o = w->o;
    wsam_status status = open_head(w, error);
    if (!status && o->features)
        status = wsam_features_open(o->features, &w->features, error);
    if (!status && (!o->features || o->masks))
        status = open_maps(w, error);
    if (!status && o->labels) {
        const wsam_labels_options labels = {
            .names = w->classes.names, .n_names = w->classes.n, .allow_missing = 1};
        status = wsam_labels_load(o->labels, o->images, &labels, &w->labels, error);
    }
    if (!status)
        status = ws_boxes_read(o->proposals, &w->list, error);
    return status;
}

static wsam_status run_cached(work *w, const ws_boxes *b, float *scores, float *boxes,
                              wsam_error *error)
{
    const size_t at = wsam_features_find(w->features, b->image);
    if (at == SIZE_MAX)
        return ws_fail(error, WSAM_ERR_MISMATCH, "not in the feature cache %.300s", w->o->features);
    return wsam_head_run_cached(w->head, w->features, at, b->n, (const float(*)[4])b->boxes, scores,
                                boxes, error);
}

static wsam_status run_encoded(work *w, const ws_boxes *b, float *scores, float *boxes,
                               wsam_error *error)
{
    wsam_feature_map maps[WSAM_FEATURE_SOURCES];
    char *path;
    wsam_status status = ws_picture_path(w->o->images, b->image, &path, error);
    if (!status)
        status = ws_image_maps_read(&w->maps, path, error);
    for (size_t i = 0; !status && wsam_head_source(w->head, i); i++) {
        const char *source = wsam_head_source(w->head, i);
        const wsam_feature_map *map = ws_image_maps_find(&w->maps, source);
        if (map)
            maps[i] = *map;
        else
            status = ws_fail(error, WSAM_ERR_UNSUPPORTED,
                             "the head looks at the maps '%s': give %s, or --features", source,
                             strcmp(source, "clues") == 0 ? "--clue-model" : "-m");
    }
    if (!status)
        status = wsam_head_run(w->head, maps, b->width, b->height, b->n,
                               (const float(*)[4])b->boxes, scores, boxes, error);
    free(path);
    return status;
}

/* Classes of an image from the labels; an empty list where it has none. */
static void restrict_classes(const work *w, const char *image, wsam_detect_options *o)
{
    static const int32_t none[1];
    size_t low = 0, high = w->labels->n;
    while (low < high) { /* they are sorted */
        const size_t middle = low + (high - low) / 2;
        if (strcmp(w->labels->images[middle], image) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    o->only = none;
    o->n_only = 0;
    if (low < w->labels->n && strcmp(w->labels->images[low], image) == 0) {
        o->only = w->labels->classes + w->labels->first[low];
        o->n_only = w->labels->first[low + 1] - w->labels->first[low];
    }
}

/* Masks of the boxes that were found. The head's own embedding serves, where it was asked for. */
static wsam_status segment(work *w, const ws_boxes *b, wsam_instances *found, wsam_error *error)
{
    wsam_instances masks = {0};
    wsam_embedding *own = NULL;
    char *path = NULL;
    wsam_status status = WSAM_OK;
    if (!found->n)
        return WSAM_OK;
    if (w->features)
        status = ws_picture_path(w->o->images, b->image, &path, error);
    if (!status && w->features)
        status = ws_image_maps_encode(&w->maps, path, &own, error);
    if (!status)
        status =
            wsam_masks_run(w->maps.segmenter, own ? own : w->maps.embedding, found, &masks, error);
    wsam_embedding_free(own);
    free(path);
    if (!status) {
        w->empty += found->n - masks.n;
        wsam_instances_clear(found);
        *found = masks;
    }
    return status;
}

static wsam_status do_image(work *w, const ws_boxes *b, wsam_error *error)
{
    const size_t c = w->classes.n;
    float *scores = malloc((b->n * c + 1) * sizeof *scores);
    float *boxes = malloc((b->n * c + 1) * 4 * sizeof *boxes);
    wsam_detect_options o = w->o->detect;
    wsam_instances found = {0};
    const wsam_coco_image image = {.file_name = b->image, .width = b->width, .height = b->height};
    wsam_status status =
        scores && boxes ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for the scores");
    if (w->labels)
        restrict_classes(w, b->image, &o);
    if (!status && b->n)
        status = w->features ? run_cached(w, b, scores, boxes, error)
                             : run_encoded(w, b, scores, boxes, error);
    if (!status)
        status = wsam_detect(scores, boxes, b->n, c, &o, &found, error);
    if (!status && w->o->masks)
        status = segment(w, b, &found, error);
    if (!status)
        status = wsam_coco_put(w->writer, &image, &found, error);
    else
        ws_boxes_about(b->image, error);
    w->boxes += found.n;
    wsam_instances_clear(&found);
    free(scores);
    free(boxes);
    return status;
}

static wsam_status run_all(work *w, const char *output, wsam_error *error)
{
    wsam_status status = open_all(w, error);
    if (!status)
        status = wsam_coco_open(output, w->o->masks ? WSAM_COCO_MASKS : WSAM_COCO_RESULTS,
                                &w->classes, NULL, &w->writer, error);
    if (status)
        return status;
    for (size_t i = 0; i < w->list.n && !status; i++) {
        status = do_image(w, &w->list.items[i], error);
        const double done = (double)(i + 1) / (double)w->list.n;
        if (w->o->progress && w->o->progress(w->o->progress_user, done) && !status)
            status = ws_fail(error, WSAM_ERR_CANCELLED, "stopped after %zu of %zu images", i + 1,
                             w->list.n);
    }
    return wsam_coco_finish(w->writer, status, error);
}

wsam_status wsam_detect_files(const wsam_detect_files_options *options, const char *output,
                              wsam_detect_summary *summary, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    work w = {.o = options};
    wsam_error own = {0};
    const wsam_status status = run_all(&w, output, error ? error : &own);
    if (summary)
        *summary = (wsam_detect_summary){.images = w.list.n,
                                         .boxes = w.boxes,
                                         .empty = w.empty,
                                         .clue_size = options->features ? 0 : w.clue_size,
                                         .trained_clue_size = w.trained_clue_size};
    wsam_labels_free(w.labels);
    ws_boxes_free(&w.list);
    wsam_features_close(w.features);
    wsam_head_free(w.head);
    wsam_model_close(w.model);
    ws_image_maps_close(&w.maps);
    free(w.names);
    return status;
}
