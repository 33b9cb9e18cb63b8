/* pipeline/eval/match_groups.h - results and objects of the same class and picture side by side. */
#ifndef WS_PIPELINE_EVAL_MATCH_GROUPS_H
#define WS_PIPELINE_EVAL_MATCH_GROUPS_H

#include "pipeline/coco/dataset.h"

/* Places in ws_cells.results and ws_cells.objects, each in the order of its file. */
typedef struct ws_cell {
    int32_t image;
    int32_t result, n_results;
    int32_t object, n_objects;
} ws_cell;

typedef struct ws_cells {
    ws_cell *cells; /* by class, then picture; only those that have something */
    size_t n;
    size_t *starts; /* of each class in cells; n_categories + 1 numbers */
    size_t n_categories;
    int32_t *results, *objects; /* indices */
} ws_cells;

/* With `classless` everything is one class. Free also after a failure. */
wsam_status ws_match_groups_make(const wsam_eval_truth *t, const wsam_eval_results *r,
                                 int classless, ws_cells *cells, wsam_error *error);
void ws_match_groups_free(ws_cells *cells);

/* A score, and what breaks ties: the place in some order. `index` is the owner's. */
typedef struct ws_scored {
    double score;
    int32_t place, index;
} ws_scored;

/* Highest score first, equal ones by place. */
void ws_match_groups_sort(ws_scored *list, size_t n);

/* Intersection over union of x,y,w,h; over the area of `a` when b is a crowd. */
double ws_match_groups_iou(const double a[4], const double b[4], int crowd);

#endif
