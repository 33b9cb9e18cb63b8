/* cli/cmd_bench.c - weaksam bench: end-to-end timing of one model. */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "cli/bench_scale.h"
#include "cli/help_tables.h"
#include "cli/picture.h"
#include "cli/profile.h"

enum { OPT_ENCODES = CLI_OWN, OPT_PROMPTS, OPT_PICTURE, OPT_PROFILE, MAX_SAMPLES = 10000 };

static const struct option own_options[] = {
    {"encodes", required_argument, NULL, OPT_ENCODES},
    {"prompts", required_argument, NULL, OPT_PROMPTS},
    {"picture", required_argument, NULL, OPT_PICTURE},
    {"profile", no_argument, NULL, OPT_PROFILE},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct settings {
    cli_common common;
    cli_limits limits;
    long long encodes, prompts;
    const char *picture;
    int profile;
} settings;

static int take(void *user, int option, const char *value)
{
    settings *s = user;
    switch (option) {
    case OPT_ENCODES:
        if (!cli_int(value, 1, MAX_SAMPLES, &s->encodes))
            return cli_usage("bench", "--encodes '%s': expected 1 to %d", value, MAX_SAMPLES);
        break;
    case OPT_PROMPTS:
        if (!cli_int(value, 0, MAX_SAMPLES, &s->prompts))
            return cli_usage("bench", "--prompts '%s': expected 0 to %d", value, MAX_SAMPLES);
        break;
    case OPT_PICTURE:
        s->picture = value;
        break;
    case OPT_PROFILE:
        s->profile = 1;
        break;
    default:
        return cli_take_limit(&s->limits, option, value);
    }
    return CLI_OK;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted samples: the smallest that at least `percent` of them do not exceed. */
static double percentile(const double *sorted, long long n, long long percent)
{
    const long long rank = (percent * n + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

/* n runs tell a percentile when at least one of them lies beyond it. */
static int tells(long long n, long long percent)
{
    return n * (100 - percent) >= 100;
}

static void print_percentile(const settings *s, const char *name, const double *sorted, long long n,
                             long long percent)
{
    const double ms = percentile(sorted, n, percent);
    if (!tells(n, percent))
        printf(s->common.json ? "\"%s_ms\":null," : " %s %9s,   ", name, "-");
    else
        printf(s->common.json ? "\"%s_ms\":%.3f," : " %s %9.2f ms,", name, ms);
}

/* Hertz of this core: additions that wait for each other take a cycle each. The best of several
 * short runs, as the work of others only ever makes them longer. */
static double measure_clock(void)
{
    enum { RUNS = 20, ROUNDS = 100000, CHAIN = 16 };
    unsigned long x = 1, y = 3;
    double best = 0.0;
    for (int run = 0; run < RUNS; run++) {
        const double start = ws_clock_ms();
        for (int i = 0; i < ROUNDS; i++)
            for (int j = 0; j < CHAIN; j++) {
                x += y;
                __asm__ volatile("" : "+r"(x), "+r"(y)); /* neither known nor merged */
            }
        const double hz = 1e3 * ROUNDS * CHAIN / (ws_clock_ms() - start);
        best = hz > best ? hz : best;
    }
    return best;
}

/* One line: text, or a row of the baseline tables. What this tool does not measure is null: per
 * cent of the peak, for one, which wants the multiply loops of bench/ beside it (bench_models has
 * it). */
static void print_row(const settings *s, const cli_loaded *l, const char *region, double *ms,
                      long long n, long long prompts)
{
    struct utsname machine = {0};
    double sum = 0.0;
    for (long long i = 0; i < n; i++)
        sum += ms[i];
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    int64_t size = 0;
    wsam_model_int(l->model, "picture.size", &size);
    uname(&machine);
    if (!s->common.json) {
        printf("%-10s %4lld runs: p50 %9.2f ms,", region, n, percentile(ms, n, 50));
        print_percentile(s, "p90", ms, n, 90);
        print_percentile(s, "p99", ms, n, 99);
        printf(" mean %9.2f ms\n", sum / (double)n);
        return;
    }
    printf("{\"device\":\"cpu %s %s\",\"threads\":%d,\"model\":", machine.machine,
           wsam_model_isa(l->model), wsam_model_threads(l->model));
    cli_print_json_string(wsam_model_string(l->model, "model.family"));
    printf(",\"type\":");
    cli_print_json_string(wsam_model_string(l->model, "model.type"));
    printf(",\"resolution\":%lld,\"prompts\":%lld,\"scenario\":\"SingleStream\",\"batch\":1,"
           "\"timed_region\":\"%s\",\"runs\":%lld,\"images_per_s\":%.4f,\"p50_ms\":%.3f,",
           (long long)size, prompts, region, n, 1e3 * (double)n / sum, percentile(ms, n, 50));
    print_percentile(s, "p90", ms, n, 90);
    print_percentile(s, "p99", ms, n, 99);
    printf("\"peak_rss_bytes\":%llu,\"clock_hz\":%.4g,\"percent_of_peak\":null,\"watts\":null,"
           "\"price_per_hour\":null,\"source\":\"weaksam %s bench\"}\n",
           (unsigned long long)wsam_peak_memory(), measure_clock(), wsam_version());
}

/* The first encode plans and packs; it is not a sample. */
static wsam_status time_encodes(const settings *s, cli_loaded *l, double *ms,
                                wsam_embedding **embedding, wsam_error *error)
{
    static char label[] = "encode";
    for (long long i = -1; i < s->encodes; i++) {
        wsam_embedding_free(*embedding);
        const double start = ws_clock_ms();
        const wsam_status status =
            wsam_segmenter_encode(l->segmenter, &l->picture, embedding, error);
        if (status)
            return status;
        if (i >= 0)
            ms[i] = ws_clock_ms() - start;
        if (l->progress)
            cli_progress(label, (double)(i + 1) / (double)s->encodes);
    }
    cli_progress_end();
    print_row(s, l, "encode", ms, s->encodes, 0);
    return WSAM_OK;
}

/* Single clicks, three full-size masks each, one prompt per call. */
static wsam_status time_prompts(const settings *s, cli_loaded *l, double *ms,
                                const wsam_embedding *embedding, wsam_error *error)
{
    for (long long i = -1; i < s->prompts; i++) {
        const long long k = i + 1;
        const wsam_point point = {(double)(k * 37 % l->picture.width),
                                  (double)(k * 53 % l->picture.height), 1};
        const wsam_prompt prompt = {.points = &point, .n_points = 1, .multimask = 1};
        wsam_result *result;
        const double start = ws_clock_ms();
        const wsam_status status = wsam_segmenter_run(l->segmenter, embedding, &prompt, 1,
                                                      WSAM_WANT_MASKS, &result, error);
        if (status)
            return status;
        if (i >= 0)
            ms[i] = ws_clock_ms() - start;
        wsam_result_free(result);
    }
    if (s->prompts)
        print_row(s, l, "prompt", ms, s->prompts, 1);
    return WSAM_OK;
}

static wsam_status bench(const settings *s, wsam_error *error)
{
    cli_loaded l = {0};
    wsam_embedding *embedding = NULL;
    double *ms = calloc(MAX_SAMPLES, sizeof *ms);
    wsam_status status = ms ? cli_load(&s->common, &l, error) : WSAM_ERR_MEMORY;
    if (!status)
        status = s->picture ? wsam_picture_load(s->picture, &s->limits.picture, &l.picture, error)
                            : wsam_picture_draw(480, 640, &l.picture, error);
    if (!status)
        status = time_encodes(s, &l, ms, &embedding, error);
    if (!status)
        status = time_prompts(s, &l, ms, embedding, error);
    if (!status)
        cli_loaded_timing(&s->common, &l);
    wsam_embedding_free(embedding);
    cli_unload(&l);
    free(ms);
    return status;
}

static int run(int argc, char **argv)
{
    settings s = {.encodes = 10, .prompts = 50};
    wsam_error error = {0};
    int status;
    if (argc > 1 && strcmp(argv[1], "scale") == 0)
        return cli_bench_scale(argc - 1, argv + 1);
    const int first = cli_parse(&cmd_bench, argc, argv, &s.common, own_options, take, &s, &status);
    if (first < 0)
        return status;
    if (!s.common.model || first != argc)
        return cli_usage("bench", "expected -m MODEL.wsam and no arguments");
    const wsam_status failed =
        s.profile ? cli_profile(&s.common, s.encodes, s.prompts, &error) : bench(&s, &error);
    return failed ? cli_failed("bench", &error) : CLI_OK;
}

const cli_command cmd_bench = {
    .name = "bench",
    .summary = "Measure the time from image to embedding and from prompt to mask.",
    .usage = "bench -m MODEL.wsam [--encodes N] [--prompts N] [--profile] [OPTION...]",
    .takes = "mrjtq",
    .run = run,
    .table = &help_bench};
