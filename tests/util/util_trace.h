/* tests/util/util_trace.h - after a golden test has failed: which operator is to blame. */
#ifndef WS_TESTS_UTIL_TRACE_H
#define WS_TESTS_UTIL_TRACE_H

#include "weaksam/accuracy.h"

/* Prints, as a comment of TAP, the first value of the weight file that the fused lowering computes
 * otherwise than the plain one by more than the relative L2 tolerance, or that there is none. */
void util_trace_explain(const char *model, const wsam_picture *picture, double tolerance);

#endif
