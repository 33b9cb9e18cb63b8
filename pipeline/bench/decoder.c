/* pipeline/bench/decoder.c - see decoder.h. */
#include "pipeline/bench/decoder.h"

#include <stdlib.h>

#include "base/error.h"

enum { MASKS = 3, DIMS = 4 };

struct ws_bench_decoder {
    wsam_session *session;
    wsam_image *image;
    wsam_tensor embedding;
    float *points, *iou, *low_res;
    int32_t *labels;
    int64_t prompts, points_each, side;
    wsam_dim dims[DIMS];
};

void ws_bench_decoder_close(ws_bench_decoder *d)
{
    if (!d)
        return;
    wsam_image_free(d->image);
    wsam_session_free(d->session);
    free(d->points), free(d->labels), free(d->iou), free(d->low_res);
    free(d);
}

/* One click each, padded with a point that is none, as the pipeline does it. */
static wsam_status make_clicks(ws_bench_decoder *d, wsam_error *error)
{
    const int64_t n = d->prompts * d->points_each;
    d->points = calloc((size_t)n * 2, sizeof *d->points);
    d->labels = calloc((size_t)n, sizeof *d->labels);
    d->iou = calloc((size_t)d->prompts * MASKS, sizeof *d->iou);
    d->low_res = malloc((size_t)(d->prompts * MASKS * d->side * d->side) * sizeof *d->low_res);
    if (!d->points || !d->labels || !d->iou || !d->low_res)
        return ws_no_memory(error, "clicks");
    for (int64_t i = 0; i < n; i++) {
        d->points[2 * i] = (float)(i % 13) / 13.0f;
        d->points[2 * i + 1] = (float)(i % 17) / 17.0f;
        d->labels[i] = i % d->points_each == 0 ? 1 : -1;
    }
    return WSAM_OK;
}

wsam_status ws_bench_decoder_open(wsam_model *model, const wsam_tensor *embedding, int prompts,
                                  ws_bench_decoder **decoder, wsam_error *error)
{
    ws_bench_decoder *d = *decoder = calloc(1, sizeof *d);
    if (!d)
        return ws_no_memory(error, "decoder");
    d->prompts = prompts;
    if (!wsam_model_int(model, "prompt.fixed_points", &d->points_each) || !d->points_each)
        d->points_each = 2;
    d->side = embedding->shape[0] * 4;
    d->dims[0] = (wsam_dim){"prompts", prompts};
    d->dims[1] = (wsam_dim){"points", d->points_each};
    d->dims[2] = (wsam_dim){"first_mask", 1};
    d->dims[3] = (wsam_dim){"masks", MASKS};
    wsam_status status = make_clicks(d, error);
    if (!status)
        status = wsam_session_create(model, "mask_decoder", &d->session, error);
    if (!status)
        status = wsam_session_reserve(d->session, d->dims, DIMS, error);
    if (!status)
        status = wsam_image_create(model, "mask_decoder", d->dims, DIMS, &d->image, error);
    d->embedding = *embedding;
    return status;
}

wsam_status ws_bench_decoder_run(ws_bench_decoder *d, wsam_error *error)
{
    const int64_t p = d->prompts, n = d->points_each, side = d->side;
    const wsam_tensor inputs[] = {{"points", WSAM_F32, 3, {p, n, 2}, d->points},
                                  {"labels", WSAM_S32, 2, {p, n}, d->labels}};
    wsam_tensor outputs[] = {{"low_res", WSAM_F32, 4, {p, MASKS, side, side}, d->low_res},
                             {"iou", WSAM_F32, 2, {p, MASKS}, d->iou}};
    const wsam_status status = wsam_session_bind(d->session, &d->embedding, 1, d->image, error);
    return status ? status
                  : wsam_session_run(d->session, d->image, d->dims, DIMS, inputs, 2, outputs, 2,
                                     error);
}
