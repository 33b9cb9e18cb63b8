/* runtime/graph/role_signature.h - what a graph must look like that a pipeline runs.
 *
 * Pipelines find a graph by its name and trust the shapes of what it takes and gives. The names
 * below are therefore roles with a signature. It is checked when a file is opened or verified, and
 * again for the dimensions of every bind and run: what passes here cannot break a pipeline. */
#ifndef WS_RUNTIME_GRAPH_ROLE_SIGNATURE_H
#define WS_RUNTIME_GRAPH_ROLE_SIGNATURE_H

#include "runtime/graph/graph.h"

/* A graph whose name is no role passes. `values` are those of ws_graph_infer at `dims`. */
wsam_status ws_role_signature_check(const ws_file *file, const ws_graph_def *graph,
                                    const ws_dims *dims, const ws_value *values,
                                    ws_role_sizes *sizes, wsam_error *error);

#endif
