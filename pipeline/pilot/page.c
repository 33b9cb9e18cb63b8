/* pipeline/pilot/page.c - see page.h: one HTML file, no script, nothing from elsewhere. */
#include "pipeline/pilot/page.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/pilot/advise.h"
#include "pipeline/report/report.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<title>Pilot</title>\n<style>\n"
    ":root{color-scheme:light dark;--ink:#22262b;--soft:#5c646d;--line:#dfe2e6;--bg:#f6f7f8;--card:#fff;"
    "--first:#0b6bcb;--second:#b8470f}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e7ea;--soft:#a2abb5;--line:#3a4048;--bg:#16191d;"
    "--card:#1f2328;--first:#62acf5;--second:#f0955a}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 "
    "system-ui,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
    "main{max-width:900px;margin:0 auto;padding:16px}section{background:var(--card);border:1px solid "
    "var(--line);border-radius:8px;padding:4px 18px 12px;margin:14px 0}\n"
    "h1{font-size:22px;margin:8px 0}h2{font-size:17px;margin:12px 0 6px}h3{font-size:15px;margin:16px 0 4px}"
    "p{margin:8px 0}li{margin:6px 0}.soft,.legend,caption{color:var(--soft);font-size:13px}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:8px 0}"
    "caption{text-align:left;padding:2px 0}th,td{padding:3px 12px 3px 0;text-align:left;border-bottom:1px solid "
    "var(--line);white-space:nowrap}th{font-weight:600}thead th{color:var(--soft)}bdi{overflow-wrap:anywhere}\n"
    "svg{display:block;width:100%;max-width:560px}svg.square{max-width:300px}svg text{fill:var(--soft);font-size:"
    "12px}svg .mid{text-anchor:middle}svg .name{text-anchor:end}line.grid,line.axis,.frame{stroke:var(--line);"
    "fill:none}line.cut{stroke:var(--ink);stroke-width:2;stroke-dasharray:4 3}line.first,line.second{stroke-width:"
    "2}line.first{stroke:var(--first)}line.second{stroke:var(--second)}rect.first,circle.first{fill:var(--first)}"
    "rect.second,circle.second{fill:var(--second)}.legend span{display:inline-block;width:11px;height:11px;"
    "border-radius:3px;margin:0 2px 0 8px}.legend .first{background:var(--first)}.legend .second{background:"
    "var(--second)}\n"
    "summary{cursor:pointer}:focus-visible{outline:2px solid var(--first)}\n"
    "@media print{section{break-inside:avoid;border:0}}\n"
    "</style>\n</head>\n<body>\n<main>\n<h1>Is it good enough?</h1>\n";

/* ---- parts ---- */

typedef struct sheet {
    FILE *to;
    int lost; /* there was no memory for some text */
} sheet;

/* Each line of a text in an element of its own. */
static void put_lines(sheet *s, const char *text, const char *element)
{
    while (*text) {
        const size_t n = strcspn(text, "\n");
        char *line = strndup(text, n);
        s->lost |= !line;
        fprintf(s->to, "<%s>", element);
        ws_report_html(s->to, line ? line : "");
        fprintf(s->to, "</%s>\n", element);
        free(line);
        text += n + (text[n] == '\n');
    }
}

static void put_text(sheet *s, ws_text *t, const char *element)
{
    s->lost |= t->failed;
    if (t->text && !t->failed)
        put_lines(s, t->text, element);
    free(t->text);
    *t = (ws_text){0};
}

/* A cell with a figure; share: in per cent. */
static void put_cell(sheet *s, const ws_figure *f, int share)
{
    ws_text t = {0};
    if (share)
        ws_advise_put_share(&t, f);
    else
        ws_advise_put_rate(&t, f);
    put_text(s, &t, "td");
}

static void put_name(sheet *s, const char *name)
{
    fputs("<th scope=\"row\"><bdi>", s->to);
    ws_report_html(s->to, name);
    fputs("</bdi></th>", s->to);
}

/* ---- everything taken ---- */

static void put_figures(sheet *s, const char *name, const ws_outcome_figures *g)
{
    fputs("<tr>", s->to);
    put_name(s, name);
    fprintf(s->to, "<td>%.0f</td><td>%.0f</td>", g->n_objects, g->n_accepted);
    put_cell(s, &g->precision, 1);
    put_cell(s, &g->recall, 1);
    put_cell(s, &g->wrong, 0);
    put_cell(s, &g->missed, 0);
    fputs("</tr>\n", s->to);
}

static void put_everything(const ws_pilot_facts *f, sheet *s)
{
    fputs("<section>\n<h2>Everything that the machine finds</h2>\n", s->to);
    ws_page_chart_classes(f, s->to);
    fputs(
        "<div class=\"wide\"><table><caption>95 % intervals in brackets. Precision: how much of what is found is "
        "right. Recall: how many of the objects are found.</caption>\n<thead><tr><th scope=\"col\">Class</th><th "
        "scope=\"col\">Objects</th><th scope=\"col\">Found</th><th scope=\"col\">Precision</th><th "
        "scope=\"col\">Recall</th><th scope=\"col\">False an image</th><th scope=\"col\">Missed an "
        "image</th></tr></thead>\n<tbody>\n",
        s->to);
    put_figures(s, "all", &f->everything);
    for (size_t c = 0; c < f->data.sample.n_classes; c++)
        put_figures(s, f->data.classes[c].name, &f->classes[c]);
    fputs("</tbody></table></div>\n</section>\n", s->to);
}

/* ---- confidence ---- */

static void put_confidence(const ws_pilot_facts *f, sheet *s)
{
    fputs("<section>\n<h2>Does the confidence mean what it says?</h2>\n", s->to);
    ws_page_chart_confidence(f, s->to);
    fprintf(
        s->to,
        "<p>Mean distance from the truth (ECE): %.3f, calibrated %.3f. Brier score: %.3f, calibrated "
        "%.3f. Calibrated figures are those of images that the calibration had not seen.</p>\n"
        "<div class=\"wide\"><table><caption>Groups of detections by confidence</caption><thead><tr><th "
        "scope=\"col\">Detections</th><th scope=\"col\">Confidence</th><th scope=\"col\">Calibrated</th><th "
        "scope=\"col\">Right</th></tr></thead>\n<tbody>\n",
        f->ece_before, f->ece_after, f->brier_before, f->brier_after);
    for (int g = 0; g < WS_PILOT_GROUPS; g++)
        if (f->groups[g].n > 0)
            fprintf(s->to, "<tr><td>%.0f</td><td>%.2f</td><td>%.2f</td><td>%.0f %%</td></tr>\n",
                    f->groups[g].n, f->groups[g].said, f->groups[g].held, 100 * f->groups[g].right);
    fputs("</tbody></table></div>\n</section>\n", s->to);
}

/* ---- costs ---- */

static void put_threshold(sheet *s, double v)
{
    if (v > 1)
        fputs("<td>never</td>", s->to);
    else
        fprintf(s->to, "<td>%.3f</td>", v);
}

static void put_rule_classes(const ws_pilot_facts *f, const ws_pilot_rule *r, sheet *s)
{
    const int look = r->bands.accept > r->bands.drop;
    fprintf(
        s->to,
        "<details><summary>Thresholds of each class</summary>\n<div class=\"wide\"><table><thead><tr><th "
        "scope=\"col\">Class</th><th scope=\"col\">Take from confidence</th>%s<th scope=\"col\">Precision of what is "
        "taken</th><th scope=\"col\">Recall</th></tr></thead>\n<tbody>\n",
        look ? "<th scope=\"col\">Look from</th>" : "");
    for (size_t c = 0; c < f->data.sample.n_classes; c++) {
        fputs("<tr>", s->to);
        put_name(s, f->data.classes[c].name);
        put_threshold(s, r->accept[c]);
        if (look)
            put_threshold(s, r->drop[c]);
        put_cell(s, &r->classes[c].precision, 1);
        put_cell(s, &r->classes[c].recall, 1);
        fputs("</tr>\n", s->to);
    }
    fputs("</tbody></table></div></details>\n", s->to);
}

static void put_rule(const ws_pilot_facts *f, const ws_pilot_rule *r, sheet *s)
{
    ws_text t = {0};
    fprintf(s->to, "<h3>A false detection costs %g, a miss %g", r->costs.false_detection,
            r->costs.miss);
    if (r->costs.look > 0)
        fprintf(s->to, ", a look %g", r->costs.look);
    fputs("</h3>\n", s->to);
    ws_advise_say_rule(f, r, &t);
    put_text(s, &t, "p");
    ws_page_chart_bands(f, r, s->to);
    fputs(
        "<div class=\"wide\"><table><thead><tr><th scope=\"col\">Cost an image</th><th scope=\"col\">Precision of "
        "what is taken</th><th scope=\"col\">Recall</th><th scope=\"col\">False an image</th><th "
        "scope=\"col\">Missed an image</th></tr></thead>\n<tbody><tr>",
        s->to);
    put_cell(s, &r->figures.cost, 0);
    put_cell(s, &r->figures.precision, 1);
    put_cell(s, &r->figures.recall, 1);
    put_cell(s, &r->figures.wrong, 0);
    put_cell(s, &r->figures.missed, 0);
    fputs("</tr></tbody></table></div>\n", s->to);
    put_rule_classes(f, r, s);
}

static void put_costs(const ws_pilot_facts *f, sheet *s)
{
    fputs(
        "<section>\n<h2>What costs least</h2>\n<p class=\"soft\">Figures of thresholds that were chosen without the "
        "image on which they are counted; the intervals hold the uncertainty of the choice, too.</p>\n",
        s->to);
    for (size_t k = 0; k < f->o->n_costs; k++)
        put_rule(f, &f->rules[k], s);
    fputs("</section>\n", s->to);
}

/* ---- hours ---- */

static void put_hours_row(sheet *s, const char *name, const ws_figure *f)
{
    fputs("<tr>", s->to);
    put_name(s, name);
    if (f->few)
        fputs("<td>too few</td></tr>\n", s->to);
    else
        fprintf(s->to, "<td>%.0f (%.0f to %.0f)</td></tr>\n", f->value, f->low, f->high);
}

static void put_hours(const ws_pilot_facts *f, sheet *s)
{
    if (!f->timed)
        return;
    fprintf(s->to,
            "<section>\n<h2>Hours for %llu images</h2>\n<div class=\"wide\"><table><tbody>\n",
            (unsigned long long)f->o->images);
    put_hours_row(s, "look through all", &f->hours_of_review);
    put_hours_row(s, "draw all by hand", &f->hours_by_hand);
    put_hours_row(s, "saved by looking", &f->hours_saved);
    fprintf(
        s->to,
        "</tbody></table></div>\n<p class=\"soft\">Measured by the review page: %.0f seconds an image (%zu images). "
        "By hand: %.0f seconds an object; 79 is COCO's, 22 hours for 1 000 outlines (Lin et al. "
        "2014).</p>\n</section>\n",
        f->seconds.value, f->timed, f->o->seconds_per_mask);
}

static void put_method(const ws_pilot_facts *f, sheet *s)
{
    fprintf(
        s->to,
        "<section>\n<h2>How this was worked out</h2>\n<p>A detection is right when its box and an object of its "
        "class have an IoU of at least %.2f and no surer detection has that object. All figures are those of "
        "%zu complete images of the random sample; left out: %zu of the sample that are not complete, %zu "
        "without detections. %zu images that were ranked count in no figure, and help to calibrate. "
        "Detections: %s. Images, not objects, are the units of all intervals.</p>\n</section>\n",
        f->o->iou, f->data.sample.n_pictures, f->data.unfinished, f->data.unknown, f->data.ranked,
        f->o->detections
            ? "those of the file that was given"
            : "what the machine had found when the image was reviewed, before it could learn from it");
}

wsam_status ws_pilot_page(const ws_pilot_facts *f, FILE *to, wsam_error *error)
{
    sheet page = {.to = to}, *s = &page;
    ws_text t = {0};
    fputs(head, s->to);
    fputs("<section>\n<h2>In short</h2>\n", s->to);
    ws_advise_short(f, &t);
    put_text(s, &t, "p");
    fputs("</section>\n<section>\n<h2>What to do next</h2>\n<ul>\n", s->to);
    ws_advise(f, &t);
    put_text(s, &t, "li");
    fputs("</ul>\n</section>\n", s->to);
    put_costs(f, s);
    put_everything(f, s);
    put_confidence(f, s);
    put_hours(f, s);
    put_method(f, s);
    fputs("</main>\n</body>\n</html>\n", s->to);
    if (s->lost)
        return ws_no_memory(error, "a pilot");
    return ferror(s->to) ? ws_fail(error, WSAM_ERR_IO, "%s: cannot be written", f->o->page)
                         : WSAM_OK;
}
