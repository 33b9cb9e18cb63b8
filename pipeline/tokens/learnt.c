/* pipeline/tokens/learnt.c - see learnt.h. */
#include "pipeline/tokens/learnt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/tokens/clue_head.h"

enum { NEIGHBOURS = 20 };

int ws_learnt_is_one(const wsam_model *model)
{
    return wsam_model_has_graph(model, "clue_head");
}

void ws_learnt_free(ws_learnt *l)
{
    if (!l)
        return;
    ws_frozen_free(&l->frozen);
    wsam_session_free(l->session);
    free(l);
}

int ws_learnt_patch(const ws_learnt *l)
{
    return l->frozen.side / WS_CELLS_PER_SIDE > 0 ? l->frozen.side / WS_CELLS_PER_SIDE : 1;
}

static size_t count_classes(const wsam_model *model)
{
    size_t n = 0;
    while (wsam_model_text(model, "classes", n))
        n++;
    return n;
}

wsam_status ws_learnt_create(wsam_model *model, ws_learnt **out, wsam_error *error)
{
    const wsam_dim dims[1] = {{"cells", WS_MOST_CELLS}};
    int64_t side = 0;
    ws_learnt *l = calloc(1, sizeof *l);
    *out = NULL;
    if (!l)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for clues");
    l->model = model;
    l->classes = count_classes(model);
    wsam_status status = wsam_kernels_for(wsam_model_isa(model), &l->kernels, error);
    if (!status &&
        (!l->classes || !wsam_model_int(model, "clue_head.side", &side) || side < 0 || side > 8192))
        status = ws_fail(error, WSAM_ERR_FORMAT,
                         "the model's classes or clue_head.side are missing or out of range");
    if (!status)
        status = ws_frozen_create(&l->frozen, model, (int)side, error);
    if (!status)
        status = wsam_session_create(model, "clue_head", &l->session, error);
    if (!status)
        status = wsam_session_reserve(l->session, dims, 1, error);
    if (status)
        ws_learnt_free(l);
    else
        *out = l;
    return status;
}

/* ---- values ---- */

/* The head's values of n tokens, widened; free(). */
static wsam_status run_head(ws_learnt *l, const float *tokens, size_t n, size_t channels,
                            double **values, wsam_error *error)
{
    const wsam_dim dims[1] = {{"cells", (int)n}};
    const size_t row = l->classes * WS_CLUE_OUTPUTS;
    const wsam_tensor in = {.name = "tokens",
                            .type = WSAM_F32,
                            .rank = 2,
                            .shape = {(int64_t)n, (int64_t)channels},
                            .data = (void *)(uintptr_t)tokens};
    wsam_tensor out;
    wsam_image *image = NULL;
    *values = NULL;
    wsam_status status = wsam_image_create(l->model, "clue_head", dims, 1, &image, error);
    if (!status)
        status = wsam_session_bind(l->session, &in, 1, image, error);
    if (!status)
        status = wsam_image_output(image, "values", &out, error);
    if (!status && (size_t)out.shape[1] != row)
        status = ws_fail(error, WSAM_ERR_FORMAT, "a clue head of %lld values for %zu classes",
                         (long long)out.shape[1], l->classes);
    if (!status && !(*values = malloc(n * row * sizeof **values)))
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for clues");
    for (size_t i = 0; i < n * row && !status; i++)
        (*values)[i] = (double)((const float *)out.data)[i];
    wsam_image_free(image);
    return status;
}

/* ---- fine maps ---- */

/* Tokens around their mean, of length 1. */
static void centre(size_t n, size_t channels, float *tokens)
{
    for (size_t k = 0; k < channels; k++) {
        double sum = 0.0;
        for (size_t i = 0; i < n; i++)
            sum += (double)tokens[i * channels + k];
        for (size_t i = 0; i < n; i++)
            tokens[i * channels + k] -= (float)(sum / (double)n);
    }
    for (size_t i = 0; i < n; i++) {
        float *t = tokens + i * channels;
        double squares = 1e-12;
        for (size_t k = 0; k < channels; k++)
            squares += (double)t[k] * (double)t[k];
        for (size_t k = 0; k < channels; k++)
            t[k] = (float)((double)t[k] / sqrt(squares));
    }
}

/* The cells that look most alike, the cell itself among them, and their weights, whose sum is 1.
 * Returns how many. */
static size_t choose_neighbours(size_t n, float *likeness, size_t cells[NEIGHBOURS],
                                float weights[NEIGHBOURS])
{
    size_t count = 0;
    double sum = 0.0;
    while (count < NEIGHBOURS && count < n) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            best = likeness[i] > likeness[best] ? i : best;
        if (!(likeness[best] > 0.0f))
            break;
        cells[count] = best;
        weights[count] = likeness[best];
        sum += (double)likeness[best];
        likeness[best] = 0.0f;
        count++;
    }
    for (size_t i = 0; i < count; i++)
        weights[i] = (float)((double)weights[i] / sum);
    return count;
}

static void spread(const ws_learnt *l, size_t n, size_t channels, const float *tokens,
                   float *likeness, ws_learnt_view *v)
{
    size_t cells[NEIGHBOURS] = {0};
    float weights[NEIGHBOURS] = {0};
    for (size_t p = 0; p < n; p++) {
        l->kernels->vector.dot_rows_f32(n, channels, tokens, channels, tokens + p * channels,
                                        likeness);
        const size_t count = choose_neighbours(n, likeness, cells, weights);
        for (size_t c = 0; c < l->classes; c++) {
            float sum = count ? 0.0f : v->coarse[c * n + p];
            for (size_t i = 0; i < count; i++)
                sum += weights[i] * v->coarse[c * n + cells[i]];
            v->fine[c * n + p] = sum;
        }
    }
}

/* ---- a view ---- */

static wsam_status make_maps(const ws_learnt *l, const double *values, ws_learnt_view *v,
                             wsam_error *error)
{
    const ws_clue_cells cells = {v->tokens.height, v->tokens.width, l->classes};
    const size_t n = cells.height * cells.width;
    double *scratch = malloc(3 * n * sizeof *scratch);
    v->logits = calloc(l->classes, sizeof *v->logits);
    v->coarse = calloc(3 * n * l->classes, sizeof *v->coarse);
    if (!scratch || !v->logits || !v->coarse) {
        free(scratch);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for clue maps");
    }
    v->fine = v->coarse + n * l->classes;
    v->cross = v->fine + n * l->classes;
    for (size_t c = 0; c < l->classes; c++) {
        double s[2];
        ws_clue_loss_map_branch(&cells, c, values, scratch);
        ws_clue_loss_attention(&cells, c, values, scratch + n);
        ws_clue_loss_scores(&cells, c, values, scratch, scratch + n, scratch + 2 * n, s);
        v->logits[c] = (float)(0.5 * (s[0] + s[1]));
        for (size_t p = 0; p < n; p++) {
            v->coarse[c * n + p] = (float)(1.0 / (1.0 + exp(-scratch[p])));
            v->cross[c * n + p] = (float)scratch[n + p];
        }
    }
    free(scratch);
    return WSAM_OK;
}

wsam_status ws_learnt_run(ws_learnt *l, const wsam_picture *picture, double scale, int mirrored,
                          wsam_progress_fn progress, void *user, ws_learnt_view *v,
                          wsam_error *error)
{
    double *values = NULL;
    memset(v, 0, sizeof *v);
    wsam_status status =
        ws_frozen_run(&l->frozen, picture, scale, mirrored, progress, user, &v->tokens, error);
    if (status)
        return status;
    const size_t n = v->tokens.height * v->tokens.width, c = v->tokens.channels;
    float *tokens = malloc((n * c + n) * sizeof *tokens);
    if (!tokens)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for tokens");
    memcpy(tokens, v->tokens.values, n * c * sizeof *tokens);
    for (size_t i = 0; i < n; i++)
        ws_clue_head_normalise(c, tokens + i * c);
    status = run_head(l, tokens, n, c, &values, error);
    if (!status)
        status = make_maps(l, values, v, error);
    if (!status) {
        centre(n, c, tokens);
        spread(l, n, c, tokens, tokens + n * c, v);
    }
    free(values);
    free(tokens);
    return status;
}

void ws_learnt_view_free(ws_learnt_view *v)
{
    free(v->tokens.values);
    free(v->logits);
    free(v->coarse);
    memset(v, 0, sizeof *v);
}
