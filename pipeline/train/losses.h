/* pipeline/train/losses.h - the losses of both stages and their gradients by the predictors'
 * outputs, in double.
 *
 * Columns are classes, 0 the background; boxes are exclusive x0, y0, x1, y1. Two-stream MIL after
 * WSDDN, refinement after OICR with regression, assignment of labels after MIST, RoI drop after
 * WeakSAM. Sums over proposals are taken in chunks of 64 in ascending order. */
#ifndef WS_PIPELINE_TRAIN_LOSSES_H
#define WS_PIPELINE_TRAIN_LOSSES_H

#include <stddef.h>
#include <stdint.h>

enum { WS_SUM_CHUNK = 64 };

double ws_losses_box_iou(const double a[4], const double b[4]);
/* 10 dx/w, 10 dy/h, 5 ln(w'/w), 5 ln(h'/h) of `target` as seen from `box`, and the way back (the
 * logarithms held below ln(1000/16)). */
void ws_losses_box_encode(const double target[4], const double box[4], double delta[4]);
void ws_losses_box_decode(const double delta[4], const double box[4], double out[4]);

/* y[i] = softmax of row i; y may be x. */
void ws_losses_softmax_rows(size_t n, size_t c, const double *x, size_t ldx, double *y);

/* Two streams: class scores a, detection scores b, rows ld apart; labels y [c] with y[0] = 0.
 * Writes s [n][c] = softmax over classes * softmax over proposals, p [c] = its sums over proposals,
 * the gradients da, db (rows ld apart), and returns the binary cross-entropy. `work` holds 2*n*c.
 */
double ws_losses_mil(size_t n, size_t c, const double *a, const double *b, size_t ld,
                     const uint8_t *y, double *s, double *p, double *da, double *db, double *work);

/* Labels, weights and regression targets of the proposals for one refinement head. */
typedef struct ws_assignment {
    int *label;
    double *weight;
    double (*target)[4];
} ws_assignment;

/* A proposal of an order by score. */
typedef struct ws_ranked {
    double score;
    size_t at;
} ws_ranked;

/* From the scores [n][c] of the head before: the best 15 % of each class of the image, without
 * those that overlap a better one by 0.2, are instances; proposals that overlap one by 0.5 take its
 * class. `oicr`: the best of each class alone, and proposals above 0.5. `work` holds n, `seeds`
 * holds n*c. Returns the number of instances. */
size_t ws_losses_refine_assign(size_t n, size_t c, const double *scores, const double (*boxes)[4],
                               const uint8_t *y, int oicr, ws_assignment *out, ws_ranked *work,
                               size_t *seeds);

/* Weighted cross-entropy of scores r and smooth L1 of deltas t [4c], times lambda/n. */
typedef struct ws_refine_result {
    double classification, regression;
} ws_refine_result;
ws_refine_result ws_losses_refine(size_t n, size_t c, const double *r, const double *t, size_t ld,
                                  const ws_assignment *targets, double lambda, double *dr,
                                  double *dt);

typedef enum ws_drop {
    WS_DROP_NONE,
    WS_DROP_JOINT,    /* both losses over their threshold: neither counts */
    WS_DROP_INDEP,    /* each loss over its threshold does not count */
    WS_DROP_INDEP_V1, /* the classification of background too, and where the regression is over */
    WS_DROP_RANGE,    /* the same of losses divided by their range in the image */
    WS_DROP_TOP /* of each loss the largest of the image's foreground; thresholds are shares */
} ws_drop;

typedef struct ws_drop_rule {
    ws_drop mode;
    double threshold_cls, threshold_reg;
} ws_drop_rule;

/* Sets what counts of a RoI with these losses, unless the mode is RANGE or TOP: *a of the classification, *b of the regression. */
void ws_losses_drop(const ws_drop_rule *rule, int foreground, double cls, double reg, int *a,
                    int *b);

/* Cross-entropy and L1 of sampled RoIs, times their weights (NULL: 1); the divisor is `total`, the
 * weights of the whole batch. Keeps per RoI both losses, without weight, and what counted: always,
 * where the weight is above 1. */
typedef struct ws_detect_roi {
    double cls, reg;
    int keep_cls, keep_reg;
} ws_detect_roi;
ws_refine_result ws_losses_detect(size_t n, size_t c, const double *s, const double *u, size_t ld,
                                  const int *label, const double (*target)[4], const double *weight,
                                  double total, const ws_drop_rule *rule, ws_detect_roi *rois,
                                  double *ds, double *du);

#endif
