/* pipeline/everything/point_decoder.c - see point_decoder.h. */
#include "pipeline/everything/point_decoder.h"

#include "base/error.h"
#include "runtime/model.h"

#include <stdlib.h>
#include <string.h>

/* Working memory of a decoder at most; groups of prompts are made to fit. */
static const uint64_t group_bytes = (uint64_t)64 << 20;

static size_t make_dims(const ws_point_decoder *d, size_t prompts, wsam_dim dims[4])
{
    dims[0] = (wsam_dim){"prompts", (int64_t)prompts};
    dims[1] = (wsam_dim){"points", d->points};
    dims[2] = (wsam_dim){"first_mask", 1};
    dims[3] = (wsam_dim){"masks", WS_ANSWERS};
    return 4;
}

/* So many of the prompts whose plan is too large that it will about fit: at least one fewer. */
static size_t fewer(size_t prompts, uint64_t bytes)
{
    const size_t fit = (size_t)(prompts * group_bytes / bytes);
    return fit < prompts - 1 ? fit + 1 : prompts - 1;
}

/* As many prompts per call as the budget and the model's memory limit allow. */
static wsam_status reserve(ws_point_decoder *d, wsam_error *error)
{
    wsam_dim dims[4];
    wsam_status status;
    for (uint64_t bytes; d->group > 1; d->group = fewer(d->group, bytes)) {
        status = wsam_plan_bytes(d->model, "mask_decoder", dims, make_dims(d, d->group, dims),
                                 &bytes, error);
        if (status || bytes <= group_bytes)
            break;
    }
    while ((status = wsam_session_reserve(d->session, dims, make_dims(d, d->group, dims), error)) ==
               WSAM_ERR_LIMIT &&
           d->group > 1)
        d->group = (d->group + 1) / 2;
    return status;
}

static wsam_status open_decoder(ws_point_decoder *d, wsam_error *error)
{
    wsam_dim dims[4];
    wsam_status status = ws_model_rules_read(d->model, &d->rules, error);
    if (status)
        return status;
    d->points = d->rules.fixed_points ? d->rules.fixed_points : 1 + d->rules.pad_without_box;
    status = wsam_session_create(d->model, "mask_decoder", &d->session, error);
    if (!status)
        status = reserve(d, error);
    if (!status)
        status = wsam_image_create(d->model, "mask_decoder", dims, make_dims(d, d->group, dims),
                                   &d->image, error);
    if (status)
        return status;
    d->coordinates = malloc(d->group * (size_t)d->points * 2 * sizeof *d->coordinates);
    d->labels = malloc(d->group * (size_t)d->points * sizeof *d->labels);
    d->chosen = malloc(d->group * sizeof *d->chosen);
    if (!d->coordinates || !d->labels || !d->chosen)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu prompts", d->group);
    return WSAM_OK;
}

wsam_status ws_point_decoder_ready(ws_point_decoder *d, wsam_model *model, size_t most,
                                   wsam_error *error)
{
    if (d->session && d->most == most)
        return WSAM_OK;
    ws_point_decoder_close(d);
    *d = (ws_point_decoder){.model = model, .most = most, .group = most};
    const wsam_status status = open_decoder(d, error);
    if (status)
        ws_point_decoder_close(d);
    return status;
}

void ws_point_decoder_close(ws_point_decoder *d)
{
    wsam_image_free(d->image);
    wsam_session_free(d->session);
    free(d->coordinates), free(d->labels), free(d->chosen);
    *d = (ws_point_decoder){0};
}

wsam_status ws_point_decoder_bind(ws_point_decoder *d, const wsam_embedding *embedding,
                                  wsam_mask_geometry *geometry, wsam_error *error)
{
    const wsam_transform *t = wsam_embedding_transform(embedding);
    int grid, channels;
    const float *data = wsam_embedding_data(embedding, &grid, &channels);
    const wsam_tensor input = {"embedding", WSAM_F32, 3, {grid, grid, channels}, NULL};
    wsam_tensor inputs[1] = {input};
    memcpy(&inputs[0].data, &data, sizeof data); /* inputs are only read */
    d->side = 4 * grid;                          /* the decoder's two upscaling steps */
    d->scale[0] = (double)t->content_width / t->width;
    d->scale[1] = (double)t->content_height / t->height;
    *geometry = ws_model_rules_geometry(&d->rules, d->side, t);
    return wsam_session_bind(d->session, inputs, 1, d->image, error);
}

/* In double until after the division, as the published mask generator does it. */
static void write_prompt(const ws_point_decoder *d, const double point[2], size_t at)
{
    const double size = d->rules.size;
    float *xy = d->coordinates + at * (size_t)d->points * 2;
    int32_t *label = d->labels + at * (size_t)d->points;
    for (int i = 0; i < d->points; i++) {
        const double pad = d->rules.fixed_points ? -1 : 0;
        xy[2 * i] = (float)(((i ? pad : point[0] * d->scale[0]) + 0.5) / size);
        xy[2 * i + 1] = (float)(((i ? pad : point[1] * d->scale[1]) + 0.5) / size);
        label[i] = i ? -1 : 1;
    }
}

/* The prompts already written; iou or logits may be NULL. */
static wsam_status run(ws_point_decoder *d, size_t n, float *iou, float *logits, wsam_error *error)
{
    wsam_dim dims[4];
    const int64_t prompts = (int64_t)n;
    const wsam_tensor inputs[2] = {{"points", WSAM_F32, 3, {prompts, d->points, 2}, d->coordinates},
                                   {"labels", WSAM_S32, 2, {prompts, d->points}, d->labels}};
    wsam_tensor outputs[2];
    size_t n_outputs = 0;
    if (iou)
        outputs[n_outputs++] = (wsam_tensor){"iou", WSAM_F32, 2, {prompts, WS_ANSWERS}, iou};
    if (logits)
        outputs[n_outputs++] =
            (wsam_tensor){"low_res", WSAM_F32, 4, {prompts, WS_ANSWERS, d->side, d->side}, logits};
    return wsam_session_run(d->session, d->image, dims, make_dims(d, n, dims), inputs, 2, outputs,
                            n_outputs, error);
}

/* Logits of the prompts that have an answer above min_iou: the run that gave the scores goes on for
 * them alone. */
static wsam_status decode_chosen(ws_point_decoder *d, size_t n, float min_iou, const float *iou,
                                 float *logits, wsam_error *error)
{
    const size_t stride = WS_ANSWERS * (size_t)d->side * (size_t)d->side;
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        int wanted = 0;
        for (size_t k = 0; k < WS_ANSWERS; k++)
            wanted |= iou[WS_ANSWERS * i + k] > min_iou;
        if (wanted)
            d->chosen[m++] = (uint32_t)i;
    }
    if (!m)
        return WSAM_OK;
    wsam_tensor output = {
        "low_res", WSAM_F32, 4, {(int64_t)m, WS_ANSWERS, d->side, d->side}, logits};
    const wsam_status status = ws_session_resume(d->session, d->chosen, m, &output, 1, error);
    for (size_t i = m; i-- > 0 && !status;) /* from the front to their places, last first */
        memmove(logits + d->chosen[i] * stride, logits + i * stride, stride * sizeof *logits);
    return status;
}

wsam_status ws_point_decoder_run(ws_point_decoder *d, size_t n, const double *points, float min_iou,
                                 float *iou, float *logits, wsam_error *error)
{
    const size_t stride = WS_ANSWERS * (size_t)d->side * (size_t)d->side;
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < n && !status; i += d->group) {
        const size_t m = n - i < d->group ? n - i : d->group;
        for (size_t k = 0; k < m; k++)
            write_prompt(d, points + 2 * (i + k), k);
        float *scores = iou + WS_ANSWERS * i, *maps = logits + stride * i;
        if (min_iou > -1e30f) { /* the scores need no upscaling: they decide who gets it */
            status = run(d, m, scores, NULL, error);
            if (!status)
                status = decode_chosen(d, m, min_iou, scores, maps, error);
        } else {
            status = run(d, m, scores, maps, error);
        }
    }
    return status;
}
