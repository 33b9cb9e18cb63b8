/* pipeline/bench/job.h - sessions of a measurement in processes of their own. */
#ifndef WS_PIPELINE_BENCH_JOB_H
#define WS_PIPELINE_BENCH_JOB_H

#include "pipeline/bench/work.h"
#include "weaksam/bench.h"

enum { WS_BENCH_WORKERS = 1024, WS_BENCH_RUNS = 4096 };

typedef struct ws_bench_report {
    char message[256]; /* why it failed; empty: it did not */
    char isa[32], family[64], type[16];
    int64_t resolution;
    int runs; /* of all sessions together */
    double p50_s, p90_s, p99_s, worst_s, interval_percent;
    double images_per_s;
    double joules;         /* from first start to last end; NaN: not told */
    double peak_rss_bytes; /* of all processes */
    double peaks[3];       /* of the level, by ws_peak_type, all threads together */
    double clock_hz;
    ws_work work;
} ws_bench_report;

/* See wsam_bench_measure. */
wsam_status ws_bench_job(const char *model, const wsam_bench_options *options,
                         ws_bench_report *report, wsam_error *error);

#endif
