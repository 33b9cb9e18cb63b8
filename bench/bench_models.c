/* bench/bench_models.c - end-to-end rates of whole models: the encoder's latency, images per second
 * with one image per core, the decoder's time per prompt, peak memory, per cent of the peak.
 *
 * usage: bench_models [--models A,B] [--types f32,bf16,int8] [--threads N] [--isa LEVEL]
 *                     [--backend native|onednn] [--dir DIR] [--repeat N] [--scaling] [--json]
 *                     [--json-to FILE]
 *
 * Without --repeat an encoder is timed for three seconds, five times at least. --scaling adds 1..N
 * threads, 1..N sessions of one thread and 1..N processes of one thread. --json-to appends the rows
 * of --json to a file beside the table. With --backend onednn, --isa holds oneDNN to a level, too.
 *
 * Every measurement runs in processes of its own, so that peak memory is its own. Weights are
 * stand-ins derived from tensor names (wsam_write_twin): speed does not depend on their values. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/machine.h"
#include "bench/model_job.h"
#include "bench/peak.h"
#include "kernels/cpu.h"
#include "weaksam/convert.h"
#include "weaksam/kernels.h"

enum { LATENCY_RUNS = 5, THROUGHPUT_RUNS = 2, N_PEAKS = 3 };

typedef struct settings {
    const char *models, *types, *isa, *dir, *shapes, *json_to;
    wsam_backend backend;
    int threads, repeat, scaling, json;
    FILE *rows; /* of json_to */
    ws_machine machine;
} settings;

/* Multiply-adds of an encoder in 1e9; zeros where the list has none. */
typedef struct work_list {
    double linear, attention, convolution;
} work_list;

/* One file that is measured. */
typedef struct subject {
    const settings *settings;
    char family[64], type[16], path[512];
    double ideal_s; /* of an encode with every multiply-add at its type's peak; 0: not known */
    int failed;
} subject;

/* ---- per cent of the peak ---- */

static work_list work_of(const settings *s, const char *family)
{
    char path[512], line[256], name[64];
    work_list w = {0}, read = {0};
    snprintf(path, sizeof path, "%s/models.txt", s->shapes);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%63s %lf %lf %lf", name, &read.linear, &read.attention,
                   &read.convolution) == 4 &&
            strcmp(name, family) == 0)
            w = read;
    if (f)
        fclose(f);
    return w;
}

typedef struct peaks {
    const settings *settings;
    double gops[N_PEAKS];
} peaks;

static void measure_peaks(void *arg)
{
    peaks *p = arg;
    const wsam_kernels *k = ws_kernels_find(p->settings->isa, NULL);
    for (int type = 0; k && type < N_PEAKS; type++)
        p->gops[type] = ws_peak_gops(k->isa, (ws_peak_type)type, p->settings->threads);
}

/* The peaks of our level; oneDNN's backend may go beyond them with AMX. */
static double ideal_seconds(const subject *t)
{
    peaks *p = model_shared(sizeof *p);
    p->settings = t->settings;
    model_in_child(measure_peaks, p);
    const work_list w = work_of(t->settings, t->family);
    const int f32 = strcmp(t->type, "f32") == 0, int8 = strcmp(t->type, "int8") == 0;
    const double linear = p->gops[f32 ? WS_PEAK_F32 : (int8 ? WS_PEAK_S8 : WS_PEAK_BF16)];
    const double other = p->gops[f32 ? WS_PEAK_F32 : WS_PEAK_BF16];
    const double seconds = linear > 0.0 && other > 0.0
                               ? 2.0 * (w.linear / linear + (w.attention + w.convolution) / other)
                               : 0.0;
    model_unshare(p, sizeof *p);
    return seconds;
}

/* ---- the files ---- */

static int exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

/* DIR/family.type.wsam from the family's stand-in checkpoint, which is written when it is missing.
 */
static void make_model(void *arg)
{
    subject *t = arg;
    const char *dir = t->settings->dir;
    wsam_error error = {0};
    char checkpoint[512];
    t->failed = 1;
    if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
        perror(dir);
        return;
    }
    snprintf(checkpoint, sizeof checkpoint, "%s/%s.safetensors", dir, t->family);
    wsam_convert_options options;
    wsam_convert_options_default(&options);
    options.type = strcmp(t->type, "int8") == 0
                       ? WSAM_FILE_INT8
                       : (strcmp(t->type, "bf16") == 0 ? WSAM_FILE_BF16 : WSAM_FILE_F32);
    t->failed = (!exists(checkpoint) && wsam_write_twin(t->family, checkpoint, 0, &error)) ||
                wsam_convert(checkpoint, t->path, &options, &error);
    if (t->failed)
        fprintf(stderr, "bench_models: %s\n", error.message);
}

/* ---- output ---- */

/* A number, or what stands for one that was not measured. */
static void put_number(FILE *f, const char *key, double value, int known)
{
    if (known)
        fprintf(f, ",\"%s\":%.5g", key, value);
    else
        fprintf(f, ",\"%s\":null", key);
}

/* n runs tell a percentile when at least one of them lies beyond it. */
static int tells(int n, int percent)
{
    return n * (100 - percent) >= 100;
}

static void print_json(FILE *f, const subject *t, const model_job *j, const model_report *r,
                       const char *region)
{
    const settings *s = t->settings;
    const int prompt = strcmp(region, "prompt") == 0, side_by_side = j->processes * j->sessions;
    const double ideal = j->threads * side_by_side == s->threads ? t->ideal_s : 0.0;
    const double seconds = side_by_side > 1 ? 1.0 / r->images_per_s : r->p50_s;
    fprintf(f,
            "{\"device\":\"%s\",\"isa\":\"%s\",\"backend\":\"%s\",\"threads\":%d,\"sessions\":%d,"
            "\"processes\":%d,\"model\":\"%s\",\"type\":\"%s\",\"resolution\":%lld,\"prompts\":%d,"
            "\"scenario\":\"%s\",\"batch\":%d,\"timed_region\":\"%s\",\"runs\":%d",
            s->machine.cpu, r->isa, s->backend == WSAM_BACKEND_ONEDNN ? "onednn" : "native",
            j->threads, j->sessions, j->processes, t->family, t->type, (long long)r->resolution,
            prompt ? MODEL_PROMPTS : 0, side_by_side > 1 || prompt ? "Offline" : "SingleStream",
            prompt ? MODEL_PROMPTS : side_by_side, region, r->runs);
    put_number(f, "images_per_s", r->images_per_s, !prompt);
    put_number(f, "p50_ms", 1e3 * (prompt ? r->prompt_s : r->p50_s), 1);
    put_number(f, "p90_ms", 1e3 * r->p90_s, !prompt && tells(r->runs, 90));
    put_number(f, "p99_ms", 1e3 * r->p99_s, !prompt && tells(r->runs, 99));
    fprintf(f, ",\"peak_rss_bytes\":%lld", r->peak_rss_bytes);
    put_number(f, "clock_hz", s->machine.clock_hz, 1);
    put_number(f, "percent_of_peak", 100.0 * ideal / seconds, !prompt && ideal > 0.0);
    fprintf(f, ",\"watts\":null,\"price_per_hour\":null,\"source\":\"weaksam %s bench_models\"}\n",
            wsam_version());
}

static void put_rows(const subject *t, const model_job *j, const model_report *r,
                     const char *region)
{
    if (r->message[0])
        return;
    if (t->settings->json)
        print_json(stdout, t, j, r, region);
    if (t->settings->rows)
        print_json(t->settings->rows, t, j, r, region);
}

static void print_percentile(double seconds, int known)
{
    if (known)
        printf(" %7.0f", 1e3 * seconds);
    else
        printf(" %7s", "-");
}

/* Latency with all threads, and images per second with one on every core. */
static void print_row(const subject *t, const model_report *alone, const model_report *each)
{
    const char *why = alone->message[0] ? alone->message : each->message;
    if (t->settings->json)
        return;
    printf("%-16s %-4s", t->family, t->type);
    if (why[0]) {
        printf(" failed: %s\n", why);
        return;
    }
    printf(" %7.0f", 1e3 * alone->p50_s);
    print_percentile(alone->p90_s, tells(alone->runs, 90));
    print_percentile(alone->p99_s, tells(alone->runs, 99));
    printf(" %5d", alone->runs);
    if (t->ideal_s > 0.0)
        printf(" %4.0f%% %8.2f %4.0f%%", 100.0 * t->ideal_s / alone->p50_s, each->images_per_s,
               100.0 * t->ideal_s * each->images_per_s);
    else
        printf(" %5s %8.2f %5s", "-", each->images_per_s, "-");
    printf(" %8.1f %6lld\n", 1e3 * alone->prompt_s, alone->peak_rss_bytes >> 20);
    fflush(stdout);
}

static void print_head(const settings *s)
{
    printf("encoder, 1024 x 1024,%s %d threads: ms  |  1/core: images/s with one on every core  |  "
           "%%: of the peak\n",
           s->backend == WSAM_BACKEND_ONEDNN ? " by oneDNN," : "", s->threads);
    printf("prompt: ms for one of %d clicks decoded together; MiB: at most, with one image and one "
           "prompt\n",
           MODEL_PROMPTS);
    printf("%-16s %-4s %7s %7s %7s %5s %5s %8s %5s %8s %6s\n", "model", "type", "p50", "p90", "p99",
           "runs", "%", "1/core", "%", "prompt", "MiB");
}

/* ---- measuring ---- */

static model_job job_of(const subject *t, int processes, int sessions, int threads, int least)
{
    const settings *s = t->settings;
    model_job j = {.isa = s->isa,
                   .backend = s->backend,
                   .processes = processes,
                   .sessions = sessions,
                   .threads = threads,
                   .runs = s->repeat,
                   .least = least};
    memcpy(j.path, t->path, sizeof j.path);
    return j;
}

static void scale(const subject *t, int processes, int sessions, int threads)
{
    model_report r;
    const model_job j = job_of(t, processes, sessions, threads, THROUGHPUT_RUNS);
    model_job_run(&j, &r);
    put_rows(t, &j, &r, "encoder");
    if (t->settings->json)
        return;
    printf("  %2d processes x %2d sessions x %2d threads: ", processes, sessions, threads);
    if (r.message[0])
        printf("failed: %s\n", r.message);
    else
        printf("%7.2f images/s, p50 %6.0f ms, %5lld MiB\n", r.images_per_s, 1e3 * r.p50_s,
               r.peak_rss_bytes >> 20);
    fflush(stdout);
}

static void bench_scaling(const subject *t)
{
    for (int n = 1; n <= t->settings->threads && n <= MODEL_MAX_WORKERS; n++) {
        scale(t, 1, 1, n);
        if (n > 1) {
            scale(t, 1, n, 1);
            scale(t, n, 1, 1);
        }
    }
}

static void bench_file(const settings *s, const char *family, const char *type)
{
    subject *t = model_shared(sizeof *t);
    model_report alone, each;
    t->settings = s;
    snprintf(t->family, sizeof t->family, "%s", family);
    snprintf(t->type, sizeof t->type, "%s", type);
    snprintf(t->path, sizeof t->path, "%.400s/%.60s.%.10s.wsam", s->dir, family, type);
    if (!exists(t->path) && model_in_child(make_model, t))
        t->failed = 1;
    if (!t->failed) {
        const int cores = s->threads < MODEL_MAX_WORKERS ? s->threads : MODEL_MAX_WORKERS;
        model_job j = job_of(t, 1, 1, s->threads, LATENCY_RUNS);
        const model_job k = job_of(t, 1, cores, 1, THROUGHPUT_RUNS);
        j.prompts = 1;
        t->ideal_s = ideal_seconds(t);
        model_job_run(&j, &alone);
        put_rows(t, &j, &alone, "encoder");
        if (alone.prompt_s > 0.0)
            put_rows(t, &j, &alone, "prompt");
        model_job_run(&k, &each);
        put_rows(t, &k, &each, "encoder");
        print_row(t, &alone, &each);
        if (s->scaling)
            bench_scaling(t);
    }
    model_unshare(t, sizeof *t);
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

/* ---- the program ---- */

static int take_value(settings *s, const char *option, const char *value)
{
    const struct {
        const char *option, **text;
    } texts[] = {{"--models", &s->models}, {"--types", &s->types},   {"--isa", &s->isa},
                 {"--dir", &s->dir},       {"--shapes", &s->shapes}, {"--json-to", &s->json_to}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i].option, option) == 0) {
            *texts[i].text = value;
            return 1;
        }
    if (strcmp(option, "--threads") == 0)
        return (s->threads = atoi(value)) >= 1;
    if (strcmp(option, "--repeat") == 0)
        return (s->repeat = atoi(value)) >= 1 && s->repeat <= MODEL_MAX_RUNS;
    if (strcmp(option, "--backend") != 0)
        return 0;
    s->backend = strcmp(value, "onednn") == 0 ? WSAM_BACKEND_ONEDNN : WSAM_BACKEND_NATIVE;
    return s->backend == WSAM_BACKEND_ONEDNN || strcmp(value, "native") == 0;
}

static int parse(settings *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            s->json = 1;
        else if (strcmp(argv[i], "--scaling") == 0)
            s->scaling = 1;
        else if (i + 1 == argc || !take_value(s, argv[i], argv[i + 1]))
            return -1;
        else
            i++;
    }
    return 0;
}

int main(int argc, char **argv)
{
    settings s = {.models = "sam_vit_b,mobile_sam,efficient_sam_ti,efficient_sam_s",
                  .types = "f32,bf16,int8",
                  .dir = "build/bench-models",
                  .shapes = "bench/shapes",
                  .threads = wsam_default_threads()};
    if (parse(&s, argc, argv)) {
        fprintf(stderr, "bench_models: see the head of bench/bench_models.c for the options\n");
        return 2;
    }
    if (s.json_to && !(s.rows = fopen(s.json_to, "a"))) {
        perror(s.json_to);
        return 1;
    }
    ws_machine_read(&s.machine);
    if (!s.json)
        print_head(&s);
    bench_all(&s);
    if (s.rows && fclose(s.rows)) {
        perror(s.json_to);
        return 1;
    }
    return 0;
}
