/* bench/gbench.h - Google Benchmark for C: register functions, run them, read the results back. */
#ifndef WS_BENCH_GBENCH_H
#define WS_BENCH_GBENCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbench_state gbench_state;
typedef void (*gbench_fn)(gbench_state *state, void *arg);

/* Registers fn(state, arg) under a name; arg must outlive gbench_run. Wall-clock time is measured.
 */
void gbench_register(const char *name, gbench_fn fn, void *arg);

/* Inside fn: loop while this returns 1; what stands in the loop is timed. */
int gbench_keep_running(gbench_state *state);

/* Inside fn, after the loop: a figure kept with the result. */
void gbench_counter(gbench_state *state, const char *name, double value);

/* Inside fn: give up with a reason; the result is marked as failed. */
void gbench_skip(gbench_state *state, const char *why);

typedef struct gbench_result {
    char name[128];
    char error[128]; /* empty when it ran */
    double best_s;   /* seconds per iteration: the fastest repetition */
    double median_s; /* the median repetition */
    double spread;   /* (slowest - fastest) / fastest */
    int repetitions;
} gbench_result;

/* Runs everything registered with Google Benchmark's own command line (--benchmark_filter, ...),
 * quietly. Returns the number of results, at most `max`, in order of registration; -1 for a bad
 * command line. */
int gbench_run(int argc, char **argv, gbench_result *results, int max);

#ifdef __cplusplus
}
#endif
#endif
