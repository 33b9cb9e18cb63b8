/* bench/model_job.h - one measurement of a whole model, in processes of its own. */
#ifndef WS_BENCH_MODEL_JOB_H
#define WS_BENCH_MODEL_JOB_H

#include "weaksam/model.h"

enum { MODEL_MAX_WORKERS = 64, MODEL_MAX_RUNS = 1000, MODEL_PROMPTS = 64 };

/* `processes` x `sessions` encoders side by side, each with `threads` threads. */
typedef struct model_job {
    char path[512];
    const char *isa; /* NULL: the best */
    wsam_backend backend;
    int processes, sessions, threads;
    int runs; /* of each session; 0: `least`, and as many as take three seconds */
    int least;
    int prompts; /* 1: the decoder as well; wants one process with one session */
} model_job;

typedef struct model_report {
    char message[256]; /* why it failed; empty: it did not */
    char isa[64];      /* what multiplied: our level, oneDNN's for its backend */
    int64_t resolution;
    int runs; /* of all sessions together */
    double p50_s, p90_s, p99_s;
    double images_per_s;
    double prompt_s;          /* of one of MODEL_PROMPTS decoded together; 0: not measured */
    long long peak_rss_bytes; /* of all processes; with the decoder: of one image and one prompt */
} model_report;

/* All sessions encode once to warm up, wait for each other, and are then timed from the first start
 * to the last end: opening, packing and waiting are not in the rate. */
void model_job_run(const model_job *job, model_report *report);

/* Runs fn(arg) in a child process: what a parent has allocated would count as its children's
 * memory, and a process that has used OpenMP must not fork. `arg` is shared memory where results
 * are to come back. Returns 0 when the child ended well. */
int model_in_child(void (*fn)(void *arg), void *arg);
/* Zeroed memory that children share; ends the program when there is none. */
void *model_shared(size_t bytes);
void model_unshare(void *memory, size_t bytes);

#endif
