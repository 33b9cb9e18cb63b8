/* pipeline/clues/clues.c - a clue network and its classes; the picture's views through it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/float_scope.h"
#include "pipeline/clues/clues.h"
#include "pipeline/picture/picture.h"

/* ---- the network ---- */

static wsam_status read_rules(wsam_clues *c, wsam_error *error)
{
    int64_t patch = 0;
    if (!wsam_model_int(c->model, "clues.patch", &patch) || patch < 1 || patch > 64)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "the model's clues.patch is missing or out of range");
    c->patch = (int)patch;
    return ws_normalise_table_read(c->model, &c->table, error);
}

/* Classes, heads and layers are those of the graph's outputs for the smallest picture. */
static wsam_status probe(wsam_clues *c, wsam_error *error)
{
    const wsam_dim dims[2] = {{"height", c->patch}, {"width", c->patch}};
    const int64_t side = c->patch;
    wsam_tensor t, in = {"image", WSAM_F32, 3, {side, side, 3}, NULL};
    wsam_image *state = NULL;
    in.data = calloc((size_t)(side * side * 3), sizeof(float));
    wsam_status status =
        in.data ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a clue network");
    if (!status)
        status = wsam_session_reserve(c->session, dims, 2, error);
    if (!status)
        status = wsam_image_create(c->model, "clues", dims, 2, &state, error);
    if (!status)
        status = wsam_session_bind(c->session, &in, 1, state, error);
    if (!status)
        status = wsam_image_output(state, "logits", &t, error);
    if (!status)
        c->n_classes = (size_t)t.shape[0];
    for (char name[32]; !status && c->depth < WSAM_CLUES_MAX_LAYERS; c->depth++) {
        snprintf(name, sizeof name, "cross_%d", c->depth);
        if (wsam_image_output(state, name, &t, NULL))
            break;
        c->heads = (int)t.shape[0];
        if (t.rank != 4 || (size_t)t.shape[1] != c->n_classes)
            status = ws_fail(error, WSAM_ERR_FORMAT,
                             "the model's output '%s' has no shape of "
                             "attention maps",
                             name);
    }
    wsam_image_free(state);
    free(in.data);
    return status;
}

static wsam_status name_classes(wsam_clues *c, wsam_error *error)
{
    c->names = calloc(c->n_classes + 1, sizeof *c->names);
    if (!c->names)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a clue network");
    for (size_t i = 0; i < c->n_classes; i++) {
        const char *name = wsam_model_text(c->model, "classes", i);
        if (name)
            snprintf(c->names[i], sizeof c->names[i], "%s", name);
        else
            snprintf(c->names[i], sizeof c->names[i], "class %zu", i);
    }
    return WSAM_OK;
}

static wsam_status begin(wsam_model *model, wsam_clues **out, wsam_error *error)
{
    wsam_clues *c = calloc(1, sizeof *c);
    *out = c;
    if (!c)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a clue network");
    c->model = model;
    c->threads = wsam_model_threads(model);
    c->kernels = ws_kernels_find(wsam_model_isa(model), error);
    return c->kernels ? WSAM_OK : WSAM_ERR_UNSUPPORTED;
}

static wsam_status end(wsam_status status, wsam_clues *c, wsam_clues **out)
{
    if (status)
        wsam_clues_free(c);
    else
        *out = c;
    return status;
}

static wsam_status create_learnt(wsam_model *model, wsam_clues **out, wsam_error *error)
{
    wsam_clues *c;
    wsam_status status = begin(model, &c, error);
    if (!status)
        status = ws_learnt_create(model, &c->learnt, error);
    if (!status) {
        c->n_classes = c->learnt->classes;
        c->patch = ws_learnt_patch(c->learnt);
        c->depth = c->heads = 1;
        status = name_classes(c, error);
    }
    return end(status, c, out);
}

wsam_status wsam_clues_create(wsam_model *model, wsam_clues **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = NULL;
    if (ws_learnt_is_one(model))
        return create_learnt(model, out, error);
    if (!wsam_model_has_graph(model, "clues"))
        return ws_fail(
            error, WSAM_ERR_MISMATCH,
            wsam_model_has_graph(model, "regions")
                ? "these clues were learnt from a segmenter's regions: give them to weaksam run"
                : "the model has no clue network (graph 'clues'); WeakTr checkpoints give one");
    wsam_clues *c;
    wsam_status status = begin(model, &c, error);
    if (!status)
        status = read_rules(c, error);
    if (!status)
        status = wsam_session_create(model, "clues", &c->session, error);
    if (!status)
        status = probe(c, error);
    if (!status)
        status = name_classes(c, error);
    return end(status, c, out);
}

void wsam_clues_free(wsam_clues *c)
{
    if (!c)
        return;
    wsam_session_free(c->session);
    ws_learnt_free(c->learnt);
    free(c->names);
    free(c);
}

size_t wsam_clues_class_count(const wsam_clues *c)
{
    return c->n_classes;
}

const char *wsam_clues_class_name(const wsam_clues *c, size_t index)
{
    return index < c->n_classes ? c->names[index] : NULL;
}

int32_t wsam_clues_class_find(const wsam_clues *c, const char *name)
{
    for (size_t i = 0; i < c->n_classes; i++)
        if (strcmp(c->names[i], name) == 0)
            return (int32_t)i;
    return -1;
}

/* ---- views ---- */

/* Size of a view: the picture, limited, times the scale; at least one patch. */
static int view_side(int side, int longest, int limit, double scale, int patch)
{
    const double base =
        limit && longest > limit ? nearbyint((double)side * limit / longest) : (double)side;
    const double n = nearbyint(base * scale); /* half to even */
    return n < patch ? patch : (n > 16384 ? 16384 : (int)n);
}

/* Classes whose logits show them; labels given before stay. */
static void choose_classes(const wsam_clues *c, const float *logits, int labelled, double least,
                           wsam_clues_result *r)
{
    memcpy(r->logits, logits, c->n_classes * sizeof *r->logits);
    for (size_t i = 0; i < c->n_classes && !labelled; i++)
        if ((double)r->logits[i] > least)
            r->classes[r->n++] = (int32_t)i;
}

/* The patches of a view of size[0] x size[1] pixels. */
static wsam_status keep_tokens(const wsam_clues *c, const wsam_image *state, const int size[2],
                               wsam_clues_result *r, wsam_error *error)
{
    wsam_tensor t;
    if (wsam_image_output(state, "tokens", &t, NULL) || t.rank != 3)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                       "the clue network's file gives no tokens: convert its checkpoint again");
    const size_t bytes = (size_t)(t.shape[0] * t.shape[1] * t.shape[2]) * sizeof(float);
    r->tokens = malloc(bytes);
    if (!r->tokens)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for tokens");
    memcpy(r->tokens, t.data, bytes);
    r->token_height = (int)t.shape[0];
    r->token_width = (int)t.shape[1];
    r->token_channels = (int)t.shape[2];
    r->token_scale_x = (float)size[1] / (float)r->width / (float)c->patch;
    r->token_scale_y = (float)size[0] / (float)r->height / (float)c->patch;
    return WSAM_OK;
}

/* Adds a map [h][w] whose values are `step` apart, mirrored back where that is so. */
static void add_map(const float *from, size_t step, const ws_view *v, int mirrored, float *to)
{
    for (int y = 0; y < v->h; y++, to += v->w)
        for (int x = 0; x < v->w; x++, from += step)
            to[mirrored ? v->w - 1 - x : x] += *from;
}

static wsam_status add_cross(const wsam_clues *c, const wsam_image *state,
                             const wsam_clues_result *r, const ws_views *views, const ws_view *v,
                             int mirrored, wsam_error *error)
{
    const size_t plane = (size_t)v->h * (size_t)v->w, each = 2 + views->n_cross;
    const size_t layers = (size_t)views->n_layers, heads = (size_t)c->heads;
    wsam_status status = WSAM_OK;
    for (size_t l = 0; l < layers && !status; l++) {
        wsam_tensor t;
        char name[32];
        snprintf(name, sizeof name, "cross_%d", views->layers[l]);
        status = wsam_image_output(state, name, &t, error);
        for (size_t i = 0; i < r->n * heads && !status; i++) {
            const size_t k = i / heads, h = i % heads;
            add_map((const float *)t.data + (h * c->n_classes + (size_t)r->classes[k]) * plane, 1,
                    v, mirrored, v->maps + (k * each + 2 + h * layers + l) * plane);
        }
    }
    return status;
}

/* The maps of the picture's classes out of the outputs for one picture. */
static wsam_status add_maps(const wsam_clues *c, const wsam_image *state,
                            const wsam_clues_result *r, const ws_views *views, ws_view *v,
                            int mirrored, wsam_error *error)
{
    static const char *const names[2] = {"coarse", "fine"};
    const size_t each = 2 + views->n_cross;
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < 2 && !status; i++) {
        wsam_tensor t;
        status = wsam_image_output(state, names[i], &t, error);
        if (status)
            return status;
        v->h = (int)t.shape[0];
        v->w = (int)t.shape[1];
        const size_t plane = (size_t)v->h * (size_t)v->w;
        if (!v->maps)
            v->maps = calloc(r->n * each * plane + 1, sizeof *v->maps);
        if (!v->maps)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for clue maps");
        for (size_t k = 0; k < r->n; k++)
            add_map((const float *)t.data + r->classes[k], c->n_classes, v, mirrored,
                    v->maps + (k * each + i) * plane);
    }
    return add_cross(c, state, r, views, v, mirrored, error);
}

wsam_status ws_clues_run_view(wsam_clues *c, const wsam_picture *sized, int mirrored,
                              wsam_image *state, wsam_error *error)
{
    const size_t n = (size_t)sized->height * (size_t)sized->width * 3;
    wsam_tensor in = {"image", WSAM_F32, 3, {sized->height, sized->width, 3}, NULL};
    in.data = malloc(n * sizeof(float));
    if (!in.data)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a view");
    ws_normalise(&c->table, sized, mirrored, c->threads, in.data, sized->width);
    const wsam_status status = wsam_session_bind(c->session, &in, 1, state, error);
    free(in.data);
    return status;
}

/* Both directions of one scale. */
static wsam_status run_scale(wsam_clues *c, const wsam_picture *picture, const int size[2],
                             int labelled, const wsam_clues_params *params, wsam_clues_result *r,
                             ws_views *views, wsam_error *error)
{
    const wsam_dim dims[2] = {{"height", size[0]}, {"width", size[1]}};
    ws_view *v = &views->views[views->n_views++];
    wsam_picture sized = {0};
    wsam_image *state = NULL;
    wsam_tensor t;
    wsam_status status = ws_resize(c->kernels, c->threads, picture, size[0], size[1],
                                   WSAM_FILTER_BICUBIC, &sized, error);
    if (!status)
        status = wsam_image_create(c->model, "clues", dims, 2, &state, error);
    for (int mirrored = 0; mirrored <= (params->mirror != 0) && !status; mirrored++) {
        status = ws_clues_run_view(c, &sized, mirrored, state, error);
        if (!status && views->n_views == 1 && !mirrored)
            status = wsam_image_output(state, "logits", &t, error);
        if (!status && views->n_views == 1 && !mirrored)
            choose_classes(c, t.data, labelled, params->least_logit, r);
        if (!status && params->maps & WSAM_CLUES_TOKENS && views->n_views == 1 && !mirrored)
            status = keep_tokens(c, state, size, r, error);
        if (!status)
            status = add_maps(c, state, r, views, v, mirrored, error);
    }
    wsam_image_free(state);
    wsam_picture_free(&sized);
    return status;
}

/* ---- views of a head that was learnt ---- */

static void take_tokens(ws_learnt_view *from, wsam_clues_result *r)
{
    const ws_cell_map *t = &from->tokens;
    r->token_height = (int)t->height;
    r->token_width = (int)t->width;
    r->token_channels = (int)t->channels;
    r->token_scale_x = (float)t->width / (float)r->width;
    r->token_scale_y = (float)t->height / (float)r->height;
    r->tokens = t->values;
    from->tokens.values = NULL;
}

static wsam_status add_learnt_maps(const ws_learnt_view *from, const wsam_clues_result *r,
                                   const ws_views *views, ws_view *v, wsam_error *error)
{
    const size_t plane = from->tokens.height * from->tokens.width, each = 2 + views->n_cross;
    v->h = (int)from->tokens.height;
    v->w = (int)from->tokens.width;
    if (!v->maps)
        v->maps = calloc(r->n * each * plane + 1, sizeof *v->maps);
    if (!v->maps)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for clue maps");
    for (size_t k = 0; k < r->n; k++) {
        const size_t at = (size_t)r->classes[k] * plane;
        float *to = v->maps + k * each * plane;
        add_map(from->coarse + at, 1, v, 0, to);
        add_map(from->fine + at, 1, v, 0, to + plane);
        for (size_t m = 0; m < views->n_cross; m++)
            add_map(from->cross + at, 1, v, 0, to + (2 + m) * plane);
    }
    return WSAM_OK;
}

/* Both directions of one scale; cells of the mirrored image are where they belong already. */
static wsam_status run_learnt_scale(wsam_clues *c, const wsam_picture *picture, double scale,
                                    int labelled, const wsam_clues_params *p, wsam_clues_result *r,
                                    ws_views *views, wsam_error *error)
{
    ws_view *v = &views->views[views->n_views++];
    wsam_status status = WSAM_OK;
    for (int mirrored = 0; mirrored <= (p->mirror != 0) && !status; mirrored++) {
        ws_learnt_view one;
        status = ws_learnt_run(c->learnt, picture, scale, mirrored, p->progress, p->progress_user,
                               &one, error);
        if (!status && views->n_views == 1 && !mirrored)
            choose_classes(c, one.logits, labelled, p->least_logit, r);
        if (!status)
            status = add_learnt_maps(&one, r, views, v, error);
        if (!status && p->maps & WSAM_CLUES_TOKENS && views->n_views == 1 && !mirrored)
            take_tokens(&one, r);
        ws_learnt_view_free(&one);
    }
    return status;
}

static wsam_status run_learnt_views(wsam_clues *c, const wsam_picture *picture, int labelled,
                                    const wsam_clues_params *params, wsam_clues_result *r,
                                    ws_views *views, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (int i = 0; i < params->n_scales && !status; i++)
        status = run_learnt_scale(c, picture, params->scales[i], labelled, params, r, views, error);
    return status;
}

wsam_status ws_clues_run_views(wsam_clues *c, const wsam_picture *picture, int labelled,
                               const wsam_clues_params *params, wsam_clues_result *r,
                               ws_views *views, wsam_error *error)
{
    int sizes[WSAM_CLUES_MAX_SCALES][2], largest[2] = {0, 0};
    const int longest = picture->width > picture->height ? picture->width : picture->height;
    for (int i = 0; i < params->n_scales; i++)
        for (int d = 0; d < 2; d++) {
            sizes[i][d] = view_side(d ? picture->width : picture->height, longest, params->size,
                                    params->scales[i], c->patch);
            largest[d] = sizes[i][d] > largest[d] ? sizes[i][d] : largest[d];
        }
    if (c->learnt)
        return run_learnt_views(c, picture, labelled, params, r, views, error);
    const wsam_dim dims[2] = {{"height", largest[0]}, {"width", largest[1]}};
    wsam_status status = wsam_session_reserve(c->session, dims, 2, error);
    wsam_session_set_progress(c->session, params->progress, params->progress_user);
    for (int i = 0; i < params->n_scales && !status; i++)
        status = run_scale(c, picture, sizes[i], labelled, params, r, views, error);
    wsam_session_set_progress(c->session, NULL, NULL);
    return status;
}

void ws_clues_views_free(ws_views *views)
{
    for (size_t i = 0; i < views->n_views; i++)
        free(views->views[i].maps);
    memset(views, 0, sizeof *views);
}
