/* pipeline/eval/eval.c - an evaluation: options checked, figures made. */
#include "pipeline/eval/eval.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "weaksam/model.h"

void wsam_eval_options_default(wsam_eval_options *options)
{
    memset(options, 0, sizeof *options);
}

void wsam_eval_figures_free(wsam_eval_figures *f)
{
    if (!f)
        return;
    free(f->per_class);
    free(f->ious);
    free(f->per_iou);
    free(f->found);
    free(f);
}

static wsam_status check(const wsam_eval_truth *t, const wsam_eval_results *r, wsam_eval_kind kind,
                         const wsam_eval_options *o, wsam_error *error)
{
    if (r->truth != t)
        return ws_fail(error, WSAM_ERR_MISMATCH, "eval: results of another truth");
    if (kind < WSAM_EVAL_BBOX || kind > WSAM_EVAL_RECALL)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "eval: no kind %d", (int)kind);
    if (r->proposals && kind != WSAM_EVAL_RECALL)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "eval: proposals have no classes: only their recall can be measured");
    if (o->n_ious > WSAM_EVAL_MAX_IOUS)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "eval: %zu IoU thresholds; the limit is %d",
                       o->n_ious, WSAM_EVAL_MAX_IOUS);
    for (size_t i = 0; i < o->n_ious; i++)
        if (!(o->ious[i] > 0 && o->ious[i] < 1))
            return ws_fail(error, WSAM_ERR_ARGUMENT, "eval: IoU threshold %g is not in (0,1)",
                           o->ious[i]);
    return WSAM_OK;
}

static wsam_eval_figures *new_figures(const wsam_eval_truth *t, const wsam_eval_results *r,
                                      wsam_eval_kind kind, const double *ious, size_t n_ious)
{
    wsam_eval_figures *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->kind = kind;
    f->n_classes = kind == WSAM_EVAL_RECALL ? 0 : t->n_categories;
    f->n_ious = n_ious;
    f->per_class = malloc((f->n_classes + 1) * sizeof *f->per_class);
    f->ious = malloc((n_ious + 1) * sizeof *f->ious);
    f->per_iou = malloc((n_ious + 1) * sizeof *f->per_iou);
    f->found = calloc(n_ious + 1, sizeof *f->found);
    if (!f->per_class || !f->ious || !f->per_iou || !f->found) {
        wsam_eval_figures_free(f);
        return NULL;
    }
    for (int i = 0; i < WSAM_EVAL_FIGURES; i++)
        f->coco[i] = -1;
    for (size_t i = 0; i < f->n_classes; i++)
        f->per_class[i] = -1;
    for (size_t i = 0; i < n_ious; i++) {
        f->ious[i] = ious[i];
        f->per_iou[i] = -1;
    }
    f->mean = -1;
    f->images = t->n_listed;
    f->results = r->n;
    f->results_per_image = t->n_listed ? (double)r->n / (double)t->n_listed : 0;
    return f;
}

static wsam_status evaluate(ws_eval *e, wsam_eval_kind kind, wsam_error *error)
{
    wsam_status status =
        ws_match_groups_make(e->truth, e->results, kind == WSAM_EVAL_RECALL, &e->cells, error);
    if (status)
        return status;
    switch (kind) {
    case WSAM_EVAL_BBOX:
        return ws_eval_coco(e, 0, error);
    case WSAM_EVAL_SEGM:
        return ws_eval_coco(e, 1, error);
    case WSAM_EVAL_VOC:
        return ws_eval_voc(e, error);
    case WSAM_EVAL_CORLOC:
        return ws_voc_corloc(e, error);
    case WSAM_EVAL_RECALL:
    default:
        return ws_eval_recall(e, error);
    }
}

wsam_status wsam_eval(const wsam_eval_truth *truth, const wsam_eval_results *results,
                      wsam_eval_kind kind, const wsam_eval_options *options,
                      wsam_eval_figures **figures, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    static const double recall_ious[] = {0.5, 0.6, 0.7, 0.75, 0.8, 0.9};
    wsam_eval_options defaults;
    wsam_eval_options_default(&defaults);
    const wsam_eval_options *o = options ? options : &defaults;
    const int own = kind == WSAM_EVAL_RECALL && !o->n_ious;
    *figures = NULL;
    wsam_status status = check(truth, results, kind, o, error);
    if (status)
        return status;
    ws_eval e = {.truth = truth,
                 .results = results,
                 .threads = o->threads > 0 ? o->threads : wsam_default_threads(),
                 .metric = o->metric};
    e.figures = new_figures(truth, results, kind, own ? recall_ious : o->ious, own ? 6 : o->n_ious);
    status =
        e.figures ? evaluate(&e, kind, error) : ws_fail(error, WSAM_ERR_MEMORY, "eval: no memory");
    ws_match_groups_free(&e.cells);
    if (status)
        wsam_eval_figures_free(e.figures);
    else
        *figures = e.figures;
    return status;
}
