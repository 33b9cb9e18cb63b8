/* pipeline/everything/everything_masks.c - see everything_masks.h. */
#include "pipeline/everything/everything_masks.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

wsam_status ws_everything_masks_create(ws_masks *m, const ws_logits_source *source,
                                       const wsam_everything_options *options, int height,
                                       int width, wsam_error *error)
{
    *m = (ws_masks){.source = source, .options = options, .height = height, .width = width};
    m->rule = source->rule;
    m->rule.offset = (float)options->stability_score_offset;
    m->workers = calloc((size_t)source->threads, sizeof *m->workers);
    if (!m->workers)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %d workers", source->threads);
    m->bits_bytes = wsam_bits_words(height, width) * sizeof(uint64_t);
    for (int i = 0; i < source->threads; i++) {
        m->workers[i].bits = ws_alloc64(m->bits_bytes);
        if (!m->workers[i].bits)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask of %d x %d", width,
                           height);
    }
    return WSAM_OK;
}

uint64_t ws_everything_masks_bytes(const ws_masks *m)
{
    uint64_t bytes = m->plan_bytes;
    for (int i = 0; i < m->source->threads; i++) {
        const ws_mask_worker *w = &m->workers[i];
        bytes += m->bits_bytes + m->scratch_bytes + w->text_capacity + w->regions_bytes +
                 (w->capacity[0] + w->capacity[1]) * sizeof *w->counts[0];
    }
    return bytes;
}

void ws_everything_masks_free(ws_masks *m)
{
    for (int i = 0; m->workers && i < m->source->threads; i++) {
        ws_mask_worker *w = &m->workers[i];
        free(w->scratch), free(w->bits), free(w->counts[0]), free(w->counts[1]);
        free(w->text), free(w->regions);
    }
    free(m->workers);
    free(m->plan_memory);
}

wsam_status ws_everything_masks_begin(ws_masks *m, const ws_crop *crop,
                                      const wsam_mask_geometry *geometry, wsam_error *error)
{
    const wsam_mask_kernels *k = &m->source->kernels->mask;
    const size_t bytes = wsam_mask_plan_bytes(geometry);
    if (!bytes || geometry->out_w != crop->box[2] - crop->box[0] ||
        geometry->out_h != crop->box[3] - crop->box[1])
        return ws_fail(error, WSAM_ERR_ARGUMENT, "mask geometry: %d x %d is out of range",
                       geometry->out_w, geometry->out_h);
    m->crop = *crop;
    free(m->plan_memory);
    m->plan_memory = ws_alloc64(bytes);
    if (!m->plan_memory)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the tables of %d x %d masks",
                       geometry->out_w, geometry->out_h);
    wsam_mask_plan_init(&m->plan, geometry, m->plan_memory);
    m->plan_bytes = bytes;
    m->scratch_bytes = k->scratch_bytes(&m->plan);
    for (int i = 0; i < m->source->threads; i++) {
        free(m->workers[i].scratch);
        m->workers[i].scratch = ws_alloc64(m->scratch_bytes);
        if (!m->workers[i].scratch)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for rows of %d columns",
                           geometry->out_w);
    }
    return WSAM_OK;
}

ws_fate ws_everything_masks_measure(ws_masks *m, int worker, const float *logits, ws_candidate *c)
{
    const wsam_everything_options *o = m->options;
    ws_mask_worker *w = &m->workers[worker];
    wsam_mask_stats s;
    m->source->kernels->mask.upscale(&m->plan, &m->rule, logits, 0, m->plan.geometry.out_h,
                                     w->scratch, w->bits, &s);
    c->stability = wsam_mask_stability(&s);
    /* Comparisons are in f32 like the published ones; NaN fails. */
    if (o->stability_score_thresh > 0 && !(c->stability >= (float)o->stability_score_thresh))
        return WS_FATE_UNSTABLE;
    c->area = s.area;
    const int32_t box[4] = {s.x0, s.y0, s.area ? s.x1 : 0, s.area ? s.y1 : 0};
    memcpy(c->box, box, sizeof box);
    if (ws_everything_grid_near_edge(box, m->crop.box, m->height, m->width))
        return WS_FATE_AT_EDGE;
    return WS_FATE_CANDIDATE;
}

/* Room for n counts in buffer i of a worker. */
static int reserve_counts(ws_mask_worker *w, int i, size_t n)
{
    if (w->capacity[i] >= n)
        return 1;
    free(w->counts[i]);
    w->counts[i] = malloc(n * sizeof *w->counts[i]);
    w->capacity[i] = w->counts[i] ? n : 0;
    return w->counts[i] != NULL;
}

/* The text is written once into the worker's buffer, then copied at its true size. */
static int set_text(ws_mask_worker *w, const wsam_rle *rle, ws_candidate *c)
{
    size_t n = wsam_rle_to_string(rle, w->text, w->text_capacity);
    if (n > w->text_capacity) {
        free(w->text);
        w->text = malloc(2 * n);
        w->text_capacity = w->text ? 2 * n : 0;
        if (!w->text)
            return 0;
        wsam_rle_to_string(rle, w->text, w->text_capacity);
    }
    char *text = malloc(n + 1);
    if (!text)
        return 0;
    memcpy(text, w->text, n);
    text[n] = 0;
    free(c->text);
    c->text = text;
    c->length = n;
    return 1;
}

int ws_everything_masks_text(ws_masks *m, int worker, ws_candidate *c)
{
    ws_mask_worker *w = &m->workers[worker];
    const wsam_mask_geometry *g = &m->plan.geometry;
    const int32_t box[4] = {c->box[0], c->box[1], c->area ? c->box[2] : -1,
                            c->area ? c->box[3] : -1};
    wsam_rle rle = {.height = m->height, .width = m->width};
    for (;;) {
        rle.counts = w->counts[0];
        rle.capacity = w->capacity[0];
        if (!wsam_rle_from_bits(w->bits, g->out_h, g->out_w, box, m->crop.box[0], m->crop.box[1],
                                &rle))
            return set_text(w, &rle, c);
        if (!reserve_counts(w, 0, 2 * rle.n))
            return 0;
    }
}

/* One of the two steps, from buffer `from` to the other one. */
static int remove_regions(ws_mask_worker *w, wsam_rle *rle, wsam_region kind, uint64_t min_area,
                          int from, int *changed)
{
    const size_t bytes = wsam_components_scratch(rle);
    if (w->regions_bytes < bytes) {
        free(w->regions);
        w->regions = malloc(bytes);
        w->regions_bytes = w->regions ? bytes : 0;
    }
    /* Regions only go away: no more runs than before, but one when the first pixel changes. */
    if (!w->regions || !reserve_counts(w, !from, rle->n + 2))
        return 0;
    wsam_rle out = {.counts = w->counts[!from], .capacity = w->capacity[!from]};
    int found;
    if (wsam_remove_small_regions(rle, kind, min_area, w->regions, &out, &found))
        return 0;
    *changed |= found;
    *rle = out;
    return 1;
}

int ws_everything_masks_clean(ws_masks *m, int worker, ws_candidate *c)
{
    ws_mask_worker *w = &m->workers[worker];
    const uint64_t min_area = (uint64_t)m->options->min_mask_region_area;
    if (!reserve_counts(w, 0, c->length + 1)) /* a number has at least one character */
        return 0;
    wsam_rle rle = {
        .height = m->height, .width = m->width, .counts = w->counts[0], .capacity = w->capacity[0]};
    if (wsam_rle_from_string(c->text, c->length, &rle, NULL))
        return 0;
    c->changed = 0;
    if (!remove_regions(w, &rle, WSAM_REGION_HOLES, min_area, 0, &c->changed) ||
        !remove_regions(w, &rle, WSAM_REGION_ISLANDS, min_area, 1, &c->changed))
        return 0;
    if (!c->changed)
        return 1;
    if (!wsam_rle_box(&rle, c->box))
        c->box[2] = c->box[3] = 0;
    c->area = wsam_rle_area(&rle);
    return set_text(w, &rle, c);
}
