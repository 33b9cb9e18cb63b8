/* pipeline/accuracy/verify_against.c - a weight file against the checkpoint it was made from: what
 * quantization costs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "kernels/float_scope.h"
#include "pipeline/accuracy/graph_error.h"
#include "pipeline/accuracy/verify_against.h"
#include "pipeline/clues/clues.h"
#include "weaksam/accuracy.h"
#include "weaksam/convert.h"
#include "weaksam/picture.h"
#include "weaksam/segment.h"

enum { CLICKS = 9, MASKS = 3 };

/* One of the two models with what it computed. */
typedef struct side {
    wsam_model *model;
    wsam_image *encoded;
    wsam_tensor embedding;
    float *low_res, *iou;
    size_t n_low_res;
} side;

static wsam_status encode(side *s, const wsam_tensor *image, wsam_error *error)
{
    wsam_session *session = NULL;
    wsam_status status = wsam_session_create(s->model, "image_encoder", &session, error);
    if (!status)
        status = wsam_session_reserve(session, NULL, 0, error);
    if (!status)
        status = wsam_image_create(s->model, "image_encoder", NULL, 0, &s->encoded, error);
    if (!status)
        status = wsam_session_bind(session, image, 1, s->encoded, error);
    if (!status)
        status = wsam_image_output(s->encoded, "embedding", &s->embedding, error);
    wsam_session_free(session);
    return status;
}

/* A grid of clicks, each with a pad point (label -1), as many points as the model wants. */
static int64_t make_clicks(const wsam_model *model, float points[CLICKS * 12],
                           int32_t labels[CLICKS * 6])
{
    int64_t n = 2;
    if (wsam_model_int(model, "prompt.fixed_points", &n) && n != 6)
        n = 2;
    for (int i = 0; i < CLICKS; i++)
        for (int64_t j = 0; j < n; j++) {
            float *p = points + 2 * (i * n + j);
            p[0] = j ? 0.0f : 0.2f + 0.3f * (float)(i % 3);
            p[1] = j ? 0.0f : 0.2f + 0.2f * (float)(i / 3);
            labels[i * n + j] = j ? -1 : 1;
        }
    return n;
}

static wsam_status decode(side *s, const wsam_tensor *embedding, wsam_error *error)
{
    float points[CLICKS * 12];
    int32_t labels[CLICKS * 6];
    const int64_t n = make_clicks(s->model, points, labels), g = 4 * embedding->shape[0];
    const wsam_dim dims[] = {
        {"prompts", CLICKS}, {"points", n}, {"first_mask", 1}, {"masks", MASKS}};
    wsam_session *session = NULL;
    wsam_image *image = NULL;
    s->n_low_res = (size_t)(CLICKS * MASKS * g * g);
    s->low_res = malloc(s->n_low_res * sizeof *s->low_res);
    s->iou = malloc(CLICKS * MASKS * sizeof *s->iou);
    const wsam_tensor in[] = {
        {.name = "points", .type = WSAM_F32, .rank = 3, .shape = {CLICKS, n, 2}, .data = points},
        {.name = "labels", .type = WSAM_S32, .rank = 2, .shape = {CLICKS, n}, .data = labels}};
    wsam_tensor out[] = {
        {.name = "low_res",
         .type = WSAM_F32,
         .rank = 4,
         .shape = {CLICKS, MASKS, g, g},
         .data = s->low_res},
        {.name = "iou", .type = WSAM_F32, .rank = 2, .shape = {CLICKS, MASKS}, .data = s->iou}};
    wsam_status status =
        s->low_res && s->iou ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory to compare");
    if (!status)
        status = wsam_session_create(s->model, "mask_decoder", &session, error);
    if (!status)
        status = wsam_session_reserve(session, dims, 4, error);
    if (!status)
        status = wsam_image_create(s->model, "mask_decoder", dims, 4, &image, error);
    if (!status)
        status = wsam_session_bind(session, embedding, 1, image, error);
    if (!status)
        status = wsam_session_run(session, image, dims, 4, in, 2, out, 2, error);
    wsam_image_free(image);
    wsam_session_free(session);
    return status;
}

static wsam_status preprocess(const wsam_model *model, wsam_tensor *image, wsam_error *error)
{
    wsam_picture picture = {0};
    int64_t size = 0;
    wsam_status status = wsam_picture_draw(600, 800, &picture, error);
    if (!status && !wsam_model_int(model, "picture.size", &size))
        status = ws_fail(error, WSAM_ERR_UNSUPPORTED, "the model has no image rules");
    image->data = status ? NULL : malloc((size_t)(size * size * 3) * sizeof(float));
    if (!status && !image->data)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory to compare");
    image->name = "image";
    image->type = WSAM_F32;
    image->rank = 3;
    image->shape[0] = image->shape[1] = size;
    image->shape[2] = 3;
    if (!status)
        status = wsam_model_preprocess(model, &picture, image->data, error);
    wsam_picture_free(&picture);
    return status;
}

static wsam_status compare(side *s, side *original, wsam_graph_error *errors, size_t max, size_t *n,
                           wsam_error *error)
{
    wsam_tensor image = {.data = NULL};
    wsam_status status = preprocess(original->model, &image, error);
    if (!status)
        status = encode(original, &image, error);
    if (!status)
        status = encode(s, &image, error);
    free(image.data);
    if (!status && *n < max)
        errors[(*n)++] = ws_graph_error(
            "image_encoder", "embedding", s->embedding.data, original->embedding.data,
            (size_t)(s->embedding.shape[0] * s->embedding.shape[1] * s->embedding.shape[2]));
    if (!status)
        status = decode(original, &original->embedding, error);
    if (!status)
        status = decode(s, &original->embedding, error);
    if (!status && *n < max)
        errors[(*n)++] =
            ws_graph_error("mask_decoder", "low_res", s->low_res, original->low_res, s->n_low_res);
    if (!status && *n < max)
        errors[(*n)++] =
            ws_graph_error("mask_decoder", "iou", s->iou, original->iou, CLICKS * MASKS);
    return status;
}

static void close_side(side *s)
{
    wsam_image_free(s->encoded);
    free(s->low_res);
    free(s->iou);
    wsam_model_close(s->model);
}

wsam_status ws_verify_against_convert(const char *checkpoint, const wsam_convert_options *like,
                                      char *path, size_t size, wsam_error *error)
{
    wsam_convert_options options;
    const char *folder = getenv("TMPDIR");
    wsam_convert_options_default(&options);
    if (like) {
        options.arch = like->arch;
        options.image_size = like->image_size;
        options.heads = like->heads;
    }
    snprintf(path, size, "%s/weaksam.XXXXXX", folder && *folder ? folder : "/tmp");
    const int fd = mkstemp(path);
    if (fd < 0) {
        const wsam_status status = ws_fail(error, WSAM_ERR_IO, "%.300s: %s", path, strerror(errno));
        *path = 0;
        return status;
    }
    close(fd);
    return wsam_convert(checkpoint, path, &options, error);
}

static wsam_status convert_original(const char *checkpoint, wsam_model *model, char *path,
                                    size_t size, wsam_error *error)
{
    wsam_convert_options like;
    int64_t image_size = 0;
    wsam_convert_options_default(&like);
    if (wsam_model_int(model, "picture.size", &image_size))
        like.image_size = (int)image_size;
    else
        like.heads = ws_clues_compare_heads(model);
    return ws_verify_against_convert(checkpoint, &like, path, size, error);
}

wsam_status wsam_verify_against(const char *path, const char *checkpoint,
                                const wsam_options *options, wsam_graph_error *errors, size_t max,
                                size_t *n, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    char temporary[1024] = "";
    side s = {.model = NULL}, original = {.model = NULL};
    *n = 0;
    wsam_status status = wsam_model_open(path, options, &s.model, error);
    if (!status)
        status = convert_original(checkpoint, s.model, temporary, sizeof temporary, error);
    if (!status)
        status = wsam_model_open(temporary, options, &original.model, error);
    if (!status) {
        const char *a = wsam_model_string(s.model, "source.hash");
        const char *b = wsam_model_string(original.model, "source.hash");
        if (!a || !b || strcmp(a, b) != 0)
            status = ws_fail(error, WSAM_ERR_MISMATCH, "%.300s was not made from %.300s", path,
                             checkpoint);
    }
    if (!status && wsam_model_has_graph(s.model, "clues"))
        status = ws_clues_compare(s.model, original.model, errors, max, n, error);
    else if (!status)
        status = compare(&s, &original, errors, max, n, error);
    close_side(&s);
    close_side(&original);
    if (*temporary)
        unlink(temporary);
    return status;
}
