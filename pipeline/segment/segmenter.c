/* pipeline/segment/segmenter.c - the encoder, and the decoders' sessions. */
#include "pipeline/segment/segmenter.h"
#include "base/clock.h"
#include "kernels/float_scope.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "pipeline/picture/picture.h"
#include "runtime/model.h"

/* ---- decoders, before their first prompt ---- */

enum { GROUP_TOKENS = 512, CLICK_TOKENS = 2 }; /* a click: the point, and one to fill up */

int64_t ws_segmenter_group_limit(int64_t tokens)
{
    const int64_t by_tokens = GROUP_TOKENS / (tokens > 0 ? tokens : 1);
    return by_tokens < 1 ? 1 : by_tokens < WS_GROUP_PROMPTS ? by_tokens : WS_GROUP_PROMPTS;
}

/* Grows the reserve to at least these dimensions. */
static wsam_status reserve(ws_decoder *d, int64_t tokens, int64_t prompts, wsam_error *error)
{
    const int64_t points = d->points > tokens ? d->points : tokens;
    const wsam_dim dims[] = {{"points", points}, {"masks", 3}, {"prompts", prompts}};
    if (tokens <= d->points && prompts <= d->prompts)
        return WSAM_OK;
    const wsam_status status = wsam_session_reserve(d->session, dims, 3, error);
    d->points = status ? 0 : points;
    d->prompts = status ? 0 : prompts;
    return status;
}

static wsam_status open_decoder(const wsam_segmenter *s, ws_decoder *d, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    if (!wsam_model_has_graph(s->model, d->graph))
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "the model has no graph '%s'", d->graph);
    if (!d->session)
        status = wsam_session_create(s->model, d->graph, &d->session, error);
    if (!status && !d->image)
        status = wsam_image_create(s->model, d->graph, NULL, 0, &d->image, error);
    return status;
}

/* Lowers a decoder and plans it for one click, so that the first prompt only runs. The other decoder is rarely asked; it shares the weights that are packed here.
 * Under a memory limit it waits for its first prompt: the caller may only want to encode, and an
 * encoder may need all that there is. */
static wsam_status prepare_decoder(const wsam_segmenter *s, ws_decoder *d, wsam_error *error)
{
    const int64_t tokens = s->rules.fixed_points ? s->rules.fixed_points : CLICK_TOKENS;
    if (s->model->options.max_memory || !wsam_model_has_graph(s->model, d->graph))
        return WSAM_OK;
    const wsam_status status = open_decoder(s, d, error);
    return status ? status : reserve(d, tokens, 1, error);
}

/* ---- segmenters ---- */

static wsam_status create(wsam_model *model, int prompts, wsam_segmenter **out, wsam_error *error)
{
    *out = NULL;
    wsam_segmenter *s = calloc(1, sizeof *s);
    if (!s)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a segmenter");
    s->model = model;
    s->threads = wsam_model_threads(model);
    s->decoders[0].graph = "mask_decoder";
    s->decoders[1].graph = "mask_decoder_with_mask";
    s->kernels = ws_kernels_find(wsam_model_isa(model), error);
    wsam_status status =
        s->kernels ? ws_model_rules_read(model, &s->rules, error) : WSAM_ERR_UNSUPPORTED;
    if (!status && prompts)
        status = prepare_decoder(s, &s->decoders[0], error);
    if (status)
        wsam_segmenter_free(s);
    else
        *out = s;
    return status;
}

wsam_status wsam_segmenter_create(wsam_model *model, wsam_segmenter **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    return create(model, 1, out, error);
}

wsam_status wsam_segmenter_create_encoder(wsam_model *model, wsam_segmenter **out,
                                          wsam_error *error)
{
    WS_FLOAT_SCOPE;
    return create(model, 0, out, error);
}

void wsam_segmenter_free(wsam_segmenter *s)
{
    if (!s)
        return;
    wsam_image_free(s->encoded);
    wsam_session_free(s->encoder);
    for (int i = 0; i < 2; i++) {
        wsam_image_free(s->decoders[i].image);
        wsam_session_free(s->decoders[i].session);
    }
    free(s);
}

void wsam_segmenter_set_progress(wsam_segmenter *s, wsam_progress_fn fn, void *user)
{
    s->progress = fn;
    s->progress_user = user;
    if (s->encoder)
        wsam_session_set_progress(s->encoder, fn, user);
}

void wsam_segmenter_timing(const wsam_segmenter *s, wsam_timing *timing)
{
    *timing = s->timing;
}

/* ---- encoder ---- */

wsam_status ws_segmenter_encoder_ready(wsam_segmenter *s, wsam_error *error)
{
    if (s->encoder && s->encoded)
        return WSAM_OK;
    wsam_status status = WSAM_OK;
    if (!s->encoder) {
        status = wsam_session_create(s->model, "image_encoder", &s->encoder, error);
        if (!status)
            status = wsam_session_reserve(s->encoder, NULL, 0, error);
        if (status) {
            wsam_session_free(s->encoder);
            s->encoder = NULL;
            return status;
        }
        wsam_session_set_progress(s->encoder, s->progress, s->progress_user);
    }
    return wsam_image_create(s->model, "image_encoder", NULL, 0, &s->encoded, error);
}

static wsam_status encode(wsam_segmenter *s, const wsam_picture *picture, const wsam_transform *t,
                          float *input, wsam_embedding **out, wsam_error *error)
{
    const wsam_tensor image = {"image", WSAM_F32, 3, {t->size, t->size, 3}, input};
    wsam_tensor view;
    const double start = ws_clock_ms();
    wsam_status status = ws_preprocess(&s->rules, s->kernels, s->threads, picture, t, input, error);
    const double resized = ws_clock_ms();
    if (!status)
        status = ws_segmenter_encoder_ready(s, error);
    if (!status)
        status = wsam_session_bind(s->encoder, &image, 1, s->encoded, error);
    if (!status)
        status = wsam_image_output(s->encoded, "embedding", &view, error);
    if (!status && (view.rank != 3 || view.shape[0] != view.shape[1]))
        status = ws_fail(error, WSAM_ERR_UNSUPPORTED, "the model's embedding is not [g,g,E]");
    if (!status)
        status = ws_embedding_new(t, s->rules.model_id, (int)view.shape[0], (int)view.shape[2], out,
                                  error);
    if (!status)
        memcpy((*out)->data, view.data,
               (size_t)(view.shape[0] * view.shape[1] * view.shape[2]) * sizeof(float));
    s->timing.preprocess_ms += resized - start;
    s->timing.encode_ms += ws_clock_ms() - resized;
    return status;
}

wsam_status wsam_segmenter_encode(wsam_segmenter *s, const wsam_picture *picture,
                                  wsam_embedding **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_transform t;
    *out = NULL;
    wsam_status status = ws_picture_valid(picture, error);
    if (!status)
        status = ws_model_rules_transform(&s->rules, picture->height, picture->width, &t, error);
    if (status)
        return status;
    float *input = ws_alloc64((size_t)t.size * (size_t)t.size * 3 * sizeof *input);
    if (!input)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the encoder's input");
    status = encode(s, picture, &t, input, out, error);
    free(input);
    return status;
}

void wsam_segmenter_trim(wsam_segmenter *s)
{
    wsam_session_free(s->encoder);
    wsam_image_free(s->encoded);
    s->encoder = NULL;
    s->encoded = NULL;
}

/* ---- prompts ---- */

wsam_status ws_segmenter_decoder_ready(wsam_segmenter *s, const wsam_embedding *e, int with_mask,
                                       int64_t tokens, int64_t *prompts, wsam_error *error)
{
    ws_decoder *d = &s->decoders[with_mask];
    wsam_status status = open_decoder(s, d, error);
    if (status)
        return status;
    /* half as many prompts at a time until the reserve fits the memory limit */
    while ((status = reserve(d, tokens, *prompts, error)) == WSAM_ERR_LIMIT && *prompts > 1)
        *prompts = (*prompts + 1) / 2;
    if (status || d->bound == e->serial)
        return status;
    const wsam_tensor input = {"embedding", WSAM_F32, 3, {e->grid, e->grid, e->channels}, e->data};
    d->bound = 0;
    status = wsam_session_bind(d->session, &input, 1, d->image, error);
    if (!status)
        d->bound = e->serial;
    return status;
}

wsam_status ws_segmenter_decoder_run(wsam_segmenter *s, const ws_group *g, wsam_error *error)
{
    ws_decoder *d = &s->decoders[g->with_mask];
    const int64_t n = g->prompts, side = s->rules.mask_size;
    const wsam_dim dims[] = {
        {"points", g->tokens}, {"first_mask", g->first_mask}, {"masks", g->masks}, {"prompts", n}};
    const wsam_tensor inputs[] = {{"points", WSAM_F32, 3, {n, g->tokens, 2}, g->points},
                                  {"labels", WSAM_S32, 2, {n, g->tokens}, g->labels},
                                  {"mask", WSAM_F32, 4, {n, side, side, 1}, g->mask}};
    wsam_tensor outputs[] = {{"iou", WSAM_F32, 2, {n, g->masks}, g->iou},
                             {"low_res", WSAM_F32, 4, {n, g->masks, g->low, g->low}, g->low_res}};
    return wsam_session_run(d->session, d->image, dims, 4, inputs, g->with_mask ? 3 : 2, outputs, 2,
                            error);
}
