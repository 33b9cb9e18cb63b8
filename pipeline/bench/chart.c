/* pipeline/bench/chart.c - comparisons as points and scaling as lines, in SVG. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/bench/compare_rows.h"
#include "pipeline/bench/row.h"

/* Pixels. */
enum { WIDTH = 1040, ROW = 20, LEFT = 560, TITLE = 34, FOOT = 58, PLOT = 300, MARGIN = 60 };

static void put_label(ws_text *t, double x, double y, const char *anchor, const char *text)
{
    ws_text_printf(t, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    ws_text_xml(t, text);
    ws_text_printf(t, "</text>\n");
}

static void open_svg(ws_text *t, int height)
{
    ws_text_printf(
        t,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 "
        "0 %d %d\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%%\" "
        "height=\"100%%\" fill=\"#fff\"/>\n",
        WIDTH, height, WIDTH, height);
}

/* ---- points ---- */

/* Devices lie orders of magnitude apart: one logarithmic axis for all, of whole decades. Points, as
 * the length of a bar says nothing there. */
typedef struct axis {
    int low, high; /* powers of ten */
} axis;

static axis axis_of(const ws_comparisons *c)
{
    double least = INFINITY, most = 0.0;
    for (size_t m = 0; m < c->n; m++)
        for (size_t i = 0; i < c->models[m].n; i++) {
            const double rate = c->models[m].rows[i].images_per_s;
            least = rate > 0.0 && rate < least ? rate : least;
            most = rate > most ? rate : most;
        }
    if (!(most > 0.0))
        return (axis){0, 1};
    const int low = (int)floor(log10(least)), high = (int)ceil(log10(most));
    return (axis){low, high > low ? high : low + 1};
}

static double place_of_rate(const axis *a, double rate)
{
    return LEFT + (log10(rate) - a->low) / (a->high - a->low) * (WIDTH - LEFT - MARGIN);
}

static void put_decades(const axis *a, double bottom, ws_text *t)
{
    for (int k = a->low; k <= a->high; k++) {
        char text[32];
        const double x = place_of_rate(a, pow(10.0, k));
        ws_text_printf(t, "<path d=\"M%.1f,%d V%.0f\" stroke=\"#ddd\"/>\n", x, TITLE - 8, bottom);
        snprintf(text, sizeof text, "%.10g", pow(10.0, k));
        put_label(t, x, bottom + 14, "middle", text);
    }
}

static void put_title(const ws_comparisons *all, const ws_comparison *c, double y, ws_text *t)
{
    char text[256];
    const char *name;
    size_t n = (size_t)snprintf(text, sizeof text, "%s", c->model);
    for (size_t i = 0; (name = ws_compare_protocol_field(i)); i++) {
        char value[64];
        if (ws_compare_is_across(all->across, name))
            continue;
        ws_row_value(c->rows[0].row, ws_row_field_named(name, strlen(name)), value, sizeof value);
        n += (size_t)snprintf(text + n, sizeof text - n, ", %s %.32s", name, value);
    }
    ws_text_printf(t, "<g font-weight=\"bold\">");
    put_label(t, 8, y, "start", text);
    ws_text_printf(t, "</g>\n");
}

static int same_protocol(const wsam_bench_row *a, const wsam_bench_row *b)
{
    const char *name;
    for (size_t i = 0; (name = ws_compare_protocol_field(i)); i++)
        if (!ws_row_same(a, b, ws_row_field_named(name, strlen(name))))
            return 0;
    return 1;
}

/* Whether another row of the model differs in the field; `alike`: one that has this device, runtime,
 * type and protocol. */
static int tells_apart(const ws_comparison *c, const wsam_bench_row *r, const ws_row_field *f,
                       int alike)
{
    for (size_t i = 0; i < c->n; i++) {
        const wsam_bench_row *other = c->rows[i].row;
        const int same = strcmp(other->device, r->device) == 0 &&
                         strcmp(other->runtime, r->runtime) == 0 &&
                         strcmp(other->type, r->type) == 0 && same_protocol(other, r);
        if ((same || !alike) && !ws_row_same(r, other, f))
            return 1;
    }
    return 0;
}

/* Device, runtime and type, and what else it takes to know the row from others. */
static void put_name(const ws_comparison *c, const wsam_bench_row *r, double y, ws_text *t)
{
    static const char *const more[] = {"level",   "processes",    "sessions",
                                       "threads", "scenario",     "batch",
                                       "prompts", "timed_region", "resolution"};
    enum { MORE = sizeof more / sizeof more[0], MACHINE = 4 /* of these are of no protocol */ };
    char text[256];
    size_t n = (size_t)snprintf(text, sizeof text, "%.50s,%s%.20s %.10s", r->device,
                                *r->runtime ? " " : "", r->runtime, r->type);
    for (size_t i = 0; i < MORE; i++) {
        const ws_row_field *f = ws_row_field_named(more[i], strlen(more[i]));
        char value[32];
        ws_row_value(r, f, value, sizeof value);
        if (strcmp(value, "-") != 0 && tells_apart(c, r, f, i < MACHINE) && n < 200)
            n += (size_t)snprintf(text + n, sizeof text - n, ", %s%s%s",
                                  f->kind == WS_ROW_TEXT ? "" : more[i],
                                  f->kind == WS_ROW_TEXT ? "" : " ", value);
    }
    put_label(t, LEFT - 8, y, "end", text);
}

static void put_points(const ws_comparisons *all, const ws_comparison *c, const axis *a, double *y,
                       ws_text *t)
{
    put_title(all, c, *y + 20, t);
    *y += TITLE;
    for (size_t i = 0; i < c->n; i++, *y += ROW) {
        const ws_compared *x = &c->rows[i];
        char text[32];
        put_name(c, x->row, *y + 12, t);
        if (!(x->images_per_s > 0.0))
            continue;
        const double at = place_of_rate(a, x->images_per_s);
        ws_text_printf(t, "<circle cx=\"%.1f\" cy=\"%.0f\" r=\"5\" fill=\"%s\"/>\n", at, *y + 8,
                       strcmp(x->row->kind, "published") == 0 ? "#999" : "#36c");
        snprintf(text, sizeof text, "%.3g", x->images_per_s);
        put_label(t, at + 9, *y + 12, "start", text);
    }
}

void ws_chart_compare_svg(const ws_comparisons *c, ws_text *t)
{
    const axis a = axis_of(c);
    double y = 0.0;
    int height = FOOT;
    for (size_t m = 0; m < c->n; m++)
        height += TITLE + ROW * (int)c->models[m].n;
    open_svg(t, height);
    put_decades(&a, height - FOOT + 8, t);
    for (size_t m = 0; m < c->n; m++)
        put_points(c, &c->models[m], &a, &y, t);
    put_label(t, 8, height - 10, "start",
              "images per second, logarithmic; blue: measured, grey: published by others");
    ws_text_printf(t, "</svg>\n");
}

/* ---- lines ---- */

typedef struct line {
    const char *name, *colour;
    int processes, sessions; /* 1: the number that grows is this one */
    int radius;              /* of its points: lines that coincide are still seen */
} line;

/* How many of what grows along the line a row has; 0: it is not of this line. */
static int place_of(const wsam_bench_row *r, const line *l)
{
    if (l->processes)
        return r->sessions == 1 && r->threads == 1 ? r->processes : 0;
    if (l->sessions)
        return r->processes == 1 && r->threads == 1 ? r->sessions : 0;
    return r->processes == 1 && r->sessions == 1 ? r->threads : 0;
}

/* The best rate with k of what grows along the line; 0: there is none. */
static double rate_at(const wsam_bench_row *rows, size_t n, const line *l, int k)
{
    double best = 0.0;
    for (size_t i = 0; i < n; i++)
        if (place_of(&rows[i], l) == k && rows[i].images_per_s > best)
            best = rows[i].images_per_s;
    return best;
}

/* Where k of `widest`, and a rate, lie. */
static double across_of(int k, int widest)
{
    return MARGIN + (double)k / widest * (WIDTH - 2 * MARGIN);
}

static double up_of(double rate, double most)
{
    return MARGIN + PLOT - rate / most * PLOT;
}

static void put_line(const wsam_bench_row *rows, size_t n, const line *l, int widest, double most,
                     ws_text *t)
{
    ws_text_printf(t, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"",
                   l->colour);
    for (int k = 1; k <= widest; k++)
        if (rate_at(rows, n, l, k) > 0.0)
            ws_text_printf(t, "%.1f,%.1f ", across_of(k, widest),
                           up_of(rate_at(rows, n, l, k), most));
    ws_text_printf(t, "\"/>\n");
    for (int k = 1; k <= widest; k++)
        if (rate_at(rows, n, l, k) > 0.0)
            ws_text_printf(t, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\"/>\n",
                           across_of(k, widest), up_of(rate_at(rows, n, l, k), most), l->radius,
                           l->colour);
}

/* Four to ten steps of 1, 2 or 5 times a power of ten. */
static double step_of(double most)
{
    const double power = pow(10.0, floor(log10(most)));
    return most / power >= 5.0 ? power : most / power >= 2.0 ? 0.5 * power : 0.2 * power;
}

static void put_axes(int widest, double most, ws_text *t)
{
    char text[64];
    const double step = step_of(most);
    for (int i = 0; i * step <= most * (1.0 + 1e-9); i++) {
        ws_text_printf(t, "<path d=\"M%d,%.1f H%d\" stroke=\"#eee\"/>\n", MARGIN,
                       up_of(i * step, most), WIDTH - MARGIN);
        snprintf(text, sizeof text, "%.4g", i * step);
        put_label(t, MARGIN - 6, up_of(i * step, most) + 4, "end", text);
    }
    ws_text_printf(t, "<path d=\"M%d,%d V%d H%d\" stroke=\"#333\" fill=\"none\"/>\n", MARGIN,
                   MARGIN, MARGIN + PLOT, WIDTH - MARGIN);
    for (int k = 1; k <= widest; k++) {
        snprintf(text, sizeof text, "%d", k);
        put_label(t, across_of(k, widest), MARGIN + PLOT + 16, "middle", text);
    }
    put_label(t, WIDTH / 2.0, MARGIN + PLOT + 36, "middle",
              "threads, sessions or processes; dashed: as many times the rate of one thread");
}

/* What the chart is about, and the names of its lines. */
static void put_legend(const wsam_bench_row *r, const line *lines, int n, ws_text *t)
{
    char text[256];
    snprintf(text, sizeof text, "%.60s %.10s, %.32s, %.80s: images per second", r->model, r->type,
             r->timed_region, r->device);
    put_label(t, MARGIN, 24, "start", text);
    for (int k = 0; k < n; k++) {
        ws_text_printf(t, "<g fill=\"%s\">", lines[k].colour);
        put_label(t, MARGIN + 8, MARGIN + 14.0 * (k + 1), "start", lines[k].name);
        ws_text_printf(t, "</g>\n");
    }
}

wsam_status wsam_bench_scaling_svg(const wsam_bench_row *rows, size_t n, char **svg,
                                   wsam_error *error)
{
    enum { LINES = 3 };
    static const line lines[LINES] = {{"threads of one session", "#36c", 0, 0, 6},
                                      {"sessions of one thread", "#393", 0, 1, 4},
                                      {"processes of one thread", "#c63", 1, 0, 2}};
    int widest = 1;
    double most = 0.0;
    ws_text t = {0};
    *svg = NULL;
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < LINES; k++)
            widest =
                place_of(&rows[i], &lines[k]) > widest ? place_of(&rows[i], &lines[k]) : widest;
        most = rows[i].images_per_s > most ? rows[i].images_per_s : most;
    }
    if (!(most > 0.0))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no rates to draw");
    const double one = rate_at(rows, n, &lines[0], 1);
    most = one * widest > most ? one * widest : most;
    open_svg(&t, PLOT + 2 * MARGIN);
    put_axes(widest, most, &t);
    if (one > 0.0)
        ws_text_printf(&t,
                       "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%.1f\" stroke=\"#999\" "
                       "stroke-dasharray=\"4\"/>\n",
                       MARGIN, MARGIN + PLOT, WIDTH - MARGIN, up_of(one * widest, most));
    for (int k = 0; k < LINES; k++)
        put_line(rows, n, &lines[k], widest, most, &t);
    put_legend(&rows[0], lines, LINES, &t);
    ws_text_printf(&t, "</svg>\n");
    return ws_text_take(&t, svg) ? ws_no_memory(error, "chart") : WSAM_OK;
}
