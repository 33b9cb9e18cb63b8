/* demo/evaluation/everything.h - everything mode on drawn scenes: which instances it covers, and what
 * its hierarchical grid loses against the full one. */
#ifndef WS_DEMO_EVALUATION_EVERYTHING_H
#define WS_DEMO_EVALUATION_EVERYTHING_H

#include "demo/drawing/scene.h"
#include "weaksam/weaksam.h"

/* Sums over scenes. */
typedef struct demo_everything {
    wsam_everything *generator; /* the caller's */
    double confident_logit;     /* of the hierarchical grid */
    long scenes, instances, covered, covered_hierarchical;
    long masks, found; /* of the full grid; those that the hierarchical one has at IoU 0.5, too */
    double iou;        /* sum over masks of the full grid: the best one of the hierarchical grid */
    double prompts, prompts_hierarchical, seconds, seconds_hierarchical;
} demo_everything;

/* Both grids on one scene. `counts[i]` says whether instance i is to be covered. */
wsam_status demo_everything_scene(demo_everything *e, const demo_scene *s,
                                  const wsam_picture *picture, const int *counts,
                                  wsam_error *error);
void demo_everything_print(const demo_everything *e);

/* IoU of a mask with what instance `id` of a scene shows. */
double demo_iou_with(const demo_scene *s, const wsam_rle *rle, int id);

#endif
