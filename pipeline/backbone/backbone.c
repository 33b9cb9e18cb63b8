/* pipeline/backbone/backbone.c - pictures through a frozen backbone. */
#include "weaksam/backbone.h"
#include "kernels/float_scope.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pipeline/picture/normalise.h"
#include "pipeline/picture/picture.h"
#include "weights/export/safetensors_writer.h"

struct wsam_backbone {
    wsam_model *model;
    const wsam_kernels *kernels;
    int threads;
    wsam_session *session;
    int patch, channels, heads;
    ws_pixel_table table;
};

/* ---- the network ---- */

/* Runs the network on pixels that lie ready. */
static wsam_status bind_pixels(wsam_backbone *b, float *pixels, const int size[2],
                               wsam_image **state, wsam_error *error)
{
    const wsam_dim dims[2] = {{"height", size[0]}, {"width", size[1]}};
    const wsam_tensor in = {"image", WSAM_F32, 3, {size[0], size[1], 3}, pixels};
    *state = NULL;
    wsam_status status = wsam_session_reserve(b->session, dims, 2, error);
    if (!status)
        status = wsam_image_create(b->model, "backbone", dims, 2, state, error);
    return status ? status : wsam_session_bind(b->session, &in, 1, *state, error);
}

/* The three outputs, with the shapes that they have for a grid of h x w cells. */
typedef struct outputs {
    wsam_tensor patch_tokens, class_token, attention;
} outputs;

static wsam_status read_outputs(const wsam_image *state, int h, int w, outputs *o,
                                wsam_error *error)
{
    wsam_status status = wsam_image_output(state, "patch_tokens", &o->patch_tokens, error);
    if (!status)
        status = wsam_image_output(state, "class_token", &o->class_token, error);
    if (!status)
        status = wsam_image_output(state, "attention", &o->attention, error);
    if (status)
        return status;
    const int64_t *p = o->patch_tokens.shape, *a = o->attention.shape;
    if (o->patch_tokens.rank != 3 || p[0] != h || p[1] != w || o->class_token.rank != 1 ||
        o->class_token.shape[0] != p[2] || p[2] > 65536 || o->attention.rank != 4 || a[1] != 1 ||
        a[2] != h || a[3] != w)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "the graph 'backbone' does not give patch_tokens, class_token and attention "
                       "of one grid");
    return WSAM_OK;
}

/* Channels and heads are those of the outputs for a single patch. */
static wsam_status probe(wsam_backbone *b, wsam_error *error)
{
    const int size[2] = {b->patch, b->patch};
    wsam_image *state = NULL;
    outputs o;
    float *pixels = calloc((size_t)(b->patch * b->patch * 3), sizeof *pixels);
    if (!pixels)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a backbone");
    wsam_status status = bind_pixels(b, pixels, size, &state, error);
    if (!status)
        status = read_outputs(state, 1, 1, &o, error);
    if (!status) {
        b->channels = (int)o.patch_tokens.shape[2];
        b->heads = (int)o.attention.shape[0];
    }
    wsam_image_free(state);
    free(pixels);
    return status;
}

wsam_status wsam_backbone_create(wsam_model *model, wsam_backbone **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    int64_t patch = 0;
    *out = NULL;
    if (!wsam_model_has_graph(model, "backbone"))
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "the model is no backbone (it has no graph 'backbone'); checkpoints of "
                       "DINOv2, DINO and DeiT give one");
    if (!wsam_model_int(model, "backbone.patch", &patch) || patch < 1 || patch > 64)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "the model's backbone.patch is missing or not 1 to 64");
    wsam_backbone *b = calloc(1, sizeof *b);
    if (!b)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a backbone");
    b->model = model;
    b->patch = (int)patch;
    b->threads = wsam_model_threads(model);
    wsam_status status = wsam_kernels_for(wsam_model_isa(model), &b->kernels, error);
    if (!status)
        status = ws_normalise_table_read(model, &b->table, error);
    if (!status)
        status = wsam_session_create(model, "backbone", &b->session, error);
    if (!status)
        status = probe(b, error);
    if (status)
        wsam_backbone_free(b);
    else
        *out = b;
    return status;
}

void wsam_backbone_free(wsam_backbone *b)
{
    if (!b)
        return;
    wsam_session_free(b->session);
    free(b);
}

int wsam_backbone_patch(const wsam_backbone *b)
{
    return b->patch;
}

int wsam_backbone_channels(const wsam_backbone *b)
{
    return b->channels;
}

int wsam_backbone_heads(const wsam_backbone *b)
{
    return b->heads;
}

/* ---- a picture ---- */

enum { MOST_SIDE = 16384, MOST_LONG_SIDE = 8192 };

wsam_status wsam_backbone_size(const wsam_backbone *b, int height, int width, int long_side,
                               int size[2], wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const int longest = height > width ? height : width, given[2] = {height, width};
    if (height < 1 || width < 1 || longest > 65535)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "an image of %d x %d: sides of 1 to 65535", width,
                       height);
    if (long_side < 1 || long_side > MOST_LONG_SIDE)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "a long side of %d: expected 1 to %d", long_side,
                       MOST_LONG_SIDE);
    const double s = (double)long_side / longest;
    for (int i = 0; i < 2; i++) {
        const int cells = (int)(given[i] * s / b->patch + 0.5);
        size[i] = b->patch * (cells > 1 ? cells : 1);
    }
    return WSAM_OK;
}

void wsam_backbone_params_default(wsam_backbone_params *p)
{
    memset(p, 0, sizeof *p);
    p->long_side = WSAM_BACKBONE_LONG_SIDE;
}

/* The picture at the input's size, normalised; free() it. */
static wsam_status preprocess(const wsam_backbone *b, const wsam_picture *picture, int mirrored,
                              const int size[2], float **pixels, wsam_error *error)
{
    wsam_picture resized = {0};
    *pixels = NULL;
    wsam_status status = ws_resize(b->kernels, b->threads, picture, size[0], size[1],
                                   WSAM_FILTER_BICUBIC, &resized, error);
    if (status)
        return status;
    *pixels = malloc((size_t)size[0] * (size_t)size[1] * 3 * sizeof **pixels);
    if (*pixels)
        ws_normalise(&b->table, &resized, mirrored, b->threads, *pixels, resized.width);
    else
        status =
            ws_fail(error, WSAM_ERR_MEMORY, "no memory for an input of %d x %d", size[1], size[0]);
    wsam_picture_free(&resized);
    return status;
}

/* Rows of `n` floats per cell; a mirrored picture's cells go back to their places. */
static void copy_cells(const float *from, int h, int w, size_t n, int mirrored, float *to)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++, from += n)
            memcpy(to + ((size_t)y * (size_t)w + (size_t)(mirrored ? w - 1 - x : x)) * n, from,
                   n * sizeof *to);
}

/* The outputs into a result of one block. */
static wsam_status keep(const outputs *o, int mirrored, wsam_backbone_result **out,
                        wsam_error *error)
{
    const int h = (int)o->patch_tokens.shape[0], w = (int)o->patch_tokens.shape[1];
    const int d = (int)o->patch_tokens.shape[2], heads = (int)o->attention.shape[0];
    const size_t cells = (size_t)h * (size_t)w, channels = (size_t)d;
    const size_t floats = cells * channels + channels + (size_t)heads * cells;
    wsam_backbone_result *r = calloc(1, sizeof *r + floats * sizeof(float));
    if (!r)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for patch tokens");
    r->height = h;
    r->width = w;
    r->channels = d;
    r->heads = heads;
    r->patch_tokens = (void *)(r + 1);
    r->class_token = r->patch_tokens + cells * channels;
    r->attention = r->class_token + channels;
    copy_cells(o->patch_tokens.data, h, w, channels, mirrored, r->patch_tokens);
    memcpy(r->class_token, o->class_token.data, channels * sizeof(float));
    for (int i = 0; i < heads; i++)
        copy_cells((const float *)o->attention.data + (size_t)i * cells, h, w, 1, mirrored,
                   r->attention + (size_t)i * cells);
    *out = r;
    return WSAM_OK;
}

wsam_status wsam_backbone_run(wsam_backbone *b, const wsam_picture *picture,
                              const wsam_backbone_params *params, wsam_backbone_result **out,
                              wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_backbone_params defaults;
    int size[2];
    float *pixels = NULL;
    wsam_image *state = NULL;
    outputs o;
    *out = NULL;
    wsam_backbone_params_default(&defaults);
    const wsam_backbone_params *p = params ? params : &defaults;
    const double start = ws_clock();
    wsam_status status = ws_picture_valid(picture, error);
    if (!status)
        status = wsam_backbone_size(b, picture->height, picture->width, p->long_side, size, error);
    if (!status)
        status = preprocess(b, picture, p->mirror, size, &pixels, error);
    const double ready = ws_clock();
    wsam_session_set_progress(b->session, p->progress, p->progress_user);
    if (!status)
        status = bind_pixels(b, pixels, size, &state, error);
    wsam_session_set_progress(b->session, NULL, NULL);
    if (!status)
        status = read_outputs(state, size[0] / b->patch, size[1] / b->patch, &o, error);
    if (!status)
        status = keep(&o, p->mirror, out, error);
    if (!status) {
        (*out)->image_height = picture->height;
        (*out)->image_width = picture->width;
        (*out)->input_height = size[0];
        (*out)->input_width = size[1];
        (*out)->preprocess_s = ready - start;
        (*out)->encode_s = ws_clock() - ready;
    }
    wsam_image_free(state);
    free(pixels);
    return status;
}

void wsam_backbone_result_free(wsam_backbone_result *r)
{
    free(r);
}

wsam_status wsam_backbone_save(const wsam_backbone *b, const wsam_backbone_result *r,
                               const char *path, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const int patches[3] = {r->height, r->width, r->channels};
    const char *id = wsam_model_string(b->model, "model.id");
    ws_tensors t = {0};
    ws_tensors_note(&t, "model_id", id ? id : "");
    ws_tensors_note_int(&t, "height", r->image_height);
    ws_tensors_note_int(&t, "width", r->image_width);
    ws_tensors_note_int(&t, "input_height", r->input_height);
    ws_tensors_note_int(&t, "input_width", r->input_width);
    ws_tensors_add(&t, "patch_tokens", 3, patches, r->patch_tokens);
    ws_tensors_add(&t, "class_token", 1, &r->channels, r->class_token);
    return ws_tensors_save(&t, path, error);
}
