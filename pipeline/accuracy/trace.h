/* pipeline/accuracy/trace.h - a trace in progress. */
#ifndef WS_PIPELINE_ACCURACY_TRACE_H
#define WS_PIPELINE_ACCURACY_TRACE_H

#include "runtime/model.h"
#include "weaksam/accuracy.h"

enum { WS_TRACE_NAME = 250 };

typedef struct ws_trace_value {
    char name[WS_TRACE_NAME], step[32], kernel[48];
    uint64_t offset; /* in the temporary file */
    size_t n;        /* elements */
    wsam_trace_row row;
} ws_trace_value;

typedef struct ws_trace {
    const char *pattern, *folder;
    int fd; /* the values, one after another */
    uint64_t bytes;
    ws_trace_value *values;
    size_t n, capacity;
    wsam_status status; /* the first failure */
    wsam_error *error;
} ws_trace;

/* GRAPH/OPERATOR:KIND, .N behind it for the Nth more of that name. */
void ws_trace_name(const ws_graph_def *graph, uint32_t op, char name[WS_TRACE_NAME]);

/* The difference between n values, into the row. */
void ws_trace_compare(const float *got, const float *want, size_t n, wsam_trace_row *row);

/* Runs a model of any role once, each step seen by `observe` with the trace as its user
 * (trace_run.c). Returns t->status. */
wsam_status ws_trace_run(ws_trace *t, const char *path, const wsam_options *options,
                         const wsam_picture *picture, const wsam_prompt *prompt,
                         ws_observe_fn *observe);

/* All values as a .safetensors file (trace_save.c). */
wsam_status ws_trace_save(ws_trace *t, const char *path);

#endif
