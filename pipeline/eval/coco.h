/* pipeline/eval/coco.h - COCO's evaluation: matching, then accumulation. */
#ifndef WS_PIPELINE_EVAL_COCO_H
#define WS_PIPELINE_EVAL_COCO_H

#include "pipeline/eval/eval.h"

enum { WS_ALL, WS_SMALL, WS_MEDIUM, WS_LARGE, WS_AREAS };
enum { WS_MAX_DETECTIONS = 100 };

/* Bit t of each area range: matched, or ignored, at threshold t. */
typedef struct ws_match {
    uint16_t matched[WS_AREAS], ignored[WS_AREAS];
} ws_match;
_Static_assert(WS_MAX_IOUS <= 16, "ws_match has 16 bits");

typedef struct ws_coco {
    ws_eval *eval;
    int masks;
    double ious[WS_MAX_IOUS];
    int n_ious;
    ws_match *matches; /* of each place of cells.results that is among the first 100 of its cell */
    int failed;        /* no memory */
} ws_coco;

/* What accumulation makes of a class; -1 where it has no object. */
typedef struct ws_coco_class {
    double precision[WS_AREAS][WS_MAX_IOUS]; /* sums over the 101 recall thresholds */
    double recall[WS_AREAS][WS_MAX_IOUS];    /* with 100 detections */
    double recall_1[WS_MAX_IOUS], recall_10[WS_MAX_IOUS];
} ws_coco_class;

enum { WS_RECALLS = 101 };

/* Whether an object is ignored in an area range. */
int ws_coco_match_ignored(const ws_eval *e, const ws_object *o, int area);
double ws_coco_match_area(const ws_coco *c, int32_t result);
int ws_coco_match_outside(double pixels, int range);

/* Sorts each cell's places by score and fills in matches. */
wsam_status ws_coco_match(ws_coco *c, wsam_error *error);
wsam_status ws_coco_accumulate(ws_coco *c, ws_coco_class *classes, wsam_error *error);

#endif
