/* pipeline/bench/job.c - see job.h.
 *
 * Every process and its sessions meet at a barrier when they have warmed up. Session 0 decides when
 * it is enough; the others end with the image they work on. A rate is the sum of the sessions' own:
 * what the last ones do while others have ended already does not count twice. */
#include "pipeline/bench/job.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "pipeline/bench/energy.h"
#include "pipeline/bench/machine.h"
#include "pipeline/bench/region.h"
#include "pipeline/bench/row.h"
#include "pipeline/bench/statistic.h"
#include "runtime/run/peak_rate.h"
#include "weaksam/kernels.h"
#include "weaksam/segment.h"

static const char powercap[] = "/sys/class/powercap";

enum { LEAST_RUNS = 6 /* fewer enclose no median */ };

/* What one process found out. */
typedef struct process_report {
    char message[256], isa[32], family[64], type[16];
    int64_t resolution;
    double joules, peak_rss_bytes;
    ws_work work;
} process_report;

/* Between all processes of a job. */
typedef struct board {
    const char *model;
    const wsam_bench_options *options;
    pthread_barrier_t ready;
    atomic_int enough;
    process_report processes[WS_BENCH_WORKERS];
    int runs[WS_BENCH_WORKERS];
    double seconds[WS_BENCH_WORKERS]; /* from the session's start to its end */
    double samples[WS_BENCH_WORKERS][WS_BENCH_RUNS];
    double peaks[3], clock_hz;
} board;

/* One session and its thread. */
typedef struct worker {
    board *board;
    wsam_model *model;
    int index; /* among all of the job */
    ws_region_work *work;
    wsam_status status;
    wsam_error error;
} worker;

/* ---- one session ---- */

/* Whether the median of these is known as well as asked for, or time is over. */
static int settled(const wsam_bench_options *o, const double *samples, int n, double elapsed)
{
    double sorted[WS_BENCH_RUNS];
    if (o->runs || n == WS_BENCH_RUNS)
        return n >= o->runs || n == WS_BENCH_RUNS;
    if (elapsed > o->max_seconds)
        return 1;
    if (n < LEAST_RUNS)
        return 0;
    memcpy(sorted, samples, (size_t)n * sizeof *sorted);
    ws_statistic_sort(sorted, (size_t)n);
    return ws_statistic_median_interval(sorted, (size_t)n) <= o->interval_percent;
}

/* All run as many as were asked for; without a number the first one says when it is enough. */
static int go_on(const worker *w, int done, double elapsed)
{
    board *b = w->board;
    if (w->index == 0 || b->options->runs) {
        const int stop = settled(b->options, b->samples[w->index], done, elapsed);
        if (stop && w->index == 0)
            atomic_store(&b->enough, 1);
        return !stop;
    }
    return done == 0 || (!atomic_load(&b->enough) && done < WS_BENCH_RUNS);
}

static void measure(worker *w)
{
    board *b = w->board;
    int n = 0;
    const double start = ws_clock();
    do {
        w->status =
            ws_region_once(w->work, (size_t)(n + w->index), &b->samples[w->index][n], &w->error);
        n += !w->status;
    } while (!w->status && go_on(w, n, ws_clock() - start));
    b->seconds[w->index] = ws_clock() - start;
    b->runs[w->index] = n;
    if (w->status)
        atomic_store(&b->enough, 1);
}

/* Whoever fails waits for the others all the same. */
static void *work(void *arg)
{
    worker *w = arg;
    ws_energy before, after;
    double seconds;
    w->status = ws_region_open(w->model, w->board->options, &w->work, &w->error);
    if (!w->status) /* the first touches its memory and starts the threads */
        w->status = ws_region_once(w->work, (size_t)w->index, &seconds, &w->error);
    if (w->status)
        atomic_store(&w->board->enough, 1);
    pthread_barrier_wait(&w->board->ready);
    ws_energy_read(powercap, &before);
    if (!w->status)
        measure(w);
    ws_energy_read(powercap, &after);
    if (w->index == 0)
        w->board->processes[0].joules = ws_energy_between(&before, &after);
    ws_region_close(w->work);
    return NULL;
}

/* ---- one process ---- */

static void run_sessions(board *b, int process, wsam_model *model)
{
    static worker workers[WS_BENCH_WORKERS];
    pthread_t threads[WS_BENCH_WORKERS];
    const int n = b->options->sessions;
    process_report *r = &b->processes[process];
    for (int i = 0; i < n; i++) {
        workers[i] = (worker){.board = b, .model = model, .index = process * n + i};
        if (i && pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
            _exit(1); /* the parent ends the job */
    }
    work(&workers[0]);
    for (int i = 1; i < n; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < n; i++)
        if (workers[i].status && !r->message[0])
            snprintf(r->message, sizeof r->message, "%.250s",
                     workers[i].error.message[0] ? workers[i].error.message
                                                 : wsam_status_string(workers[i].status));
    r->peak_rss_bytes = (double)wsam_peak_memory();
}

static const char *text_of(const wsam_model *model, const char *key)
{
    const char *text = wsam_model_string(model, key);
    return text ? text : "";
}

static void run_process(board *b, int process)
{
    process_report *r = &b->processes[process];
    wsam_model *model = NULL;
    wsam_error error = {0};
    if (wsam_model_open(b->model, &b->options->runtime, &model, &error)) {
        ws_row_text(r->message, sizeof r->message, error.message);
        _exit(1); /* the others wait for it: the parent ends them */
    }
    ws_row_text(r->isa, sizeof r->isa, wsam_model_isa(model));
    ws_row_text(r->family, sizeof r->family, text_of(model, "model.family"));
    ws_row_text(r->type, sizeof r->type, text_of(model, "model.type"));
    wsam_model_int(model, "picture.size", &r->resolution);
    if (ws_encoder_work(model, &r->work, &error)) {
        ws_row_text(r->message, sizeof r->message, error.message);
        _exit(1);
    }
    run_sessions(b, process, model);
    wsam_model_close(model);
}

/* Behind the measurement, in a process of its own: what a register loop reaches now. */
static void run_peaks(board *b, int threads)
{
    ws_machine m;
    for (int type = 0; type < 3; type++)
        b->peaks[type] = ws_peak_gops(b->processes[0].isa, (ws_peak_type)type, threads);
    ws_machine_read(&m);
    b->clock_hz = m.clock_hz;
}

/* ---- all of them ---- */

static pid_t start_child(board *b, int process)
{
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        if (process < 0)
            run_peaks(b,
                      b->options->processes * b->options->sessions * b->options->runtime.threads);
        else
            run_process(b, process);
        fflush(NULL);
        _exit(0);
    }
    return pid;
}

/* A child that ends badly leaves the others waiting: they are ended too. Returns whether all ended
 * well. */
static int wait_for(const pid_t *children, int n)
{
    int good = 1, left = n, ended[WS_BENCH_WORKERS] = {0};
    while (left > 0) {
        for (int i = 0; i < n; i++) {
            int status = 0;
            if (ended[i] || waitpid(children[i], &status, left > 1 ? WNOHANG : 0) == 0)
                continue;
            ended[i] = 1;
            left--;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                continue;
            for (int k = 0; good && k < n; k++)
                if (!ended[k])
                    kill(children[k], SIGKILL);
            good = 0;
        }
        if (left > 1)
            usleep(20000);
    }
    return good;
}

static void summarise(board *b, ws_bench_report *r)
{
    static double all[WS_BENCH_WORKERS * WS_BENCH_RUNS];
    const wsam_bench_options *o = b->options;
    const process_report *first = &b->processes[0];
    size_t n = 0;
    for (int w = 0; w < o->processes * o->sessions; w++) {
        memcpy(all + n, b->samples[w], (size_t)b->runs[w] * sizeof *all);
        n += (size_t)b->runs[w];
        r->images_per_s += b->runs[w] / b->seconds[w];
    }
    for (int p = 0; p < o->processes; p++)
        r->peak_rss_bytes += b->processes[p].peak_rss_bytes;
    ws_statistic_sort(all, n);
    r->runs = (int)n;
    r->p50_s = ws_statistic_percentile(all, n, 50);
    r->p90_s = ws_statistic_tells_percentile(n, 90) ? ws_statistic_percentile(all, n, 90) : NAN;
    r->p99_s = ws_statistic_tells_percentile(n, 99) ? ws_statistic_percentile(all, n, 99) : NAN;
    r->worst_s = all[n - 1];
    r->interval_percent = ws_statistic_median_interval(all, n);
    r->joules = first->joules;
    r->resolution = first->resolution;
    r->work = first->work;
    ws_row_text(r->isa, sizeof r->isa, first->isa);
    ws_row_text(r->family, sizeof r->family, first->family);
    ws_row_text(r->type, sizeof r->type, first->type);
}

static void run_job(board *b, ws_bench_report *r)
{
    pid_t children[WS_BENCH_WORKERS];
    const wsam_bench_options *o = b->options;
    int started = 0, good = 1;
    for (; started < o->processes && good; started += good) {
        children[started] = start_child(b, started);
        good = children[started] > 0;
    }
    for (int i = 0; !good && i < started; i++)
        kill(children[i], SIGKILL);
    good &= wait_for(children, started);
    for (int p = 0; p < o->processes && !r->message[0]; p++)
        ws_row_text(r->message, sizeof r->message, b->processes[p].message);
    if (!good && !r->message[0])
        ws_row_text(r->message, sizeof r->message, "a measuring process did not start or died");
    if (r->message[0])
        return;
    summarise(b, r);
    const pid_t peaks = start_child(b, -1);
    if (peaks > 0 && wait_for(&peaks, 1)) {
        memcpy(r->peaks, b->peaks, sizeof r->peaks);
        r->clock_hz = b->clock_hz;
    }
}

wsam_status ws_bench_job(const char *model, const wsam_bench_options *o, ws_bench_report *report,
                         wsam_error *error)
{
    const int workers = o->processes * o->sessions;
    memset(report, 0, sizeof *report);
    if (o->processes < 1 || o->sessions < 1 || workers > WS_BENCH_WORKERS || o->prompts < 0 ||
        o->runs < 0 || o->runs > WS_BENCH_RUNS)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%s: at most %d sessions and %d runs each", model,
                       WS_BENCH_WORKERS, WS_BENCH_RUNS);
    board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b == MAP_FAILED)
        return ws_no_memory(error, model);
    pthread_barrierattr_t shared;
    b->model = model; /* children have it at the same address */
    b->options = o;
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&b->ready, &shared, (unsigned)workers);
    pthread_barrierattr_destroy(&shared);
    run_job(b, report);
    munmap(b, sizeof *b);
    return report->message[0] ? ws_fail(error, WSAM_ERR_IO, "%s", report->message) : WSAM_OK;
}
