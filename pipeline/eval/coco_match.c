/* pipeline/eval/coco_match.c - which detections match which objects, cell by cell.
 *
 * The order of operations is pycocotools': with it every comparison falls the same way. */
#include <math.h>
#include <stdlib.h>

#include "pipeline/coco/coco_mask.h"
#include "pipeline/eval/coco.h"
#include "runtime/run/threads.h"

enum { CELLS_PER_TASK = 256 };

/* Decoded masks with what IoU needs of them. */
typedef struct decoded {
    wsam_rle rle;
    int32_t box[4];
    int any;
    uint64_t area;
} decoded;

/* Working memory of one worker; grows. */
typedef struct scratch {
    ws_scored *scored;
    double *iou; /* [detection][object] */
    decoded *masks, mask;
    int32_t *order;
    uint8_t *ignored, *taken;
    size_t n_scored, n_iou, n_objects, n_masks;
} scratch;

typedef struct matching {
    ws_coco *coco;
    scratch *scratch; /* per worker */
    int *failed;      /* per worker */
} matching;

int ws_coco_match_outside(double pixels, int range)
{
    static const double low[WS_AREAS] = {0, 0, 32 * 32, 96 * 96};
    static const double high[WS_AREAS] = {1e10, 32 * 32, 96 * 96, 1e10};
    return pixels < low[range] || pixels > high[range];
}

int ws_coco_match_ignored(const ws_eval *e, const ws_object *o, int area)
{
    const unsigned ignored = e->truth->voc ? WS_OBJECT_DIFFICULT : WS_OBJECT_CROWD;
    return (o->flags & ignored) != 0 || ws_coco_match_outside(o->area, area);
}

double ws_coco_match_area(const ws_coco *c, int32_t result)
{
    const wsam_eval_results *r = c->eval->results;
    const double *box = r->results[result].box;
    return c->masks || r->boxless ? r->mask_areas[result] : box[2] * box[3];
}

/* ---- memory ---- */

static int more(void **array, size_t *have, size_t n, size_t size)
{
    size_t bytes;
    if (n <= *have)
        return 1;
    if (ws_mul_size(2 * n, size, &bytes))
        return 0;
    free(*array);
    *array = malloc(bytes);
    *have = *array ? 2 * n : 0;
    return *array != NULL;
}

static int more_objects(scratch *s, size_t n)
{
    if (n <= s->n_objects)
        return 1;
    free(s->order);
    free(s->ignored);
    free(s->taken);
    s->order = malloc(2 * n * sizeof *s->order);
    s->ignored = malloc(2 * n);
    s->taken = malloc(2 * n);
    const int ok = s->order && s->ignored && s->taken;
    s->n_objects = ok ? 2 * n : 0;
    return ok;
}

static int more_masks(scratch *s, size_t n)
{
    if (n <= s->n_masks)
        return 1;
    decoded *masks = realloc(s->masks, 2 * n * sizeof *masks);
    if (!masks)
        return 0;
    s->masks = masks;
    for (size_t i = s->n_masks; i < 2 * n; i++)
        s->masks[i] = (decoded){0};
    s->n_masks = 2 * n;
    return 1;
}

static void release(scratch *s)
{
    for (size_t i = 0; i < s->n_masks; i++)
        free(s->masks[i].rle.counts);
    free(s->mask.rle.counts);
    free(s->masks);
    free(s->scored);
    free(s->iou);
    free(s->order);
    free(s->ignored);
    free(s->taken);
}

/* ---- order and IoU ---- */

/* The best 100, highest score first; returns how many, -1 without memory. */
static int sort_cell(const ws_eval *e, const ws_cell *cell, scratch *s)
{
    int32_t *places = e->cells.results + cell->result;
    const size_t n = (size_t)cell->n_results;
    void *scored = s->scored;
    const int ok = more(&scored, &s->n_scored, n + 1, sizeof *s->scored);
    s->scored = scored;
    if (!ok)
        return -1;
    for (size_t i = 0; i < n; i++)
        s->scored[i] = (ws_scored){e->results->results[places[i]].score, (int32_t)i, places[i]};
    ws_match_groups_sort(s->scored, n);
    for (size_t i = 0; i < n; i++)
        places[i] = s->scored[i].index;
    return n < WS_MAX_DETECTIONS ? (int)n : WS_MAX_DETECTIONS;
}

static int decode(const ws_mask *mask, decoded *d)
{
    if (!ws_coco_mask_decode(mask, &d->rle))
        return 0;
    d->any = wsam_rle_box(&d->rle, d->box);
    d->area = wsam_rle_area(&d->rle);
    return 1;
}

/* As wsam_rle_iou, with boxes and areas at hand. */
static double mask_iou(const decoded *a, const decoded *b, int crowd)
{
    const int32_t *p = a->box, *q = b->box;
    if (!a->any || !b->any || p[0] > q[2] || q[0] > p[2] || p[1] > q[3] || q[1] > p[3])
        return 0;
    if (a->rle.height != b->rle.height || a->rle.width != b->rle.width)
        return -1;
    const uint64_t both = wsam_rle_intersection(&a->rle, &b->rle);
    return both ? (double)both / (double)(crowd ? a->area : a->area + b->area - both) : 0;
}

static int mask_ious(const ws_eval *e, const ws_cell *cell, int n, scratch *s)
{
    const size_t g_count = (size_t)cell->n_objects;
    const int32_t *objects = e->cells.objects + cell->object;
    if (!more_masks(s, g_count))
        return 0;
    for (size_t g = 0; g < g_count; g++)
        if (!decode(&e->truth->masks[objects[g]], &s->masks[g]))
            return 0;
    for (int d = 0; d < n; d++) {
        if (!decode(&e->results->masks[e->cells.results[cell->result + d]], &s->mask))
            return 0;
        for (size_t g = 0; g < g_count; g++)
            s->iou[(size_t)d * g_count + g] =
                mask_iou(&s->mask, &s->masks[g],
                         (e->truth->objects[objects[g]].flags & WS_OBJECT_CROWD) != 0);
    }
    return 1;
}

static void box_ious(const ws_eval *e, const ws_cell *cell, int n, scratch *s)
{
    const int32_t *objects = e->cells.objects + cell->object;
    for (int d = 0; d < n; d++) {
        const ws_result *r = &e->results->results[e->cells.results[cell->result + d]];
        for (int g = 0; g < cell->n_objects; g++) {
            const ws_object *o = &e->truth->objects[objects[g]];
            s->iou[(size_t)d * (size_t)cell->n_objects + (size_t)g] =
                ws_match_groups_iou(r->box, o->box, (o->flags & WS_OBJECT_CROWD) != 0);
        }
    }
}

static int all_ious(const ws_coco *c, const ws_cell *cell, int n, scratch *s)
{
    void *iou = s->iou;
    const int ok = more(&iou, &s->n_iou, (size_t)n * (size_t)cell->n_objects + 1, sizeof *s->iou);
    s->iou = iou;
    if (!ok || !more_objects(s, (size_t)cell->n_objects))
        return 0;
    if (c->masks)
        return mask_ious(c->eval, cell, n, s);
    box_ious(c->eval, cell, n, s);
    return 1;
}

/* ---- matching ---- */

/* Counted objects first, ignored ones after them, each in the order of the file. */
static void order_objects(const ws_eval *e, const ws_cell *cell, int area, scratch *s)
{
    const int32_t *objects = e->cells.objects + cell->object;
    int32_t n = 0;
    for (int32_t g = 0; g < cell->n_objects; g++) {
        s->ignored[g] = (uint8_t)ws_coco_match_ignored(e, &e->truth->objects[objects[g]], area);
        if (!s->ignored[g])
            s->order[n++] = g;
    }
    for (int32_t g = 0; g < cell->n_objects; g++)
        if (s->ignored[g])
            s->order[n++] = g;
}

/* The object that detection d takes at a threshold; -1: none. */
static int32_t best_object(const ws_eval *e, const ws_cell *cell, int d, double threshold,
                           const scratch *s)
{
    const int32_t *objects = e->cells.objects + cell->object;
    const double *iou = s->iou + (size_t)d * (size_t)cell->n_objects;
    double best = threshold < 1 - 1e-10 ? threshold : 1 - 1e-10;
    int32_t match = -1;
    for (int32_t i = 0; i < cell->n_objects; i++) {
        const int32_t g = s->order[i];
        const int crowd = (e->truth->objects[objects[g]].flags & WS_OBJECT_CROWD) != 0;
        if (s->taken[g] && !crowd)
            continue;
        if (match >= 0 && !s->ignored[match] && s->ignored[g])
            break;
        if (iou[g] < best)
            continue;
        best = iou[g];
        match = g;
    }
    return match;
}

static void match_area(const ws_coco *c, const ws_cell *cell, int n, int area, scratch *s)
{
    const ws_eval *e = c->eval;
    ws_match *matches = c->matches + cell->result;
    order_objects(e, cell, area, s);
    for (int t = 0; t < c->n_ious; t++) {
        for (int32_t g = 0; g < cell->n_objects; g++)
            s->taken[g] = 0;
        for (int d = 0; d < n; d++) {
            const int32_t g = best_object(e, cell, d, c->ious[t], s);
            if (g < 0)
                continue;
            s->taken[g] = 1;
            matches[d].matched[area] |= (uint16_t)(1u << t);
            if (s->ignored[g])
                matches[d].ignored[area] |= (uint16_t)(1u << t);
        }
    }
}

static int match_cell(const ws_coco *c, const ws_cell *cell, scratch *s)
{
    const ws_eval *e = c->eval;
    const int n = sort_cell(e, cell, s);
    if (n < 0)
        return 0;
    for (int d = 0; d < n; d++)
        c->matches[cell->result + d] = (ws_match){0};
    if (n && cell->n_objects) {
        if (!all_ious(c, cell, n, s))
            return 0;
        for (int area = 0; area < WS_AREAS; area++)
            match_area(c, cell, n, area, s);
    }
    for (int d = 0; d < n; d++) {
        ws_match *m = &c->matches[cell->result + d];
        const double pixels = ws_coco_match_area(c, e->cells.results[cell->result + d]);
        for (int area = 0; area < WS_AREAS; area++)
            if (ws_coco_match_outside(pixels, area))
                m->ignored[area] |= (uint16_t)~m->matched[area];
    }
    return 1;
}

static void match_cells(void *arg, int task, int worker)
{
    matching *m = arg;
    const ws_cells *cells = &m->coco->eval->cells;
    const size_t from = (size_t)task * CELLS_PER_TASK;
    for (size_t i = from; i < from + CELLS_PER_TASK && i < cells->n; i++)
        if (!match_cell(m->coco, &cells->cells[i], &m->scratch[worker]))
            m->failed[worker] = 1;
}

wsam_status ws_coco_match(ws_coco *c, wsam_error *error)
{
    const size_t threads = (size_t)c->eval->threads;
    const size_t tasks = (c->eval->cells.n + CELLS_PER_TASK - 1) / CELLS_PER_TASK;
    matching m = {.coco = c};
    m.scratch = calloc(threads, sizeof *m.scratch);
    m.failed = calloc(threads, sizeof *m.failed);
    int failed = !m.scratch || !m.failed;
    if (!failed)
        ws_parallel_for(c->eval->threads, (int)tasks, match_cells, &m);
    for (size_t i = 0; i < threads && m.scratch; i++)
        release(&m.scratch[i]);
    for (size_t i = 0; i < threads && m.failed; i++)
        failed |= m.failed[i];
    free(m.scratch);
    free(m.failed);
    return failed ? ws_fail(error, WSAM_ERR_MEMORY, "eval: no memory") : WSAM_OK;
}
