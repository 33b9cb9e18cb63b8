/* pipeline/bench/statistic.h - percentiles, and how well a median is known. */
#ifndef WS_PIPELINE_BENCH_STATISTIC_H
#define WS_PIPELINE_BENCH_STATISTIC_H

#include <stddef.h>

void ws_statistic_sort(double *values, size_t n);

/* Of sorted values: the smallest that at least `percent` of them do not exceed. */
double ws_statistic_percentile(const double *sorted, size_t n, int percent);

/* n runs tell a percentile when at least one of them lies beyond it. */
int ws_statistic_tells_percentile(size_t n, int percent);

/* Width of the 95 % interval of the median in per cent of it, from the ranks between which the true
 * median lies (binomial, no assumption about the distribution). INFINITY below six values: no two
 * of them enclose it that surely. */
double ws_statistic_median_interval(const double *sorted, size_t n);

#endif
