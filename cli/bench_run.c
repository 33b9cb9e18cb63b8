/* cli/bench_run.c - the stages of `weaksam run` on a folder as rows. */
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_parse.h"
#include "cli/bench.h"

enum { MOST_ARGUMENTS = 32, MOST_PATH = 4096 };

static wsam_status fail(wsam_status status, const char *what, wsam_error *error)
{
    snprintf(error->message, sizeof error->message, "%.300s", what);
    return error->status = status;
}

/* This program again; its messages go where ours do. */
static wsam_status run_self(char *const *arguments, double *peak_bytes, wsam_error *error)
{
    struct rusage usage = {0};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int ended = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    const int started = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (started != 0 || wait4(pid, &ended, 0, &usage) != pid || !WIFEXITED(ended))
        return fail(WSAM_ERR_IO, "weaksam run could not be started or was killed", error);
    *peak_bytes = 1024.0 * (double)usage.ru_maxrss;
    return WEXITSTATUS(ended) == 0 ? WSAM_OK
                                   : fail(WSAM_ERR_IO, "weaksam run failed (see above)", error);
}

static wsam_status run_stages(const cli_common *common, const cli_bench_run *run, const char *out,
                              int workers, double *seconds, double *peak_bytes, wsam_error *error)
{
    char count[16];
    const char *arguments[MOST_ARGUMENTS] = {
        "weaksam",     "run",          run->pictures,   "--labels", run->labels, "-m",
        common->model, "--clue-model", run->clue_model, "-o",       out,         "--workers",
        count,         "--threads",    count,           "--quiet"};
    int n = 16;
    snprintf(count, sizeof count, "%d", workers);
    if (common->runtime.isa) {
        arguments[n++] = "--isa";
        arguments[n++] = common->runtime.isa;
    }
    const double start = ws_clock();
    const wsam_status status = run_self((char *const *)(uintptr_t)arguments, peak_bytes, error);
    *seconds = ws_clock() - start;
    return status;
}

/* One row of `images` in `seconds` of the wall clock. */
static wsam_status put_row(wsam_bench_row *row, const char *region, double images, double seconds,
                           cli_bench_print *print, wsam_error *error)
{
    if (!(seconds > 0.0) || !(images > 0.0))
        return WSAM_OK;
    snprintf(row->timed_region, sizeof row->timed_region, "%s", region);
    row->images_per_s = images / seconds;
    row->joules_per_image = row->watts / row->images_per_s;
    return cli_bench_put(print, row, error);
}

static wsam_status put_stages(const cJSON *timing, wsam_bench_row *row, double wall,
                              cli_bench_print *print, wsam_error *error)
{
    const cJSON *images = cJSON_GetObjectItemCaseSensitive(timing, "images");
    const cJSON *prompts = cJSON_GetObjectItemCaseSensitive(timing, "prompts");
    const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(timing, "seconds"), *stage;
    if (!cJSON_IsNumber(images) || !cJSON_IsObject(seconds))
        return fail(WSAM_ERR_FORMAT, "timing.json: no images or seconds", error);
    const double n = images->valuedouble;
    row->runs = (int)n;
    row->prompts = cJSON_IsNumber(prompts) && n > 0.0 ? (int)(prompts->valuedouble / n) : 0;
    wsam_status status = put_row(row, "run", n, wall, print, error);
    row->peak_rss_bytes = NAN;
    cJSON_ArrayForEach(stage, seconds)
    {
        char region[32];
        snprintf(region, sizeof region, "run/%.20s", stage->string);
        if (!status && cJSON_IsNumber(stage)) /* workers' seconds add up */
            status = put_row(row, region, n, stage->valuedouble / row->sessions, print, error);
    }
    return status;
}

static wsam_status report(const cli_common *common, const cli_bench_run *run, const char *out,
                          int workers, cli_bench_print *print, wsam_error *error)
{
    char path[MOST_PATH + 16];
    char *text = NULL;
    size_t size = 0;
    double wall = 0.0, peak = NAN;
    cJSON *timing = NULL;
    wsam_bench_row row;
    wsam_bench_options describe;
    wsam_bench_options_default(&describe);
    describe.runtime = common->runtime;
    describe.runtime.threads = workers;
    describe.runs = 1;
    wsam_status status = wsam_bench_measure(common->model, &describe, &row, error);
    if (!status)
        status = run_stages(common, run, out, workers, &wall, &peak, error);
    snprintf(path, sizeof path, "%s/timing.json", out);
    if (!status)
        status = ws_file_read_whole(path, 1 << 20, &text, &size, error);
    if (!status)
        status = ws_json_parse(path, 0, text, size, &timing, error);
    row.p50_ms = row.p90_ms = row.p99_ms = row.worst_ms = row.interval_percent = NAN;
    row.percent_of_peak = NAN;
    row.peak_rss_bytes = peak;
    row.watts = run->watts > 0.0 ? run->watts : NAN;
    row.sessions = workers;
    row.threads = 1;
    snprintf(row.scenario, sizeof row.scenario, "Offline");
    row.price_per_hour = run->price > 0.0 ? run->price : NAN;
    snprintf(row.source, sizeof row.source,
             "weaksam bench -m %.50s --threads %d --run ... --labels ... --clue-model %.50s",
             cli_bench_file_name(common->model), workers, cli_bench_file_name(run->clue_model));
    if (!status)
        status = put_stages(timing, &row, wall, print, error);
    cJSON_Delete(timing);
    free(text);
    return status;
}

wsam_status cli_bench_stages(const cli_common *common, const cli_bench_run *run,
                             cli_bench_print *print, wsam_error *error)
{
    const char *folder = getenv("TMPDIR");
    char out[MOST_PATH - 64], inside[MOST_PATH];
    const int workers =
        common->runtime.threads > 0 ? common->runtime.threads : wsam_default_threads();
    snprintf(out, sizeof out, "%.3900s/weaksam-bench-XXXXXX", folder && *folder ? folder : "/tmp");
    if (!mkdtemp(out))
        return fail(WSAM_ERR_IO, "no folder for the run in TMPDIR", error);
    snprintf(inside, sizeof inside, "%s/out", out);
    const wsam_status status = report(common, run, inside, workers, print, error);
    cli_folder_remove(out);
    return status;
}
