/* pipeline/pilot/interval.h - 95 % intervals of shares, rates and sums, from images as the units that
 * were drawn: objects of one image are alike, so that 100 objects of 20 images say less than 100 of 100.
 *
 * No bootstrap: its percentiles cover 27 % instead of 95 % for a precision near 1, where most samples
 * have no error at all. Closed forms of Wilson's kind do not end at the estimate there. */
#ifndef WS_PIPELINE_PILOT_INTERVAL_H
#define WS_PIPELINE_PILOT_INTERVAL_H

#include <stddef.h>

typedef struct ws_figure {
    double value, low, high;
    int few; /* too few for an interval: low and high are the range of what is possible */
} ws_figure;

/* Fewer detections, or objects, than these say nothing. */
enum { WS_PILOT_FEW = 10 };

/* Two-sided 95 % point of Student's t: Cornish and Fisher's expansion, error below 0.01 from 3 degrees on. */
double ws_interval_student_t(double degrees);

/* Sum of `part` over sum of `whole`, a share: Wilson's interval of the effective number of trials, which is
 * their number over the design effect of the ratio estimator (Kish 1965; at least 1, and at least what an
 * intraclass correlation of `alike` gives). `choice` is the variance that a choice made on the same images adds
 * (0: nothing was chosen). */
ws_figure ws_interval_share(const double *part, const double *whole, size_t n, double alike,
                            double choice);

/* Mean of counts per image: the score interval of a Poisson mean, widened by the counts' variance over their
 * mean (at least 1) and by `choice` as before. */
ws_figure ws_interval_rate(const double *count, size_t n, double choice);

/* Weighted sum of two rates of the same images: the intervals' arms as sides of a triangle (MOVER, Zou and
 * Donner 2008), with the correlation of the counts. Weights are not negative. */
ws_figure ws_interval_sum(const double *a, const double *b, size_t n, double weight_a,
                          double weight_b, const ws_figure *rate_a, const ws_figure *rate_b);

/* Mean of what is measured on images: Student's interval. */
ws_figure ws_interval_mean(const double *value, size_t n);

/* Intraclass correlation of hits among detections: analysis of variance, between 0 and 1. */
double ws_interval_alike(const double *part, const double *whole, size_t n);

/* Variance over mean of counts, at least 1. */
double ws_interval_spread(const double *count, size_t n);

#endif
