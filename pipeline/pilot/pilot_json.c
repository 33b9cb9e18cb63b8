/* pipeline/pilot/pilot_json.c - all figures of a pilot as JSON. */
#include <stdlib.h>

#include "base/json_writer.h"
#include "pipeline/pilot/advise.h"
#include "pipeline/pilot/page.h"

static void put_figure(ws_text *t, const char *name, const ws_figure *f)
{
    ws_text_printf(t, "\"%s\":{\"value\":", name);
    ws_json_number(t, f->value);
    ws_text_printf(t, ",\"low\":");
    ws_json_number(t, f->low);
    ws_text_printf(t, ",\"high\":");
    ws_json_number(t, f->high);
    ws_text_printf(t, ",\"too_few\":%s}", f->few ? "true" : "false");
}

static void put_outcome(ws_text *t, const ws_outcome_figures *g, int cost)
{
    ws_text_printf(t, "\"objects\":%.0f,\"detections\":%.0f,", g->n_objects, g->n_accepted);
    put_figure(t, "precision", &g->precision);
    ws_text_put(t, ",", 1);
    put_figure(t, "recall", &g->recall);
    ws_text_put(t, ",", 1);
    put_figure(t, "false_per_image", &g->wrong);
    ws_text_put(t, ",", 1);
    put_figure(t, "missed_per_image", &g->missed);
    if (!cost)
        return;
    ws_text_put(t, ",", 1);
    put_figure(t, "cost_per_image", &g->cost);
    ws_text_put(t, ",", 1);
    put_figure(t, "looked_at_per_image", &g->looked);
    ws_text_put(t, ",", 1);
    put_figure(t, "images_seen", &g->viewed);
}

static void put_class(ws_text *t, const ws_pilot_class *c, const ws_outcome_figures *g)
{
    static const char *const causes[WS_PILOT_CAUSES] = {"hit", "twice", "confused", "loose",
                                                        "nothing"};
    ws_text_printf(t, "{\"class\":");
    ws_json_string(t, c->name);
    ws_text_put(t, ",", 1);
    put_outcome(t, g, 0);
    ws_text_printf(t, ",\"without_detection\":%.0f", c->unfound);
    for (int k = 0; k < WS_PILOT_CAUSES; k++)
        ws_text_printf(t, ",\"%s\":%.0f", causes[k], c->cause[k]);
    ws_text_put(t, "}", 1);
}

static void put_threshold(ws_text *t, const char *name, double v)
{
    ws_text_printf(t, ",\"%s\":", name);
    if (v > 1)
        ws_text_printf(t, "null");
    else
        ws_json_number(t, v);
}

static void put_rule(const ws_pilot_facts *f, const ws_pilot_rule *r, ws_text *t)
{
    ws_text_printf(t,
                   "{\"costs\":{\"false\":%.9g,\"miss\":%.9g,\"look\":%.9g},\"take_from\":%.9g,"
                   "\"look_from\":%.9g,",
                   r->costs.false_detection, r->costs.miss, r->costs.look, r->bands.accept,
                   r->bands.drop);
    put_outcome(t, &r->figures, 1);
    ws_text_put(t, ",", 1);
    put_figure(t, "hours_of_looking", &r->hours_of_looking);
    ws_text_printf(t, ",\"classes\":[");
    for (size_t c = 0; c < f->data.sample.n_classes; c++) {
        ws_json_comma(t, !c);
        ws_text_printf(t, "\n{\"class\":");
        ws_json_string(t, f->data.classes[c].name);
        put_threshold(t, "take_from_confidence", r->accept[c]);
        put_threshold(t, "look_from_confidence", r->drop[c]);
        ws_text_put(t, ",", 1);
        put_outcome(t, &r->classes[c], 1);
        ws_text_put(t, "}", 1);
    }
    ws_text_printf(t, "]}");
}

/* The curve of confidence: later tools can apply it. */
static void put_calibration(const ws_pilot_facts *f, ws_text *t)
{
    const ws_calibration *c = &f->calibration;
    ws_text_printf(
        t,
        "\"calibration\":{\"brier_before\":%.6g,\"brier_after\":%.6g,\"ece_before\":%.6g,"
        "\"ece_after\":%.6g,\"logit_confidence\":[",
        f->brier_before, f->brier_after, f->ece_before, f->ece_after);
    for (int k = 0; k < WS_CALIBRATION_NODES; k++)
        ws_text_printf(t, "%s%.9g", k ? "," : "", c->at[k]);
    ws_text_printf(t, "],\"logit_probability\":[");
    for (int k = 0; k < WS_CALIBRATION_NODES; k++)
        ws_text_printf(t, "%s%.9g", k ? "," : "", c->value[k]);
    ws_text_printf(t, "],\"class_offset\":{");
    for (size_t k = 0; k < c->n_classes; k++) {
        ws_json_comma(t, !k);
        ws_json_string(t, f->data.classes[k].name);
        ws_text_printf(t, ":%.9g", c->offset[k]);
    }
    ws_text_printf(t, "},\"offset_part\":{\"whole_up_to\":%g,\"least_from\":%g,\"least\":%g}}",
                   WS_OFFSET_WHOLE_UP_TO, WS_OFFSET_LEAST_FROM, WS_OFFSET_LEAST);
}

static void put_lines(ws_text *t, const char *name, ws_text *lines)
{
    int first = 1;
    ws_text_printf(t, "\"%s\":[", name);
    for (const char *at = lines->text; at && *at;) {
        size_t n = 0;
        while (at[n] && at[n] != '\n')
            n++;
        ws_json_comma(t, first);
        ws_json_bytes(t, at, n);
        first = 0;
        at += n + (at[n] == '\n');
    }
    ws_text_printf(t, "]");
    t->failed |= lines->failed;
    free(lines->text);
    *lines = (ws_text){0};
}

wsam_status ws_pilot_json(const ws_pilot_facts *f, FILE *to, wsam_error *error)
{
    ws_text t = {0}, lines = {0};
    ws_text_printf(&t,
                   "{\"images\":%zu,\"unfinished\":%zu,\"ranked\":%zu,\"unknown\":%zu,\n"
                   "\"iou\":%.9g,\n",
                   f->data.sample.n_pictures, f->data.unfinished, f->data.ranked, f->data.unknown,
                   f->o->iou);
    ws_advise_short(f, &lines);
    put_lines(&t, "in_short", &lines);
    ws_text_printf(&t, ",\n");
    ws_advise(f, &lines);
    put_lines(&t, "next", &lines);
    ws_text_printf(&t, ",\n\"everything\":{");
    put_outcome(&t, &f->everything, 0);
    ws_text_printf(&t, "},\n\"classes\":[");
    for (size_t c = 0; c < f->data.sample.n_classes; c++) {
        ws_text_printf(&t, c ? ",\n" : "\n");
        put_class(&t, &f->data.classes[c], &f->classes[c]);
    }
    ws_text_printf(&t, "],\n\"rules\":[");
    for (size_t k = 0; k < f->o->n_costs; k++) {
        ws_text_printf(&t, k ? ",\n" : "\n");
        put_rule(f, &f->rules[k], &t);
    }
    ws_text_printf(&t, "],\n");
    put_calibration(f, &t);
    ws_text_printf(&t, ",\n\"hours\":{\"images\":%llu,\"seconds_per_mask\":%.9g,\"timed\":%zu,",
                   (unsigned long long)f->o->images, f->o->seconds_per_mask, f->timed);
    put_figure(&t, "seconds_per_image", &f->seconds);
    ws_text_put(&t, ",", 1);
    put_figure(&t, "review", &f->hours_of_review);
    ws_text_put(&t, ",", 1);
    put_figure(&t, "by_hand", &f->hours_by_hand);
    ws_text_put(&t, ",", 1);
    put_figure(&t, "saved", &f->hours_saved);
    ws_text_printf(&t, "}}\n");
    const int written = !t.failed && fwrite(t.text, 1, t.n, to) == t.n;
    const int failed = t.failed;
    free(t.text);
    if (failed)
        return ws_no_memory(error, "a pilot");
    return written ? WSAM_OK : ws_fail(error, WSAM_ERR_IO, "%s: cannot be written", f->o->json);
}

/* ---- rules ---- */

wsam_status ws_pilot_json_rules(const ws_pilot_facts *f, FILE *to, wsam_error *error)
{
    ws_text t = {0};
    ws_text_printf(&t, "{\"classes\": {");
    for (size_t c = 0; c < f->data.sample.n_classes; c++) {
        ws_text_printf(&t, c ? ",\n " : "\n ");
        ws_json_string(&t, f->data.classes[c].name);
        if (f->rules[0].accept[c] > 1)
            ws_text_printf(&t, ": {\"max_per_image\": 0}");
        else
            ws_text_printf(&t, ": {\"min_confidence\": %.4f}", f->rules[0].accept[c]);
    }
    ws_text_printf(&t, "}}\n");
    const int failed = t.failed, written = !failed && fwrite(t.text, 1, t.n, to) == t.n;
    free(t.text);
    if (failed)
        return ws_no_memory(error, "a pilot");
    return written ? WSAM_OK : ws_fail(error, WSAM_ERR_IO, "%s: cannot be written", f->o->rules);
}
