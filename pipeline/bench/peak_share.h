/* pipeline/bench/peak_share.h - how near an encoder comes to the register loops of its run. */
#ifndef WS_PIPELINE_BENCH_PEAK_SHARE_H
#define WS_PIPELINE_BENCH_PEAK_SHARE_H

#include "pipeline/bench/work.h"

/* Per cent: the time that the multiply-adds of an image take at the peaks (gigaoperations a second,
 * by ws_peak_type), of the time that they took. NaN where a peak is not known, and above 100, which
 * no encoder reaches: other work held the loops up. */
double ws_peak_share_percent(const ws_work *work, const double peaks[3], double images_per_s);

#endif
