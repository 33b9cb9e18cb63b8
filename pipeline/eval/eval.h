/* pipeline/eval/eval.h - one evaluation: what its kinds share. */
#ifndef WS_PIPELINE_EVAL_EVAL_H
#define WS_PIPELINE_EVAL_EVAL_H

#include "pipeline/eval/match_groups.h"

enum { WS_COCO_IOUS = 10, WS_MAX_IOUS = WS_COCO_IOUS + WSAM_EVAL_MAX_IOUS };

typedef struct ws_eval {
    const wsam_eval_truth *truth;
    const wsam_eval_results *results;
    int threads;
    wsam_eval_metric metric;
    ws_cells cells;
    wsam_eval_figures *figures; /* arrays are allocated, all figures -1 */
} ws_eval;

/* The IoU thresholds of COCO: the doubles that pycocotools has (0.9 is 0.8999999999999999). */
void ws_coco_ious(double ious[WS_COCO_IOUS]);

wsam_status ws_eval_coco(ws_eval *e, int masks, wsam_error *error);
wsam_status ws_eval_voc(ws_eval *e, wsam_error *error);
wsam_status ws_voc_corloc(ws_eval *e, wsam_error *error);
wsam_status ws_eval_recall(ws_eval *e, wsam_error *error);

#endif
