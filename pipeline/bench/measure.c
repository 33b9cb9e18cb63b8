/* pipeline/bench/measure.c - wsam_bench_measure: a job and its surroundings become a row. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "pipeline/bench/job.h"
#include "pipeline/bench/machine.h"
#include "pipeline/bench/peak_share.h"
#include "pipeline/bench/row.h"

void wsam_bench_options_default(wsam_bench_options *o)
{
    memset(o, 0, sizeof *o);
    wsam_options_default(&o->runtime);
    o->processes = o->sessions = o->prompts = 1;
    o->interval_percent = 3.0;
    o->max_seconds = 60.0;
}

static void describe_protocol(const wsam_bench_options *o, const ws_bench_report *r,
                              wsam_bench_row *row)
{
    const int decodes = o->region == WSAM_BENCH_PROMPTS || o->region == WSAM_BENCH_DECODER;
    ws_row_text(row->runtime, sizeof row->runtime, "weaksam");
    ws_row_text(row->model, sizeof row->model, r->family);
    ws_row_text(row->type, sizeof row->type, r->type);
    ws_row_text(row->scenario, sizeof row->scenario, o->offline ? "Offline" : "SingleStream");
    ws_row_text(row->timed_region, sizeof row->timed_region, wsam_bench_region_name(o->region));
    ws_row_text(row->level, sizeof row->level, r->isa);
    ws_row_text(row->kind, sizeof row->kind, "measured");
    row->threads = o->runtime.threads;
    row->processes = o->processes;
    row->sessions = o->sessions;
    row->resolution = (int)r->resolution;
    row->prompts = decodes ? o->prompts : (o->region == WSAM_BENCH_EVERYTHING ? 1024 : 0);
    row->batch = 1;
    row->runs = r->runs;
}

static void describe_surroundings(wsam_bench_row *row)
{
    ws_machine m;
    const time_t now = time(NULL);
    struct tm day;
    ws_machine_read(&m);
    snprintf(row->device, sizeof row->device, "%.60s, %d cores", m.cpu, m.cores);
    snprintf(row->versions, sizeof row->versions, "weaksam %s, %s, %.40s", wsam_version(),
             m.compiler, m.system);
    if (gmtime_r(&now, &day))
        strftime(row->date, sizeof row->date, "%Y-%m-%d", &day);
}

wsam_status wsam_bench_measure(const char *model, const wsam_bench_options *options,
                               wsam_bench_row *row, wsam_error *error)
{
    wsam_bench_options o;
    ws_bench_report r;
    wsam_bench_options_default(&o);
    if (options)
        o = *options;
    if (o.runtime.threads < 1)
        o.runtime.threads = wsam_default_threads();
    ws_row_clear(row);
    const wsam_status status = ws_bench_job(model, &o, &r, error);
    if (status)
        return status;
    describe_protocol(&o, &r, row);
    describe_surroundings(row);
    row->images_per_s = r.images_per_s;
    row->p50_ms = 1e3 * r.p50_s;
    row->p90_ms = 1e3 * r.p90_s;
    row->p99_ms = 1e3 * r.p99_s;
    row->worst_ms = 1e3 * r.worst_s;
    row->interval_percent = isfinite(r.interval_percent) ? r.interval_percent : NAN;
    row->peak_rss_bytes = r.peak_rss_bytes;
    row->clock_hz = r.clock_hz;
    row->peak_gops = r.peaks[WS_PEAK_F32];
    if (o.region == WSAM_BENCH_ENCODER || o.region == WSAM_BENCH_ENCODE)
        row->percent_of_peak = ws_peak_share_percent(&r.work, r.peaks, r.images_per_s);
    /* the energy counters are the machine's: all that it did in that time */
    row->joules_per_image = r.joules / (r.runs > 0 ? r.runs : 1);
    row->watts = isfinite(r.joules) ? row->joules_per_image * r.images_per_s
                                    : (o.watts > 0.0 ? o.watts : NAN);
    if (!isfinite(r.joules) && o.watts > 0.0)
        row->joules_per_image = o.watts / r.images_per_s;
    return WSAM_OK;
}
