/* weaksam/model.h - open a weight file, bind image-rate inputs, run prompts.
 *
 * Life of an object
 *   wsam_model    opened once; immutable; shared by any number of threads.
 *   wsam_session  working memory for one graph of a model; belongs to one thread at a time.
 *   wsam_image    the values of a graph that depend on the image but not on the prompt; written by
 *                 wsam_session_bind, immutable afterwards; shared by any number of threads.
 * All three hold what they need of each other only by pointer: close the model last.
 *
 * Rates. Every value of a graph has a rate: model (depends on weights alone), image, or prompt.
 * Model-rate values are computed when the graph is first used, image-rate values by bind,
 * prompt-rate values by run. A graph without prompt-rate values (an image encoder) is finished by
 * bind; read its outputs with wsam_image_output.
 *
 * Same input, same file, same CPU level: the same bytes out, with any thread count, position in a
 * batch or grouping, and whatever the caller's rounding mode is.
 *
 * Threads. A thread that calls keeps the helpers that its calls needed until it ends; where no more
 * can be made, those that there are do the work. A child of fork() may go on with what its parent
 * opened if no other thread was inside the library at that moment: it makes helpers of its own. */
#ifndef WEAKSAM_MODEL_H
#define WEAKSAM_MODEL_H

#include "weaksam/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wsam_model wsam_model;
typedef struct wsam_session wsam_session;
typedef struct wsam_image wsam_image;

enum { WSAM_MAX_RANK = 4 }; /* without the prompts */

typedef enum wsam_type { WSAM_F32 = 0, WSAM_BF16 = 1, WSAM_S8 = 2, WSAM_S32 = 3 } wsam_type;

typedef enum wsam_rate { WSAM_RATE_MODEL = 0, WSAM_RATE_IMAGE = 1, WSAM_RATE_PROMPT = 2 } wsam_rate;

/* oneDNN's own instruction set follows a level that is asked for (options.isa, WEAKSAM_ISA);
 * without one it may use more than our kernels (AMX). It settles on one level per process: a model
 * that asks for a lower one later does not open. */
typedef enum wsam_backend { WSAM_BACKEND_NATIVE = 0, WSAM_BACKEND_ONEDNN = 1 } wsam_backend;

typedef enum wsam_lowering {
    WSAM_LOWERING_AUTO = 0, /* fused lowerings where they apply */
    WSAM_LOWERING_PLAIN = 1 /* operator by operator: the reference */
} wsam_lowering;

/* Fill with wsam_options_default, then change fields. */
typedef struct wsam_options {
    int threads;     /* 0: what this process may use (affinity mask, cgroup quota) */
    const char *isa; /* NULL: WEAKSAM_ISA from the environment, else the best level */
    wsam_backend backend;
    wsam_lowering lowering;
    uint64_t max_memory;  /* bytes for weights, plans and states; 0: no limit beyond the format's */
    int skip_checksums;   /* 1: do not read all data to compare checksums when opening */
    uint64_t reserved[8]; /* zero */
} wsam_options;

/* Fills *options with the defaults: all threads, the best level, native, no limit. */
WSAM_API void wsam_options_default(wsam_options *options);

/* Number of threads this process may use: SLURM_CPUS_PER_TASK or OMP_NUM_THREADS where one is set
 * (1 to 1024), else the smaller of the affinity mask and the cgroup quota (rounded up). */
WSAM_API int wsam_default_threads(void);

/* Opens and validates a weight file. `options` may be NULL. On success *model is owned by the
 * caller (wsam_model_close). Thread-safe. The file may be replaced by rename while it is open. */
WSAM_API wsam_status wsam_model_open(const char *path, const wsam_options *options,
                                     wsam_model **model, wsam_error *error);

/* The same from `size` bytes of memory that the caller keeps valid and unchanged until close. */
WSAM_API wsam_status wsam_model_open_memory(const void *data, size_t size,
                                            const wsam_options *options, wsam_model **model,
                                            wsam_error *error);

/* Frees the model, last of all that was made from it. NULL is allowed. */
WSAM_API void wsam_model_close(wsam_model *model);

/* Metadata of the file, looked up by key; strings and arrays live as long as the model.
 *
 * A string: NULL when the key is absent or of another kind. */
WSAM_API const char *wsam_model_string(const wsam_model *model, const char *key);

/* A whole number: 1 and *value, or 0 when the key is absent or of another kind. */
WSAM_API int wsam_model_int(const wsam_model *model, const char *key, int64_t *value);

/* A list of numbers and its length: NULL and 0 when the key is absent or of another kind. */
WSAM_API const double *wsam_model_numbers(const wsam_model *model, const char *key, size_t *count);

/* String `index` of a list; NULL past its end, or when there is no such list. */
WSAM_API const char *wsam_model_text(const wsam_model *model, const char *key, size_t index);

/* 1 when the file has a graph of this name, else 0. */
WSAM_API int wsam_model_has_graph(const wsam_model *model, const char *graph);

/* The number of threads and the instruction-set level that the model was opened with. */
WSAM_API int wsam_model_threads(const wsam_model *model);
/* As above: the level's name; lives as long as the process. */
WSAM_API const char *wsam_model_isa(const wsam_model *model);

/* A symbolic dimension fixed by the caller: {"points", 2}. Names are those of the graph
 * (`weaksam inspect` lists them). "prompts" is the number of prompts in one run. */
typedef struct wsam_dim {
    const char *name;
    int64_t value;
} wsam_dim;

/* A dense row-major tensor of the caller. Prompt-rate tensors have a leading dimension: prompts. */
typedef struct wsam_tensor {
    const char *name;
    wsam_type type;
    int rank;
    int64_t shape[WSAM_MAX_RANK + 1];
    void *data;
} wsam_tensor;

/* Bytes that wsam_session_reserve would allocate for these dimensions. The graph is lowered at its
 * first use, here as elsewhere. WSAM_ERR_ARGUMENT: no such graph, or a dimension out of the graph's
 * range. Thread-safe. */
WSAM_API wsam_status wsam_plan_bytes(const wsam_model *model, const char *graph,
                                     const wsam_dim *dims, size_t n_dims, uint64_t *bytes,
                                     wsam_error *error);

/* Creates a session for one graph of the model; its working memory comes with wsam_session_reserve.
 * WSAM_ERR_ARGUMENT: no such graph. WSAM_ERR_UNSUPPORTED: it cannot be lowered. The caller frees
 * *session, before the model. */
WSAM_API wsam_status wsam_session_create(wsam_model *model, const char *graph,
                                         wsam_session **session, wsam_error *error);
/* Frees the session and its working memory; NULL is allowed. */
WSAM_API void wsam_session_free(wsam_session *session);

/* Reserves working memory for every run whose dimensions are at most these; the only call of a
 * session that allocates. A bind or run outside the reserve fails with WSAM_ERR_LIMIT and names the
 * dimension. May be called again to grow. WSAM_ERR_LIMIT also beyond the model's max_memory. */
WSAM_API wsam_status wsam_session_reserve(wsam_session *session, const wsam_dim *dims,
                                          size_t n_dims, wsam_error *error);

/* Called between steps of a bind or run; non-zero cancels. NULL removes it. */
WSAM_API void wsam_session_set_progress(wsam_session *session, wsam_progress_fn fn, void *user);

/* Creates an image state for a graph at these dimensions (bytes: the image-rate values that prompts
 * use); wsam_session_bind fills it, of any session of the same graph. WSAM_ERR_LIMIT beyond the model's
 * max_memory. The caller frees *image, before the model. */
WSAM_API wsam_status wsam_image_create(wsam_model *model, const char *graph, const wsam_dim *dims,
                                       size_t n_dims, wsam_image **image, wsam_error *error);
/* Frees the image state; NULL is allowed. */
WSAM_API void wsam_image_free(wsam_image *image);

/* Computes all image-rate values of the graph from its image-rate inputs, which are looked up by name
 * and must have the shapes of the image state's dimensions (WSAM_ERR_ARGUMENT). Inputs are copied
 * where prompts need them: they may go afterwards. The image state is unusable after a failure
 * until it is bound again. WSAM_ERR_CANCELLED: the progress function said so. */
WSAM_API wsam_status wsam_session_bind(wsam_session *session, const wsam_tensor *inputs,
                                       size_t n_inputs, wsam_image *image, wsam_error *error);

/* An image-rate output: a view into `image`, valid until it is bound again or freed. f32, or bf16 of
 * a map that int8 products of the same graph go on from (the pyramid of a detector in int8).
 * WSAM_ERR_ARGUMENT: the state is not bound, or has no such output. */
WSAM_API wsam_status wsam_image_output(const wsam_image *image, const char *name, wsam_tensor *view,
                                       wsam_error *error);

/* Computes the prompt-rate outputs that are named in `outputs` into the caller's buffers. `dims`
 * gives every symbolic dimension of the graph, "prompts" included; inputs and outputs have the
 * prompts as their first dimension. WSAM_ERR_MISMATCH: an image state of another graph or not bound.
 * WSAM_ERR_LIMIT: beyond the reserve. WSAM_ERR_ARGUMENT: a tensor of another type or shape. Other
 * threads may use the same image meanwhile, with sessions of their own. */
WSAM_API wsam_status wsam_session_run(wsam_session *session, const wsam_image *image,
                                      const wsam_dim *dims, size_t n_dims,
                                      const wsam_tensor *inputs, size_t n_inputs,
                                      wsam_tensor *outputs, size_t n_outputs, wsam_error *error);

/* The time of each step of the last bind or run, as JSON; free *json with wsam_free. Experimental:
 * the fields follow the lowering. */
WSAM_API wsam_status wsam_session_profile(const wsam_session *session, char **json,
                                          wsam_error *error);

/* How the model's graphs were lowered (steps, kernels, memory), as JSON; free *json with wsam_free.
 * Experimental: the fields follow the lowering. */
WSAM_API wsam_status wsam_model_describe(wsam_model *model, char **json, wsam_error *error);

/* Frees what a function says to free with wsam_free; NULL is allowed. */
WSAM_API void wsam_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
