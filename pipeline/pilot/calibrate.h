/* pipeline/pilot/calibrate.h - scores become probabilities.
 *
 * logit P(hit) = f(logit score) + offset of the class + r on images that were ranked. f is a line (Platt) with
 * three bends; the offsets are random effects whose variance is estimated with them, so that a class with few
 * detections has the pooled curve, and they count for less near the top; r has a weak prior and is left out of
 * what is read off. The order of a review knows scores alone, so that P(hit) at a score may be learnt from ranked
 * images, too: no rate may. */
#ifndef WS_PIPELINE_PILOT_CALIBRATE_H
#define WS_PIPELINE_PILOT_CALIBRATE_H

#include "pipeline/pilot/sample.h"

enum { WS_CALIBRATION_NODES = 5 };

/* A class's offset is learnt where its detections are, in the middle; near the top classes differ less. It counts
 * in full up to one logit of probability, and by the least part from another one on. Cost above the best at 20:1,
 * 100 images in order (seed 777 of demo/evaluate_pilot.c): 10.5 % for a part of 1, 8.8 for 0.6, 8.0 for 0.3, 8.3
 * for 0; at random 10.3, 9.9, 9.7, 10.0. */
#define WS_OFFSET_WHOLE_UP_TO 1.0
#define WS_OFFSET_LEAST_FROM  3.0
#define WS_OFFSET_LEAST       0.4

typedef struct ws_calibration {
    double at[WS_CALIBRATION_NODES];    /* logit scores, ascending: extremes and quartiles */
    double value[WS_CALIBRATION_NODES]; /* f there; never falls; a line between and beyond */
    size_t n_classes;
    double *offset; /* [n_classes] */
    double offset_variance;
} ws_calibration;

/* Detections with use[i] != 0 (NULL: all). `start` (may be NULL) gives the variance of classes, which then is not
 * estimated again: for parts of the same sample. */
wsam_status ws_calibrate_fit(const ws_pilot_sample *s, const unsigned char *use,
                             const ws_calibration *start, ws_calibration *c, wsam_error *error);
void ws_calibrate_free(ws_calibration *c);

double ws_calibrate_of(const ws_calibration *c, size_t class_index, double score);
/* The lowest score whose probability reaches p; above 1 when none does. */
double ws_calibrate_score(const ws_calibration *c, size_t class_index, double p);

/* Platt's line over all classes: what the above is compared with. */
wsam_status ws_calibrate_platt(const ws_pilot_sample *s, ws_calibration *c, wsam_error *error);

/* ---- cross.c: the choice repeated on parts ---- */

enum { WS_PILOT_FOLDS = 10 };

/* Probabilities of a random sample by fits without a part of its images each (images are given to parts in turn). */
typedef struct ws_cross {
    double *held;                 /* [n]: of each detection by the fit without its image */
    double *part[WS_PILOT_FOLDS]; /* [n]: of all detections by the fit without this part */
} ws_cross;

/* All fits see the ranked images. `held` and `part` have the detections of ws_sample_audit(s). */
wsam_status ws_cross_make(const ws_pilot_sample *s, const ws_calibration *whole, ws_cross *cross,
                          wsam_error *error);
void ws_cross_free(ws_cross *cross);

/* Mean squared error; and the expected calibration error over ten groups of equal size by probability. */
double ws_cross_brier(const ws_pilot_sample *s, const double *probability);
wsam_status ws_cross_calibration_error(const ws_pilot_sample *s, const double *probability,
                                       double *ece, wsam_error *error);

#endif
