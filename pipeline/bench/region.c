/* pipeline/bench/region.c - see region.h. */
#include "pipeline/bench/region.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "pipeline/bench/decoder.h"
#include "weaksam/everything.h"
#include "weaksam/segment.h"

enum { DRAWN_HEIGHT = 480, DRAWN_WIDTH = 640 };

struct ws_region_work {
    wsam_bench_region region;
    wsam_model *model;
    size_t n_pictures;
    wsam_picture *pictures;
    /* encoder and decoder: graphs alone */
    int64_t side;
    float *input;
    wsam_session *session;
    wsam_image *image;
    ws_bench_decoder *decoder;
    /* the others: from decoded images */
    wsam_segmenter *segmenter;
    wsam_everything *everything;
    wsam_prompt *prompts;
    wsam_point *points;
    size_t n_prompts;
};

static const char *const names[WSAM_BENCH_REGIONS] = {[WSAM_BENCH_ENCODER] = "encoder",
                                                      [WSAM_BENCH_ENCODE] = "encode",
                                                      [WSAM_BENCH_PROMPTS] = "encode+prompts",
                                                      [WSAM_BENCH_DECODER] = "decoder",
                                                      [WSAM_BENCH_EVERYTHING] = "everything"};

const char *wsam_bench_region_name(int region)
{
    return region >= 0 && region < WSAM_BENCH_REGIONS ? names[region] : NULL;
}

/* ---- opening ---- */

static wsam_status load_pictures(ws_region_work *w, const wsam_bench_options *o, wsam_error *error)
{
    const size_t n = o->n_pictures ? o->n_pictures : 1;
    wsam_status status = WSAM_OK;
    w->pictures = calloc(n, sizeof *w->pictures);
    if (!w->pictures)
        return ws_no_memory(error, "images");
    for (; w->n_pictures < n && !status; w->n_pictures++)
        status = o->n_pictures
                     ? wsam_picture_load(o->pictures[w->n_pictures], &o->limits,
                                         &w->pictures[w->n_pictures], error)
                     : wsam_picture_draw(DRAWN_HEIGHT, DRAWN_WIDTH, &w->pictures[0], error);
    return status;
}

static wsam_status bind_encoder(ws_region_work *w, wsam_error *error)
{
    const wsam_tensor input = {"image", WSAM_F32, 3, {w->side, w->side, 3}, w->input};
    return wsam_session_bind(w->session, &input, 1, w->image, error);
}

static wsam_status open_encoder(ws_region_work *w, wsam_error *error)
{
    if (!wsam_model_int(w->model, "picture.size", &w->side))
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "the model is not a segmenter");
    w->input = malloc((size_t)(w->side * w->side * 3) * sizeof *w->input);
    wsam_status status = w->input ? WSAM_OK : ws_no_memory(error, "the encoder's input");
    if (!status)
        status = wsam_model_preprocess(w->model, &w->pictures[0], w->input, error);
    if (!status)
        status = wsam_session_create(w->model, "image_encoder", &w->session, error);
    if (!status)
        status = wsam_session_reserve(w->session, NULL, 0, error);
    return status ? status
                  : wsam_image_create(w->model, "image_encoder", NULL, 0, &w->image, error);
}

/* The encoder runs once, for an embedding, and its memory goes. */
static wsam_status open_decoder(ws_region_work *w, int prompts, wsam_error *error)
{
    wsam_tensor embedding;
    wsam_status status = open_encoder(w, error);
    if (!status)
        status = bind_encoder(w, error);
    wsam_session_free(w->session);
    w->session = NULL;
    if (!status)
        status = wsam_image_output(w->image, "embedding", &embedding, error);
    return status ? status
                  : ws_bench_decoder_open(w->model, &embedding, prompts, &w->decoder, error);
}

/* Clicks on a fixed pattern over the first image. */
static wsam_status make_prompts(ws_region_work *w, int n, wsam_error *error)
{
    w->n_prompts = (size_t)n;
    w->prompts = calloc(w->n_prompts, sizeof *w->prompts);
    w->points = calloc(w->n_prompts, sizeof *w->points);
    if (!w->prompts || !w->points)
        return ws_no_memory(error, "prompts");
    for (int i = 0; i < n; i++) {
        w->points[i] = (wsam_point){(double)(i * 37 % w->pictures[0].width),
                                    (double)(i * 53 % w->pictures[0].height), 1};
        w->prompts[i] = (wsam_prompt){.points = &w->points[i], .n_points = 1, .multimask = 1};
    }
    return WSAM_OK;
}

wsam_status ws_region_open(wsam_model *model, const wsam_bench_options *o, ws_region_work **work,
                           wsam_error *error)
{
    ws_region_work *w = *work = calloc(1, sizeof *w);
    if (!w)
        return ws_no_memory(error, "measurement");
    w->region = o->region;
    w->model = model;
    wsam_status status = load_pictures(w, o, error);
    if (status)
        return status;
    switch (o->region) {
    case WSAM_BENCH_ENCODER:
        return open_encoder(w, error);
    case WSAM_BENCH_ENCODE:
        return wsam_segmenter_create_encoder(model, &w->segmenter, error);
    case WSAM_BENCH_PROMPTS:
        status = make_prompts(w, o->prompts, error);
        return status ? status : wsam_segmenter_create(model, &w->segmenter, error);
    case WSAM_BENCH_DECODER:
        return open_decoder(w, o->prompts, error);
    case WSAM_BENCH_EVERYTHING:
        return wsam_everything_create(model, &w->everything, error);
    case WSAM_BENCH_REGIONS:
        break;
    }
    return ws_fail(error, WSAM_ERR_ARGUMENT, "no such timed region");
}

void ws_region_close(ws_region_work *w)
{
    if (!w)
        return;
    ws_bench_decoder_close(w->decoder);
    wsam_image_free(w->image);
    wsam_session_free(w->session);
    wsam_segmenter_free(w->segmenter);
    wsam_everything_free(w->everything);
    for (size_t i = 0; i < w->n_pictures; i++)
        wsam_picture_free(&w->pictures[i]);
    free(w->pictures), free(w->input), free(w->prompts), free(w->points);
    free(w);
}

/* ---- once ---- */

static wsam_status segment(ws_region_work *w, const wsam_picture *picture, wsam_error *error)
{
    wsam_embedding *embedding = NULL;
    wsam_result *result = NULL;
    wsam_status status = wsam_segmenter_encode(w->segmenter, picture, &embedding, error);
    if (!status && w->n_prompts)
        status = wsam_segmenter_run(w->segmenter, embedding, w->prompts, w->n_prompts,
                                    WSAM_WANT_MASKS, &result, error);
    wsam_result_free(result);
    wsam_embedding_free(embedding);
    return status;
}

static wsam_status all_masks(ws_region_work *w, const wsam_picture *picture, wsam_error *error)
{
    wsam_everything_options options;
    wsam_everything_result *result = NULL;
    /* every mask passes the filters, so that the work does not depend on the weights */
    wsam_everything_options_default(&options);
    options.pred_iou_thresh = 0.0;
    options.stability_score_thresh = 0.0;
    const wsam_status status =
        wsam_everything_collect(w->everything, picture, &options, &result, NULL, error);
    wsam_everything_result_free(result);
    return status;
}

wsam_status ws_region_once(ws_region_work *w, size_t turn, double *seconds, wsam_error *error)
{
    const wsam_picture *picture = &w->pictures[turn % w->n_pictures];
    const double start = ws_clock();
    wsam_status status = WSAM_OK;
    if (w->region == WSAM_BENCH_ENCODER)
        status = bind_encoder(w, error);
    else if (w->region == WSAM_BENCH_DECODER)
        status = ws_bench_decoder_run(w->decoder, error);
    else if (w->region == WSAM_BENCH_EVERYTHING)
        status = all_masks(w, picture, error);
    else
        status = segment(w, picture, error);
    *seconds = ws_clock() - start;
    return status;
}
