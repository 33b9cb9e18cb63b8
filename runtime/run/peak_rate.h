/* runtime/run/peak_rate.h - how fast the register loops of kernels/peak.h are on this machine, now.
 */
#ifndef WS_RUNTIME_RUN_PEAK_RATE_H
#define WS_RUNTIME_RUN_PEAK_RATE_H

#include "kernels/peak.h"

/* 1e9 operations per second of `threads` threads together, best of several runs: the ceiling that
 * the kernels' rates are compared with. 0 for an unknown level. */
double ws_peak_gops(const char *isa, ws_peak_type type, int threads);

#endif
