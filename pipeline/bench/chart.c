/* pipeline/bench/chart.c - comparisons as bars and scaling as lines, in SVG. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/bench/compare_rows.h"

/* Pixels. */
enum { WIDTH = 860, BAR = 16, ROW = 24, LEFT = 400, TITLE = 34, PLOT = 300, MARGIN = 60 };

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

/* ---- bars ---- */

static double most_of(const ws_comparison *c)
{
    double most = 0.0;
    for (size_t i = 0; i < c->n; i++)
        most = c->rows[i].images_per_s > most ? c->rows[i].images_per_s : most;
    return most;
}

/* Devices lie orders of magnitude apart: the axis is logarithmic, from a tenth of the least. */
static void put_bars(const ws_comparison *c, double *y, ws_text *t)
{
    const double most = most_of(c);
    double least = most;
    for (size_t i = 0; i < c->n; i++)
        if (c->rows[i].images_per_s > 0.0 && c->rows[i].images_per_s < least)
            least = c->rows[i].images_per_s;
    ws_text_printf(t, "<g font-weight=\"bold\">");
    put_label(t, 8, *y + 20, "start", c->model);
    ws_text_printf(t, "</g>\n");
    *y += TITLE;
    for (size_t i = 0; i < c->n; i++, *y += ROW) {
        const ws_compared *x = &c->rows[i];
        char text[256];
        if (!(x->images_per_s > 0.0))
            continue;
        const double share = log(x->images_per_s / (0.1 * least)) / log(most / (0.1 * least));
        const int published = strcmp(x->row->kind, "published") == 0;
        snprintf(text, sizeof text, "%.50s, %.20s %.10s", x->row->device, x->row->runtime,
                 x->row->type);
        put_label(t, LEFT - 8, *y + 12, "end", text);
        ws_text_printf(t, "<rect x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n",
                       LEFT, *y, share * (WIDTH - LEFT - 90), BAR, published ? "#bbb" : "#36c");
        snprintf(text, sizeof text, "%.3g", x->images_per_s);
        put_label(t, LEFT + share * (WIDTH - LEFT - 90) + 6, *y + 12, "start", text);
    }
}

void ws_chart_compare_svg(const ws_comparisons *c, ws_text *t)
{
    double y = 0.0;
    int height = TITLE;
    for (size_t m = 0; m < c->n; m++)
        height += TITLE + ROW * (int)c->models[m].n;
    open_svg(t, height);
    for (size_t m = 0; m < c->n; m++)
        put_bars(&c->models[m], &y, t);
    put_label(t, 8, height - 10, "start",
              "images per second, logarithmic; blue: measured, grey: published");
    ws_text_printf(t, "</svg>\n");
}

/* ---- lines ---- */

typedef struct line {
    const char *name, *colour;
    int processes, sessions; /* 1: the number that grows is this one */
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

static void put_line(const wsam_bench_row *rows, size_t n, const line *l, int widest, double most,
                     int order, ws_text *t)
{
    char label[64];
    ws_text_printf(t, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"",
                   l->colour);
    for (int k = 1; k <= widest; k++)
        for (size_t i = 0; i < n; i++)
            if (place_of(&rows[i], l) == k && isfinite(rows[i].images_per_s))
                ws_text_printf(t, "%.1f,%.1f ", MARGIN + (double)k / widest * (WIDTH - 2 * MARGIN),
                               MARGIN + PLOT - rows[i].images_per_s / most * PLOT);
    snprintf(label, sizeof label, "%s", l->name);
    ws_text_printf(t, "\"/>\n<g fill=\"%s\">", l->colour);
    put_label(t, MARGIN + 8, MARGIN + 14.0 * order, "start", label);
    ws_text_printf(t, "</g>\n");
}

wsam_status wsam_bench_scaling_svg(const wsam_bench_row *rows, size_t n, char **svg,
                                   wsam_error *error)
{
    static const line lines[] = {{"threads of one session", "#36c", 0, 0},
                                 {"sessions of one thread", "#393", 0, 1},
                                 {"processes of one thread", "#c63", 1, 0}};
    int widest = 1;
    double most = 0.0, one = 0.0;
    char text[256];
    ws_text t = {0};
    *svg = NULL;
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < 3; k++)
            widest =
                place_of(&rows[i], &lines[k]) > widest ? place_of(&rows[i], &lines[k]) : widest;
        most = rows[i].images_per_s > most ? rows[i].images_per_s : most;
        if (place_of(&rows[i], &lines[0]) == 1)
            one = rows[i].images_per_s;
    }
    if (!(most > 0.0))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no rates to draw");
    most = one * widest > most ? one * widest : most;
    open_svg(&t, PLOT + 2 * MARGIN);
    snprintf(text, sizeof text, "%.60s %.10s, %.80s: images per second, at most %.3g",
             rows[0].model, rows[0].type, rows[0].device, most);
    put_label(&t, MARGIN, 24, "start", text);
    ws_text_printf(&t, "<path d=\"M%d,%d V%d H%d\" stroke=\"#333\" fill=\"none\"/>\n", MARGIN,
                   MARGIN, MARGIN + PLOT, WIDTH - MARGIN);
    if (one > 0.0) /* what nobody can beat */
        ws_text_printf(&t,
                       "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%.1f\" stroke=\"#bbb\" "
                       "stroke-dasharray=\"4\"/>\n",
                       MARGIN, MARGIN + PLOT, WIDTH - MARGIN,
                       MARGIN + PLOT - one * widest / most * PLOT);
    for (int k = 1; k <= widest; k++) {
        snprintf(text, sizeof text, "%d", k);
        put_label(&t, MARGIN + (double)k / widest * (WIDTH - 2 * MARGIN), MARGIN + PLOT + 16,
                  "middle", text);
    }
    for (int k = 0; k < 3; k++)
        put_line(rows, n, &lines[k], widest, most, k + 1, &t);
    ws_text_printf(&t, "</svg>\n");
    return ws_text_take(&t, svg) ? ws_no_memory(error, "chart") : WSAM_OK;
}
