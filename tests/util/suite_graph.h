/* tests/util/suite_graph.h - a graph with one image "x" and one result "out", run by name in the test's
 * folder. */
#ifndef WS_TESTS_UTIL_SUITE_GRAPH_H
#define WS_TESTS_UTIL_SUITE_GRAPH_H

#include "weaksam/weaksam.h"

/* The graph of the file NAME.wsam that is called NAME, on an image [height, width, channels] of made-up
 * values: `values` floats of its result; free them. bytes (NULL: not asked): of its plan. */
float *graph_output(const char *name, const int32_t shape[3], wsam_lowering lowering, int threads,
                    size_t values, uint64_t *bytes);

/* Relative L2: of x - y to y. */
double graph_distance(const float *x, const float *y, size_t n);

#endif
