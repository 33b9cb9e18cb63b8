/* bench/model_job.c - see model_job.h. */
#include "bench/model_job.h"
#include "base/clock.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/model_prompts.h"
#include "runtime/backend_onednn.h"

/* What one process found out. */
typedef struct process_report {
    char message[256], isa[64];
    int64_t resolution;
    double start, end, prompt_s;
    long long peak_rss_bytes;
} process_report;

/* Between all processes of a job. */
typedef struct board {
    const model_job *job;
    pthread_barrier_t ready;
    int runs; /* of each session; settled by the first one before `ready` */
    process_report processes[MODEL_MAX_WORKERS];
    double samples[MODEL_MAX_WORKERS][MODEL_MAX_RUNS];
} board;

/* One session and its thread. */
typedef struct worker {
    board *board;
    wsam_model *model;
    int index; /* among all of the job */
    wsam_session *session;
    wsam_image *image;
    float *pixels;
    double start, end, prompt_s;
    long long peak_rss_bytes;
    wsam_status status;
    wsam_error error;
} worker;

static long long peak_rss(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return 1024LL * usage.ru_maxrss;
}

/* ---- one session ---- */

static int64_t side_of(const wsam_model *model)
{
    int64_t side = 1024;
    wsam_model_int(model, "picture.size", &side);
    return side;
}

/* A picture-like input: smooth, within the range of normalised pixels. */
static float *make_image(int64_t side)
{
    float *x = malloc((size_t)(side * side * 3) * sizeof *x);
    for (int64_t i = 0; x && i < side * side * 3; i++)
        x[i] = (float)((i * 7 + (i / side) * 13) % 512) / 128.0f - 2.0f;
    return x;
}

static wsam_status open_worker(worker *w)
{
    w->pixels = make_image(side_of(w->model));
    wsam_status status = w->pixels ? WSAM_OK : WSAM_ERR_MEMORY;
    if (!status)
        status = wsam_session_create(w->model, "image_encoder", &w->session, &w->error);
    if (!status)
        status = wsam_session_reserve(w->session, NULL, 0, &w->error);
    if (!status)
        status = wsam_image_create(w->model, "image_encoder", NULL, 0, &w->image, &w->error);
    return status;
}

static wsam_status encode(worker *w, double *seconds)
{
    const int64_t side = side_of(w->model);
    const wsam_tensor input = {
        .name = "image", .type = WSAM_F32, .rank = 3, .shape = {side, side, 3}, .data = w->pixels};
    const double start = ws_clock();
    const wsam_status status = wsam_session_bind(w->session, &input, 1, w->image, &w->error);
    *seconds = ws_clock() - start;
    return status;
}

static int runs_for(const model_job *j, double seconds)
{
    const double enough = 3.0;
    const int n = j->runs ? j->runs : (int)fmin(ceil(enough / seconds), MODEL_MAX_RUNS);
    return !j->runs && n < j->least ? j->least : n;
}

/* The memory of one image and one prompt is read before the many are decoded. */
static wsam_status decode(worker *w)
{
    wsam_status status = model_time_prompts(w->model, w->image, 1, &w->prompt_s, &w->error);
    w->peak_rss_bytes = peak_rss();
    if (!status)
        status = model_time_prompts(w->model, w->image, MODEL_PROMPTS, &w->prompt_s, &w->error);
    return status;
}

/* Whoever fails waits for the others all the same. */
static void *work(void *arg)
{
    worker *w = arg;
    board *b = w->board;
    double seconds = 0.0;
    w->status = open_worker(w);
    if (!w->status)
        w->status = encode(w, &seconds); /* the first touches its memory and starts the threads */
    if (!w->status && w->index == 0)
        b->runs = runs_for(b->job, seconds);
    pthread_barrier_wait(&b->ready);
    w->start = ws_clock();
    for (int i = 0; i < b->runs && !w->status; i++)
        w->status = encode(w, &b->samples[w->index][i]);
    w->end = ws_clock();
    wsam_session_free(w->session);
    w->peak_rss_bytes = peak_rss();
    if (!w->status && b->job->prompts && wsam_model_has_graph(w->model, "mask_decoder"))
        w->status = decode(w);
    wsam_image_free(w->image);
    free(w->pixels);
    return NULL;
}

/* ---- one process ---- */

static void add_worker(process_report *r, const worker *w)
{
    r->start = r->start > 0.0 ? fmin(r->start, w->start) : w->start;
    r->end = fmax(r->end, w->end);
    r->prompt_s = w->prompt_s;
    if (w->peak_rss_bytes > r->peak_rss_bytes)
        r->peak_rss_bytes = w->peak_rss_bytes;
    if (w->status && !r->message[0])
        snprintf(r->message, sizeof r->message, "%.250s",
                 w->error.message[0] ? w->error.message : wsam_status_string(w->status));
}

static void run_sessions(board *b, int process, wsam_model *model)
{
    static worker workers[MODEL_MAX_WORKERS];
    pthread_t threads[MODEL_MAX_WORKERS];
    const int n = b->job->sessions;
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
        add_worker(r, &workers[i]);
}

static void run_process(board *b, int process)
{
    const model_job *j = b->job;
    process_report *r = &b->processes[process];
    wsam_options options;
    wsam_model *model = NULL;
    wsam_error error = {0};
    wsam_options_default(&options);
    options.threads = j->threads;
    options.isa = j->isa;
    options.backend = j->backend;
    if (wsam_model_open(j->path, &options, &model, &error)) {
        snprintf(r->message, sizeof r->message, "%.250s", error.message);
        _exit(1);
    }
    snprintf(r->isa, sizeof r->isa, "%s",
             j->backend == WSAM_BACKEND_ONEDNN ? ws_onednn_isa() : wsam_model_isa(model));
    r->resolution = side_of(model);
    run_sessions(b, process, model);
    wsam_model_close(model);
}

/* ---- all of them ---- */

void *model_shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("bench_models");
        exit(1);
    }
    return p;
}

void model_unshare(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}

static pid_t start_child(void)
{
    fflush(NULL);
    const pid_t pid = fork();
    if (pid < 0) {
        perror("bench_models");
        exit(1);
    }
    return pid;
}

int model_in_child(void (*fn)(void *arg), void *arg)
{
    int status = 0;
    const pid_t pid = start_child();
    if (pid == 0) {
        fn(arg);
        fflush(NULL);
        _exit(0);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A child that ends badly leaves the others waiting: they are ended too. Returns whether all ended
 * well. */
static int wait_for(pid_t *children, int n)
{
    int good = 1;
    for (int left = n; left > 0; left--) {
        int status = 0, i = 0;
        const pid_t pid = wait(&status);
        while (i < n && children[i] != pid)
            i++;
        if (i < n)
            children[i] = 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            continue;
        for (int k = 0; good && k < n; k++)
            if (children[k])
                kill(children[k], SIGKILL);
        good = 0;
    }
    return good;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted samples: the smallest that at least `percent` of them do not exceed. */
static double percentile(const double *sorted, int n, int percent)
{
    const int rank = (percent * n + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

static void summarise(const board *b, model_report *r)
{
    static double all[MODEL_MAX_WORKERS * MODEL_MAX_RUNS];
    const model_job *j = b->job;
    double start = b->processes[0].start, end = 0.0;
    for (int p = 0; p < j->processes; p++) {
        const process_report *one = &b->processes[p];
        start = fmin(start, one->start);
        end = fmax(end, one->end);
        r->peak_rss_bytes += one->peak_rss_bytes;
    }
    for (int w = 0; w < j->processes * j->sessions; w++)
        for (int i = 0; i < b->runs; i++)
            all[r->runs++] = b->samples[w][i];
    qsort(all, (size_t)r->runs, sizeof all[0], by_value);
    r->p50_s = percentile(all, r->runs, 50);
    r->p90_s = percentile(all, r->runs, 90);
    r->p99_s = percentile(all, r->runs, 99);
    r->images_per_s = r->runs / (end - start);
    r->prompt_s = b->processes[0].prompt_s;
    r->resolution = b->processes[0].resolution;
    snprintf(r->isa, sizeof r->isa, "%s", b->processes[0].isa);
}

void model_job_run(const model_job *job, model_report *report)
{
    pid_t children[MODEL_MAX_WORKERS];
    board *b = model_shared(sizeof *b);
    pthread_barrierattr_t shared;
    memset(report, 0, sizeof *report);
    b->job = job; /* children have it at the same address */
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&b->ready, &shared, (unsigned)(job->processes * job->sessions));
    for (int p = 0; p < job->processes; p++) {
        children[p] = start_child();
        if (children[p] == 0) {
            run_process(b, p);
            _exit(0);
        }
    }
    const int good = wait_for(children, job->processes);
    for (int p = 0; p < job->processes && !report->message[0]; p++)
        snprintf(report->message, sizeof report->message, "%s", b->processes[p].message);
    if (!good && !report->message[0])
        snprintf(report->message, sizeof report->message, "a measuring process died");
    if (!report->message[0])
        summarise(b, report);
    model_unshare(b, sizeof *b);
}
