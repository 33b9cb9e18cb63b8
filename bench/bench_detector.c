/* bench/bench_detector.c - a detector's latency from a decoded image to its boxes, as a row
 * (weaksam/bench.h) beside those of bench/peers/detector_row.py; on stderr, where the time goes, and
 * the steps of the last run's maps by kind.
 *
 * usage: bench_detector MODEL.wsam IMAGE TYPE [THREADS (2)] [RUNS (3)] [ISA] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "pipeline/bench/machine.h"
#include "pipeline/detect/detector.h"
#include "runtime/model.h"
#include "weaksam/bench.h"
#include "weaksam/detector.h"

enum { MOST_RUNS = 100 };

static void must(wsam_status status, const wsam_error *error)
{
    if (!status)
        return;
    fprintf(stderr, "bench_detector: %s\n", error->message);
    exit(1);
}

static int rising(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double run(wsam_detector *d, const wsam_picture *picture)
{
    wsam_detector_params p;
    wsam_detections *r = NULL;
    wsam_error error = {0};
    wsam_detector_params_default(&p);
    p.masks = 0;
    const double start = ws_clock_ms();
    must(wsam_detector_run(d, picture, &p, &r, &error), &error);
    const double ms = ws_clock_ms() - start;
    fprintf(stderr, "%.0f ms: prepare %.0f, maps %.0f, boxes %.0f; %zu boxes\n", ms,
            1e3 * r->prepare_s, 1e3 * r->maps_s, 1e3 * r->boxes_s, r->n);
    wsam_detections_free(r);
    return ms;
}

/* Milliseconds of the steps of each kind that the maps' last run took. */
static void print_steps(const wsam_detector *d)
{
    const ws_program *p = d->maps->program;
    for (size_t i = 0; i < p->n_steps; i++) {
        double sum = 0.0;
        int n = 0, first = 1;
        for (size_t j = 0; j < p->n_steps; j++)
            if (p->steps[j].kind == p->steps[i].kind &&
                strcmp(p->steps[j].kernel, p->steps[i].kernel) == 0) {
                first &= j >= i;
                sum += 1e3 * d->maps->seconds[j];
                n++;
            }
        if (first)
            fprintf(stderr, "%8.1f ms in %2d steps  %-18s %s\n", sum, n, p->steps[i].kind->name,
                    p->steps[i].kernel);
    }
}

/* Where, when and with what. */
static void say_where(wsam_bench_row *row)
{
    ws_machine machine;
    struct tm day;
    const time_t now = time(NULL);
    ws_machine_read(&machine);
    snprintf(row->device, sizeof row->device, "%.80s, %d cores", machine.cpu, machine.cores);
    snprintf(row->versions, sizeof row->versions, "weaksam %s, %s, %.40s", wsam_version(),
             machine.compiler, machine.system);
    if (localtime_r(&now, &day))
        strftime(row->date, sizeof row->date, "%Y-%m-%d", &day);
}

static void print_row(const char *type, const wsam_options *o, wsam_model *model, double *ms, int n)
{
    wsam_bench_row row = {.processes = 1,
                          .sessions = 1,
                          .batch = 1,
                          .threads = o->threads,
                          .resolution = 1333,
                          .runs = n,
                          .p90_ms = NAN,
                          .p99_ms = NAN,
                          .interval_percent = NAN,
                          .clock_hz = NAN,
                          .peak_gops = NAN,
                          .percent_of_peak = NAN,
                          .watts = NAN,
                          .joules_per_image = NAN,
                          .price_per_hour = NAN,
                          .runtime = "weaksam",
                          .model = "faster_rcnn_r50_fpn",
                          .scenario = "SingleStream",
                          .timed_region = "detector",
                          .kind = "measured",
                          .source = "bench/bench_detector"};
    double sum = 0.0;
    char *json;
    qsort(ms, (size_t)n, sizeof *ms, rising);
    for (int i = 0; i < n; i++)
        sum += ms[i];
    say_where(&row);
    snprintf(row.type, sizeof row.type, "%s", type);
    snprintf(row.level, sizeof row.level, "%s", wsam_model_isa(model));
    row.images_per_s = 1e3 * n / sum;
    row.p50_ms = ms[(n - 1) / 2];
    row.worst_ms = ms[n - 1];
    row.peak_rss_bytes = (double)wsam_peak_memory();
    if (!wsam_bench_json(&row, &json)) {
        fputs(json, stdout);
        wsam_free(json);
    }
}

int main(int argc, char **argv)
{
    wsam_options options;
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_detector *d = NULL;
    wsam_picture picture;
    double ms[MOST_RUNS];
    if (argc < 4) {
        fprintf(stderr, "usage: bench_detector MODEL.wsam IMAGE TYPE [THREADS] [RUNS] [ISA]\n");
        return 2;
    }
    const int runs = argc > 5 ? atoi(argv[5]) : 3;
    wsam_options_default(&options);
    options.threads = argc > 4 ? atoi(argv[4]) : 2;
    if (argc > 6)
        options.isa = argv[6];
    must(wsam_model_open(argv[1], &options, &model, &error), &error);
    must(wsam_detector_create(model, &d, &error), &error);
    must(wsam_picture_load(argv[2], NULL, &picture, &error), &error);
    run(d, &picture); /* warms up */
    const int n = runs < 1 ? 1 : runs > MOST_RUNS ? MOST_RUNS : runs;
    for (int i = 0; i < n; i++)
        ms[i] = run(d, &picture);
    print_steps(d);
    print_row(argv[3], &options, model, ms, n);
    wsam_picture_free(&picture);
    wsam_detector_free(d);
    wsam_model_close(model);
    return 0;
}
