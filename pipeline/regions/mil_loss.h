/* pipeline/regions/mil_loss.h - multiple-instance loss of one picture's regions, in double.
 *
 * Of every region and class there are a class value a and an attention value b. A picture's
 * probability of a class is given in two ways:
 *
 *   attended    p = sum over regions of softmax(b) * sigmoid(a)     (two streams)
 *   any of them p = 1 - product over regions of (1 - sigmoid(a))    (noisy-or)
 *
 * The loss is the mean over classes of the binary cross-entropies of both, where those of classes
 * that the picture shows count `positive` times. Classes may be left out (weight 0). */
#ifndef WS_PIPELINE_REGIONS_MIL_LOSS_H
#define WS_PIPELINE_REGIONS_MIL_LOSS_H

#include <stddef.h>
#include <stdint.h>

typedef struct ws_region_loss {
    size_t n, classes, row; /* regions; values of a region are `row` apart: a first, then b */
    const uint8_t *shown;   /* [classes] */
    const double *positive; /* [classes] */
    double smooth;          /* target of classes that the list does not name */
    double attended, any;   /* weights of the two */
} ws_region_loss;

/* Writes the gradient by the values [n][row] and the two probabilities [classes] each; returns the
 * loss. n of 0 gives 0. */
double ws_region_mil_loss(const ws_region_loss *l, const double *values, double *gradient,
                          double *attended, double *any);

/* Cross-entropy of single regions: target [n][classes] in [0, 1] with weight [n][classes]; adds to
 * the gradient by the class values, and returns the loss. */
double ws_region_target_loss(const ws_region_loss *l, const double *values, const double *target,
                             const double *weight, double *gradient);

#endif
