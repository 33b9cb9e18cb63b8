/* pipeline/eval/voc.c - VOC AP and CorLoc. */
#include <stdlib.h>

#include "pipeline/eval/eval.h"
#include "runtime/run/threads.h"

typedef struct voc {
    ws_eval *eval;
    double *ap;         /* [threshold][class] */
    const double *ious; /* the first is 0.5 */
    size_t n_ious;
    uint8_t *taken; /* per object; classes have objects of their own */
    int *failed;    /* per worker */
} voc;

static int difficult(const ws_eval *e, int32_t object)
{
    return (e->truth->objects[object].flags & WS_OBJECT_DIFFICULT) != 0;
}

/* The object of a cell with the largest IoU, the first of equals; -1 when there are none. */
static int32_t best_object(const ws_eval *e, const ws_cell *cell, int32_t result, double *best)
{
    int32_t found = -1;
    *best = -1;
    for (int32_t g = 0; g < cell->n_objects; g++) {
        const int32_t object = e->cells.objects[cell->object + g];
        const double iou =
            ws_match_groups_iou(e->results->results[result].box, e->truth->objects[object].box, 0);
        if (iou > *best) {
            *best = iou;
            found = object;
        }
    }
    return found;
}

static uint64_t count_objects(const ws_eval *e, size_t category)
{
    uint64_t n = 0;
    for (size_t i = e->cells.starts[category]; i < e->cells.starts[category + 1]; i++) {
        const ws_cell *cell = &e->cells.cells[i];
        for (int32_t g = 0; g < cell->n_objects; g++)
            n += !difficult(e, e->cells.objects[cell->object + g]);
    }
    return n;
}

/* ---- AP ---- */

/* A class's detections, best first. */
typedef struct ranked {
    ws_scored *list;  /* index: a result; place: among all before sorting */
    int32_t *cell_of; /* by place */
    double *precision, *recall;
    size_t n;
} ranked;

static double eleven_points(const ranked *r)
{
    double sum = 0;
    for (int i = 0; i <= 10; i++) {
        double best = 0;
        for (size_t k = 0; k < r->n; k++)
            if (r->recall[k] >= i * 0.1 && r->precision[k] > best)
                best = r->precision[k];
        sum += best;
    }
    return sum / 11;
}

/* The area under the precision that falls monotonically; precision is changed to it. */
static double area(ranked *r)
{
    double sum = 0, before = 0;
    for (size_t i = r->n; i-- > 1;)
        if (r->precision[i] > r->precision[i - 1])
            r->precision[i - 1] = r->precision[i];
    for (size_t i = 0; i < r->n; i++) {
        sum += (r->recall[i] - before) * r->precision[i];
        before = r->recall[i];
    }
    return sum;
}

static void clear_taken(const voc *v, size_t category)
{
    const ws_cells *cells = &v->eval->cells;
    for (size_t i = cells->starts[category]; i < cells->starts[category + 1]; i++)
        for (int32_t g = 0; g < cells->cells[i].n_objects; g++)
            v->taken[cells->objects[cells->cells[i].object + g]] = 0;
}

static double average_precision(const voc *v, size_t category, ranked *r, uint64_t objects,
                                double threshold)
{
    const ws_eval *e = v->eval;
    double tp = 0, fp = 0;
    clear_taken(v, category);
    for (size_t i = 0; i < r->n; i++) {
        const ws_cell *cell = &e->cells.cells[r->cell_of[r->list[i].place]];
        double iou;
        const int32_t object = best_object(e, cell, r->list[i].index, &iou);
        if (!(iou > threshold)) {
            fp++;
        } else if (!difficult(e, object)) {
            if (v->taken[object])
                fp++;
            else
                tp++;
            v->taken[object] = 1;
        }
        r->recall[i] = tp / (double)objects;
        r->precision[i] = tp / (tp + fp > 2.2e-16 ? tp + fp : 2.2e-16);
    }
    return e->metric == WSAM_EVAL_11POINT ? eleven_points(r) : area(r);
}

static void rank(const ws_eval *e, size_t category, ranked *r)
{
    size_t k = 0;
    for (size_t i = e->cells.starts[category]; i < e->cells.starts[category + 1]; i++) {
        const ws_cell *cell = &e->cells.cells[i];
        for (int32_t d = 0; d < cell->n_results; d++, k++) {
            const int32_t result = e->cells.results[cell->result + d];
            r->list[k] = (ws_scored){e->results->results[result].score, (int32_t)k, result};
            r->cell_of[k] = (int32_t)i;
        }
    }
    ws_match_groups_sort(r->list, r->n);
}

static void voc_class(void *arg, int task, int worker)
{
    voc *v = arg;
    const ws_eval *e = v->eval;
    const size_t category = (size_t)task, n_classes = e->figures->n_classes;
    const uint64_t objects = count_objects(e, category);
    ranked r = {0};
    if (!objects)
        return;
    for (size_t i = e->cells.starts[category]; i < e->cells.starts[category + 1]; i++)
        r.n += (size_t)e->cells.cells[i].n_results;
    r.list = malloc((r.n + 1) * sizeof *r.list);
    r.cell_of = malloc((r.n + 1) * sizeof *r.cell_of);
    r.precision = malloc((r.n + 1) * sizeof *r.precision);
    r.recall = malloc((r.n + 1) * sizeof *r.recall);
    if (r.list && r.cell_of && r.precision && r.recall) {
        rank(e, category, &r);
        for (size_t t = 0; t < v->n_ious; t++)
            v->ap[t * n_classes + category] =
                average_precision(v, category, &r, objects, v->ious[t]);
    } else {
        v->failed[worker] = 1;
    }
    free(r.list);
    free(r.cell_of);
    free(r.precision);
    free(r.recall);
}

/* ---- CorLoc ---- */

static int located(const ws_eval *e, const ws_cell *cell, double threshold)
{
    const int32_t *places = e->cells.results + cell->result;
    int32_t best = places[0];
    double iou;
    for (int32_t d = 1; d < cell->n_results; d++)
        if (e->results->results[places[d]].score > e->results->results[best].score)
            best = places[d];
    best_object(e, cell, best, &iou);
    return iou > threshold;
}

static void corloc_class(void *arg, int task, int worker)
{
    voc *v = arg;
    const ws_eval *e = v->eval;
    const size_t category = (size_t)task, n_classes = e->figures->n_classes;
    (void)worker;
    for (size_t t = 0; t < v->n_ious; t++) {
        uint64_t images = 0, correct = 0;
        for (size_t i = e->cells.starts[category]; i < e->cells.starts[category + 1]; i++) {
            const ws_cell *cell = &e->cells.cells[i];
            int counts = 0;
            for (int32_t g = 0; g < cell->n_objects && !counts; g++)
                counts = !difficult(e, e->cells.objects[cell->object + g]);
            images += (uint64_t)counts;
            correct += counts && cell->n_results && located(e, cell, v->ious[t]);
        }
        if (images)
            v->ap[t * n_classes + category] = (double)correct / (double)images;
    }
}

/* ---- both ---- */

/* The mean of those that are not negative; -1 when there are none. */
static double mean(const double *values, size_t n)
{
    double sum = 0, count = 0;
    for (size_t i = 0; i < n; i++)
        if (values[i] >= 0) {
            sum += values[i];
            count++;
        }
    return count > 0 ? sum / count : -1;
}

static wsam_status evaluate(ws_eval *e, ws_task_fn task, wsam_error *error)
{
    wsam_eval_figures *f = e->figures;
    double ious[1 + WSAM_EVAL_MAX_IOUS] = {0.5};
    voc v = {.eval = e, .ious = ious, .n_ious = 1 + f->n_ious};
    const size_t values = v.n_ious * f->n_classes;
    for (size_t i = 0; i < f->n_ious; i++)
        ious[1 + i] = f->ious[i];
    v.ap = malloc((values + 1) * sizeof *v.ap);
    v.taken = calloc(e->truth->n_objects + 1, 1);
    v.failed = calloc((size_t)e->threads, sizeof *v.failed);
    int failed = !v.ap || !v.taken || !v.failed;
    if (!failed) {
        for (size_t i = 0; i < values; i++)
            v.ap[i] = -1;
        ws_parallel_for(e->threads, (int)f->n_classes, task, &v);
        for (size_t i = 0; i < f->n_classes; i++)
            f->per_class[i] = v.ap[i];
        f->mean = mean(f->per_class, f->n_classes);
        for (size_t i = 0; i < f->n_ious; i++)
            f->per_iou[i] = mean(v.ap + (1 + i) * f->n_classes, f->n_classes);
        for (int i = 0; i < e->threads; i++)
            failed |= v.failed[i];
    }
    f->objects = 0;
    for (size_t i = 0; i < e->truth->n_objects; i++)
        f->objects += !difficult(e, (int32_t)i);
    free(v.ap);
    free(v.taken);
    free(v.failed);
    return failed ? ws_fail(error, WSAM_ERR_MEMORY, "eval: no memory") : WSAM_OK;
}

wsam_status ws_eval_voc(ws_eval *e, wsam_error *error)
{
    return evaluate(e, voc_class, error);
}

wsam_status ws_voc_corloc(ws_eval *e, wsam_error *error)
{
    return evaluate(e, corloc_class, error);
}
