/* pipeline/detect/run.c - a picture through a detector, in one view or in several. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernels/float_scope.h"
#include "pipeline/detect/detector.h"
#include "pipeline/picture/picture.h"

void wsam_detector_params_default(wsam_detector_params *p)
{
    *p = (wsam_detector_params){.min_score = 0.05,
                                .nms = 0.5,
                                .most = 100,
                                .masks = 1,
                                .mirror = 1,
                                .view_long_side = 2000};
}

void wsam_detector_params_augment(wsam_detector_params *p)
{
    static const int scales[] = {480, 576, 688, 864, 1000, 1200};
    p->n_scales = sizeof scales / sizeof scales[0];
    memcpy(p->scales, scales, sizeof scales);
}

static wsam_status check_params(const wsam_detector_params *p, wsam_error *error)
{
    if (p->short_side &&
        (p->short_side < 32 || p->long_side < p->short_side || p->long_side > 8192))
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "sides of %d and %d: expected 32 or more, at most 8192, the shorter first",
                       p->short_side, p->long_side);
    if (p->n_scales < 0 || p->n_scales > WSAM_DETECTOR_SCALES || p->view_long_side > 8192)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "%d views of at most %d pixels: expected up to %d, "
                       "and 8192",
                       p->n_scales, p->view_long_side, WSAM_DETECTOR_SCALES);
    for (int i = 0; i < p->n_scales; i++)
        if (p->scales[i] < 32 || p->scales[i] > p->view_long_side)
            return ws_fail(error, WSAM_ERR_ARGUMENT, "a view of %d pixels: expected 32 to %d",
                           p->scales[i], p->view_long_side);
    if (!(p->min_score >= 0.0 && p->min_score <= 1.0 && p->nms >= 0.0 && p->nms <= 1.0))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "min_score %g and nms %g: want 0 to 1",
                       p->min_score, p->nms);
    return WSAM_OK;
}

static wsam_status detect(wsam_detector *d, const wsam_picture *picture,
                          const wsam_detector_params *p, wsam_detections **out, wsam_error *error)
{
    ws_detector_input in = {0};
    ws_detector_maps maps = {0};
    ws_detector_box *kept = NULL;
    size_t n = 0;
    double times[5] = {ws_clock()};
    wsam_status status = ws_detector_prepare(d, picture, p, &in, error);
    times[1] = ws_clock();
    if (!status)
        status = ws_detector_run_maps(d, &in, p, &maps, error);
    times[2] = ws_clock();
    if (!status)
        status = ws_detector_find_boxes(d, &in, &maps, p, &kept, &n, error);
    if (!status)
        status = ws_detector_result(picture, kept, n, out, error);
    times[3] = ws_clock();
    if (!status && d->mask_bins && p->masks)
        status = ws_detector_masks(d, &maps, kept, *out, error);
    times[4] = ws_clock();
    if (!status) {
        (*out)->prepare_s = times[1] - times[0];
        (*out)->maps_s = times[2] - times[1];
        (*out)->boxes_s = times[3] - times[2];
        (*out)->masks_s = times[4] - times[3];
    }
    free(kept);
    return status;
}

wsam_status wsam_detector_run(wsam_detector *d, const wsam_picture *picture,
                              const wsam_detector_params *params, wsam_detections **out,
                              wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_detector_params defaults;
    *out = NULL;
    wsam_detector_params_default(&defaults);
    const wsam_detector_params *p = params ? params : &defaults;
    wsam_status status = ws_picture_valid(picture, error);
    if (!status)
        status = check_params(p, error);
    if (!status)
        status = p->n_scales ? ws_detector_views(d, picture, p, out, error)
                             : detect(d, picture, p, out, error);
    if (status) {
        wsam_detections_free(*out);
        *out = NULL;
    }
    return status;
}
