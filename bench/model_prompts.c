/* bench/model_prompts.c - see model_prompts.h. */
#include "bench/model_prompts.h"
#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

enum { MASKS = 3, RUNS = 3 };

/* A decoder with its inputs and outputs. */
typedef struct decoder {
    wsam_session *session;
    wsam_image *image;
    float *points, *iou, *low_res;
    int32_t *labels;
    int64_t prompts, points_each, side;
} decoder;

static void close_decoder(decoder *d)
{
    wsam_image_free(d->image);
    wsam_session_free(d->session);
    free(d->points), free(d->labels), free(d->low_res), free(d->iou);
}

/* One click each, padded with a point that is none, as the pipeline does it. */
static wsam_status make_clicks(decoder *d)
{
    const int64_t n = d->prompts * d->points_each;
    d->points = calloc((size_t)n * 2, sizeof *d->points);
    d->labels = calloc((size_t)n, sizeof *d->labels);
    d->iou = calloc((size_t)d->prompts * MASKS, sizeof *d->iou);
    d->low_res = malloc((size_t)(d->prompts * MASKS * d->side * d->side) * sizeof *d->low_res);
    if (!d->points || !d->labels || !d->iou || !d->low_res)
        return WSAM_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        d->points[2 * i] = (float)(i % 13) / 13.0f;
        d->points[2 * i + 1] = (float)(i % 17) / 17.0f;
        d->labels[i] = i % d->points_each == 0 ? 1 : -1;
    }
    return WSAM_OK;
}

static wsam_status open_decoder(wsam_model *model, const wsam_tensor *embedding, decoder *d,
                                const wsam_dim *dims, wsam_error *error)
{
    wsam_status status = make_clicks(d);
    if (!status)
        status = wsam_session_create(model, "mask_decoder", &d->session, error);
    if (!status)
        status = wsam_session_reserve(d->session, dims, 4, error);
    if (!status)
        status = wsam_image_create(model, "mask_decoder", dims, 4, &d->image, error);
    return status ? status : wsam_session_bind(d->session, embedding, 1, d->image, error);
}

static wsam_status run_decoder(const decoder *d, const wsam_dim *dims, wsam_error *error)
{
    const int64_t p = d->prompts, n = d->points_each, side = d->side;
    const wsam_tensor inputs[] = {{"points", WSAM_F32, 3, {p, n, 2}, d->points},
                                  {"labels", WSAM_S32, 2, {p, n}, d->labels}};
    wsam_tensor outputs[] = {{"low_res", WSAM_F32, 4, {p, MASKS, side, side}, d->low_res},
                             {"iou", WSAM_F32, 2, {p, MASKS}, d->iou}};
    return wsam_session_run(d->session, d->image, dims, 4, inputs, 2, outputs, 2, error);
}

wsam_status model_time_prompts(wsam_model *model, const wsam_image *encoded, int n, double *seconds,
                               wsam_error *error)
{
    decoder d = {.prompts = n, .points_each = 2};
    wsam_tensor embedding;
    wsam_status status = wsam_image_output(encoded, "embedding", &embedding, error);
    if (status)
        return status;
    if (!wsam_model_int(model, "prompt.fixed_points", &d.points_each) || !d.points_each)
        d.points_each = 2;
    d.side = embedding.shape[0] * 4;
    const wsam_dim dims[] = {
        {"prompts", n}, {"points", d.points_each}, {"first_mask", 1}, {"masks", MASKS}};
    status = open_decoder(model, &embedding, &d, dims, error);
    double each[RUNS] = {0};
    for (int i = 0; !status && i < RUNS; i++) {
        const double start = ws_clock();
        status = run_decoder(&d, dims, error);
        each[i] = (ws_clock() - start) / n;
    }
    *seconds = fmax(fmin(each[0], each[1]), fmin(fmax(each[0], each[1]), each[2]));
    close_decoder(&d);
    return status;
}
