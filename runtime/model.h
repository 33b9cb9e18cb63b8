/* runtime/model.h - the opaque objects of weaksam/model.h. */
#ifndef WS_RUNTIME_MODEL_H
#define WS_RUNTIME_MODEL_H

#include <pthread.h>

#include "runtime/plan.h"

struct wsam_model {
    ws_file *file;
    wsam_options options;
    const wsam_kernels *kernels;
    ws_packs *packs;
    pthread_mutex_t lock; /* programs */
    ws_program *programs[WS_CAP_GRAPHS];
};

struct wsam_image {
    const wsam_model *model;
    const ws_program *program;
    ws_dims dims;
    ws_value *values; /* shapes at `dims` */
    void *memory;
    float **data; /* per buffer: persistent image-rate ones */
    int bound;
};

/* Sees a step that has just run. */
typedef void ws_observe_fn(void *user, const ws_exec *x, const ws_step *s);

struct wsam_session {
    wsam_model *model;
    const ws_program *program;
    ws_dims reserved;
    int is_reserved;
    ws_value *values;
    float **data; /* per buffer, during a bind or run */
    void *arena;
    ws_plan plans[2]; /* image rate, prompt rate */
    double *seconds;  /* per step of the last bind or run; below 0: not part of it */
    wsam_progress_fn progress;
    void *progress_user;
    ws_observe_fn *observe;
    void *observe_user;
};

/* Lets `observe` see every step of later binds and runs when it is done; NULL: none. */
void ws_session_observe(wsam_session *session, ws_observe_fn *observe, void *user);

/* The program of a graph, lowered at its first use. */
wsam_status ws_model_program(wsam_model *model, const char *graph, const ws_program **program,
                             wsam_error *error);

/* Dimensions by name; symbols that are not named are at their minimum. */
wsam_status ws_parse_dims(const ws_graph_def *graph, const wsam_dim *dims, size_t n, ws_dims *out,
                          wsam_error *error);

/* Runs the steps of one rate that any of the wanted outputs depends on. `data` gives every buffer.
 */
typedef struct ws_execution {
    const ws_program *program;
    const ws_dims *dims;
    const ws_value *values;
    float *const *data;
    wsam_rate rate;
    uint32_t outputs; /* bits; all for bind */
    int threads;
    void *workspace;
    char *scratch;
    size_t scratch_stride;
    double *seconds; /* may be NULL */
    wsam_progress_fn progress;
    void *progress_user;
    ws_observe_fn *observe;
    void *observe_user;
} ws_execution;
wsam_status ws_execute(const ws_execution *e, wsam_error *error);

#endif
