/* pipeline/everything/everything_run.c - the mask generator: crops, batches, NMS, clean-up, results
 * in order.
 *
 * Memory. A decoded batch is measured at once (box, scores) and its logits are forgotten. Run
 * lengths are only made for masks that no better one suppresses so far; those that turn out
 * suppressed are dropped when they take too much, and the few that are missing at the end are
 * decoded again. */
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "pipeline/everything/everything_masks.h"
#include "runtime/run/threads.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Logits of one decoder call at most: 21 prompts of three 256 x 256 masks. */
static const size_t max_logits_bytes = (size_t)16 << 20;

/* Work beside the prompts, as parts of theirs. Rough: models differ in it. */
static const double encode_work = 0.25, clean_work = 0.1, emit_work = 0.05;

enum { CLEAN_AT_ONCE = 64 }; /* masks between two calls of the progress function */

typedef struct candidate_list {
    ws_candidate *items;
    size_t n, capacity;
} candidate_list;

typedef struct run {
    const ws_logits_source *source;
    const wsam_everything_options *options;
    wsam_everything_stats *stats;
    wsam_error *error;
    int height, width;
    ws_masks masks;
    ws_crop crops[WS_MAX_CROPS];
    int n_crops;
    candidate_list found; /* of this crop */
    candidate_list kept;  /* of the crops before, boxes in the picture's frame */
    /* One decoder call. */
    size_t batch; /* prompts */
    size_t logits_of_mask;
    double *points; /* [batch][2] */
    float *iou, *logits;
    ws_candidate *answers; /* [batch][masks] */
    ws_fate *fates;
    /* Scratch of NMS, and its result. */
    float *boxes, *scores;
    uint64_t *order;
    uint32_t *keep;
    size_t n_keep, nms_capacity;
    uint64_t text_bytes;
    size_t points_total;
    double work_done, work_total; /* in prompts */
    double encoding;              /* work of the crop that is being encoded */
} run;

static void note_memory(const run *r, const candidate_list *other)
{
    const size_t answers = r->batch * (size_t)r->source->masks;
    const size_t candidates =
        answers + r->found.capacity + r->kept.capacity + (other ? other->capacity : 0);
    const size_t of_nms =
        4 * sizeof *r->boxes + sizeof *r->scores + sizeof *r->order + sizeof *r->keep;
    const uint64_t bytes = ws_masks_bytes(&r->masks) + r->text_bytes +
                           answers * (r->logits_of_mask + 1) * sizeof(float) +
                           r->batch * 2 * sizeof *r->points + answers * sizeof *r->fates +
                           candidates * sizeof(ws_candidate) + r->nms_capacity * of_nms;
    if (bytes > r->stats->peak_bytes)
        r->stats->peak_bytes = bytes;
}

/* ---- progress ---- */

static int call_progress(const run *r, double work)
{
    const wsam_everything_options *o = r->options;
    return o->progress && o->progress(o->progress_user, work / r->work_total);
}

/* The encoder's own fraction. */
static int encode_progress(void *user, double fraction)
{
    const run *r = user;
    return call_progress(r, r->work_done + fraction * r->encoding);
}

static wsam_status advance(run *r, double work)
{
    r->work_done += work;
    if (call_progress(r, r->work_done))
        return ws_fail(r->error, WSAM_ERR_CANCELLED, "everything: cancelled");
    return WSAM_OK;
}

static void plan_work(run *r)
{
    for (int i = 0; i < r->n_crops; i++)
        r->points_total += ws_grid_size(r->options, r->crops[i].layer);
    const double clean = r->options->min_mask_region_area > 0 ? clean_work : 0;
    r->work_total = (double)r->points_total * (1 + encode_work + clean + emit_work);
}

/* ---- lists ---- */

static void drop_text(run *r, ws_candidate *c)
{
    if (c->text)
        r->text_bytes -= c->length + 1;
    free(c->text);
    c->text = NULL;
}

static wsam_status append(run *r, candidate_list *list, const ws_candidate *c)
{
    ws_candidate *items = ws_grow(list->items, list->n, &list->capacity, sizeof *items);
    if (!items)
        return ws_no_memory(r->error, "candidates");
    list->items = items;
    list->items[list->n++] = *c;
    return WSAM_OK;
}

static void free_list(candidate_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i].text);
    free(list->items);
}

/* Reorders a list to the result of NMS; the others go. */
static wsam_status apply_keep(run *r, candidate_list *list)
{
    candidate_list next = {0};
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < r->n_keep && !status; i++) {
        ws_candidate *c = &list->items[r->keep[i]];
        status = append(r, &next, c);
        if (!status)
            c->text = NULL; /* moved */
    }
    note_memory(r, &next);
    for (size_t i = 0; i < list->n; i++)
        drop_text(r, &list->items[i]);
    free_list(list);
    *list = next;
    return status;
}

/* ---- NMS ---- */

static wsam_status reserve_nms(run *r, size_t n)
{
    if (n <= r->nms_capacity)
        return WSAM_OK;
    n = 2 * n;
    free(r->boxes), free(r->scores), free(r->order), free(r->keep);
    r->boxes = malloc(4 * n * sizeof *r->boxes);
    r->scores = malloc(n * sizeof *r->scores);
    r->order = malloc(n * sizeof *r->order);
    r->keep = malloc(n * sizeof *r->keep);
    r->nms_capacity = n;
    return r->boxes && r->scores && r->order && r->keep ? WSAM_OK : ws_no_memory(r->error, "NMS");
}

typedef float (*score_fn)(const run *r, const ws_candidate *c);

static float score_iou(const run *r, const ws_candidate *c)
{
    (void)r;
    return c->iou;
}

/* Smaller crops win. */
static float score_crop(const run *r, const ws_candidate *c)
{
    const int32_t *b = r->crops[c->crop].box;
    return 1.0f / (float)((int64_t)(b[2] - b[0]) * (b[3] - b[1]));
}

static float score_unchanged(const run *r, const ws_candidate *c)
{
    (void)r;
    return c->changed ? 0.0f : 1.0f;
}

static void box_to_floats(const int32_t box[4], float out[4])
{
    for (int k = 0; k < 4; k++)
        out[k] = (float)box[k];
}

static wsam_status nms(run *r, const candidate_list *list, score_fn score, double threshold)
{
    const double start = ws_clock();
    const wsam_status status = reserve_nms(r, list->n);
    if (status)
        return status;
    for (size_t i = 0; i < list->n; i++) {
        const ws_candidate *c = &list->items[i];
        box_to_floats(c->box, r->boxes + 4 * i);
        if (!c->area) /* in whatever frame its crop was */
            memset(r->boxes + 4 * i, 0, 4 * sizeof *r->boxes);
        r->scores[i] = score(r, c);
    }
    r->n_keep = wsam_box_nms(r->boxes, r->scores, list->n, threshold, r->order, r->keep);
    r->stats->nms_s += ws_clock() - start;
    return WSAM_OK;
}

/* Whether one that is kept so far suppresses c, which would come last among equals. */
static int suppressed_so_far(const run *r, const ws_candidate *c)
{
    float box[4], other[4];
    box_to_floats(c->box, box);
    for (size_t i = 0; i < r->n_keep; i++) {
        const ws_candidate *k = &r->found.items[r->keep[i]];
        if (!(k->iou >= c->iou))
            return 0; /* in order of falling scores */
        box_to_floats(k->box, other);
        if ((double)wsam_box_iou(other, box) > r->options->box_nms_thresh)
            return 1;
    }
    return 0;
}

/* Drops texts of what is suppressed so far, then of the lowest scores. */
static void save_memory(run *r)
{
    const uint64_t limit = r->options->mask_memory;
    if (r->text_bytes <= limit)
        return;
    for (size_t i = 0; i < r->found.n; i++)
        r->found.items[i].leading = 0;
    for (size_t i = 0; i < r->n_keep; i++)
        r->found.items[r->keep[i]].leading = 1;
    for (size_t i = 0; i < r->found.n; i++)
        if (!r->found.items[i].leading)
            drop_text(r, &r->found.items[i]);
    for (size_t i = r->n_keep; i-- > 0 && r->text_bytes > limit;)
        drop_text(r, &r->found.items[r->keep[i]]);
}

/* ---- batches ---- */

static void measure_task(void *arg, int task, int worker)
{
    run *r = arg;
    const wsam_everything_options *o = r->options;
    ws_candidate *c = &r->answers[task];
    r->fates[task] = WS_FATE_LOW_IOU;
    if (o->pred_iou_thresh > 0 && !(c->iou > (float)o->pred_iou_thresh))
        return;
    const float *logits = r->logits + (size_t)task * r->logits_of_mask;
    r->fates[task] = ws_masks_measure(&r->masks, worker, logits, c);
    if (r->fates[task] == WS_FATE_CANDIDATE && !suppressed_so_far(r, c) &&
        !ws_masks_text(&r->masks, worker, c))
        r->fates[task] = WS_FATE_NO_MEMORY;
}

/* Decodes r->points[0..n) and describes the answers, point by point. */
static wsam_status decode(run *r, size_t n, int crop, float min_iou)
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

static wsam_status collect(run *r, size_t n)
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
        if (wanted)
            status = append(r, &r->found, c);
        if (!wanted || status)
            drop_text(r, c);
    }
    return status;
}

static wsam_status run_batch(run *r, size_t first, size_t n, int crop)
{
    const wsam_everything_options *o = r->options;
    for (size_t i = 0; i < n; i++)
        ws_grid_point(o, &r->crops[crop], first + i, r->points + 2 * i);
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
        status = nms(r, &r->found, score_iou, o->box_nms_thresh);
    note_memory(r, NULL);
    if (!status)
        save_memory(r);
    return status ? status : advance(r, (double)n);
}

/* ---- missing run lengths ---- */

/* Candidates of the current crop whose texts are made together. */
typedef struct renewal {
    run *r;
    ws_candidate *missing[64];
    const float *logits[64];
    int failed[64];
    size_t n;
} renewal;

static void renew_task(void *arg, int task, int worker)
{
    renewal *g = arg;
    ws_candidate again = *g->missing[task];
    g->failed[task] =
        ws_masks_measure(&g->r->masks, worker, g->logits[task], &again) != WS_FATE_CANDIDATE ||
        !ws_masks_text(&g->r->masks, worker, &again);
    g->missing[task]->text = again.text;
    g->missing[task]->length = again.length;
}

static wsam_status renew_group(run *r, renewal *g)
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
    note_memory(r, NULL);
    g->n = 0;
    return WSAM_OK;
}

static wsam_status check_limit(const run *r, uint64_t limit)
{
    if (r->text_bytes > limit)
        return ws_fail(r->error, WSAM_ERR_LIMIT,
                       "everything: the masks take more than mask_memory (%llu bytes)",
                       (unsigned long long)limit);
    return WSAM_OK;
}

/* Makes the texts that are missing among n candidates of the current crop, as long as all texts
 * together stay below the limit. */
static wsam_status renew(run *r, ws_candidate *items, size_t n, uint64_t limit)
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

/* ---- crops ---- */

static void free_batch(run *r)
{
    free(r->points), free(r->iou), free(r->logits), free(r->answers), free(r->fates);
    r->points = NULL;
    r->iou = r->logits = NULL;
    r->answers = NULL;
    r->fates = NULL;
}

static wsam_status reserve_batch(run *r, const wsam_mask_geometry *g)
{
    const size_t masks = (size_t)r->source->masks;
    const size_t of_mask = (size_t)g->low_h * (size_t)g->low_w;
    if (of_mask == r->logits_of_mask)
        return WSAM_OK;
    const size_t fit = max_logits_bytes / (of_mask * masks * sizeof(float));
    free_batch(r);
    r->logits_of_mask = of_mask;
    r->batch = (size_t)r->options->points_per_batch;
    r->batch = r->batch < fit ? r->batch : (fit ? fit : 1);
    r->points = malloc(r->batch * 2 * sizeof *r->points);
    r->iou = malloc(r->batch * masks * sizeof *r->iou);
    r->logits = ws_alloc64(r->batch * masks * of_mask * sizeof *r->logits);
    r->answers = malloc(r->batch * masks * sizeof *r->answers);
    r->fates = malloc(r->batch * masks * sizeof *r->fates);
    if (!r->points || !r->iou || !r->logits || !r->answers || !r->fates)
        return ws_no_memory(r->error, "a batch of prompts");
    return WSAM_OK;
}

/* A crop is done: into the picture's frame, and over to the others. */
static wsam_status finish_crop(run *r, int crop, int all_texts)
{
    wsam_status status = apply_keep(r, &r->found);
    r->stats->after_nms += r->found.n;
    if (!status && all_texts) /* they stay in memory until the end */
        status = renew(r, r->found.items, r->found.n, r->options->mask_memory);
    const int32_t *origin = r->crops[crop].box;
    for (size_t i = 0; i < r->found.n && !status; i++) {
        ws_candidate c = r->found.items[i];
        for (int k = 0; k < 4; k++)
            c.box[k] += origin[k % 2];
        status = append(r, &r->kept, &c);
        if (!status)
            r->found.items[i].text = NULL;
    }
    for (size_t i = 0; i < r->found.n; i++)
        drop_text(r, &r->found.items[i]);
    r->found.n = 0;
    return status;
}

static wsam_status run_crop(run *r, int crop, int all_texts)
{
    const double start = ws_clock();
    const size_t n = ws_grid_size(r->options, r->crops[crop].layer);
    wsam_mask_geometry geometry = {.filter = WSAM_UPSCALE_BILINEAR_TWICE};
    r->encoding = encode_work * (double)n;
    wsam_status status =
        r->source->begin_crop(r->source->user, r->crops[crop].box, &geometry,
                              r->options->progress ? encode_progress : NULL, r, r->error);
    r->stats->encode_s += ws_clock() - start;
    if (!status)
        status = advance(r, r->encoding);
    if (!status)
        status = ws_masks_begin(&r->masks, &r->crops[crop], &geometry, r->error);
    if (!status)
        status = reserve_batch(r, &geometry);
    r->n_keep = 0;
    for (size_t i = 0; i < n && !status; i += r->batch)
        status = run_batch(r, i, n - i < r->batch ? n - i : r->batch, crop);
    return status ? status : finish_crop(r, crop, all_texts);
}

/* ---- clean-up ---- */

typedef struct cleaning {
    run *r;
    size_t first;
    atomic_int failed;
} cleaning;

static void clean_task(void *arg, int task, int worker)
{
    cleaning *c = arg;
    if (!ws_masks_clean(&c->r->masks, worker, &c->r->kept.items[c->first + (size_t)task]))
        atomic_store(&c->failed, 1);
}

static wsam_status clean_all(run *r)
{
    const size_t n = r->kept.n;
    const double work_of_mask = clean_work * (double)r->points_total / (double)n;
    cleaning c = {.r = r};
    wsam_status status = WSAM_OK;
    for (; c.first < n && !status; c.first += CLEAN_AT_ONCE) {
        const size_t m = n - c.first < CLEAN_AT_ONCE ? n - c.first : CLEAN_AT_ONCE;
        ws_parallel_for(r->source->threads, (int)m, clean_task, &c);
        status = atomic_load(&c.failed) ? ws_no_memory(r->error, "the clean-up of small regions")
                                        : advance(r, work_of_mask * (double)m);
    }
    return status;
}

/* Suppression looks at the new boxes; a mask that did not change keeps its record as it is. */
static wsam_status clean(run *r)
{
    const wsam_everything_options *o = r->options;
    const double start = ws_clock();
    wsam_status status = clean_all(r);
    if (status)
        return status;
    r->text_bytes = 0;
    for (size_t i = 0; i < r->kept.n; i++)
        r->text_bytes += r->kept.items[i].length + 1;
    const double threshold =
        o->box_nms_thresh > o->crop_nms_thresh ? o->box_nms_thresh : o->crop_nms_thresh;
    status = nms(r, &r->kept, score_unchanged, threshold);
    r->stats->clean_s += ws_clock() - start;
    return status ? status : apply_keep(r, &r->kept);
}

/* ---- results ---- */

static wsam_status emit(run *r, const ws_candidate *c, wsam_everything_fn fn, void *user)
{
    const int32_t *crop = r->crops[c->crop].box, *b = c->box;
    const wsam_everything_record record = {
        .height = r->height,
        .width = r->width,
        .counts = c->text,
        .counts_length = c->length,
        .area = c->area,
        .bbox = {b[0], b[1], b[2] - b[0], b[3] - b[1]},
        .predicted_iou = c->iou,
        .stability_score = c->stability,
        .point = {c->point[0] + crop[0], c->point[1] + crop[1]},
        .crop_box = {crop[0], crop[1], crop[2] - crop[0], crop[3] - crop[1]}};
    if (fn(user, &record))
        return ws_fail(r->error, WSAM_ERR_CANCELLED, "everything: stopped by the callback");
    return WSAM_OK;
}

/* In groups, so that masks that are computed again never stand in memory together. */
static wsam_status emit_all(run *r, wsam_everything_fn fn, void *user)
{
    const double work = emit_work * (double)r->points_total / (double)r->kept.n;
    wsam_status status = WSAM_OK;
    r->stats->kept = r->kept.n;
    for (size_t i = 0; i < r->kept.n && !status; i += r->batch) {
        const size_t n = r->kept.n - i < r->batch ? r->kept.n - i : r->batch;
        status = renew(r, r->kept.items + i, n, UINT64_MAX);
        if (!status)
            status = advance(r, work * (double)n);
        for (size_t k = i; k < i + n && !status; k++) {
            status = emit(r, &r->kept.items[k], fn, user);
            drop_text(r, &r->kept.items[k]);
        }
    }
    return status;
}

static wsam_status run_all(run *r, wsam_everything_fn fn, void *user)
{
    const wsam_everything_options *o = r->options;
    /* With one crop and no clean-up, masks can be decoded again even while results go out. */
    const int all_texts = r->n_crops > 1 || o->min_mask_region_area > 0;
    wsam_status status = ws_masks_create(&r->masks, r->source, o, r->height, r->width, r->error);
    for (int i = 0; i < r->n_crops && !status; i++)
        status = run_crop(r, i, all_texts);
    if (!status && r->n_crops > 1) {
        status = nms(r, &r->kept, score_crop, o->crop_nms_thresh);
        if (!status)
            status = apply_keep(r, &r->kept);
    }
    r->stats->after_crops = r->kept.n;
    if (!status && o->min_mask_region_area > 0)
        status = clean(r);
    return status ? status : emit_all(r, fn, user);
}

/* Lists of points in [0,1]; a list of none needs no memory. */
static int good_grids(const wsam_everything_options *o)
{
    for (int layer = 0; layer <= o->crop_n_layers; layer++) {
        const size_t n = o->point_grid_sizes ? o->point_grid_sizes[layer] : 0;
        const double *grid = o->point_grids[layer];
        if (!o->point_grid_sizes || (n && !grid) || n > SIZE_MAX / 2 / sizeof *grid)
            return 0;
        for (size_t i = 0; i < 2 * n; i++)
            if (!(grid[i] >= 0 && grid[i] <= 1))
                return 0;
    }
    return 1;
}

static wsam_status check_options(const wsam_everything_options *o, wsam_error *error)
{
    const char *bad = NULL;
    if (!o->point_grids && (o->points_per_side < 1 || o->points_per_side > 1024))
        bad = "points_per_side";
    else if (o->points_per_batch < 1 || o->points_per_batch > 65536)
        bad = "points_per_batch";
    else if (o->crop_n_layers < 0 || o->crop_n_layers > WS_MAX_CROP_LAYERS)
        bad = "crop_n_layers";
    else if (!(o->crop_overlap_ratio >= 0 && o->crop_overlap_ratio <= 1))
        bad = "crop_overlap_ratio";
    else if (o->crop_n_points_downscale_factor < 1)
        bad = "crop_n_points_downscale_factor";
    else if (o->min_mask_region_area < 0)
        bad = "min_mask_region_area";
    else if (!(o->stability_score_offset >= 0 && o->stability_score_offset < 1e30))
        bad = "stability_score_offset";
    else if (isnan(o->pred_iou_thresh) || isnan(o->stability_score_thresh))
        bad = isnan(o->pred_iou_thresh) ? "pred_iou_thresh" : "stability_score_thresh";
    else if (isnan(o->box_nms_thresh) || isnan(o->crop_nms_thresh))
        bad = isnan(o->box_nms_thresh) ? "box_nms_thresh" : "crop_nms_thresh";
    else if (o->point_grids && !good_grids(o))
        bad = "point_grids";
    if (bad)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "everything: option %s is out of range", bad);
    return WSAM_OK;
}

wsam_status ws_everything(const ws_logits_source *source, int height, int width,
                          const wsam_everything_options *options, wsam_everything_fn fn, void *user,
                          wsam_everything_stats *stats, wsam_error *error)
{
    wsam_everything_stats unused;
    if (stats)
        *stats = (wsam_everything_stats){0};
    wsam_status status = check_options(options, error);
    if (status)
        return status;
    run *r = calloc(1, sizeof *r);
    if (!r)
        return ws_fail(error, WSAM_ERR_MEMORY, "everything: no memory");
    *r = (run){.source = source,
               .options = options,
               .stats = stats ? stats : &unused,
               .error = error,
               .height = height,
               .width = width};
    *r->stats = (wsam_everything_stats){0};
    r->n_crops =
        ws_crop_boxes(height, width, options->crop_n_layers, options->crop_overlap_ratio, r->crops);
    plan_work(r);
    if (!r->n_crops)
        status = ws_fail(error, WSAM_ERR_ARGUMENT,
                         "everything: a picture of %d x %d is too small for %d crop layers", width,
                         height, options->crop_n_layers);
    else if (!r->points_total)
        status = ws_fail(error, WSAM_ERR_ARGUMENT, "everything: the grids have no points");
    else
        status = run_all(r, fn, user);
    free_list(&r->found);
    free_list(&r->kept);
    free_batch(r);
    if (r->masks.source)
        ws_masks_free(&r->masks);
    free(r->boxes), free(r->scores), free(r->order), free(r->keep);
    free(r);
    return status;
}
