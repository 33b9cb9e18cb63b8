/* pipeline/accuracy/trace_run.c - one run of a model of any role, for a trace: a prompt of a
 * segmenter, one view of a clue network, a backbone or a detector. */
#include "pipeline/accuracy/trace.h"
#include "pipeline/segment/segmenter.h"
#include "pipeline/tokens/learnt.h"
#include "weaksam/backbone.h"
#include "weaksam/clues.h"
#include "weaksam/detector.h"

static wsam_status run_prompt(wsam_segmenter *s, const wsam_picture *picture,
                              const wsam_embedding *e, const wsam_prompt *prompt, wsam_error *error)
{
    const wsam_point middle = {picture->width / 2.0, picture->height / 2.0, 1};
    const wsam_prompt click = {.points = &middle, .n_points = 1, .multimask = 1};
    wsam_result *result = NULL;
    const wsam_status status =
        wsam_segmenter_run(s, e, prompt ? prompt : &click, 1, 0, &result, error);
    wsam_result_free(result);
    return status;
}

/* Observation begins when a model is ready: what it runs to learn its own sizes is not traced. */
static wsam_status run_segmenter(ws_trace *t, wsam_model *model, const wsam_picture *picture,
                                 const wsam_prompt *prompt, ws_observe_fn *observe)
{
    wsam_segmenter *s = NULL;
    wsam_embedding *embedding = NULL;
    wsam_status status = wsam_segmenter_create(model, &s, t->error);
    if (!status)
        status = ws_segmenter_encoder_ready(s, t->error);
    ws_model_observe(model, observe, t);
    if (!status)
        status = wsam_segmenter_encode(s, picture, &embedding, t->error);
    if (!status)
        status = run_prompt(s, picture, embedding, prompt, t->error);
    wsam_embedding_free(embedding);
    wsam_segmenter_free(s);
    return status;
}

static wsam_status run_clues(ws_trace *t, wsam_model *model, const wsam_picture *picture,
                             ws_observe_fn *observe)
{
    wsam_clues *c = NULL;
    wsam_clues_result *result = NULL;
    wsam_clues_params params;
    wsam_clues_params_default(&params);
    params.n_scales = 1;
    params.scales[0] = 1.0;
    params.mirror = 0;
    wsam_status status = wsam_clues_create(model, &c, t->error);
    ws_model_observe(model, observe, t);
    if (!status)
        status = wsam_clues_run(c, picture, NULL, 0, &params, &result, t->error);
    wsam_clues_result_free(result);
    wsam_clues_free(c);
    return status;
}

static wsam_status run_backbone(ws_trace *t, wsam_model *model, const wsam_picture *picture,
                                ws_observe_fn *observe)
{
    wsam_backbone *b = NULL;
    wsam_backbone_result *result = NULL;
    wsam_status status = wsam_backbone_create(model, &b, t->error);
    ws_model_observe(model, observe, t);
    if (!status)
        status = wsam_backbone_run(b, picture, NULL, &result, t->error);
    wsam_backbone_result_free(result);
    wsam_backbone_free(b);
    return status;
}

static wsam_status run_detector(ws_trace *t, wsam_model *model, const wsam_picture *picture,
                                ws_observe_fn *observe)
{
    wsam_detector *d = NULL;
    wsam_detections *found = NULL;
    wsam_detector_params params;
    wsam_detector_params_default(&params);
    wsam_status status = wsam_detector_create(model, &d, t->error);
    ws_model_observe(model, observe, t);
    if (!status)
        status = wsam_detector_run(d, picture, &params, &found, t->error);
    wsam_detections_free(found);
    wsam_detector_free(d);
    return status;
}

static wsam_status run_role(ws_trace *t, const char *path, wsam_model *model,
                            const wsam_picture *picture, const wsam_prompt *prompt,
                            ws_observe_fn *observe)
{
    const int clues = ws_learnt_is_one(model) || wsam_model_has_graph(model, "clues");
    if (wsam_model_has_graph(model, "mask_decoder") && !clues)
        return run_segmenter(t, model, picture, prompt, observe);
    if (prompt)
        return ws_fail(t->error, WSAM_ERR_ARGUMENT, "%.300s: takes no prompt", path);
    if (clues)
        return run_clues(t, model, picture, observe);
    if (wsam_model_has_graph(model, "backbone"))
        return run_backbone(t, model, picture, observe);
    if (wsam_model_has_graph(model, "detector"))
        return run_detector(t, model, picture, observe);
    return ws_fail(t->error, WSAM_ERR_UNSUPPORTED,
                   "%.300s: only segmenters, clue networks, backbones and detectors can be traced",
                   path);
}

wsam_status ws_trace_run(ws_trace *t, const char *path, const wsam_options *options,
                         const wsam_picture *picture, const wsam_prompt *prompt,
                         ws_observe_fn *observe)
{
    wsam_model *model = NULL;
    wsam_status status = wsam_model_open(path, options, &model, t->error);
    if (!status)
        status = run_role(t, path, model, picture, prompt, observe);
    wsam_model_close(model);
    if (status && !t->status)
        t->status = status;
    return t->status;
}
