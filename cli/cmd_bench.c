/* cli/cmd_bench.c - weaksam bench: rates of one model on this machine, and its subcommands. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/outputs.h"
#include "cli/bench.h"
#include "cli/bench_scale.h"
#include "cli/help_tables.h"
#include "cli/picture.h"
#include "cli/profile.h"
#include "cli/stages.h"

enum {
    OPT_WHAT = CLI_OWN,
    OPT_SCENARIO,
    OPT_PROMPTS,
    OPT_RUNS,
    OPT_INTERVAL,
    OPT_MAX_SECONDS,
    OPT_WATTS,
    OPT_PRICE,
    OPT_PICTURE,
    OPT_SCALING,
    OPT_SVG,
    OPT_RUN,
    OPT_LABELS,
    OPT_CLUE_MODEL,
    OPT_PROFILE,
    MOST_RUNS = 4096,
    MOST_PROMPTS = 4096,
    MOST_COUNTS = 8,
    MOST_PICTURES = 32,
    KINDS = 3 /* of scaling */
};

static const struct option own_options[] = {
    {"what", required_argument, NULL, OPT_WHAT},
    {"scenario", required_argument, NULL, OPT_SCENARIO},
    {"prompts", required_argument, NULL, OPT_PROMPTS},
    {"runs", required_argument, NULL, OPT_RUNS},
    {"encodes", required_argument, NULL, OPT_RUNS}, /* its name in 0.1 */
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"max-seconds", required_argument, NULL, OPT_MAX_SECONDS},
    {"watts", required_argument, NULL, OPT_WATTS},
    {"price", required_argument, NULL, OPT_PRICE},
    {"picture", required_argument, NULL, OPT_PICTURE},
    {"scaling", no_argument, NULL, OPT_SCALING},
    {"svg", required_argument, NULL, OPT_SVG},
    {"run", required_argument, NULL, OPT_RUN},
    {"labels", required_argument, NULL, OPT_LABELS},
    {"clue-model", required_argument, NULL, OPT_CLUE_MODEL},
    {"profile", no_argument, NULL, OPT_PROFILE},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct settings {
    cli_common common;
    cli_limits limits;
    wsam_bench_options options;
    unsigned what; /* bit per region */
    int latency, offline;
    double prompts[MOST_COUNTS];
    int n_prompts;
    double price;
    const char *picture, *svg;
    cli_bench_run run;
    int scaling, profile;
    int given_what, given_scenario;
} settings;

/* ---- options ---- */

/* Regions by the names that rows have, separated by commas; "prompts" is short for its own. */
static int take_what(settings *s, const char *value)
{
    const char *at = value;
    s->what = 0;
    s->given_what = 1;
    do {
        const size_t n = strcspn(at, ",");
        unsigned found = n == 7 && strncmp(at, "prompts", n) == 0 ? 1u << WSAM_BENCH_PROMPTS : 0;
        for (int r = 0; r < WSAM_BENCH_REGIONS; r++)
            if (strlen(wsam_bench_region_name(r)) == n &&
                strncmp(at, wsam_bench_region_name(r), n) == 0)
                found |= 1u << r;
        if (!found)
            return cli_usage(
                "bench",
                "--what '%s': expected a list of encoder, encode, prompts, decoder and "
                "everything",
                value);
        s->what |= found;
        at += n + (at[n] == ',');
    } while (*at);
    return CLI_OK;
}

static int take_scenario(settings *s, const char *value)
{
    s->given_scenario = 1;
    s->latency = strcmp(value, "Offline") != 0;
    s->offline = strcmp(value, "SingleStream") != 0;
    if (s->latency && s->offline && strcmp(value, "both") != 0)
        return cli_usage("bench", "--scenario '%s': expected SingleStream, Offline or both", value);
    return CLI_OK;
}

static int take_counts(settings *s, const char *value)
{
    s->n_prompts = cli_numbers(value, 1, MOST_COUNTS, s->prompts);
    int good = s->n_prompts > 0;
    for (int i = 0; i < s->n_prompts; i++)
        good &= s->prompts[i] >= 1 && s->prompts[i] <= MOST_PROMPTS &&
                fabs(s->prompts[i] - floor(s->prompts[i])) <= 0.0;
    return good ? CLI_OK
                : cli_usage("bench", "--prompts '%s': expected up to %d numbers of 1 to %d", value,
                            MOST_COUNTS, MOST_PROMPTS);
}

static int take_positive(const char *option, const char *value, double *out)
{
    if (cli_numbers(value, 1, 1, out) != 1 || !(*out > 0.0) || !isfinite(*out))
        return cli_usage("bench", "%s '%s': expected a number above 0", option, value);
    return CLI_OK;
}

static int take_text(settings *s, int option, const char *value)
{
    switch (option) {
    case OPT_PICTURE:
        s->picture = value;
        return CLI_OK;
    case OPT_SVG:
        s->svg = value;
        s->scaling = 1;
        return CLI_OK;
    case OPT_RUN:
        s->run.pictures = value;
        return CLI_OK;
    case OPT_LABELS:
        s->run.labels = value;
        return CLI_OK;
    default:
        s->run.clue_model = value;
        return CLI_OK;
    }
}

static int take(void *user, int option, const char *value)
{
    settings *s = user;
    long long n;
    switch (option) {
    case OPT_WHAT:
        return take_what(s, value);
    case OPT_SCENARIO:
        return take_scenario(s, value);
    case OPT_PROMPTS:
        return take_counts(s, value);
    case OPT_RUNS:
        if (!cli_int(value, 1, MOST_RUNS, &n))
            return cli_usage("bench", "--runs '%s': expected 1 to %d", value, MOST_RUNS);
        s->options.runs = (int)n;
        return CLI_OK;
    case OPT_INTERVAL:
        return take_positive("--interval", value, &s->options.interval_percent);
    case OPT_MAX_SECONDS:
        return take_positive("--max-seconds", value, &s->options.max_seconds);
    case OPT_WATTS:
        return take_positive("--watts", value, &s->options.watts);
    case OPT_PRICE:
        return take_positive("--price", value, &s->price);
    case OPT_SCALING:
        s->scaling = 1;
        return CLI_OK;
    case OPT_PROFILE:
        s->profile = 1;
        return CLI_OK;
    case CLI_OPT_MAX_PIXELS:
        return cli_picture_take_limit(&s->limits, option, value);
    default:
        return take_text(s, option, value);
    }
}

/* ---- measuring ---- */

/* The command that gives this row again. */
static void name_source(const settings *s, const wsam_bench_options *o, wsam_bench_row *row)
{
    char prompts[24] = "", runs[24] = "";
    if (o->region == WSAM_BENCH_PROMPTS || o->region == WSAM_BENCH_DECODER)
        snprintf(prompts, sizeof prompts, " --prompts %d", o->prompts);
    if (o->runs)
        snprintf(runs, sizeof runs, " --runs %d", o->runs);
    const char *picture = s->picture ? " --picture ..." : "";
    const char *model = cli_bench_file_name(s->common.model);
    if (s->scaling)
        snprintf(row->source, sizeof row->source,
                 "weaksam bench -m %.60s --threads %d --scaling%s%s", model,
                 s->options.runtime.threads, runs, picture);
    else
        snprintf(row->source, sizeof row->source,
                 "weaksam bench -m %.60s --threads %d --what %s%s --scenario %s%s%s", model,
                 s->options.runtime.threads, row->timed_region, prompts, row->scenario, runs,
                 picture);
}

static wsam_status measure(const settings *s, const wsam_bench_options *o, cli_bench_print *print,
                           wsam_bench_row *row, wsam_error *error)
{
    const wsam_status status = wsam_bench_measure(s->common.model, o, row, error);
    if (status)
        return status;
    if (s->price > 0.0)
        row->price_per_hour = s->price;
    name_source(s, o, row);
    return cli_bench_put(print, row, error);
}

static wsam_status measure_scenarios(const settings *s, wsam_bench_options o,
                                     cli_bench_print *print, wsam_error *error)
{
    wsam_bench_row row;
    wsam_status status = s->latency ? measure(s, &o, print, &row, error) : WSAM_OK;
    if (status || !s->offline)
        return status;
    o.offline = 1;
    o.sessions = o.runtime.threads;
    o.runtime.threads = 1;
    return measure(s, &o, print, &row, error);
}

static wsam_status measure_all(const settings *s, cli_bench_print *print, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (int region = 0; region < WSAM_BENCH_REGIONS && !status; region++) {
        if (!(s->what >> region & 1))
            continue;
        wsam_bench_options o = s->options;
        o.region = (wsam_bench_region)region;
        const int counts =
            region == WSAM_BENCH_PROMPTS || region == WSAM_BENCH_DECODER ? s->n_prompts : 1;
        for (int i = 0; i < counts && !status; i++) {
            o.prompts = (int)s->prompts[i];
            status = measure_scenarios(s, o, print, error);
        }
    }
    return status;
}

/* 1 to N threads of one session, sessions of one thread, processes of one thread; one process of
 * one thread is one session of it. */
static wsam_status measure_kinds(const settings *s, wsam_bench_row *rows, size_t *n,
                                 cli_bench_print *print, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (int kind = 0; kind < KINDS && !status; kind++)
        for (int k = kind == 2 ? 2 : 1; k <= s->options.runtime.threads && !status; k++) {
            wsam_bench_options o = s->options;
            o.region = WSAM_BENCH_ENCODER;
            o.offline = kind > 0;
            o.runtime.threads = kind == 0 ? k : 1;
            o.sessions = kind == 1 ? k : 1;
            o.processes = kind == 2 ? k : 1;
            status = measure(s, &o, print, &rows[(*n)++], error);
        }
    return status;
}

/* The chart's file is opened first: that it cannot be written is told before the measurement. */
static wsam_status measure_scaling(const settings *s, cli_bench_print *print, wsam_error *error)
{
    wsam_bench_row *rows = calloc((size_t)(KINDS * s->options.runtime.threads), sizeof *rows);
    ws_outputs out = {0};
    char *svg = NULL;
    size_t n = 0;
    FILE *f = s->svg && rows ? ws_outputs_open(&out, s->svg, error) : NULL;
    wsam_status status = WSAM_OK;
    if (!rows)
        status = cli_error(error, WSAM_ERR_MEMORY, "no memory for rows");
    else if (s->svg && !f)
        status = error->status;
    if (!status)
        status = measure_kinds(s, rows, &n, print, error);
    if (!status && f)
        status = wsam_bench_scaling_svg(rows, n, &svg, error);
    if (!status && f) {
        fputs(svg, f);
        status = ws_outputs_close(&out, error);
    }
    if (s->svg)
        status = ws_outputs_finish(&out, status, error);
    wsam_free(svg);
    free(rows);
    return status;
}

static int is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static wsam_status bench(settings *s, wsam_error *error)
{
    cli_bench_print print = {.json = s->common.json};
    char **paths = NULL;
    size_t n = 0;
    wsam_status status = WSAM_OK;
    s->options.runtime = s->common.runtime;
    s->options.limits = s->limits.picture;
    if (s->options.runtime.threads < 1)
        s->options.runtime.threads = wsam_default_threads();
    if (s->picture && is_folder(s->picture)) {
        size_t used;
        status = cli_folder_sample(s->picture, &paths, &n, &used, error);
        s->options.pictures = (const char *const *)paths;
        s->options.n_pictures = n < MOST_PICTURES ? n : MOST_PICTURES;
    } else if (s->picture) {
        s->options.pictures = &s->picture;
        s->options.n_pictures = 1;
    }
    if (!status && s->scaling)
        status = measure_scaling(s, &print, error);
    else if (!status && !s->run.pictures)
        status = measure_all(s, &print, error);
    s->run.watts = s->options.watts;
    s->run.price = s->price;
    if (!status && s->run.pictures)
        status = cli_bench_stages(&s->common, &s->run, &print, error);
    cli_folder_free(paths, n);
    return status;
}

static int profile(const settings *s, wsam_error *error)
{
    const long long runs = s->options.runs ? s->options.runs : 10;
    const wsam_status failed = cli_profile(&s->common, runs, (long long)s->prompts[0], error);
    return failed ? cli_failed("bench", error) : CLI_OK;
}

/* ---- the command ---- */

/* What would be ignored is refused. */
static int check_together(const settings *s)
{
    if (s->run.pictures && (!s->run.labels || !s->run.clue_model))
        return cli_usage("bench", "--run needs --labels and --clue-model");
    if (!s->run.pictures && (s->run.labels || s->run.clue_model))
        return cli_usage("bench", "--labels and --clue-model belong to --run");
    if ((s->run.pictures || s->scaling || s->profile) && (s->given_what || s->given_scenario))
        return cli_usage("bench", "--run, --scaling and --profile take neither --what nor "
                                  "--scenario");
    if (s->profile && (s->run.pictures || s->scaling))
        return cli_usage("bench", "--profile stands alone");
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } others[] = {{"compare", cli_bench_compare}, {"scale", cli_bench_scale}};
    settings s = {.what = 1u << WSAM_BENCH_ENCODE | 1u << WSAM_BENCH_PROMPTS,
                  .latency = 1,
                  .offline = 1,
                  .prompts = {1, 16},
                  .n_prompts = 2};
    wsam_error error = {0};
    int status;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (argc > 1 && strcmp(argv[1], others[i].name) == 0)
            return others[i].run(argc - 1, argv + 1);
    wsam_bench_options_default(&s.options);
    const int first =
        cli_options_parse(&cmd_bench, argc, argv, &s.common, own_options, take, &s, &status);
    if (first < 0)
        return status;
    if (!s.common.model || first != argc)
        return cli_usage("bench", "expected -m MODEL.wsam and no arguments, compare or scale");
    if (check_together(&s))
        return CLI_USAGE;
    if (s.profile)
        return profile(&s, &error);
    return bench(&s, &error) ? cli_failed("bench", &error) : CLI_OK;
}

const cli_command cmd_bench = {
    .name = "bench",
    .summary = "Measure a model's rates on this machine; compare measurements.",
    .usage = "bench -m MODEL.wsam [OPTION...] | bench compare | bench scale",
    .takes = "mrjq",
    .run = run,
    .table = &help_bench};
