/* pipeline/eval/coco_accumulate.c - precision and recall of each class from its matches. */
#include <float.h>
#include <stdlib.h>

#include "pipeline/eval/coco.h"
#include "runtime/run/threads.h"

/* The detections of a class, best first, of all pictures. */
typedef struct ranked {
    ws_scored *list;     /* index: place in cells.results */
    const uint8_t *rank; /* by place of the list before sorting: its rank in its cell */
    size_t n;
    double *precision, *recall; /* working memory, n each */
    uint64_t objects;           /* that count */
} ranked;

typedef struct accumulation {
    const ws_coco *coco;
    ws_coco_class *classes;
    int *failed; /* per worker */
} accumulation;

/* ---- one curve ---- */

/* Precision and recall after each detection among the first `most` of its cell. */
static size_t curve(const ws_coco *c, ranked *r, int area, int t, int most)
{
    double tp = 0, fp = 0;
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const ws_match *m = &c->matches[r->list[i].index];
        if (r->rank[r->list[i].place] >= most)
            continue;
        if (!(m->ignored[area] >> t & 1)) {
            if (m->matched[area] >> t & 1)
                tp++;
            else
                fp++;
        }
        r->recall[n] = tp / (double)r->objects;
        r->precision[n++] = tp / (fp + tp + DBL_EPSILON);
    }
    return n;
}

/* The sum over recall 0, 0.01, ..., 1 of the best precision at that recall or more. */
static double interpolated(ranked *r, size_t n)
{
    double sum = 0;
    for (size_t i = n; i-- > 1;)
        if (r->precision[i] > r->precision[i - 1])
            r->precision[i - 1] = r->precision[i];
    size_t at = 0;
    for (int i = 0; i < WS_RECALLS; i++) {
        const double wanted = i == WS_RECALLS - 1 ? 1.0 : i * (1.0 / 100);
        while (at < n && r->recall[at] < wanted)
            at++;
        sum += at < n ? r->precision[at] : 0;
    }
    return sum;
}

static void accumulate_area(const ws_coco *c, ranked *r, int area, ws_coco_class *out)
{
    for (int t = 0; t < c->n_ious; t++) {
        if (area == WS_ALL) {
            const size_t one = curve(c, r, area, t, 1);
            out->recall_1[t] = one ? r->recall[one - 1] : 0;
            const size_t ten = curve(c, r, area, t, 10);
            out->recall_10[t] = ten ? r->recall[ten - 1] : 0;
        }
        const size_t n = curve(c, r, area, t, WS_MAX_DETECTIONS);
        out->recall[area][t] = n ? r->recall[n - 1] : 0;
        out->precision[area][t] = interpolated(r, n);
    }
}

/* ---- one class ---- */

static uint64_t count_objects(const ws_eval *e, size_t category, int area)
{
    uint64_t n = 0;
    for (size_t i = e->cells.starts[category]; i < e->cells.starts[category + 1]; i++) {
        const ws_cell *cell = &e->cells.cells[i];
        for (int32_t g = 0; g < cell->n_objects; g++)
            n += !ws_coco_match_ignored(e, &e->truth->objects[e->cells.objects[cell->object + g]],
                                        area);
    }
    return n;
}

static int kept(const ws_cell *cell)
{
    return cell->n_results < WS_MAX_DETECTIONS ? cell->n_results : WS_MAX_DETECTIONS;
}

/* Fills in the list, in the order of pictures and ranks before it is sorted by score. */
static void rank(const ws_eval *e, size_t category, ws_scored *list, uint8_t *ranks, size_t n)
{
    size_t k = 0;
    for (size_t i = e->cells.starts[category]; i < e->cells.starts[category + 1]; i++) {
        const ws_cell *cell = &e->cells.cells[i];
        for (int d = 0; d < kept(cell); d++, k++) {
            const int32_t place = cell->result + d;
            list[k] =
                (ws_scored){e->results->results[e->cells.results[place]].score, (int32_t)k, place};
            ranks[k] = (uint8_t)d;
        }
    }
    ws_match_groups_sort(list, n);
}

static void accumulate_class(void *arg, int task, int worker)
{
    accumulation *a = arg;
    const ws_eval *e = a->coco->eval;
    const size_t category = (size_t)task;
    ranked r = {0};
    for (size_t i = e->cells.starts[category]; i < e->cells.starts[category + 1]; i++)
        r.n += (size_t)kept(&e->cells.cells[i]);
    uint8_t *ranks = malloc(r.n + 1);
    r.rank = ranks;
    r.list = malloc((r.n + 1) * sizeof *r.list);
    r.precision = malloc((r.n + 1) * sizeof *r.precision);
    r.recall = malloc((r.n + 1) * sizeof *r.recall);
    if (ranks && r.list && r.precision && r.recall) {
        rank(e, category, r.list, ranks, r.n);
        for (int area = 0; area < WS_AREAS; area++) {
            r.objects = count_objects(e, category, area);
            if (r.objects)
                accumulate_area(a->coco, &r, area, &a->classes[task]);
        }
    } else {
        a->failed[worker] = 1;
    }
    free(ranks);
    free(r.list);
    free(r.precision);
    free(r.recall);
}

static void undefined(ws_coco_class *k)
{
    for (int t = 0; t < WS_MAX_IOUS; t++) {
        for (int area = 0; area < WS_AREAS; area++)
            k->precision[area][t] = k->recall[area][t] = -1;
        k->recall_1[t] = k->recall_10[t] = -1;
    }
}

wsam_status ws_coco_accumulate(ws_coco *c, ws_coco_class *classes, wsam_error *error)
{
    const ws_eval *e = c->eval;
    accumulation a = {.coco = c, .classes = classes};
    a.failed = calloc((size_t)e->threads, sizeof *a.failed);
    int failed = !a.failed;
    for (size_t k = 0; k < e->cells.n_categories; k++)
        undefined(&classes[k]);
    if (!failed)
        ws_parallel_for(e->threads, (int)e->cells.n_categories, accumulate_class, &a);
    for (int i = 0; i < e->threads && a.failed; i++)
        failed |= a.failed[i];
    free(a.failed);
    return failed ? ws_fail(error, WSAM_ERR_MEMORY, "eval: no memory") : WSAM_OK;
}
