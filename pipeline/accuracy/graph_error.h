/* pipeline/accuracy/graph_error.h - how far one output of a graph is from another. */
#ifndef WS_PIPELINE_ACCURACY_GRAPH_ERROR_H
#define WS_PIPELINE_ACCURACY_GRAPH_ERROR_H

#include "weaksam/accuracy.h"

/* How far x [n] is from x0. */
wsam_graph_error ws_graph_error(const char *graph, const char *output, const float *x,
                                const float *x0, size_t n);

#endif
