/* cli/bench_print.c - a row of weaksam bench as a line of its table, or as JSON. */
#include <math.h>
#include <string.h>

#include "cli/bench.h"

const char *cli_bench_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* In ten columns. */
static void print_number(double value, int digits, const char *unit)
{
    const int width = 10 - (int)strlen(unit);
    if (isfinite(value))
        printf("%*.*f%s", width, digits, value, unit);
    else
        printf("%10s", "-");
}

static void print_text(const wsam_bench_row *r)
{
    printf("%-14s %7d %-12s %2d x %2d x %2d", r->timed_region, r->prompts, r->scenario,
           r->processes, r->sessions, r->threads);
    putchar(' ');
    print_number(r->images_per_s, 3, "");
    print_number(r->p50_ms, 2, "");
    print_number(r->p90_ms, 2, "");
    print_number(r->p99_ms, 2, "");
    print_number(r->worst_ms, 2, "");
    print_number(r->interval_percent, 1, "%");
    print_number(r->percent_of_peak, 0, "%");
    print_number(r->peak_rss_bytes / 1048576.0, 0, "");
    print_number(r->watts, 1, "");
    printf(" %6d\n", r->runs);
    fflush(stdout);
}

wsam_status cli_bench_put(cli_bench_print *print, const wsam_bench_row *row, wsam_error *error)
{
    char *json = NULL;
    if (print->json) {
        const wsam_status status = wsam_bench_json(row, &json);
        if (status) {
            snprintf(error->message, sizeof error->message, "no memory for a row");
            return error->status = status;
        }
        fputs(json, stdout);
        fflush(stdout);
        wsam_free(json);
        return WSAM_OK;
    }
    if (!print->printed++)
        printf("%s; %s; %s %s at %s, %d x %d\nclock %.2f GHz, f32 register loop %.0f GFLOP/s; "
               "P x S x T: processes, sessions in each, threads of each\n"
               "%-14s %7s %-12s %12s %10s%10s%10s%10s%10s%10s%10s%10s%10s %6s\n",
               row->device, row->versions, row->model, row->type, row->level, row->resolution,
               row->resolution, row->clock_hz * 1e-9, row->peak_gops, "timed region", "prompts",
               "scenario", "P x  S x  T", "images/s", "p50 ms", "p90 ms", "p99 ms", "worst ms",
               "interval", "of peak", "MiB", "watts", "runs");
    print_text(row);
    return WSAM_OK;
}
