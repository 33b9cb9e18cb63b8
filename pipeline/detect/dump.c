/* pipeline/detect/dump.c - what a detector computes on the way, for comparisons with the code that
 * a checkpoint comes from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "kernels/vector.h"
#include "pipeline/detect/detector.h"
#include "pipeline/picture/picture.h"
#include "weights/export/safetensors_writer.h"
#include "weights/import/source.h"

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a dump");
}

static float value_at(const wsam_tensor *t, size_t i)
{
    return t->type == WSAM_BF16 ? ws_f32_from_bf16(((const uint16_t *)t->data)[i])
                                : ((const float *)t->data)[i];
}

/* [h][w][c] -> [c][h][w] */
static wsam_status add_map(ws_tensors *u, const char *name, const wsam_tensor *t, wsam_error *error)
{
    const size_t pixels = (size_t)(t->shape[0] * t->shape[1]), channels = (size_t)t->shape[2];
    const int dims[3] = {(int)channels, (int)t->shape[0], (int)t->shape[1]};
    float *to = ws_tensors_own(u, pixels * channels);
    if (!to)
        return no_memory(error);
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < pixels; p++)
            to[c * pixels + p] = value_at(t, p * channels + c);
    ws_tensors_add(u, name, 3, dims, to);
    return WSAM_OK;
}

static wsam_status add_maps(ws_tensors *u, const ws_detector_maps *m, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (int i = 0; i < WS_DETECTOR_LEVELS && !status; i++) {
        char name[32];
        if (i + 1 < WS_DETECTOR_LEVELS)
            snprintf(name, sizeof name, "fpn_%d", i);
        else
            snprintf(name, sizeof name, "fpn_pool");
        status = add_map(u, name, &m->fpn[i], error);
        snprintf(name, sizeof name, "rpn_objectness_%d", i);
        if (!status)
            status = add_map(u, name, &m->objectness[i], error);
        snprintf(name, sizeof name, "rpn_deltas_%d", i);
        if (!status)
            status = add_map(u, name, &m->deltas[i], error);
    }
    return status;
}

static wsam_status add_input(ws_tensors *u, const wsam_detector *d, const ws_detector_input *in,
                             wsam_error *error)
{
    const int two = 2;
    const wsam_tensor image = {
        "image", WSAM_F32, 3, {in->padded_height, in->padded_width, 3}, in->pixels};
    const char *id = wsam_model_string(d->model, "model.id");
    float *size = ws_tensors_own(u, 2);
    if (!size)
        return no_memory(error);
    ws_tensors_note(u, "model_id", id ? id : "");
    size[0] = (float)in->resized_height;
    size[1] = (float)in->resized_width;
    ws_tensors_add(u, "image_size", 1, &two, size);
    return add_map(u, "image", &image, error);
}

static wsam_status add_proposals(ws_tensors *u, const wsam_detector *d, const ws_detector_input *in,
                                 const ws_detector_maps *maps, wsam_error *error)
{
    float *boxes = ws_tensors_own(u, (size_t)WS_DETECTOR_PROPOSALS * 4);
    size_t n;
    if (!boxes)
        return no_memory(error);
    const wsam_status status =
        ws_detector_proposals(d, in, maps, (float(*)[4])(void *)boxes, &n, error);
    const int dims[2] = {(int)n, 4};
    if (!status)
        ws_tensors_add(u, "proposals", 2, dims, boxes);
    return status;
}

/* [n][bins][bins][c] -> [n][c][bins][bins] */
static wsam_status add_features(ws_tensors *u, const wsam_detector *d, const ws_detector_maps *maps,
                                const float (*rois)[4], size_t n, wsam_error *error)
{
    const size_t channels = (size_t)maps->fpn[0].shape[2], cells = (size_t)(d->bins * d->bins);
    const int dims[4] = {(int)n, (int)channels, d->bins, d->bins};
    float *pooled = malloc((n * cells * channels + 1) * sizeof *pooled);
    float *to = pooled ? ws_tensors_own(u, n * cells * channels) : NULL;
    if (to) {
        ws_detector_pool(d, maps, rois, n, d->bins, pooled);
        for (size_t i = 0; i < n; i++)
            for (size_t c = 0; c < channels; c++)
                for (size_t p = 0; p < cells; p++)
                    to[(i * channels + c) * cells + p] = pooled[(i * cells + p) * channels + c];
        ws_tensors_add(u, "roi_features", 4, dims, to);
    }
    free(pooled);
    return to ? WSAM_OK : no_memory(error);
}

static wsam_status add_rois(ws_tensors *u, wsam_detector *d, const ws_detector_maps *maps,
                            const float (*rois)[4], size_t n, wsam_error *error)
{
    const int side = 2 * d->mask_bins;
    const int logit_dims[2] = {(int)n, (int)d->slots},
              delta_dims[2] = {(int)n, (int)(4 * d->deltas)};
    const int mask_dims[4] = {(int)n, (int)d->mask_classes, side, side};
    float *logits = ws_tensors_own(u, n * d->slots),
          *deltas = logits ? ws_tensors_own(u, n * 4 * d->deltas) : NULL;
    float *masks = deltas ? ws_tensors_own(u, n * d->mask_classes * (size_t)(side * side)) : NULL;
    wsam_status status = masks ? add_features(u, d, maps, rois, n, error) : no_memory(error);
    if (!status)
        status = ws_detector_box_head(d, maps, rois, n, logits, deltas, error);
    if (!status && d->mask_bins)
        status = ws_detector_mask_head(d, maps, rois, NULL, n, masks, error);
    if (status)
        return status;
    ws_tensors_add(u, "class_logits", 2, logit_dims, logits);
    ws_tensors_add(u, "box_regression", 2, delta_dims, deltas);
    if (d->mask_bins)
        ws_tensors_add(u, "mask_logits", 4, mask_dims, masks);
    return WSAM_OK;
}

/* Rois lie anywhere, but are numbers. */
static wsam_status check_rois(const float (*rois)[4], size_t n, wsam_error *error)
{
    if (n > WS_DETECTOR_MOST_ROIS)
        return ws_fail(error, WSAM_ERR_LIMIT, "%zu rois; at most %d", n, WS_DETECTOR_MOST_ROIS);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 4; k++)
            if (!(rois[i][k] >= -65536.0f && rois[i][k] <= 65536.0f))
                return ws_fail(error, WSAM_ERR_ARGUMENT, "roi %zu is not within 65536 pixels", i);
    return WSAM_OK;
}

static wsam_status collect(wsam_detector *d, const wsam_picture *picture,
                           const wsam_detector_params *p, const float (*rois)[4], size_t n,
                           ws_tensors *u, wsam_error *error)
{
    ws_detector_input in = {0};
    ws_detector_maps maps = {0};
    wsam_status status = ws_detector_prepare(d, picture, p, &in, error);
    if (!status)
        status = ws_detector_run_maps(d, &in, p, &maps, error);
    if (!status)
        status = add_input(u, d, &in, error);
    if (!status)
        status = add_maps(u, &maps, error);
    if (!status)
        status = add_proposals(u, d, &in, &maps, error);
    if (!status && n)
        status = add_rois(u, d, &maps, rois, n, error);
    return status;
}

wsam_status wsam_detector_dump(wsam_detector *d, const wsam_picture *picture,
                               const wsam_detector_params *params, const float (*rois)[4],
                               size_t n_rois, const char *path, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_detector_params defaults;
    ws_tensors u = {0};
    wsam_detector_params_default(&defaults);
    wsam_status status = ws_picture_valid(picture, error);
    if (!status)
        status = check_rois(rois, n_rois, error);
    if (!status)
        status = collect(d, picture, params ? params : &defaults, rois, n_rois, &u, error);
    if (!status)
        status = ws_tensors_save(&u, path, error);
    else
        ws_tensors_clear(&u);
    return status;
}
