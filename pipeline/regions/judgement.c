/* pipeline/regions/judgement.c - a judgement in words, as a table and as JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "kernels/float_scope.h"
#include "pipeline/regions/judge.h"

enum { FEW_PICTURES = 20 };
static const double good_ap = 0.7, wide = 0.3, all_but_certain = 0.95;

void wsam_judgement_free(wsam_judgement *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->n_classes; i++) {
        free(j->classes[i].name);
        free(j->classes[i].sentence);
    }
    for (size_t i = 0; i < j->n_tried; i++)
        free(j->tried[i]);
    free(j->classes);
    free(j->sources);
    free(j);
}

/* ---- sentences ---- */

static void say_why(const wsam_judgement *j, const wsam_class_judgement *c, ws_text *t)
{
    const int few = c->pictures < FEW_PICTURES, alike = c->confusions >= 2;
    if (alike)
        ws_text_printf(t, "%sit looks like '%s' (taken for each other in %zu images)",
                       few ? "too few images, or " : "", j->classes[c->confused_with].name,
                       c->confusions);
    else if (few)
        ws_text_printf(t, "too few images: %d or more help", FEW_PICTURES);
    else if (c->high - c->low > wide)
        ws_text_printf(t, "uncertain: too few images to be sure");
    else
        ws_text_printf(t, "hard to tell from its surroundings: check its labels, or use a "
                          "backbone (--backbone)");
}

static void say(const wsam_judgement *j, const wsam_class_judgement *c, ws_text *t)
{
    if (!c->pictures) {
        ws_text_printf(t, "no image shows it");
    } else if (c->pictures == j->pictures) {
        ws_text_printf(t, "it is in every image, so nothing says what it is not: add images "
                          "without it");
    } else if (c->pictures == 1) {
        ws_text_printf(t, "a single image shows it: it cannot be judged; add images");
    } else if (c->ap < 0.0) {
        ws_text_printf(t, "it cannot be judged: too few images were held out");
    } else if (c->ap >= all_but_certain) {
        ws_text_printf(t, "told apart almost always");
    } else if (c->ap >= good_ap && c->high - c->low <= wide) {
        ws_text_printf(t, "told apart well");
    } else {
        say_why(j, c, t);
    }
}

wsam_status ws_judgement_sentences(wsam_judgement *j, wsam_error *error)
{
    for (size_t i = 0; i < j->n_classes; i++) {
        ws_text t = {0};
        say(j, &j->classes[i], &t);
        j->classes[i].sentence = t.text;
        if (t.failed || !t.text)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a judgement");
    }
    return WSAM_OK;
}

/* ---- as a table ---- */

static int name_width(const wsam_judgement *j)
{
    size_t width = 5;
    for (size_t i = 0; i < j->n_classes; i++) {
        const size_t n = strlen(j->classes[i].name);
        width = n > width ? n : width;
    }
    return width > 30 ? 30 : (int)width;
}

static void put_row(ws_text *t, const wsam_class_judgement *c, int width)
{
    ws_text_printf(t, "  %-*.*s  %8zu  ", width, width, c->name, c->pictures);
    if (c->ap < 0.0)
        ws_text_printf(t, "  -                ");
    else
        ws_text_printf(t, "%.2f  %.2f to %.2f  ", c->ap, c->low, c->high);
    ws_text_printf(t, "%s\n", c->sentence);
}

wsam_status wsam_judgement_text(const wsam_judgement *j, char **text)
{
    WS_FLOAT_SCOPE;
    ws_text t = {0};
    const int width = name_width(j);
    ws_text_printf(&t, "How well the classes are told apart, on ");
    if (j->folds)
        ws_text_printf(&t, "%zu images, each held out once (%d-fold cross-validation):\n",
                       j->judged, j->folds);
    else
        ws_text_printf(&t, "%zu images that were held out of %zu:\n", j->judged, j->pictures);
    ws_text_printf(&t, "  %-*s  images    AP  90 %% interval\n", width, "class");
    for (size_t i = 0; i < j->n_classes; i++)
        put_row(&t, &j->classes[i], width);
    if (j->map >= 0.0)
        ws_text_printf(&t, "  %-*s  %8s  %.2f\n", width, "mean", "", j->map);
    ws_text_printf(&t, "Sources: %s", j->sources);
    for (size_t i = 1; i < j->n_tried; i++)
        ws_text_printf(&t, "%s%s %.2f", i == 1 ? " (others: " : "; ", j->tried[i], j->tried_map[i]);
    ws_text_printf(&t, "%s\n", j->n_tried > 1 ? ")" : "");
    *text = ws_text_finish(&t);
    return *text ? WSAM_OK : WSAM_ERR_MEMORY;
}

/* ---- as JSON ---- */

static void put_number(ws_text *t, const char *name, double v)
{
    if (v < 0.0)
        ws_text_printf(t, ",\"%s\":null", name);
    else
        ws_text_printf(t, ",\"%s\":%.6g", name, v);
}

static void put_class(ws_text *t, const wsam_judgement *j, const wsam_class_judgement *c,
                      const wsam_labels *labels)
{
    ws_text_printf(t, "{\"class\":");
    ws_json_string(t, c->name);
    ws_text_printf(t, ",\"pictures\":%zu,\"judged\":%zu", c->pictures, c->judged);
    put_number(t, "ap", c->ap);
    put_number(t, "low", c->low);
    put_number(t, "high", c->high);
    put_number(t, "roc_area", c->roc_area);
    if (c->confused_with >= 0) {
        ws_text_printf(t, ",\"confused_with\":");
        ws_json_string(t, j->classes[c->confused_with].name);
        ws_text_printf(t, ",\"confusions\":%zu", c->confusions);
    }
    ws_text_printf(t, ",\"sentence\":");
    ws_json_string(t, c->sentence);
    ws_text_printf(t, ",\"errors\":[");
    for (size_t i = 0; i < c->n_errors; i++) {
        ws_json_comma(t, i == 0);
        ws_json_string(t, labels->images[c->errors[i]]);
    }
    ws_text_printf(t, "]}");
}

wsam_status wsam_judgement_json(const wsam_judgement *j, const wsam_labels *labels, char **json)
{
    WS_FLOAT_SCOPE;
    ws_text t = {0};
    ws_text_printf(&t, "{\"pictures\":%zu,\"judged\":%zu,\"folds\":%d", j->pictures, j->judged,
                   j->folds);
    put_number(&t, "map", j->map);
    ws_text_printf(&t, ",\"sources\":");
    ws_json_string(&t, j->sources);
    ws_text_printf(&t, ",\"tried\":[");
    for (size_t i = 0; i < j->n_tried; i++) {
        ws_json_comma(&t, i == 0);
        ws_text_printf(&t, "{\"sources\":");
        ws_json_string(&t, j->tried[i]);
        put_number(&t, "map", j->tried_map[i]);
        ws_text_printf(&t, "}");
    }
    ws_text_printf(&t, "],\"classes\":[");
    for (size_t i = 0; i < j->n_classes; i++) {
        ws_json_comma(&t, i == 0);
        put_class(&t, j, &j->classes[i], labels);
    }
    ws_text_printf(&t, "]}\n");
    *json = ws_text_finish(&t);
    return *json ? WSAM_OK : WSAM_ERR_MEMORY;
}
