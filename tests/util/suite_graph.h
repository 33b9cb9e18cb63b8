/* tests/util/suite_graph.h - graphs of one image "x", written, opened and run by name in the test's folder. */
#ifndef WS_TESTS_UTIL_SUITE_GRAPH_H
#define WS_TESTS_UTIL_SUITE_GRAPH_H

#include "weaksam/weaksam.h"
#include "weights/builder.h"

/* A graph called NAME with the input *x [height, width, channels]. */
ws_builder *graph_begin(const char *name, wsam_file_type type, const int32_t shape[3], ws_ref *x);
/* Writes it to NAME.wsam; the builder is gone then. */
void graph_write(ws_builder *b, const char *name);
wsam_model *graph_open(const char *name, const wsam_options *options);

/* Of the graph with one result "out" that is called NAME, on an image [height, width, channels] of made-up
 * values: `values` floats of the result; free them. bytes (NULL: not asked): of its plan. */
float *graph_output(const char *name, const int32_t shape[3], wsam_lowering lowering, int threads,
                    size_t values, uint64_t *bytes);

/* Relative L2: of x - y to y. */
double graph_distance(const float *x, const float *y, size_t n);

#endif
