/* bench/bench_models.c - end-to-end rates of whole graphs: encoder latency per model, type and
 * thread count, decoder time per prompt, images per second with one image per core or per process,
 * peak memory.
 *
 * usage: bench_models [--models A,B] [--types f32,int8] [--threads N] [--isa LEVEL] [--dir DIR]
 *                     [--repeat N] [--scaling] [--json]
 *
 * Every measurement runs in a process of its own, so that peak memory is its own. Weights are
 * stand-ins derived from tensor names (wsam_write_twin): speed does not depend on their values. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "weaksam/convert.h"
#include "weaksam/model.h"

enum { MAX_SAMPLES = 1000, MAX_WORKERS = 64 };

typedef struct settings {
    const char *models, *types, *isa, *dir;
    int threads, repeat, scaling, json;
} settings;

/* What one measuring process does: `sessions` threads, each with its own session of `threads`
 * threads. */
typedef struct job {
    char path[512];
    const settings *settings;
    int threads, sessions, repeat;
} job;

/* What it found out; sent through a pipe. */
typedef struct report {
    int failed;
    char message[256];
    double load_s, p50_s, p90_s, p99_s, images_per_s, prompt_s;
    long peak_rss_kib;
} report;

typedef struct worker {
    const job *job;
    wsam_model *model;
    double samples[MAX_SAMPLES];
    double prompt_s;
    wsam_error error;
    int failed;
} worker;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A picture-like input: smooth, within the range of normalised pixels. */
static float *make_image(int64_t side)
{
    float *x = malloc((size_t)(side * side * 3) * sizeof *x);
    for (int64_t i = 0; x && i < side * side * 3; i++)
        x[i] = (float)((i * 7 + (i / side) * 13) % 512) / 128.0f - 2.0f;
    return x;
}

/* Milliseconds per prompt: 64 single clicks, three masks each, low-resolution logits out. */
static wsam_status time_prompts(worker *w, const wsam_image *encoded)
{
    enum { PROMPTS = 64 };
    int64_t points_per_prompt = 2;
    if (!wsam_model_int(w->model, "prompt.fixed_points", &points_per_prompt) || !points_per_prompt)
        points_per_prompt = 2;
    wsam_tensor embedding;
    wsam_image *image = NULL;
    wsam_session *session = NULL;
    const int64_t n = points_per_prompt;
    float *points = calloc((size_t)(PROMPTS * n * 2), sizeof *points);
    int32_t *labels = calloc((size_t)(PROMPTS * n), sizeof *labels);
    float *low_res = NULL, *iou = calloc(PROMPTS * 3, sizeof *iou);
    wsam_status status = wsam_image_output(encoded, "embedding", &embedding, &w->error);
    const wsam_dim dims[] = {{"prompts", PROMPTS}, {"points", n}, {"first_mask", 1}, {"masks", 3}};
    const int64_t side = status ? 0 : embedding.shape[0] * 4;
    low_res = malloc((size_t)(PROMPTS * 3 * side * side) * sizeof *low_res);
    if (!points || !labels || !iou || !low_res)
        status = WSAM_ERR_MEMORY;
    for (int64_t i = 0; !status && i < PROMPTS * n; i++) {
        points[2 * i] = (float)(i % 13) / 13.0f;
        points[2 * i + 1] = (float)(i % 17) / 17.0f;
        labels[i] = i % n == 0 ? 1 : -1;
    }
    if (!status)
        status = wsam_session_create(w->model, "mask_decoder", &session, &w->error);
    if (!status)
        status = wsam_session_reserve(session, dims, 4, &w->error);
    if (!status)
        status = wsam_image_create(w->model, "mask_decoder", dims, 4, &image, &w->error);
    if (!status)
        status = wsam_session_bind(session, &embedding, 1, image, &w->error);
    const wsam_tensor inputs[] = {
        {.name = "points", .type = WSAM_F32, .rank = 3, .shape = {PROMPTS, n, 2}, .data = points},
        {.name = "labels", .type = WSAM_S32, .rank = 2, .shape = {PROMPTS, n}, .data = labels}};
    wsam_tensor outputs[] = {
        {.name = "low_res",
         .type = WSAM_F32,
         .rank = 4,
         .shape = {PROMPTS, 3, side, side},
         .data = low_res},
        {.name = "iou", .type = WSAM_F32, .rank = 2, .shape = {PROMPTS, 3}, .data = iou}};
    w->prompt_s = 1e9;
    for (int i = 0; !status && i < 3; i++) {
        const double start = now();
        status = wsam_session_run(session, image, dims, 4, inputs, 2, outputs, 2, &w->error);
        const double each = (now() - start) / PROMPTS;
        w->prompt_s = each < w->prompt_s ? each : w->prompt_s;
    }
    wsam_image_free(image);
    wsam_session_free(session);
    free(points), free(labels), free(iou), free(low_res);
    return status;
}

static void *work(void *arg)
{
    worker *w = arg;
    int64_t side = 1024;
    wsam_model_int(w->model, "picture.size", &side);
    wsam_session *session = NULL;
    wsam_image *image = NULL;
    float *pixels = make_image(side);
    const wsam_tensor input = {
        .name = "image", .type = WSAM_F32, .rank = 3, .shape = {side, side, 3}, .data = pixels};
    wsam_status status = pixels ? WSAM_OK : WSAM_ERR_MEMORY;
    if (!status)
        status = wsam_session_create(w->model, "image_encoder", &session, &w->error);
    if (!status)
        status = wsam_session_reserve(session, NULL, 0, &w->error);
    if (!status)
        status = wsam_image_create(w->model, "image_encoder", NULL, 0, &image, &w->error);
    for (int i = -1; !status && i < w->job->repeat; i++) { /* -1: warm-up */
        const double start = now();
        status = wsam_session_bind(session, &input, 1, image, &w->error);
        if (i >= 0)
            w->samples[i] = now() - start;
    }
    wsam_session_free(session);
    if (!status && w->job->sessions == 1 && wsam_model_has_graph(w->model, "mask_decoder"))
        status = time_prompts(w, image);
    wsam_image_free(image);
    free(pixels);
    w->failed = status != WSAM_OK;
    return NULL;
}

static void collect(const job *j, worker *workers, double seconds, report *r)
{
    static double all[MAX_WORKERS * MAX_SAMPLES];
    int n = 0;
    for (int i = 0; i < j->sessions; i++) {
        if (workers[i].failed) {
            r->failed = 1;
            snprintf(r->message, sizeof r->message, "%.250s", workers[i].error.message);
            return;
        }
        for (int s = 0; s < j->repeat; s++)
            all[n++] = workers[i].samples[s];
    }
    qsort(all, (size_t)n, sizeof all[0], by_value);
    r->p50_s = all[n / 2];
    r->p90_s = all[n * 9 / 10];
    r->p99_s = all[n * 99 / 100];
    r->images_per_s = (j->repeat + 1) * j->sessions / seconds; /* the warm-up is part of the time */
    r->prompt_s = workers[0].prompt_s;
}

static void measure(const job *j, report *r)
{
    static worker workers[MAX_WORKERS];
    pthread_t threads[MAX_WORKERS];
    wsam_options options;
    wsam_options_default(&options);
    options.threads = j->threads;
    options.isa = j->settings->isa;
    wsam_model *model = NULL;
    wsam_error error = {0};
    double start = now();
    if (wsam_model_open(j->path, &options, &model, &error)) {
        r->failed = 1;
        snprintf(r->message, sizeof r->message, "%.250s", error.message);
        return;
    }
    r->load_s = now() - start;
    start = now();
    for (int i = 0; i < j->sessions; i++) {
        workers[i].job = j;
        workers[i].model = model;
        if (i)
            pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    work(&workers[0]);
    for (int i = 1; i < j->sessions; i++)
        pthread_join(threads[i], NULL);
    collect(j, workers, now() - start, r);
    wsam_model_close(model);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    r->peak_rss_kib = usage.ru_maxrss;
}

/* Starts `processes` copies of a job side by side and adds up their images per second. */
static void run_job(const job *j, int processes, report *total)
{
    int pipes[MAX_WORKERS][2];
    memset(total, 0, sizeof *total);
    for (int i = 0; i < processes; i++) {
        if (pipe(pipes[i]) != 0)
            exit(1);
        fflush(stdout);
        const pid_t pid = fork();
        if (pid < 0)
            exit(1);
        if (pid == 0) {
            report r = {0};
            measure(j, &r);
            const ssize_t sent = write(pipes[i][1], &r, sizeof r);
            _exit(sent == (ssize_t)sizeof r ? 0 : 1);
        }
        close(pipes[i][1]);
    }
    for (int i = 0; i < processes; i++) {
        report r = {.failed = 1};
        snprintf(r.message, sizeof r.message, "the measuring process died");
        if (read(pipes[i][0], &r, sizeof r) != (ssize_t)sizeof r)
            r.failed = 1;
        close(pipes[i][0]);
        const double sum = total->images_per_s + r.images_per_s;
        if (!total->failed)
            *total = r;
        total->images_per_s = sum;
    }
    while (wait(NULL) > 0) {
    }
}

static int exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

/* DIR/family.type.wsam, made from the family's stand-in checkpoint when it is not there yet. */
static int make_model(const settings *s, const char *family, const char *type, char *path, size_t n)
{
    wsam_error error = {0};
    char checkpoint[512];
    snprintf(path, n, "%s/%s.%s.wsam", s->dir, family, type);
    if (exists(path))
        return 0;
    if (mkdir(s->dir, 0777) != 0 && errno != EEXIST) {
        perror(s->dir);
        return -1;
    }
    snprintf(checkpoint, sizeof checkpoint, "%s/%s.safetensors", s->dir, family);
    wsam_convert_options options;
    wsam_convert_options_default(&options);
    options.type = strcmp(type, "int8") == 0
                       ? WSAM_FILE_INT8
                       : (strcmp(type, "bf16") == 0 ? WSAM_FILE_BF16 : WSAM_FILE_F32);
    if ((!exists(checkpoint) && wsam_write_twin(family, checkpoint, 0, &error)) ||
        wsam_convert(checkpoint, path, &options, &error)) {
        fprintf(stderr, "bench_models: %s\n", error.message);
        return -1;
    }
    return 0;
}

/* `per_core`: images per second with one image on every core, 0 where that was not measured. */
static void print_row(const settings *s, const char *family, const char *type, const char *scenario,
                      const job *j, int processes, const report *r, double per_core)
{
    if (r->failed) {
        printf("| %-16s | %-4s | failed: %s |\n", family, type, r->message);
        return;
    }
    if (s->json)
        printf(
            "{\"device\":\"cpu\",\"threads\":%d,\"sessions\":%d,\"processes\":%d,\"model\":\"%s\","
            "\"type\":\"%s\",\"scenario\":\"%s\",\"timed_region\":\"encoder\",\"images_per_s\":%."
            "4g,"
            "\"p50_ms\":%.4g,\"p90_ms\":%.4g,\"p99_ms\":%.4g,\"prompt_ms\":%.4g,"
            "\"peak_rss_bytes\":%lld,\"images_per_s_one_per_core\":%.4g}\n",
            j->threads, j->sessions, processes, family, type, scenario, r->images_per_s,
            1e3 * r->p50_s, 1e3 * r->p90_s, 1e3 * r->p99_s, 1e3 * r->prompt_s,
            1024LL * r->peak_rss_kib, per_core);
    else
        printf(
            "| %-16s | %-4s | %-12s | %dx%dx%d | %7.0f | %7.0f | %7.0f | %6.2f | %6.2f | %6.1f | "
            "%5ld |\n",
            family, type, scenario, processes, j->sessions, j->threads, 1e3 * r->p50_s,
            1e3 * r->p90_s, 1e3 * r->p99_s, r->images_per_s, per_core, 1e3 * r->prompt_s,
            r->peak_rss_kib / 1024);
}

static void one(const settings *s, const char *family, const char *type, const char *scenario,
                const char *path, int processes, int sessions, int threads)
{
    job j = {.settings = s, .threads = threads, .sessions = sessions, .repeat = s->repeat};
    snprintf(j.path, sizeof j.path, "%s", path);
    report r, side_by_side = {0};
    run_job(&j, processes, &r);
    if (processes == 1 && sessions == 1 && threads > 1 && !r.failed) {
        job each = j;
        each.sessions = threads < MAX_WORKERS ? threads : MAX_WORKERS;
        each.threads = 1;
        run_job(&each, 1, &side_by_side);
    }
    print_row(s, family, type, scenario, &j, processes, &r, side_by_side.images_per_s);
}

static void bench_file(const settings *s, const char *family, const char *type)
{
    char path[512];
    if (make_model(s, family, type, path, sizeof path))
        return;
    one(s, family, type, "SingleStream", path, 1, 1, s->threads);
    if (!s->scaling)
        return;
    for (int t = 1; t < s->threads; t++)
        one(s, family, type, "SingleStream", path, 1, 1, t);
    for (int t = 2; t <= s->threads && t <= MAX_WORKERS; t++) {
        one(s, family, type, "Offline", path, 1, t, 1);
        one(s, family, type, "Offline", path, t, 1, 1);
    }
}

/* Calls bench_file for every model and type of the comma-separated lists. */
static void bench_all(const settings *s)
{
    char models[512], *model_rest = NULL;
    snprintf(models, sizeof models, "%s", s->models);
    for (char *m = strtok_r(models, ",", &model_rest); m; m = strtok_r(NULL, ",", &model_rest)) {
        char types[64], *type_rest = NULL;
        snprintf(types, sizeof types, "%s", s->types);
        for (char *t = strtok_r(types, ",", &type_rest); t; t = strtok_r(NULL, ",", &type_rest))
            bench_file(s, m, t);
    }
}

static int parse(settings *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--json") == 0)
            s->json = 1;
        else if (strcmp(argv[i], "--scaling") == 0)
            s->scaling = 1;
        else if (!value)
            return -1;
        else if (strcmp(argv[i], "--models") == 0)
            s->models = argv[++i];
        else if (strcmp(argv[i], "--types") == 0)
            s->types = argv[++i];
        else if (strcmp(argv[i], "--isa") == 0)
            s->isa = argv[++i];
        else if (strcmp(argv[i], "--dir") == 0)
            s->dir = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0)
            s->threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--repeat") == 0)
            s->repeat = atoi(argv[++i]);
        else
            return -1;
    }
    return s->threads < 1 || s->repeat < 1 || s->repeat > MAX_SAMPLES ? -1 : 0;
}

int main(int argc, char **argv)
{
    settings s = {.models = "sam_vit_b,mobile_sam,efficient_sam_ti,efficient_sam_s",
                  .types = "f32,bf16,int8",
                  .dir = "build/bench-models",
                  .threads = wsam_default_threads(),
                  .repeat = 5};
    if (parse(&s, argc, argv)) {
        fprintf(stderr, "bench_models: see the head of bench/bench_models.c for the options\n");
        return 2;
    }
    if (!s.json)
        printf(
            "\nencoder at 1024 x 1024; processes x sessions x threads; 1/core: images per second "
            "with one image on every core; prompt: ms of one of 64 clicks\n\n"
            "| model            | type | scenario     | pxsxt | p50 ms  | p90 ms  | p99 ms  | "
            "img/s "
            " | 1/core | prompt |  MiB  |\n|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|\n");
    bench_all(&s);
    return 0;
}
