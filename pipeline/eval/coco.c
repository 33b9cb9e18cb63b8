/* pipeline/eval/coco.c - the figures of COCO: box and mask AP and AR. */
#include "pipeline/eval/coco.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

void ws_coco_ious(double ious[WS_COCO_IOUS])
{
    for (int i = 0; i < WS_COCO_IOUS - 1; i++) /* numpy.linspace: the step first, the end exact */
        ious[i] = 0.5 + i * ((0.95 - 0.5) / 9);
    ious[WS_COCO_IOUS - 1] = 0.95;
}

/* Where a threshold stands among c->ious; appended when it is new. 0.7 and 0.9 are COCO's. */
static int threshold_place(ws_coco *c, double iou)
{
    for (int t = 0; t < c->n_ious; t++)
        if (fabs(c->ious[t] - iou) < 1e-9)
            return t;
    c->ious[c->n_ious] = iou;
    return c->n_ious++;
}

/* ---- means ---- */

/* Which values: thresholds [from, to) of one area range; or of recall_1, recall_10. */
typedef enum source { PRECISION, RECALL, RECALL_1, RECALL_10 } source;

static double value(const ws_coco_class *k, source s, int area, int t)
{
    switch (s) {
    case PRECISION:
        return k->precision[area][t];
    case RECALL:
        return k->recall[area][t];
    case RECALL_1:
        return k->recall_1[t];
    case RECALL_10:
    default:
        return k->recall_10[t];
    }
}

static double mean(const ws_coco_class *classes, size_t n, source s, int area, int from, int to)
{
    double sum = 0, count = 0;
    for (int t = from; t < to; t++)
        for (size_t k = 0; k < n; k++) {
            const double v = value(&classes[k], s, area, t);
            sum += v > -1 ? v : 0;
            count += v > -1 ? (s == PRECISION ? WS_RECALLS : 1) : 0;
        }
    return count > 0 ? sum / count : -1;
}

static void summarise(ws_coco *c, const ws_coco_class *k)
{
    wsam_eval_figures *f = c->eval->figures;
    const size_t n = f->n_classes;
    double *to = f->coco;
    to[WSAM_EVAL_AP] = mean(k, n, PRECISION, WS_ALL, 0, WS_COCO_IOUS);
    to[WSAM_EVAL_AP50] = mean(k, n, PRECISION, WS_ALL, 0, 1);
    to[WSAM_EVAL_AP75] = mean(k, n, PRECISION, WS_ALL, 5, 6);
    to[WSAM_EVAL_AR1] = mean(k, n, RECALL_1, WS_ALL, 0, WS_COCO_IOUS);
    to[WSAM_EVAL_AR10] = mean(k, n, RECALL_10, WS_ALL, 0, WS_COCO_IOUS);
    to[WSAM_EVAL_AR100] = mean(k, n, RECALL, WS_ALL, 0, WS_COCO_IOUS);
    for (int area = WS_SMALL; area <= WS_LARGE; area++) {
        to[WSAM_EVAL_APS + area - 1] = mean(k, n, PRECISION, area, 0, WS_COCO_IOUS);
        to[WSAM_EVAL_ARS + area - 1] = mean(k, n, RECALL, area, 0, WS_COCO_IOUS);
    }
    for (size_t i = 0; i < n; i++)
        f->per_class[i] = mean(k + i, 1, PRECISION, WS_ALL, 0, WS_COCO_IOUS);
    for (size_t i = 0; i < f->n_ious; i++) {
        const int t = threshold_place(c, f->ious[i]);
        f->per_iou[i] = mean(k, n, PRECISION, WS_ALL, t, t + 1);
    }
    f->mean = to[WSAM_EVAL_AP];
}

/* ---- checks ---- */

static wsam_status check(const ws_eval *e, int masks, wsam_error *error)
{
    const wsam_eval_truth *t = e->truth;
    if (masks && ((t->n_objects && !t->masks) || (e->results->n && !e->results->masks)))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "eval: masks were not read");
    for (size_t i = 0; i < t->n_objects; i++) {
        const ws_object *o = &t->objects[i];
        if (o->area < 0)
            return ws_fail(error, WSAM_ERR_FORMAT,
                           "%s: annotation %" PRId64
                           " has no 'area', which COCO's size ranges need",
                           t->path, o->id);
        if (!o->id)
            return ws_fail(error, WSAM_ERR_FORMAT,
                           "%s: an annotation has the id 0, which pycocotools takes for no "
                           "annotation; number them from 1",
                           t->path);
    }
    return WSAM_OK;
}

wsam_status ws_eval_coco(ws_eval *e, int masks, wsam_error *error)
{
    wsam_eval_figures *f = e->figures;
    ws_coco c = {.eval = e, .masks = masks, .n_ious = WS_COCO_IOUS};
    wsam_status status = check(e, masks, error);
    if (status)
        return status;
    ws_coco_ious(c.ious);
    for (size_t i = 0; i < f->n_ious; i++)
        threshold_place(&c, f->ious[i]);
    c.matches = malloc((e->results->n + 1) * sizeof *c.matches);
    ws_coco_class *classes = malloc((f->n_classes + 1) * sizeof *classes);
    if (!c.matches || !classes)
        status = ws_fail(error, WSAM_ERR_MEMORY, "eval: no memory");
    if (!status)
        status = ws_coco_match(&c, error);
    if (!status)
        status = ws_coco_accumulate(&c, classes, error);
    if (!status)
        summarise(&c, classes);
    f->objects = 0;
    for (size_t i = 0; i < e->truth->n_objects; i++)
        f->objects += !ws_coco_match_ignored(e, &e->truth->objects[i], WS_ALL);
    free(c.matches);
    free(classes);
    return status;
}
