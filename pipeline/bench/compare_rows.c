/* pipeline/bench/compare_rows.c - see compare_rows.h. */
#include "pipeline/bench/compare_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/bench/row.h"

static const char *const protocol[] = {"resolution", "prompts", "scenario", "timed_region",
                                       "batch"};
enum { PROTOCOL = sizeof protocol / sizeof protocol[0] };

const char *ws_compare_protocol_field(size_t i)
{
    return i < PROTOCOL ? protocol[i] : NULL;
}

int ws_compare_is_across(const char *across, const char *field)
{
    const size_t n = strlen(field);
    for (const char *at = across; at && *at; at += strspn(at, ",")) {
        const size_t length = strcspn(at, ",");
        if (length == n && strncmp(at, field, n) == 0)
            return 1;
        at += length;
    }
    return 0;
}

/* ---- equal protocols ---- */

/* Adds "resolution 1024 and 512" for every field in which the two differ. */
static void name_differences(const wsam_bench_row *a, const wsam_bench_row *b, const char *across,
                             ws_text *t)
{
    for (size_t i = 0; i < PROTOCOL; i++) {
        const ws_row_field *f = ws_row_field_named(protocol[i], strlen(protocol[i]));
        char x[64], y[64];
        if (ws_compare_is_across(across, protocol[i]) || ws_row_same(a, b, f))
            continue;
        ws_row_value(a, f, x, sizeof x);
        ws_row_value(b, f, y, sizeof y);
        ws_text_printf(t, "%s%s %s and %s", t->n ? ", " : "", protocol[i],
                       strcmp(x, "-") == 0 ? "unstated" : x, strcmp(y, "-") == 0 ? "unstated" : y);
    }
}

static wsam_status check_protocol(const ws_comparison *c, const char *across, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (size_t i = 1; i < c->n && !status; i++) {
        const wsam_bench_row *a = c->rows[0].row, *b = c->rows[i].row;
        ws_text t = {0};
        name_differences(a, b, across, &t);
        if (t.n)
            status = ws_fail(error, WSAM_ERR_MISMATCH,
                             "%s: rows of %.60s and %.60s differ in %.200s: not comparable; choose "
                             "rows by --select FIELD=VALUE, or name the fields in --across",
                             c->model, a->device, b->device, t.text);
        free(t.text);
    }
    return status;
}

static wsam_status check_across(const char *across, wsam_error *error)
{
    for (const char *at = across; at && *at; at += strspn(at, ",")) {
        const size_t n = strcspn(at, ",");
        int known = 0;
        for (size_t i = 0; i < PROTOCOL; i++)
            known |= strlen(protocol[i]) == n && strncmp(at, protocol[i], n) == 0;
        if (!known)
            return ws_fail(
                error, WSAM_ERR_ARGUMENT,
                "'%.*s': expected a list of resolution, prompts, scenario, timed_region and "
                "batch",
                (int)n, at);
        at += n;
    }
    return WSAM_OK;
}

/* ---- what follows ---- */

/* One image after another: the rate is that of the median, which a single call that was held up
 * does not move. A queue, or a row without a median: the rate that was measured. */
static double rate_of(const wsam_bench_row *r)
{
    const int one_by_one = strcmp(r->scenario, "SingleStream") == 0 && r->p50_ms > 0.0;
    return one_by_one ? 1e3 / r->p50_ms * (r->batch > 0 ? r->batch : 1) : r->images_per_s;
}

/* Cores of a CPU that worked; an accelerator's rows have no threads. */
static double cores_of(const wsam_bench_row *r)
{
    const int processes = r->processes > 0 ? r->processes : 1;
    const int sessions = r->sessions > 0 ? r->sessions : 1;
    return r->threads > 0 ? (double)r->threads * processes * sessions : NAN;
}

static void derive(const ws_comparisons *all, const ws_comparison *c, ws_compared *x)
{
    const wsam_bench_row *r = x->row;
    x->images_per_s = rate_of(r);
    x->per_core = x->images_per_s / cores_of(r);
    x->per_watt = r->watts > 0.0 ? x->images_per_s / r->watts : NAN;
    x->price = r->price_per_hour;
    x->priced_by = NULL;
    if (!isfinite(x->price) && (x->priced_by = ws_prices_of(&all->prices, r->device)))
        x->price = x->priced_by->per_hour;
    x->per_million = x->price / (3600.0 * x->images_per_s) * 1e6;
    x->equals = c->reference ? x->images_per_s / rate_of(c->reference) : NAN;
}

/* ---- joining ---- */

/* Of the first CPU the fastest row stands for the machine: others may use a part of it. */
static int is_faster_reference(const wsam_bench_row *r, const wsam_bench_row *reference)
{
    if (r->threads < 1 || !(rate_of(r) > 0.0))
        return 0;
    return !reference ||
           (strcmp(r->device, reference->device) == 0 && rate_of(r) > rate_of(reference));
}

/* Rows in the order of their models' first appearance. */
static wsam_status join(const wsam_bench_row *rows, size_t n, ws_comparisons *out,
                        wsam_error *error)
{
    size_t used = 0;
    out->models = calloc(n + 1, sizeof *out->models);
    out->rows = calloc(n + 1, sizeof *out->rows);
    if (!out->models || !out->rows)
        return ws_no_memory(error, "comparison");
    for (size_t i = 0; i < n; i++) {
        size_t known = 0;
        while (known < out->n && strcmp(out->models[known].model, rows[i].model) != 0)
            known++;
        if (known < out->n)
            continue;
        ws_comparison *c = &out->models[out->n++];
        *c = (ws_comparison){.model = rows[i].model, .rows = out->rows + used};
        for (size_t k = i; k < n; k++)
            if (strcmp(rows[k].model, c->model) == 0) {
                c->rows[c->n++].row = &rows[k];
                if (is_faster_reference(&rows[k], c->reference))
                    c->reference = &rows[k];
            }
        used += c->n;
    }
    return WSAM_OK;
}

wsam_status ws_compare_rows(const wsam_bench_row *rows, size_t n,
                            const wsam_bench_compare_options *o, ws_comparisons *out,
                            wsam_error *error)
{
    memset(out, 0, sizeof *out);
    out->across = o ? o->across : NULL;
    wsam_status status = check_across(out->across, error);
    if (!status && n == 0)
        status = ws_fail(error, WSAM_ERR_ARGUMENT, "no rows to compare");
    if (!status && o && o->prices)
        status = ws_prices_load(o->prices, &out->prices, error);
    if (!status)
        status = join(rows, n, out, error);
    for (size_t i = 0; i < out->n && !status; i++) {
        status = check_protocol(&out->models[i], out->across, error);
        for (size_t k = 0; k < out->models[i].n; k++)
            derive(out, &out->models[i], &out->models[i].rows[k]);
    }
    return status;
}

void ws_comparisons_free(ws_comparisons *c)
{
    free(c->models);
    free(c->rows);
    free(c->prices.prices);
}
