/* pipeline/detect/heads.c - the heads of a detector on pooled boxes, as many at a time as memory
 * should hold. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/detect/detector.h"

/* Outputs of a head for one chunk. */
typedef struct ports {
    wsam_tensor tensors[2];
    size_t n;
} ports;

static wsam_status run_chunk(const ws_detector_head *h, float *features, int bins, int channels,
                             size_t n, ports *out, wsam_error *error)
{
    const wsam_dim dims[1] = {{"prompts", (int64_t)n}};
    const wsam_tensor in = {"roi", WSAM_F32, 4, {(int64_t)n, bins, bins, channels}, features};
    return wsam_session_run(h->session, h->state, dims, 1, &in, 1, out->tensors, out->n, error);
}

static float *feature_room(wsam_detector *d, const ws_detector_maps *maps, int bins, size_t chunk,
                           wsam_error *error)
{
    const size_t floats = (size_t)(bins * bins) * (size_t)maps->fpn[0].shape[2];
    return ws_detector_room(d, chunk * floats * sizeof(float), error);
}

wsam_status ws_detector_box_head(wsam_detector *d, const ws_detector_maps *maps,
                                 const float (*boxes)[4], size_t n, float *logits, float *deltas,
                                 wsam_error *error)
{
    const int channels = (int)maps->fpn[0].shape[2];
    float *features = feature_room(d, maps, d->bins, d->boxes.chunk, error);
    wsam_status status = features ? WSAM_OK : WSAM_ERR_MEMORY;
    for (size_t i = 0; i < n && !status; i += d->boxes.chunk) {
        const size_t m = n - i < d->boxes.chunk ? n - i : d->boxes.chunk;
        ports out = {
            {{"class_logits", WSAM_F32, 2, {(int64_t)m, (int64_t)d->slots}, logits + i * d->slots},
             {"box_regression",
              WSAM_F32,
              2,
              {(int64_t)m, (int64_t)(4 * d->deltas)},
              deltas + i * 4 * d->deltas}},
            2};
        ws_detector_pool(d, maps, boxes + i, m, d->bins, features);
        status = run_chunk(&d->boxes, features, d->bins, channels, m, &out, error);
    }
    return status;
}

/* [pixels][classes] -> [pixels] of one class, or [classes][pixels]. */
static void keep_classes(const float *from, size_t pixels, size_t classes, const size_t *one,
                         float *to)
{
    for (size_t p = 0; p < pixels; p++)
        if (one)
            to[p] = from[p * classes + *one];
        else
            for (size_t c = 0; c < classes; c++)
                to[c * pixels + p] = from[p * classes + c];
}

wsam_status ws_detector_mask_head(wsam_detector *d, const ws_detector_maps *maps,
                                  const float (*boxes)[4], const size_t *classes, size_t n,
                                  float *logits, wsam_error *error)
{
    const int side = 2 * d->mask_bins, channels = (int)maps->fpn[0].shape[2];
    const size_t chunk = d->masks.chunk, pixels = (size_t)(side * side);
    const size_t all = pixels * d->mask_classes, each = classes ? pixels : all;
    float *features = feature_room(d, maps, d->mask_bins, chunk, error);
    float *masks = malloc(chunk * all * sizeof *masks);
    wsam_status status = features ? WSAM_OK : WSAM_ERR_MEMORY;
    if (!status && !masks)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for masks");
    for (size_t i = 0; i < n && !status; i += chunk) {
        const size_t m = n - i < chunk ? n - i : chunk;
        ports out = {{{"mask_logits",
                       WSAM_F32,
                       4,
                       {(int64_t)m, side, side, (int64_t)d->mask_classes},
                       masks}},
                     1};
        ws_detector_pool(d, maps, boxes + i, m, d->mask_bins, features);
        status = run_chunk(&d->masks, features, d->mask_bins, channels, m, &out, error);
        for (size_t k = 0; k < m && !status; k++)
            keep_classes(masks + k * all, pixels, d->mask_classes, classes ? &classes[i + k] : NULL,
                         logits + (i + k) * each);
    }
    free(masks);
    return status;
}
