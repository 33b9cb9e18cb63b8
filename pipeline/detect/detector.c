/* pipeline/detect/detector.c - a detector's file opened, and the steps of a picture through it. */
#include "weaksam/detector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/float_scope.h"
#include "pipeline/detect/detector.h"
#include "pipeline/picture/picture.h"
#include "runtime/model.h"

/* ---- opening ---- */

static wsam_status read_rules(wsam_detector *d, wsam_error *error)
{
    static const char *const names[] = {"torchvision", "detectron2", "mmdetection"};
    const char *rules = wsam_model_string(d->model, "detector.rules");
    for (int i = 0; rules && i < 3; i++)
        if (strcmp(rules, names[i]) == 0) {
            d->rules = (ws_detector_rules)i;
            return ws_normalise_table_read(d->model, &d->table, error);
        }
    return ws_fail(error, WSAM_ERR_FORMAT,
                   "the model's detector.rules are not torchvision, detectron2 or mmdetection");
}

/* A whole number of the metadata within limits; -1 otherwise. */
static int64_t number(const wsam_detector *d, const char *key, int64_t least, int64_t most)
{
    int64_t value;
    if (!wsam_model_int(d->model, key, &value) || value < least || value > most)
        return -1;
    return value;
}

static wsam_status read_sizes(wsam_detector *d, wsam_error *error)
{
    const int64_t bins = number(d, "detector.bins", 1, 32),
                  mask_bins = number(d, "detector.mask_bins", 0, 32),
                  slots = number(d, "detector.slots", 2, 65536),
                  deltas = number(d, "detector.deltas", 1, 65536),
                  mask_classes = number(d, "detector.mask_classes", 0, 65536),
                  shorter = number(d, "detector.short_side", 32, 8192),
                  longer = number(d, "detector.long_side", 32, 8192);
    const int64_t each = d->rules == WS_DETECTOR_TORCHVISION ? slots : slots - 1;
    if (bins < 0 || mask_bins < 0 || slots < 0 || shorter < 0 || longer < shorter)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "the model's detector.bins, mask_bins, slots, short_side or long_side is "
                       "missing or out of range");
    if ((deltas != 1 && deltas != each) || (mask_bins && mask_classes != 1 && mask_classes != each))
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "the model's detector.deltas or mask_classes does not fit detector.slots");
    d->bins = (int)bins;
    d->mask_bins = (int)mask_bins;
    d->slots = (size_t)slots;
    d->deltas = (size_t)deltas;
    d->mask_classes = (size_t)mask_classes;
    d->n_classes = d->slots - 1;
    d->short_side = (int)shorter;
    d->long_side = (int)longer;
    return WSAM_OK;
}

static wsam_status name_classes(wsam_detector *d, wsam_error *error)
{
    d->names = calloc(d->n_classes, sizeof *d->names);
    if (!d->names)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a detector");
    for (size_t i = 0; i < d->n_classes; i++) {
        const char *name = wsam_model_text(d->model, "classes", i);
        if (name)
            snprintf(d->names[i], sizeof d->names[i], "%s", name);
        else
            snprintf(d->names[i], sizeof d->names[i], "class %zu", i);
    }
    return WSAM_OK;
}

/* A head has no values of the image: one state serves all. */
static wsam_status open_head(wsam_detector *d, const char *graph, size_t chunk, ws_detector_head *h,
                             wsam_error *error)
{
    const wsam_dim dims[1] = {{"prompts", (int64_t)chunk}};
    h->chunk = chunk;
    if (!wsam_model_has_graph(d->model, graph))
        return ws_fail(error, WSAM_ERR_FORMAT, "the model has no graph '%s'", graph);
    wsam_status status = wsam_session_create(d->model, graph, &h->session, error);
    if (!status)
        status = wsam_session_reserve(h->session, dims, 1, error);
    if (!status)
        status = wsam_image_create(d->model, graph, dims, 1, &h->state, error);
    return status ? status : wsam_session_bind(h->session, NULL, 0, h->state, error);
}

static wsam_status open_all(wsam_detector *d, wsam_error *error)
{
    d->kernels = ws_kernels_find(wsam_model_isa(d->model), error);
    wsam_status status = d->kernels ? read_rules(d, error) : WSAM_ERR_UNSUPPORTED;
    if (!status)
        status = read_sizes(d, error);
    if (!status)
        status = name_classes(d, error);
    if (!status)
        status = wsam_session_create(d->model, "detector", &d->maps, error);
    if (!status)
        status = open_head(d, "detector_boxes", WS_DETECTOR_CHUNK, &d->boxes, error);
    if (!status && d->mask_bins)
        status = open_head(d, "detector_masks", WS_DETECTOR_MASK_CHUNK, &d->masks, error);
    return status;
}

wsam_status wsam_detector_create(wsam_model *model, wsam_detector **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = NULL;
    if (!wsam_model_has_graph(model, "detector"))
        return ws_fail(
            error, WSAM_ERR_MISMATCH,
            "the model is no detector (it has no graph 'detector'); checkpoints of Faster "
            "R-CNN and Mask R-CNN give one");
    wsam_detector *d = calloc(1, sizeof *d);
    if (!d)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a detector");
    d->model = model;
    d->threads = wsam_model_threads(model);
    const wsam_status status = open_all(d, error);
    if (status)
        wsam_detector_free(d);
    else
        *out = d;
    return status;
}

static void close_head(ws_detector_head *h)
{
    wsam_image_free(h->state);
    wsam_session_free(h->session);
}

void wsam_detector_free(wsam_detector *d)
{
    if (!d)
        return;
    close_head(&d->boxes);
    close_head(&d->masks);
    wsam_image_free(d->state);
    wsam_session_free(d->maps);
    free(d->room);
    free(d->names);
    free(d);
}

size_t wsam_detector_class_count(const wsam_detector *d)
{
    return d->n_classes;
}

const char *wsam_detector_class_name(const wsam_detector *d, size_t index)
{
    return index < d->n_classes ? d->names[index] : NULL;
}

int wsam_detector_has_masks(const wsam_detector *d)
{
    return d->mask_bins > 0;
}

/* ---- maps ---- */

static wsam_status read_maps(const ws_detector_maps *m, int i, ws_detector_maps *to,
                             wsam_error *error)
{
    char name[32];
    wsam_status status;
    if (i + 1 < WS_DETECTOR_LEVELS)
        snprintf(name, sizeof name, "fpn_%d", i);
    else
        snprintf(name, sizeof name, "fpn_pool");
    status = wsam_image_output(m->state, name, &to->fpn[i], error);
    snprintf(name, sizeof name, "rpn_objectness_%d", i);
    if (!status)
        status = wsam_image_output(m->state, name, &to->objectness[i], error);
    snprintf(name, sizeof name, "rpn_deltas_%d", i);
    return status ? status : wsam_image_output(m->state, name, &to->deltas[i], error);
}

/* Memory for an input of this size, with its maps in it. That of the last size stays: to plan and to
 * be given fresh pages took a tenth of an image's time. */
static wsam_status reserve_maps(wsam_detector *d, int height, int width, wsam_error *error)
{
    const wsam_dim dims[2] = {{"height", height}, {"width", width}};
    if (d->state && d->state_height == height && d->state_width == width)
        return WSAM_OK;
    wsam_image_free(d->state);
    d->state = NULL;
    d->state_height = height;
    d->state_width = width;
    return ws_image_state_create_in(d->maps, dims, 2, &d->state, error);
}

wsam_status ws_detector_run_maps(wsam_detector *d, const ws_detector_input *in,
                                 const wsam_detector_params *params, ws_detector_maps *maps,
                                 wsam_error *error)
{
    const wsam_tensor image = {
        "image", WSAM_F32, 3, {in->padded_height, in->padded_width, 3}, in->pixels};
    memset(maps, 0, sizeof *maps);
    wsam_status status = reserve_maps(d, in->padded_height, in->padded_width, error);
    maps->state = d->state;
    wsam_session_set_progress(d->maps, params->progress, params->progress_user);
    if (!status)
        status = wsam_session_bind(d->maps, &image, 1, maps->state, error);
    wsam_session_set_progress(d->maps, NULL, NULL);
    for (int i = 0; i < WS_DETECTOR_LEVELS && !status; i++)
        status = read_maps(maps, i, maps, error);
    if (!status && maps->objectness[0].shape[2] != WS_BOX_RATIOS)
        status = ws_fail(error, WSAM_ERR_FORMAT, "the detector has not 3 anchors per cell");
    return status;
}

/* ---- boxes ---- */

wsam_status ws_detector_find_boxes(wsam_detector *d, const ws_detector_input *in,
                                   const ws_detector_maps *maps, const wsam_detector_params *params,
                                   ws_detector_box **kept, size_t *n, wsam_error *error)
{
    float(*proposals)[4] = malloc(WS_DETECTOR_PROPOSALS * sizeof *proposals);
    float *logits = malloc(WS_DETECTOR_PROPOSALS * d->slots * sizeof *logits);
    float *deltas = malloc(WS_DETECTOR_PROPOSALS * 4 * d->deltas * sizeof *deltas);
    size_t m;
    wsam_status status = proposals && logits && deltas
                             ? WSAM_OK
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for proposals");
    if (!status)
        status = ws_detector_proposals(d, in, maps, proposals, &m, error);
    if (!status)
        status =
            ws_detector_box_head(d, maps, (const float(*)[4])proposals, m, logits, deltas, error);
    if (!status)
        status = ws_detector_keep(d, in, params, (const float(*)[4])proposals, m, logits, deltas,
                                  kept, n, error);
    free(proposals);
    free(logits);
    free(deltas);
    return status;
}

wsam_status ws_detector_result(const wsam_picture *picture, const ws_detector_box *kept, size_t n,
                               wsam_detections **out, wsam_error *error)
{
    wsam_detections *r = calloc(1, sizeof *r);
    if (r)
        r->items = calloc(n + 1, sizeof *r->items);
    if (!r || !r->items) {
        free(r);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu objects", n);
    }
    r->height = picture->height;
    r->width = picture->width;
    r->n = n;
    for (size_t i = 0; i < n; i++) {
        r->items[i].class_index = kept[i].class_index;
        r->items[i].score = kept[i].score;
        memcpy(r->items[i].box, kept[i].box, sizeof kept[i].box);
    }
    *out = r;
    return WSAM_OK;
}
