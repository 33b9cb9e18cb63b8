/* pipeline/segment/segment.c - a run over many prompts: checked, sorted into groups of one shape,
 * decoded, and put where the caller's order wants them. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernels/float_scope.h"
#include "pipeline/segment/segmenter.h"

enum { MAX_PROMPTS = 65536, GROUP_MASKS = 3 * WS_GROUP_PROMPTS };
static const uint64_t max_logit_bytes = (uint64_t)4 << 30;

/* What decides about the group of a prompt. */
typedef struct shape {
    size_t prompt; /* index */
    int64_t tokens;
    int with_mask, multimask;
} shape;

typedef struct run {
    wsam_segmenter *segmenter;
    const wsam_embedding *embedding;
    const wsam_prompt *prompts;
    size_t n;
    unsigned want;
    shape *order;
    wsam_result *result;
    float *low_res;    /* of all masks, when wanted and kept */
    wsam_mask_fn give; /* NULL: masks are kept */
    void *give_user;
} run;

static int by_shape(const void *a, const void *b)
{
    const shape *x = a, *y = b;
    if (x->with_mask != y->with_mask)
        return x->with_mask - y->with_mask;
    if (x->multimask != y->multimask)
        return x->multimask - y->multimask;
    if (x->tokens != y->tokens)
        return x->tokens < y->tokens ? -1 : 1;
    return (x->prompt > y->prompt) - (x->prompt < y->prompt);
}

static int same_shape(const shape *a, const shape *b)
{
    return a->with_mask == b->with_mask && a->multimask == b->multimask && a->tokens == b->tokens;
}

static int masks_of(const wsam_prompt *p)
{
    return p->multimask ? 3 : 1;
}

/* ---- checks ---- */

static wsam_status check_embedding(const wsam_segmenter *s, const wsam_embedding *e,
                                   wsam_error *error)
{
    const char *name = e->source[0] ? e->source : "the embedding";
    wsam_transform t;
    if (strcmp(e->model_id, s->rules.model_id) != 0)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s belongs to another model: %.64s, not %.64s",
                       name, e->model_id, s->rules.model_id);
    const wsam_status status =
        ws_model_rules_transform(&s->rules, e->transform.height, e->transform.width, &t, error);
    if (status)
        return status;
    if (memcmp(&t, &e->transform, sizeof t) != 0)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s has sizes that do not fit the model", name);
    return WSAM_OK;
}

static wsam_status plan_order(run *r, wsam_error *error)
{
    const ws_rules *rules = &r->segmenter->rules;
    r->order = calloc(r->n + 1, sizeof *r->order);
    if (!r->order)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu prompts", r->n);
    for (size_t i = 0; i < r->n; i++) {
        const wsam_prompt *p = &r->prompts[i];
        const wsam_status status =
            ws_prompt_tokens_check(rules, &r->embedding->transform, p, i, error);
        if (status)
            return status;
        r->order[i] =
            (shape){i, (int64_t)ws_prompt_tokens(rules, p), p->mask != NULL, p->multimask != 0};
    }
    qsort(r->order, r->n, sizeof *r->order, by_shape);
    return WSAM_OK;
}

/* ---- results ---- */

static wsam_status make_result(run *r, wsam_error *error)
{
    const wsam_transform *t = &r->embedding->transform;
    wsam_result *out = calloc(1, sizeof *out);
    r->result = out;
    if (out)
        out->first = calloc(r->n + 1, sizeof *out->first);
    if (!out || !out->first)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for results");
    out->height = t->height;
    out->width = t->width;
    out->low_h = out->low_w = 4 * r->embedding->grid;
    out->n_prompts = r->n;
    for (size_t i = 0; i < r->n; i++)
        out->first[i + 1] = out->first[i] + (size_t)masks_of(&r->prompts[i]);
    out->n = out->first[r->n];
    const size_t map = (size_t)out->low_h * (size_t)out->low_w;
    const int keeps_logits = r->want & WSAM_WANT_LOW_RES && !r->give;
    if (keeps_logits && out->n > max_logit_bytes / (map * sizeof(float)))
        return ws_fail(error, WSAM_ERR_LIMIT,
                       "logits of %zu masks take more than 4 GiB: run fewer prompts at once",
                       out->n);
    out->masks = calloc(out->n, sizeof *out->masks);
    if (keeps_logits)
        r->low_res = ws_alloc_large(out->n * map * sizeof(float));
    if (!out->masks || (keeps_logits && !r->low_res)) {
        free(r->low_res);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu masks", out->n);
    }
    for (size_t i = 0; i < r->n; i++)
        for (size_t m = out->first[i]; m < out->first[i + 1]; m++) {
            out->masks[m].prompt = i;
            out->masks[m].index = (int)(m - out->first[i]);
            out->masks[m].low_res = r->low_res ? r->low_res + m * map : NULL;
        }
    return WSAM_OK;
}

/* ---- groups ---- */

static wsam_status allocate_group(const run *r, ws_group *g, wsam_error *error)
{
    const size_t n = (size_t)g->prompts, tokens = (size_t)g->tokens, masks = (size_t)g->masks;
    const size_t side = (size_t)r->segmenter->rules.mask_size, low = (size_t)g->low;
    g->points = malloc(n * tokens * 2 * sizeof *g->points);
    g->labels = malloc(n * tokens * sizeof *g->labels);
    g->iou = malloc(n * masks * sizeof *g->iou);
    g->low_res = ws_alloc_large(n * masks * low * low * sizeof *g->low_res);
    if (g->with_mask)
        g->mask = ws_alloc_large(n * side * side * sizeof *g->mask);
    if (!g->points || !g->labels || !g->iou || !g->low_res || (g->with_mask && !g->mask))
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a group of %zu prompts", n);
    return WSAM_OK;
}

static void free_group(ws_group *g)
{
    free(g->points);
    free(g->labels);
    free(g->mask);
    free(g->iou);
    free(g->low_res);
}

static void fill_group(const run *r, const shape *members, ws_group *g)
{
    const size_t side = (size_t)r->segmenter->rules.mask_size;
    for (int64_t i = 0; i < g->prompts; i++) {
        const wsam_prompt *p = &r->prompts[members[i].prompt];
        ws_prompt_tokens_points(&r->segmenter->rules, &r->embedding->transform, p,
                                g->points + i * g->tokens * 2, g->labels + i * g->tokens);
        if (g->with_mask)
            memcpy(g->mask + (size_t)i * side * side, p->mask, side * side * sizeof(float));
    }
}

/* Masks of a group go to the caller, and are forgotten. */
static wsam_status give_masks(const run *r, size_t n, wsam_mask **masks, const float **logits,
                              wsam_error *error)
{
    for (size_t i = 0; i < n; i++) {
        masks[i]->low_res = r->want & WSAM_WANT_LOW_RES ? logits[i] : NULL;
        const int stop = r->give(r->give_user, masks[i]);
        masks[i]->low_res = NULL;
        free(masks[i]->rle.counts);
        masks[i]->rle = (wsam_rle){0};
        if (stop)
            return ws_fail(error, WSAM_ERR_CANCELLED, "cancelled");
    }
    return WSAM_OK;
}

/* Scores and logits to their places; full-size masks from the group's logits. */
static wsam_status scatter_group(const run *r, const shape *members, const ws_group *g,
                                 wsam_error *error)
{
    const size_t map = (size_t)g->low * (size_t)g->low;
    const size_t n = (size_t)(g->prompts * g->masks);
    const float *logits[GROUP_MASKS];
    wsam_mask *masks[GROUP_MASKS];
    for (size_t i = 0; i < n; i++) {
        const size_t prompt = members[i / (size_t)g->masks].prompt;
        const size_t m = r->result->first[prompt] + i % (size_t)g->masks;
        masks[i] = &r->result->masks[m];
        logits[i] = g->low_res + i * map;
        masks[i]->predicted_iou = g->iou[i];
        if (r->low_res)
            memcpy(r->low_res + m * map, logits[i], map * sizeof(float));
    }
    wsam_status status = WSAM_OK;
    if (r->want & WSAM_WANT_MASKS)
        status = ws_segment_masks_finish(r->segmenter, &r->embedding->transform, g->low, n, logits,
                                         masks, error);
    if (!status && r->give)
        status = give_masks(r, n, masks, logits, error);
    return status;
}

/* The first g->prompts members, or fewer: g->prompts tells how many fitted into memory. */
static wsam_status run_group(run *r, const shape *members, ws_group *g, wsam_error *error)
{
    wsam_segmenter *s = r->segmenter;
    const double start = ws_clock_ms();
    wsam_status status =
        ws_segmenter_decoder_ready(s, r->embedding, g->with_mask, g->tokens, &g->prompts, error);
    if (!status)
        status = allocate_group(r, g, error);
    if (!status) {
        fill_group(r, members, g);
        status = ws_segmenter_decoder_run(s, g, error);
    }
    const double decoded = ws_clock_ms();
    if (!status)
        status = scatter_group(r, members, g, error);
    s->timing.decode_ms += decoded - start;
    s->timing.postprocess_ms += ws_clock_ms() - decoded;
    free_group(g);
    return status;
}

static wsam_status run_all(run *r, wsam_error *error)
{
    wsam_segmenter *s = r->segmenter;
    for (size_t at = 0; at < r->n;) {
        const shape *first = &r->order[at];
        ws_group g = {.with_mask = first->with_mask,
                      .tokens = first->tokens,
                      .first_mask = first->multimask ? 1 : 0,
                      .masks = first->multimask ? 3 : 1,
                      .low = r->result->low_h};
        const int64_t limit = ws_segmenter_group_limit(g.tokens);
        while (g.prompts < limit && at + (size_t)g.prompts < r->n &&
               same_shape(first, &r->order[at + (size_t)g.prompts]))
            g.prompts++;
        const wsam_status status = run_group(r, first, &g, error);
        if (status)
            return status;
        at += (size_t)g.prompts;
        if (s->progress && s->progress(s->progress_user, (double)at / (double)r->n))
            return ws_fail(error, WSAM_ERR_CANCELLED, "cancelled");
    }
    return WSAM_OK;
}

static wsam_status check_and_run(run *r, wsam_error *error)
{
    if (r->n < 1 || r->n > MAX_PROMPTS)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%zu prompts: expected 1 to %d", r->n,
                       MAX_PROMPTS);
    wsam_status status = check_embedding(r->segmenter, r->embedding, error);
    if (!status)
        status = plan_order(r, error);
    if (!status)
        status = make_result(r, error);
    if (!status)
        status = run_all(r, error);
    free(r->order);
    return status;
}

wsam_status wsam_segmenter_run(wsam_segmenter *s, const wsam_embedding *embedding,
                               const wsam_prompt *prompts, size_t n, unsigned want,
                               wsam_result **result, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    run r = {.segmenter = s, .embedding = embedding, .prompts = prompts, .n = n, .want = want};
    *result = NULL;
    const wsam_status status = check_and_run(&r, error);
    if (status)
        wsam_result_free(r.result);
    else
        *result = r.result;
    return status;
}

wsam_status wsam_segmenter_stream(wsam_segmenter *s, const wsam_embedding *embedding,
                                  const wsam_prompt *prompts, size_t n, unsigned want,
                                  wsam_mask_fn fn, void *user, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    run r = {.segmenter = s,
             .embedding = embedding,
             .prompts = prompts,
             .n = n,
             .want = want,
             .give = fn,
             .give_user = user};
    if (!fn)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "wsam_segmenter_stream: no function given");
    const wsam_status status = check_and_run(&r, error);
    wsam_result_free(r.result);
    return status;
}
