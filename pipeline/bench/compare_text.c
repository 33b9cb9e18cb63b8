/* pipeline/bench/compare_text.c - a comparison as Markdown and as CSV. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/bench/compare_rows.h"
#include "pipeline/bench/row.h"

/* Three digits, without an exponent; "-" where it is not known. */
static void put_number(ws_text *t, double v)
{
    if (!isfinite(v))
        ws_text_put(t, "-", 1);
    else
        ws_text_printf(t, "%.*f", v >= 100.0 ? 0 : (v >= 10.0 ? 1 : (v >= 1.0 ? 2 : 4)), v);
}

/* ---- Markdown ---- */

/* What a cell may hold: nothing that ends it, no HTML; "-" for what is not known. */
static void put_cell(ws_text *t, const char *text)
{
    if (!*text)
        ws_text_put(t, "-", 1);
    for (; *text; text++)
        if (*text == '|')
            ws_text_put(t, "\\|", 2);
        else if (*text == '<')
            ws_text_put(t, "&lt;", 4);
        else if ((unsigned char)*text < 0x20)
            ws_text_put(t, " ", 1);
        else
            ws_text_put(t, text, 1);
}

static void put_protocol(const ws_comparisons *all, const ws_comparison *c, ws_text *t)
{
    const char *name;
    int first = 1;
    for (size_t i = 0; (name = ws_compare_protocol_field(i)); i++) {
        char value[64];
        if (ws_compare_is_across(all->across, name))
            continue;
        ws_row_value(c->rows[0].row, ws_row_field_named(name, strlen(name)), value, sizeof value);
        ws_text_printf(t, "%s%s ", first ? "Protocol: " : ", ", name);
        put_cell(t, value);
        first = 0;
    }
    if (!first)
        ws_text_put(t, ".\n\n", 3);
}

static void put_head(const ws_comparisons *all, const ws_comparison *c, ws_text *t)
{
    const char *name;
    ws_text_printf(t, "### ");
    put_cell(t, c->model);
    ws_text_printf(t, "\n\n");
    put_protocol(all, c, t);
    ws_text_printf(t, "| device | runtime | type | level |");
    for (size_t i = 0; (name = ws_compare_protocol_field(i)); i++)
        if (ws_compare_is_across(all->across, name))
            ws_text_printf(t, " %s |", name);
    ws_text_printf(t, " P x S x T | images/s | p50 ms | per core | per watt | price/h | cost per "
                      "million | CPU machines | MiB | kind | source |\n|---|---|---|---|");
    for (size_t i = 0; (name = ws_compare_protocol_field(i)); i++)
        if (ws_compare_is_across(all->across, name))
            ws_text_printf(t, "---|");
    ws_text_printf(t, "---|---:|---:|---:|---:|---:|---:|---:|---:|---|---|\n");
}

static void put_across(const ws_comparisons *all, const wsam_bench_row *r, ws_text *t)
{
    const char *name;
    for (size_t i = 0; (name = ws_compare_protocol_field(i)); i++) {
        char value[64];
        if (!ws_compare_is_across(all->across, name))
            continue;
        ws_row_value(r, ws_row_field_named(name, strlen(name)), value, sizeof value);
        ws_text_printf(t, " %s |", value);
    }
}

static void put_row(const ws_comparisons *all, const ws_compared *x, ws_text *t)
{
    const wsam_bench_row *r = x->row;
    const char *const texts[] = {r->device, r->runtime, r->type, r->level};
    const double numbers[] = {
        x->images_per_s, r->p50_ms,      x->per_core, x->per_watt,
        x->price,        x->per_million, x->equals,   r->peak_rss_bytes / 1048576.0};
    ws_text_put(t, "|", 1);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ws_text_put(t, " ", 1);
        put_cell(t, texts[i]);
        ws_text_put(t, " |", 2);
    }
    put_across(all, r, t);
    if (r->threads > 0)
        ws_text_printf(t, " %d x %d x %d |", r->processes > 0 ? r->processes : 1,
                       r->sessions > 0 ? r->sessions : 1, r->threads);
    else
        ws_text_printf(t, " - |");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        ws_text_put(t, " ", 1);
        put_number(t, numbers[i]);
        ws_text_put(t, " |", 2);
    }
    ws_text_put(t, " ", 1);
    put_cell(t, r->kind);
    if (*r->date) {
        ws_text_put(t, " ", 1);
        put_cell(t, r->date);
    }
    ws_text_put(t, " | ", 3);
    put_cell(t, r->source);
    ws_text_put(t, " |\n", 3);
}

/* Those that the tables use. */
static void put_prices(const ws_comparisons *c, ws_text *t)
{
    int priced = 0;
    for (size_t k = 0; k < c->prices.n; k++) {
        const ws_price *p = &c->prices.prices[k];
        int used = 0;
        for (size_t m = 0; m < c->n; m++)
            for (size_t i = 0; i < c->models[m].n; i++)
                used |= c->models[m].rows[i].priced_by == p;
        if (!used)
            continue;
        ws_text_printf(t, "%s- %g per hour, ", priced++ ? "" : "Prices:\n\n", p->per_hour);
        put_cell(t, p->device);
        ws_text_put(t, ": ", 2);
        put_cell(t, p->source);
        ws_text_put(t, ", ", 2);
        put_cell(t, p->date);
        ws_text_put(t, "\n", 1);
    }
}

void ws_compare_markdown(const ws_comparisons *c, ws_text *t)
{
    for (size_t m = 0; m < c->n; m++) {
        const wsam_bench_row *reference = c->models[m].reference;
        put_head(c, &c->models[m], t);
        for (size_t i = 0; i < c->models[m].n; i++)
            put_row(c, &c->models[m].rows[i], t);
        ws_text_put(t, "\n", 1);
        if (!reference)
            continue;
        ws_text_printf(t, "CPU machines: how many of the first CPU (");
        put_cell(t, reference->device);
        ws_text_put(t, ", ", 2);
        put_cell(t, reference->type);
        ws_text_printf(t, ", its fastest row) deliver as many images.\n\n");
    }
    ws_text_printf(t,
                   "P x S x T: processes, sessions in each, threads of each; per core: of these. "
                   "SingleStream's images/s are those of the median.\n\n");
    put_prices(c, t);
}

/* ---- CSV ---- */

static void put_quoted(ws_text *t, const char *text)
{
    ws_text_put(t, "\"", 1);
    for (; *text; text++)
        ws_text_put(t, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    ws_text_put(t, "\"", 1);
}

void ws_compare_csv(const ws_comparisons *c, ws_text *t)
{
    for (size_t i = 0; i < ws_row_field_count; i++)
        ws_text_printf(t, "%s,", ws_row_fields[i].name);
    ws_text_printf(
        t, "images_per_s_used,per_core,per_watt,price_used,cost_per_million,equals_cpu_rows\n");
    for (size_t m = 0; m < c->n; m++)
        for (size_t i = 0; i < c->models[m].n; i++) {
            const ws_compared *x = &c->models[m].rows[i];
            const double derived[] = {x->images_per_s, x->per_core,    x->per_watt,
                                      x->price,        x->per_million, x->equals};
            for (size_t k = 0; k < ws_row_field_count; k++) {
                char value[256];
                ws_row_value(x->row, &ws_row_fields[k], value, sizeof value);
                if (ws_row_fields[k].kind == WS_ROW_TEXT)
                    put_quoted(t, strcmp(value, "-") == 0 ? "" : value);
                else
                    ws_text_printf(t, "%s", strcmp(value, "-") == 0 ? "" : value);
                ws_text_put(t, ",", 1);
            }
            for (size_t k = 0; k < sizeof derived / sizeof derived[0]; k++)
                ws_text_printf(t, isfinite(derived[k]) ? "%s%.6g" : "%s", k ? "," : "", derived[k]);
            ws_text_put(t, "\n", 1);
        }
}
