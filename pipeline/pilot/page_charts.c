/* pipeline/pilot/page_charts.c - see page.h. Colours are those of the page's style, light and dark. */
#include <math.h>

#include "pipeline/pilot/page.h"
#include "pipeline/report/report.h"

enum { ROW = 30, MOST_ROWS = 40, SIDE = 240, BARS = 20, LEFT = 130, WIDE = 300 };

/* ---- classes ---- */

/* An interval as a line with a dot. */
static void whisker(FILE *to, const ws_figure *f, double y, const char *name)
{
    if (f->few)
        return;
    fprintf(
        to,
        "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><circle class=\"%s\" cx=\"%.1f\" "
        "cy=\"%.1f\" r=\"4\"/>\n",
        name, LEFT + WIDE * f->low, LEFT + WIDE * f->high, y, y, name, LEFT + WIDE * f->value, y);
}

static void class_row(const ws_pilot_facts *f, size_t c, double y, FILE *to)
{
    fprintf(to, "<text class=\"name\" x=\"%d\" y=\"%.1f\">", LEFT - 8, y + 4);
    ws_report_html(to, c == SIZE_MAX ? "all" : f->data.classes[c].name);
    fputs("</text>\n", to);
    const ws_outcome_figures *g = c == SIZE_MAX ? &f->everything : &f->classes[c];
    whisker(to, &g->precision, y - 5, "first");
    whisker(to, &g->recall, y + 6, "second");
    if (g->precision.few && g->recall.few)
        fprintf(to, "<text x=\"%d\" y=\"%.1f\">too few</text>\n", LEFT + 6, y + 4);
}

void ws_page_chart_classes(const ws_pilot_facts *f, FILE *to)
{
    const size_t all = f->data.sample.n_classes, n = all < MOST_ROWS ? all : MOST_ROWS;
    const int height = (int)(n + 1) * ROW + 40;
    fprintf(
        to,
        "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"t1 d1\"><title id=\"t1\">Precision and recall "
        "of each class</title><desc id=\"d1\">Dots with 95 %% intervals; the table below has the same "
        "figures.</desc>\n",
        LEFT + WIDE + 20, height);
    for (int k = 0; k <= 4; k++)
        fprintf(
            to,
            "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"4\" y2=\"%d\"/><text class=\"mid\" x=\"%d\" y=\"%d\">%d "
            "%%</text>\n",
            LEFT + k * WIDE / 4, LEFT + k * WIDE / 4, height - 32, LEFT + k * WIDE / 4, height - 16,
            25 * k);
    class_row(f, SIZE_MAX, ROW * 0.6, to);
    for (size_t c = 0; c < n; c++)
        class_row(f, c, ROW * ((double)c + 1.6), to);
    fputs(
        "</svg>\n<p class=\"legend\"><span class=\"first\"></span> precision <span class=\"second\"></span> "
        "recall</p>\n",
        to);
}

/* ---- confidence ---- */

void ws_page_chart_confidence(const ws_pilot_facts *f, FILE *to)
{
    fprintf(
        to,
        "<svg class=\"square\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"t2 d2\"><title id=\"t2\">"
        "Confidence against how many are right</title><desc id=\"d2\">Groups of detections; on the diagonal the "
        "confidence is true. The table below has the same figures.</desc>\n"
        "<rect class=\"frame\" x=\"40\" y=\"10\" width=\"%d\" height=\"%d\"/><line class=\"grid\" x1=\"40\" "
        "y1=\"%d\" x2=\"%d\" y2=\"10\"/>\n",
        SIDE + 60, SIDE + 55, SIDE, SIDE, SIDE + 10, SIDE + 40);
    for (int g = 0; g < WS_PILOT_GROUPS; g++) {
        const ws_pilot_group *p = &f->groups[g];
        const double y = 10 + SIDE * (1 - p->right);
        if (p->n > 0)
            fprintf(
                to,
                "<rect class=\"second\" x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\"/><circle class=\"first\" "
                "cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>\n",
                36 + SIDE * p->said, y - 4, 40 + SIDE * p->held, y);
    }
    fprintf(
        to,
        "<text class=\"mid\" x=\"%d\" y=\"%d\">confidence</text><text class=\"mid\" transform=\"translate(14 %d) "
        "rotate(-90)\">share that is right</text>\n"
        "<text x=\"36\" y=\"%d\">0</text><text class=\"name\" x=\"%d\" y=\"%d\">1</text></svg>\n"
        "<p class=\"legend\"><span class=\"second\"></span> as the machine says it <span class=\"first\"></span> "
        "calibrated</p>\n",
        40 + SIDE / 2, SIDE + 40, 10 + SIDE / 2, SIDE + 26, SIDE + 44, SIDE + 26);
}

/* ---- bands ---- */

static void count_bars(const ws_pilot_facts *f, double right[BARS], double wrong[BARS])
{
    const ws_pilot_sample *s = &f->data.sample;
    for (size_t i = 0; i < s->n; i++) {
        const int k = (int)fmin(BARS - 1, floor(BARS * f->cross.held[i]));
        (s->detections[i].hit ? right : wrong)[k]++;
    }
}

void ws_page_chart_bands(const ws_pilot_facts *f, const ws_pilot_rule *rule, FILE *to)
{
    enum { TALL = 130 };
    double right[BARS] = {0}, wrong[BARS] = {0}, most = 1;
    count_bars(f, right, wrong);
    for (int k = 0; k < BARS; k++)
        most = fmax(most, right[k] + wrong[k]);
    fprintf(
        to,
        "<svg viewBox=\"0 0 450 %d\" role=\"img\" aria-label=\"Detections by the probability that they are right: "
        "dropped below %.2f, taken from %.2f on\">\n",
        TALL + 40, rule->bands.drop, rule->bands.accept);
    for (int k = 0; k < BARS; k++) {
        const double x = 10 + 430.0 * k / BARS, h = TALL * right[k] / most,
                     g = TALL * wrong[k] / most;
        fprintf(
            to,
            "<rect class=\"first\" x=\"%.1f\" y=\"%.1f\" width=\"18\" height=\"%.1f\"/><rect class=\"second\" "
            "x=\"%.1f\" y=\"%.1f\" width=\"18\" height=\"%.1f\"/>\n",
            x + 2, TALL + 10 - h, h, x + 2, TALL + 10 - h - g, g);
    }
    const double lines[2] = {rule->bands.drop, rule->bands.accept};
    for (int k = rule->bands.drop < rule->bands.accept ? 0 : 1; k < 2; k++)
        fprintf(to, "<line class=\"cut\" x1=\"%.1f\" x2=\"%.1f\" y1=\"2\" y2=\"%d\"/>\n",
                10 + 430 * lines[k], 10 + 430 * lines[k], TALL + 12);
    fprintf(
        to,
        "<line class=\"axis\" x1=\"10\" x2=\"440\" y1=\"%d\" y2=\"%d\"/><text x=\"10\" y=\"%d\">0</text><text "
        "class=\"mid\" x=\"225\" y=\"%d\">probability that it is right</text><text class=\"name\" x=\"440\" "
        "y=\"%d\">1</text></svg>\n<p class=\"legend\"><span class=\"first\"></span> right <span "
        "class=\"second\"></span> wrong, in the sample; lines: drop, take</p>\n",
        TALL + 10, TALL + 10, TALL + 28, TALL + 28, TALL + 28);
}
