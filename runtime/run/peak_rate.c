/* runtime/run/peak_rate.c - see peak_rate.h. */
#include "runtime/run/peak_rate.h"

#include "base/clock.h"
#include "runtime/run/threads.h"

enum { RUNS = 25, PROBE = 20000 };

typedef struct rate_job {
    ws_peak_loop loop;
    size_t count;
} rate_job;

static void run_loop(void *arg, int task, int worker)
{
    const rate_job *j = arg;
    (void)task, (void)worker;
    j->loop(j->count);
}

double ws_peak_gops(const char *isa, ws_peak_type type, int threads)
{
    const double run_seconds = 5e-3;
    rate_job j = {.loop = ws_peak_loop_of(isa, type)};
    double best = 0.0;
    if (!j.loop)
        return 0.0;
    const double start = ws_clock();
    const double per_round = j.loop(PROBE) / PROBE, round_seconds = (ws_clock() - start) / PROBE;
    j.count = (size_t)(run_seconds / round_seconds) + 1;
    for (int run = 0; run < RUNS; run++) {
        const double begin = ws_clock();
        ws_parallel_for(threads, threads, run_loop, &j);
        const double rate = per_round * (double)j.count * threads / (ws_clock() - begin) * 1e-9;
        best = rate > best ? rate : best;
    }
    return best;
}
