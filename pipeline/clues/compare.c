/* pipeline/clues/compare.c - a clue network against its f32 original: what quantization costs. */
#include "pipeline/accuracy/graph_error.h"
#include "pipeline/clues/clues.h"

#include <stdio.h>
#include <string.h>

/* Small, since maps at twice the side cost sixteen times the attention; no multiple of a patch. */
enum { HEIGHT = 150, WIDTH = 205 };

typedef struct side {
    wsam_clues *clues;
    wsam_image *state;
} side;

static wsam_status run_side(side *s, wsam_model *model, const wsam_picture *picture,
                            wsam_error *error)
{
    const wsam_dim dims[2] = {{"height", HEIGHT}, {"width", WIDTH}};
    wsam_status status = wsam_clues_create(model, &s->clues, error);
    if (!status)
        status = wsam_session_reserve(s->clues->session, dims, 2, error);
    if (!status)
        status = wsam_image_create(model, "clues", dims, 2, &s->state, error);
    return status ? status : ws_clues_run_view(s->clues, picture, 0, s->state, error);
}

static wsam_status compare_output(const char *name, const side *s, const side *original,
                                  wsam_graph_error *row, wsam_error *error)
{
    wsam_tensor t, t0;
    size_t n = 1;
    wsam_status status = wsam_image_output(s->state, name, &t, error);
    if (!status)
        status = wsam_image_output(original->state, name, &t0, error);
    if (status)
        return status;
    if (t.rank != t0.rank || memcmp(t.shape, t0.shape, (size_t)t.rank * sizeof t.shape[0]) != 0)
        return ws_fail(error, WSAM_ERR_MISMATCH, "output '%s': the models' shapes differ", name);
    for (int i = 0; i < t.rank; i++)
        n *= (size_t)t.shape[i];
    *row = ws_graph_error("clues", name, t.data, t0.data, n);
    return WSAM_OK;
}

wsam_status ws_clues_compare(wsam_model *model, wsam_model *original, wsam_graph_error *errors,
                             size_t max, size_t *n, wsam_error *error)
{
    static const char *const maps[3] = {"logits", "coarse", "fine"};
    side s = {NULL, NULL}, s0 = {NULL, NULL};
    wsam_picture picture = {0};
    wsam_status status = wsam_picture_draw(HEIGHT, WIDTH, &picture, error);
    if (!status)
        status = run_side(&s, model, &picture, error);
    if (!status)
        status = run_side(&s0, original, &picture, error);
    for (int i = 0; !status && i < 3 + s0.clues->depth && *n < max; i++) {
        char name[32];
        if (i < 3)
            snprintf(name, sizeof name, "%s", maps[i]);
        else
            snprintf(name, sizeof name, "cross_%d", i - 3);
        status = compare_output(name, &s, &s0, &errors[*n], error);
        *n += !status;
    }
    wsam_image_free(s.state);
    wsam_image_free(s0.state);
    wsam_clues_free(s.clues);
    wsam_clues_free(s0.clues);
    wsam_picture_free(&picture);
    return status;
}

int ws_clues_compare_heads(wsam_model *model)
{
    wsam_clues *clues;
    wsam_error error;
    if (wsam_clues_create(model, &clues, &error))
        return 0;
    const int heads = clues->heads;
    wsam_clues_free(clues);
    return heads;
}
