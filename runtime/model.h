/* runtime/model.h - the opaque objects of weaksam/model.h. */
#ifndef WS_RUNTIME_MODEL_H
#define WS_RUNTIME_MODEL_H

#include <pthread.h>

#include "runtime/run/plan.h"

/* Sees a step that has just run. */
typedef void ws_observe_fn(void *user, const ws_exec *x, const ws_step *s);

struct wsam_model {
    ws_file *file;
    wsam_options options;
    const wsam_kernels *kernels;
    ws_packs *packs;
    pthread_mutex_t lock; /* programs */
    ws_program *programs[WS_CAP_GRAPHS];
    ws_observe_fn *observe; /* NULL: none */
    void *observe_user;
};

struct wsam_image {
    const wsam_model *model;
    const ws_program *program;
    ws_dims dims;
    ws_value *values; /* shapes at `dims` */
    void *memory;     /* NULL: they lie in a session's arena */
    float **data;     /* per buffer: persistent image-rate ones */
    int bound;
};

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
    ws_dims ran;      /* of the last run */
    uint32_t done;    /* outputs of the last run; 0 when it cannot be continued */
    wsam_progress_fn progress;
    void *progress_user;
};

/* Lets `observe` see every step of later binds and runs of all sessions of a model when it is done;
 * NULL: none. Not while one of them runs. */
void ws_model_observe(wsam_model *model, ws_observe_fn *observe, void *user);

/* Computes further outputs for some prompts of the session's last run, without the steps that the
 * run has done: `chosen` has n of their numbers, rising. A run is continued once. The inputs that
 * the caller gave must be there still; they are thinned out in place. */
wsam_status ws_session_resume(wsam_session *session, const uint32_t *chosen, size_t n,
                              wsam_tensor *outputs, size_t n_outputs, wsam_error *error);

/* Reserves memory for images of these dimensions, of a graph of image rate alone, with an image state in
 * it: its values, which stay until the next bind, have places that earlier ones of the bind had. The
 * state is freed before the session or its next reserve. */
wsam_status ws_image_state_create_in(wsam_session *session, const wsam_dim *dims, size_t n,
                                     wsam_image **out, wsam_error *error);
/* session.c: the memory alone, planned so in *plan. */
wsam_status ws_session_reserve_image(wsam_session *session, const wsam_dim *dims, size_t n,
                                     const ws_plan **plan, wsam_error *error);

/* What wsam_session_run and ws_session_resume share (session.c). */
wsam_status ws_session_wanted_outputs(const wsam_session *s, const ws_dims *dims,
                                      const wsam_tensor *outputs, size_t n, uint32_t *bits,
                                      wsam_error *error);
wsam_status ws_session_execute(wsam_session *s, wsam_rate rate, const ws_dims *dims,
                               uint32_t outputs, uint32_t done, wsam_error *error);
void ws_session_copy_outputs(const wsam_session *s, const ws_dims *dims, wsam_tensor *outputs,
                             size_t n);

/* The program of a graph, lowered at its first use. */
wsam_status ws_model_program(wsam_model *model, const char *graph, const ws_program **program,
                             wsam_error *error);

/* Dimensions by name; symbols that are not named are at their minimum. */
wsam_status ws_session_dims(const ws_graph_def *graph, const wsam_dim *dims, size_t n, ws_dims *out,
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
    uint32_t done;    /* outputs whose steps have run before */
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
wsam_status ws_run_steps(const ws_execution *e, wsam_error *error);

#endif
