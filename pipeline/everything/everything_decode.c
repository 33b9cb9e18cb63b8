/* pipeline/everything/everything_decode.c - batches of prompts: decoded, measured in parallel, and kept
 * where they pass the filters; run lengths that were dropped are made again. */
#include "base/clock.h"
#include "base/error.h"
#include "pipeline/everything/everything_run.h"
#include "runtime/run/threads.h"

#include <stdlib.h>
#include <string.h>

/* Logits of one decoder call at most: 21 prompts of three 256 x 256 masks. */
static const size_t max_logits_bytes = (size_t)16 << 20;

static void measure_task(void *arg, int task, int worker)
{
    ws_generator_run *r = arg;
    const wsam_everything_options *o = r->options;
    ws_candidate *c = &r->answers[task];
    r->fates[task] = WS_FATE_LOW_IOU;
    if (o->pred_iou_thresh > 0 && !(c->iou > (float)o->pred_iou_thresh))
        return;
    const float *logits = r->logits + (size_t)task * r->logits_of_mask;
    r->fates[task] = ws_everything_masks_measure(&r->masks, worker, logits, c);
    if (r->fates[task] == WS_FATE_CANDIDATE && !ws_everything_nms_suppressed(r, c) &&
        !ws_everything_masks_text(&r->masks, worker, c))
        r->fates[task] = WS_FATE_NO_MEMORY;
}

/* Decodes r->points[0..n) and describes the answers, point by point. */
static wsam_status decode(ws_generator_run *r, size_t n, int crop, float min_iou)
{
    const double start = ws_clock();
    const size_t masks = (size_t)r->source->masks;
    const wsam_status status =
        r->source->decode(r->source->user, n, r->points, min_iou, r->iou, r->logits, r->error);
    for (size_t i = 0; i < n * masks; i++)
        r->answers[i] =
            (ws_candidate){.iou = r->iou[i],
                           .crop = crop,
                           .mask = (int)(i % masks),
                           .point = {r->points[2 * (i / masks)], r->points[2 * (i / masks) + 1]}};
    r->stats->decode_s += ws_clock() - start;
    return status;
}

static wsam_status collect(ws_generator_run *r, size_t n)
{
    wsam_status status = WSAM_OK;
    wsam_everything_stats *s = r->stats;
    for (size_t i = 0; i < n; i++) {
        ws_candidate *c = &r->answers[i];
        s->masks++;
        s->after_iou += r->fates[i] != WS_FATE_LOW_IOU;
        s->after_stability += r->fates[i] >= WS_FATE_AT_EDGE;
        s->after_edges += r->fates[i] >= WS_FATE_CANDIDATE;
        if (c->text)
            r->text_bytes += c->length + 1;
        if (r->fates[i] == WS_FATE_NO_MEMORY && !status)
            status = ws_no_memory(r->error, "run lengths");
        const int wanted = r->fates[i] == WS_FATE_CANDIDATE && !status;
        if (wanted && r->covered)
            ws_hierarchy_cover(r, c, r->logits + i * r->logits_of_mask);
        if (wanted)
            status = ws_everything_nms_append(r, &r->found, c);
        if (!wanted || status)
            ws_everything_nms_drop_text(r, c);
    }
    return status;
}

static float score_iou(const ws_generator_run *r, const ws_candidate *c)
{
    (void)r;
    return c->iou;
}

wsam_status ws_everything_decode(ws_generator_run *r, size_t first, size_t n, int crop)
{
    const wsam_everything_options *o = r->options;
    for (size_t i = 0; i < n; i++)
        ws_everything_grid_point(o, &r->crops[crop],
                                 r->selected ? r->selected[first + i] : first + i,
                                 r->points + 2 * i);
    const float min_iou = o->pred_iou_thresh > 0 ? (float)o->pred_iou_thresh : -1e30f;
    wsam_status status = decode(r, n, crop, min_iou);
    if (status)
        return status;
    const double start = ws_clock();
    const size_t answers = n * (size_t)r->source->masks;
    ws_parallel_for(r->source->threads, (int)answers, measure_task, r);
    r->stats->mask_s += ws_clock() - start;
    r->stats->prompts += n;
    status = collect(r, answers);
    if (!status)
        status = ws_everything_nms(r, &r->found, score_iou, o->box_nms_thresh);
    ws_everything_nms_note_memory(r, NULL);
    if (!status)
        ws_everything_nms_save_memory(r);
    return status ? status : ws_everything_progress_advance(r, (double)n);
}

void ws_everything_decode_free(ws_generator_run *r)
{
    free(r->points), free(r->iou), free(r->logits), free(r->answers), free(r->fates);
    r->points = NULL;
    r->iou = r->logits = NULL;
    r->answers = NULL;
    r->fates = NULL;
}

wsam_status ws_everything_decode_reserve(ws_generator_run *r, const wsam_mask_geometry *g)
{
    const size_t masks = (size_t)r->source->masks;
    const size_t of_mask = (size_t)g->low_h * (size_t)g->low_w;
    if (of_mask == r->logits_of_mask)
        return WSAM_OK;
    const size_t fit = max_logits_bytes / (of_mask * masks * sizeof(float));
    ws_everything_decode_free(r);
    r->logits_of_mask = of_mask;
    r->batch = (size_t)r->options->points_per_batch;
    r->batch = r->batch < fit ? r->batch : (fit ? fit : 1);
    r->points = malloc(r->batch * 2 * sizeof *r->points);
    r->iou = malloc(r->batch * masks * sizeof *r->iou);
    r->logits = ws_alloc_large(r->batch * masks * of_mask * sizeof *r->logits);
    r->answers = malloc(r->batch * masks * sizeof *r->answers);
    r->fates = malloc(r->batch * masks * sizeof *r->fates);
    if (!r->points || !r->iou || !r->logits || !r->answers || !r->fates)
        return ws_no_memory(r->error, "a batch of prompts");
    return WSAM_OK;
}

/* ---- missing run lengths ---- */

/* Candidates of the current crop whose texts are made together. */
typedef struct renewal {
    ws_generator_run *r;
    ws_candidate *missing[64];
    const float *logits[64];
    int failed[64];
    size_t n;
} renewal;

static void renew_task(void *arg, int task, int worker)
{
    renewal *g = arg;
    ws_candidate again = *g->missing[task];
    g->failed[task] = ws_everything_masks_measure(&g->r->masks, worker, g->logits[task], &again) !=
                          WS_FATE_CANDIDATE ||
                      !ws_everything_masks_text(&g->r->masks, worker, &again);
    g->missing[task]->text = again.text;
    g->missing[task]->length = again.length;
}

static wsam_status renew_group(ws_generator_run *r, renewal *g)
{
    if (!g->n)
        return WSAM_OK;
    const size_t masks = (size_t)r->source->masks;
    for (size_t i = 0; i < g->n; i++) {
        memcpy(r->points + 2 * i, g->missing[i]->point, sizeof g->missing[i]->point);
        g->logits[i] = r->logits + (i * masks + (size_t)g->missing[i]->mask) * r->logits_of_mask;
        g->failed[i] = 0;
    }
    const wsam_status status = decode(r, g->n, 0, -1e30f);
    if (status)
        return status;
    const double start = ws_clock();
    ws_parallel_for(r->source->threads, (int)g->n, renew_task, g);
    r->stats->mask_s += ws_clock() - start;
    r->stats->recomputed += g->n;
    for (size_t i = 0; i < g->n; i++) {
        if (g->failed[i])
            return ws_no_memory(r->error, "run lengths");
        r->text_bytes += g->missing[i]->length + 1;
    }
    ws_everything_nms_note_memory(r, NULL);
    g->n = 0;
    return WSAM_OK;
}

static wsam_status check_limit(const ws_generator_run *r, uint64_t limit)
{
    if (r->text_bytes > limit)
        return ws_fail(r->error, WSAM_ERR_LIMIT,
                       "everything: the masks take more than mask_memory (%llu bytes)",
                       (unsigned long long)limit);
    return WSAM_OK;
}

wsam_status ws_everything_decode_texts(ws_generator_run *r, ws_candidate *items, size_t n,
                                       uint64_t limit)
{
    renewal g = {.r = r};
    const size_t most = r->batch < 64 ? r->batch : 64;
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < n && !status; i++) {
        if (items[i].text)
            continue;
        g.missing[g.n++] = &items[i];
        if (g.n == most)
            status = renew_group(r, &g);
        if (!status)
            status = check_limit(r, limit);
    }
    if (!status)
        status = renew_group(r, &g);
    return status ? status : check_limit(r, limit);
}
