/* pipeline/train/train_report.c - see train_report.h. */
#include "pipeline/train/train_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/outputs.h"

enum { PATH = 4096, LEAST_USES = 20 };

static wsam_status write_text(const char *path, char *text, wsam_error *error)
{
    ws_outputs outputs = {0};
    if (!text)
        return ws_no_memory(error, path);
    FILE *f = ws_outputs_open(&outputs, path, error);
    wsam_status status = f ? WSAM_OK : WSAM_ERR_IO;
    if (f) {
        fputs(text, f);
        status = ws_outputs_close(&outputs, error);
    }
    free(text);
    return ws_outputs_finish(&outputs, status, error);
}

/* ---- RoI drop by epoch ---- */

static void put_number(ws_text *j, const char *key, double value)
{
    ws_text_printf(j, ",\"%s\":", key);
    ws_json_number(j, value);
}

static void put_counts(ws_text *j, const double *n)
{
    static const struct {
        const char *key;
        int count;
    } counts[] = {{"foreground", WS_COUNT_FOREGROUND},
                  {"over_cls", WS_COUNT_OVER_CLS},
                  {"over_reg", WS_COUNT_OVER_REG},
                  {"over_both", WS_COUNT_OVER_BOTH},
                  {"dropped_cls", WS_COUNT_DROPPED_CLS},
                  {"dropped_reg", WS_COUNT_DROPPED_REG},
                  {"background_over_cls", WS_COUNT_BACKGROUND_OVER}};
    const double rois = n[WS_COUNT_ROIS] > 0.0 ? n[WS_COUNT_ROIS] : 1.0;
    const double fg = n[WS_COUNT_FOREGROUND] > 0.0 ? n[WS_COUNT_FOREGROUND] : 1.0;
    const double kept_cls = n[WS_COUNT_ROIS] - n[WS_COUNT_DROPPED_CLS];
    const double kept_reg = n[WS_COUNT_FOREGROUND] - n[WS_COUNT_DROPPED_REG];
    ws_text_printf(j, "\"rois\":%.0f,\"background\":%.0f", n[WS_COUNT_ROIS],
                   n[WS_COUNT_ROIS] - n[WS_COUNT_FOREGROUND]);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        ws_text_printf(j, ",\"%s\":%.0f", counts[i].key, n[counts[i].count]);
    put_number(j, "mean_cls", n[WS_COUNT_SUM_CLS] / rois);
    put_number(j, "mean_cls_kept", n[WS_COUNT_SUM_CLS_KEPT] / (kept_cls > 0.0 ? kept_cls : 1.0));
    put_number(j, "mean_reg", n[WS_COUNT_SUM_REG] / fg);
    put_number(j, "mean_reg_kept", n[WS_COUNT_SUM_REG_KEPT] / (kept_reg > 0.0 ? kept_reg : 1.0));
}

/* The loss below which a share of the histogram lies, to a twentieth. */
static double quantile(const double *bins, double share)
{
    double all = 0.0, below = 0.0;
    for (int i = 0; i < WS_LOSS_BINS; i++)
        all += bins[i];
    for (int i = 0; i < WS_LOSS_BINS; i++) {
        below += bins[i];
        if (below >= share * all)
            return (double)(i + 1) / WS_BINS_PER_UNIT;
    }
    return (double)WS_LOSS_BINS / WS_BINS_PER_UNIT;
}

static void put_quantiles(ws_text *j, const char *key, const double *bins)
{
    ws_text_printf(j, ",\"%s\":[", key);
    ws_json_number(j, quantile(bins, 0.5));
    ws_text_printf(j, ",");
    ws_json_number(j, quantile(bins, 0.9));
    ws_text_printf(j, ",");
    ws_json_number(j, quantile(bins, 0.99));
    ws_text_printf(j, "]");
}

void ws_train_report_counts(const ws_trainer *t, int span, const wsam_train_set *set, ws_text *j)
{
    const size_t c = t->data->classes + 1;
    const double *counts = t->counts + (size_t)span * t->n_counts;
    const double *bins = counts + (c + 1) * WS_COUNTS;
    put_counts(j, counts);
    put_quantiles(j, "quantiles_cls", bins);
    put_quantiles(j, "quantiles_reg", bins + WS_LOSS_BINS);
    ws_text_printf(j, ",\"classes\":{");
    for (size_t i = 1; i < c; i++) {
        ws_json_comma(j, i == 1);
        ws_json_string(j, set->classes[i - 1]);
        ws_text_printf(j, ":{");
        put_counts(j, counts + (i + 1) * WS_COUNTS);
        ws_text_printf(j, "}");
    }
    ws_text_printf(j, "}");
}

wsam_status ws_train_report_epoch(const ws_trainer *t, const wsam_train_set *set,
                                  const char *folder, wsam_error *error)
{
    char path[PATH];
    ws_text j = {0};
    const uint64_t epoch = t->iteration / t->per_epoch;
    snprintf(path, sizeof path, "%s/epoch-%02llu.json", folder, (unsigned long long)epoch);
    ws_text_printf(&j, "{\"epoch\":%llu,", (unsigned long long)epoch);
    ws_train_report_counts(t, WS_SPAN_EPOCH, set, &j);
    ws_text_printf(&j, "}\n");
    return write_text(path, ws_text_finish(&j), error);
}

/* ---- suspects ---- */

typedef struct suspect {
    double share;
    size_t image, truth; /* of the image, among all */
} suspect;

static int most_suspect(const void *x, const void *y)
{
    const suspect *a = x, *b = y;
    if (a->share > b->share || a->share < b->share)
        return a->share > b->share ? -1 : 1;
    return a->truth < b->truth ? -1 : a->truth > b->truth;
}

static int is_suspect(const uint32_t use[2])
{
    return use[0] >= LEAST_USES && 2 * use[1] > use[0];
}

/* All pseudo labels, or the suspects. */
static size_t list_truth(const ws_trainer *t, int suspects_only, suspect *out)
{
    size_t n = 0;
    for (size_t i = 0; i < t->data->n_images; i++)
        for (size_t k = 0; k < t->data->images[i].n_truth; k++) {
            const size_t at = t->data->images[i].first_truth + k;
            const uint32_t *use = t->truth_use[at];
            if (!suspects_only || is_suspect(use))
                out[n++] = (suspect){use[0] ? (double)use[1] / (double)use[0] : 0.0, i, at};
        }
    return n;
}

static char *truth_text(const ws_trainer *t, const char *const *names, const int64_t *ids,
                        const wsam_train_set *set, const suspect *list, size_t n)
{
    ws_text j = {0};
    ws_text_printf(&j, "[");
    for (size_t i = 0; i < n; i++) {
        const ws_train_image *image = &t->data->images[list[i].image];
        const size_t k = list[i].truth - image->first_truth;
        ws_text_printf(&j, "%s\n{\"annotation_id\":%lld,\"image\":", i ? "," : "",
                       (long long)ids[list[i].truth]);
        ws_json_string(&j, names[list[i].image]);
        ws_text_printf(&j, ",\"class\":");
        ws_json_string(&j, set->classes[image->truth_class[k] - 1]);
        ws_text_printf(&j, ",\"uses\":%u,\"dropped\":%u,\"share\":", t->truth_use[list[i].truth][0],
                       t->truth_use[list[i].truth][1]);
        ws_json_number(&j, list[i].share);
        ws_text_printf(&j, "}");
    }
    ws_text_printf(&j, "]\n");
    return ws_text_finish(&j);
}

wsam_status ws_train_report_suspects(const ws_trainer *t, const char *const *names,
                                     const int64_t *ids, const wsam_train_set *set,
                                     const char *folder, wsam_error *error)
{
    static const char *const files[2] = {"pgt_uses.json", "pgt_suspects.json"};
    wsam_status status = WSAM_OK;
    suspect *list = malloc((t->data->n_truth + 1) * sizeof *list);
    if (!list)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for the suspects", folder);
    for (int suspects = 0; suspects < 2 && !status; suspects++) {
        char path[PATH];
        const size_t n = list_truth(t, suspects, list);
        if (suspects && n)
            qsort(list, n, sizeof *list, most_suspect);
        snprintf(path, sizeof path, "%s/%s", folder, files[suspects]);
        status = write_text(path, truth_text(t, names, ids, set, list, n), error);
    }
    free(list);
    return status;
}

/* ---- curves ---- */

enum { WIDTH = 640, HEIGHT = 360, MARGIN = 40, POINTS = 200 };

/* Mean of a loss over the p-th of POINTS pieces of the run. */
static double piece(const ws_trainer *t, int loss, size_t points, size_t p)
{
    const uint64_t from = p * t->iterations / points, to = (p + 1) * t->iterations / points;
    double sum = 0.0;
    for (uint64_t i = from; i < to; i++)
        sum += (double)t->history[i][loss];
    return sum / (double)(to - from);
}

static void put_curve(ws_text *j, const ws_trainer *t, int loss, size_t points, double top)
{
    static const char *const colours[WS_LOSSES] = {"#1f77b4", "#d62728", "#2ca02c"};
    static const char *const names[WS_LOSSES] = {"image", "classification", "regression"};
    ws_text_printf(j, "<polyline fill=\"none\" stroke=\"%s\" points=\"", colours[loss]);
    for (size_t p = 0; p < points; p++) {
        const double x = MARGIN + (WIDTH - 2.0 * MARGIN) * (double)p / (double)points;
        const double y =
            HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * piece(t, loss, points, p) / top;
        ws_text_printf(j, "%.1f,%.1f ", x, y);
    }
    ws_text_printf(j, "\"/>\n<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", WIDTH - 150,
                   MARGIN + 16 * loss, colours[loss], names[loss]);
}

wsam_status ws_train_report_curves(const ws_trainer *t, const char *out, wsam_error *error)
{
    char path[PATH];
    ws_text j = {0};
    const size_t points = t->iterations < POINTS ? (size_t)t->iterations : POINTS;
    double top = 1e-9;
    if (snprintf(path, sizeof path, "%s.svg", out) >= (int)sizeof path)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "the path %s is too long", out);
    for (int loss = 0; loss < WS_LOSSES; loss++)
        for (size_t p = 0; p < points; p++)
            top = piece(t, loss, points, p) > top ? piece(t, loss, points, p) : top;
    ws_text_printf(
        &j,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
        "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"black\"/>\n"
        "<text x=\"4\" y=\"%d\">%.3g</text>\n<text x=\"%d\" y=\"%d\">%llu iterations</text>\n",
        WIDTH, HEIGHT, MARGIN, MARGIN, HEIGHT - MARGIN, WIDTH - MARGIN, MARGIN, top, WIDTH - 150,
        HEIGHT - MARGIN / 2, (unsigned long long)t->iterations);
    for (int loss = 0; loss < WS_LOSSES; loss++)
        put_curve(&j, t, loss, points, top);
    ws_text_printf(&j, "</svg>\n");
    return write_text(path, ws_text_finish(&j), error);
}
