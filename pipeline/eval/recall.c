/* pipeline/eval/recall.c - how many objects the proposals reach. */
#include <stdlib.h>

#include "pipeline/eval/eval.h"
#include "runtime/run/threads.h"

enum { CELLS_PER_TASK = 16 };

typedef struct candidate {
    double iou;
    int32_t object, result; /* in the cell */
} candidate;

typedef struct recall {
    ws_eval *eval;
    double least;    /* the lowest threshold */
    uint64_t *found; /* [task][threshold] */
    int *failed;     /* per worker */
} recall;

static int by_iou(const void *a, const void *b)
{
    const candidate *p = a, *q = b;
    if (p->iou > q->iou || p->iou < q->iou)
        return p->iou > q->iou ? -1 : 1;
    if (p->object != q->object)
        return p->object < q->object ? -1 : 1;
    return (p->result > q->result) - (p->result < q->result);
}

/* The pairs of a picture that can count at some threshold. */
static int collect(const recall *r, const ws_cell *cell, candidate **list, size_t *n)
{
    const ws_eval *e = r->eval;
    size_t capacity = 0;
    *n = 0;
    for (int32_t g = 0; g < cell->n_objects; g++) {
        const ws_object *o = &e->truth->objects[e->cells.objects[cell->object + g]];
        if (o->flags & WS_OBJECT_CROWD)
            continue;
        for (int32_t d = 0; d < cell->n_results; d++) {
            const ws_result *p = &e->results->results[e->cells.results[cell->result + d]];
            const double iou = ws_match_groups_iou(p->box, o->box, 0);
            if (iou < r->least)
                continue;
            candidate *more = ws_grow(*list, *n, &capacity, sizeof *more);
            if (!more)
                return 0;
            *list = more;
            (*list)[(*n)++] = (candidate){iou, g, d};
        }
    }
    return 1;
}

static int recall_cell(const recall *r, const ws_cell *cell, uint64_t *found)
{
    const wsam_eval_figures *f = r->eval->figures;
    candidate *list = NULL;
    size_t n = 0;
    uint8_t *taken = calloc((size_t)cell->n_objects + (size_t)cell->n_results + 1, 1);
    uint8_t *taken_results = taken ? taken + cell->n_objects : NULL;
    const int ok = taken && collect(r, cell, &list, &n);
    if (ok && n)
        qsort(list, n, sizeof *list, by_iou);
    for (size_t i = 0; i < n && ok; i++) {
        if (taken[list[i].object] || taken_results[list[i].result])
            continue;
        taken[list[i].object] = taken_results[list[i].result] = 1;
        for (size_t t = 0; t < f->n_ious; t++)
            found[t] += list[i].iou >= f->ious[t];
    }
    free(taken);
    free(list);
    return ok;
}

static void recall_cells(void *arg, int task, int worker)
{
    recall *r = arg;
    const ws_cells *cells = &r->eval->cells;
    const size_t from = (size_t)task * CELLS_PER_TASK;
    for (size_t i = from; i < from + CELLS_PER_TASK && i < cells->n; i++)
        if (!recall_cell(r, &cells->cells[i], r->found + (size_t)task * r->eval->figures->n_ious))
            r->failed[worker] = 1;
}

wsam_status ws_eval_recall(ws_eval *e, wsam_error *error)
{
    wsam_eval_figures *f = e->figures;
    const size_t tasks = (e->cells.n + CELLS_PER_TASK - 1) / CELLS_PER_TASK;
    recall r = {.eval = e, .least = 1};
    for (size_t t = 0; t < f->n_ious; t++)
        r.least = f->ious[t] < r.least ? f->ious[t] : r.least;
    r.found = calloc(tasks * f->n_ious + 1, sizeof *r.found);
    r.failed = calloc((size_t)e->threads, sizeof *r.failed);
    int failed = !r.found || !r.failed;
    if (!failed)
        ws_parallel_for(e->threads, (int)tasks, recall_cells, &r);
    for (int i = 0; i < e->threads && r.failed; i++)
        failed |= r.failed[i];
    f->objects = 0;
    for (size_t i = 0; i < e->truth->n_objects; i++)
        f->objects += !(e->truth->objects[i].flags & WS_OBJECT_CROWD);
    for (size_t t = 0; t < f->n_ious && !failed; t++) {
        f->found[t] = 0;
        for (size_t i = 0; i < tasks; i++)
            f->found[t] += r.found[i * f->n_ious + t];
        f->per_iou[t] = f->objects ? (double)f->found[t] / (double)f->objects : -1;
    }
    free(r.found);
    free(r.failed);
    return failed ? ws_fail(error, WSAM_ERR_MEMORY, "eval: no memory") : WSAM_OK;
}
