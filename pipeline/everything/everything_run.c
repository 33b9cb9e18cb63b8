/* pipeline/everything/everything_run.c - the mask generator: crops, batches, NMS, clean-up, results
 * in order.
 *
 * Memory. A decoded batch is measured at once (box, scores) and its logits are forgotten. Run
 * lengths are only made for masks that no better one suppresses so far; those that turn out
 * suppressed are dropped when they take too much, and the few that are missing at the end are
 * decoded again. */
#include "pipeline/everything/everything_run.h"
#include "base/clock.h"
#include "base/error.h"
#include "runtime/run/threads.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { CLEAN_AT_ONCE = 64 }; /* masks between two calls of the progress function */

/* ---- crops ---- */

/* A crop is done: into the picture's frame, and over to the others. */
static wsam_status finish_crop(ws_generator_run *r, int crop, int all_texts)
{
    wsam_status status = ws_everything_nms_apply(r, &r->found);
    r->stats->after_nms += r->found.n;
    if (!status && all_texts) /* they stay in memory until the end */
        status = ws_everything_decode_texts(r, r->found.items, r->found.n, r->options->mask_memory);
    const int32_t *origin = r->crops[crop].box;
    for (size_t i = 0; i < r->found.n && !status; i++) {
        ws_candidate c = r->found.items[i];
        for (int k = 0; k < 4; k++)
            c.box[k] += origin[k % 2];
        status = ws_everything_nms_append(r, &r->kept, &c);
        if (!status)
            r->found.items[i].text = NULL;
    }
    for (size_t i = 0; i < r->found.n; i++)
        ws_everything_nms_drop_text(r, &r->found.items[i]);
    r->found.n = 0;
    return status;
}

/* Points [0, n) of this pass. */
static wsam_status run_pass(ws_generator_run *r, int crop, size_t n)
{
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < n && !status; i += r->batch)
        status = ws_everything_decode(r, i, n - i < r->batch ? n - i : r->batch, crop);
    return status;
}

static wsam_status run_hierarchy(ws_generator_run *r, int crop, size_t points)
{
    size_t first = 0, rest = 0;
    wsam_status status = ws_hierarchy_begin(r, crop, &first);
    if (!status)
        status = run_pass(r, crop, first);
    if (!status) {
        rest = ws_hierarchy_rest(r, crop);
        status = ws_everything_progress_advance(r, (double)(points - first - rest));
    }
    return status ? status : run_pass(r, crop, rest);
}

static wsam_status run_crop(ws_generator_run *r, int crop, int all_texts)
{
    const double start = ws_clock();
    const size_t n = ws_everything_grid_size(r->options, r->crops[crop].layer);
    wsam_mask_geometry geometry = {.filter = WSAM_UPSCALE_BILINEAR_TWICE};
    r->encoding = WS_ENCODE_WORK * (double)n;
    wsam_status status = r->source->begin_crop(
        r->source->user, r->crops[crop].box, &geometry,
        r->options->progress ? ws_everything_progress_encode : NULL, r, r->error);
    r->stats->encode_s += ws_clock() - start;
    if (!status)
        status = ws_everything_progress_advance(r, r->encoding);
    if (!status)
        status = ws_everything_masks_begin(&r->masks, &r->crops[crop], &geometry, r->error);
    if (!status)
        status = ws_everything_decode_reserve(r, &geometry);
    r->n_keep = 0;
    if (!status)
        status = r->options->hierarchical ? run_hierarchy(r, crop, n) : run_pass(r, crop, n);
    return status ? status : finish_crop(r, crop, all_texts);
}

/* ---- clean-up ---- */

typedef struct cleaning {
    ws_generator_run *r;
    size_t first;
    atomic_int failed;
} cleaning;

static void clean_task(void *arg, int task, int worker)
{
    cleaning *c = arg;
    if (!ws_everything_masks_clean(&c->r->masks, worker,
                                   &c->r->kept.items[c->first + (size_t)task]))
        atomic_store(&c->failed, 1);
}

static wsam_status clean_all(ws_generator_run *r)
{
    const size_t n = r->kept.n;
    const double work_of_mask = WS_CLEAN_WORK * (double)r->points_total / (double)n;
    cleaning c = {.r = r};
    wsam_status status = WSAM_OK;
    for (; c.first < n && !status; c.first += CLEAN_AT_ONCE) {
        const size_t m = n - c.first < CLEAN_AT_ONCE ? n - c.first : CLEAN_AT_ONCE;
        ws_parallel_for(r->source->threads, (int)m, clean_task, &c);
        status = atomic_load(&c.failed)
                     ? ws_no_memory(r->error, "the clean-up of small regions")
                     : ws_everything_progress_advance(r, work_of_mask * (double)m);
    }
    return status;
}

/* Suppression looks at the new boxes; a mask that did not change keeps its record as it is. */
static float score_unchanged(const ws_generator_run *r, const ws_candidate *c)
{
    (void)r;
    return c->changed ? 0.0f : 1.0f;
}

static wsam_status clean(ws_generator_run *r)
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
    status = ws_everything_nms(r, &r->kept, score_unchanged, threshold);
    r->stats->clean_s += ws_clock() - start;
    return status ? status : ws_everything_nms_apply(r, &r->kept);
}

/* ---- results ---- */

static wsam_status emit(ws_generator_run *r, const ws_candidate *c, wsam_everything_fn fn,
                        void *user)
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
static wsam_status emit_all(ws_generator_run *r, wsam_everything_fn fn, void *user)
{
    const double work = WS_EMIT_WORK * (double)r->points_total / (double)r->kept.n;
    wsam_status status = WSAM_OK;
    r->stats->kept = r->kept.n;
    for (size_t i = 0; i < r->kept.n && !status; i += r->batch) {
        const size_t n = r->kept.n - i < r->batch ? r->kept.n - i : r->batch;
        status = ws_everything_decode_texts(r, r->kept.items + i, n, UINT64_MAX);
        if (!status)
            status = ws_everything_progress_advance(r, work * (double)n);
        for (size_t k = i; k < i + n && !status; k++) {
            status = emit(r, &r->kept.items[k], fn, user);
            ws_everything_nms_drop_text(r, &r->kept.items[k]);
        }
    }
    return status;
}

/* Smaller crops win. */
static float score_crop(const ws_generator_run *r, const ws_candidate *c)
{
    const int32_t *b = r->crops[c->crop].box;
    return 1.0f / (float)((int64_t)(b[2] - b[0]) * (b[3] - b[1]));
}

static wsam_status run_all(ws_generator_run *r, wsam_everything_fn fn, void *user)
{
    const wsam_everything_options *o = r->options;
    /* With one crop and no clean-up, masks can be decoded again even while results go out. */
    const int all_texts = r->n_crops > 1 || o->min_mask_region_area > 0;
    wsam_status status =
        ws_everything_masks_create(&r->masks, r->source, o, r->height, r->width, r->error);
    for (int i = 0; i < r->n_crops && !status; i++)
        status = run_crop(r, i, all_texts);
    if (!status && r->n_crops > 1) {
        status = ws_everything_nms(r, &r->kept, score_crop, o->crop_nms_thresh);
        if (!status)
            status = ws_everything_nms_apply(r, &r->kept);
    }
    r->stats->after_crops = r->kept.n;
    if (!status && o->min_mask_region_area > 0)
        status = clean(r);
    return status ? status : emit_all(r, fn, user);
}

wsam_status ws_everything(const ws_logits_source *source, int height, int width,
                          const wsam_everything_options *options, wsam_everything_fn fn, void *user,
                          wsam_everything_stats *stats, wsam_error *error)
{
    wsam_everything_stats unused;
    if (stats)
        *stats = (wsam_everything_stats){0};
    wsam_status status = ws_everything_check_options(options, error);
    if (status)
        return status;
    ws_generator_run *r = calloc(1, sizeof *r);
    if (!r)
        return ws_fail(error, WSAM_ERR_MEMORY, "everything: no memory");
    *r = (ws_generator_run){.source = source,
                            .options = options,
                            .stats = stats ? stats : &unused,
                            .error = error,
                            .height = height,
                            .width = width};
    *r->stats = (wsam_everything_stats){0};
    r->n_crops = ws_everything_grid_crops(height, width, options->crop_n_layers,
                                          options->crop_overlap_ratio, r->crops);
    ws_everything_progress_plan(r);
    if (!r->n_crops)
        status = ws_fail(error, WSAM_ERR_ARGUMENT,
                         "everything: an image of %d x %d is too small for %d crop layers", width,
                         height, options->crop_n_layers);
    else if (!r->points_total)
        status = ws_fail(error, WSAM_ERR_ARGUMENT, "everything: the grids have no points");
    else
        status = run_all(r, fn, user);
    ws_everything_nms_free_list(&r->found);
    ws_everything_nms_free_list(&r->kept);
    ws_everything_decode_free(r);
    ws_hierarchy_end(r);
    if (r->masks.source)
        ws_everything_masks_free(&r->masks);
    free(r->boxes), free(r->scores), free(r->order), free(r->keep);
    free(r);
    return status;
}
