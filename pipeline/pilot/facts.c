/* pipeline/pilot/facts.c - see facts.h. */
#include "pipeline/pilot/facts.h"

#include <math.h>
#include <stdlib.h>

static const ws_bands take_all = {0, 0};

/* ---- figures of everything ---- */

/* Of all classes (SIZE_MAX) or one, everything taken. */
static wsam_status judge_all(const ws_pilot_facts *f, size_t class_index, ws_outcome_figures *out,
                             wsam_error *error)
{
    static const ws_choice none = {0};
    static const wsam_pilot_costs even = {1, 1, 0};
    ws_outcome o;
    wsam_status status =
        ws_decide_make(&f->data.sample, f->cross.held, &take_all, class_index, &o, error);
    if (status)
        return status;
    status = ws_decide_judge(&o, &o, &none, &even, out, error);
    ws_decide_free(&o);
    return status;
}

static wsam_status judge_everything(ws_pilot_facts *f, wsam_error *error)
{
    const size_t n = f->data.sample.n_classes;
    f->classes = calloc(n + 1, sizeof *f->classes);
    wsam_status status =
        f->classes ? judge_all(f, SIZE_MAX, &f->everything, error) : ws_no_memory(error, "a pilot");
    for (size_t c = 0; c < n && !status; c++)
        status = judge_all(f, c, &f->classes[c], error);
    return status;
}

/* ---- rules ---- */

static wsam_status judge_rule(const ws_pilot_facts *f, const ws_pilot_rule *rule,
                              size_t class_index, ws_outcome_figures *out, wsam_error *error)
{
    const ws_pilot_sample *s = &f->data.sample;
    ws_outcome all, o = {0};
    ws_choice choice;
    wsam_status status = ws_decide_make(s, f->cross.held, &take_all, class_index, &all, error);
    if (status)
        return status;
    status = ws_decide_make(s, f->cross.held, &rule->bands, class_index, &o, error);
    if (!status)
        status = ws_decide_choice(s, &f->cross, &rule->bands, class_index, &choice, error);
    if (!status)
        status = ws_decide_judge(&o, &all, &choice, &rule->costs, out, error);
    ws_decide_free(&all);
    ws_decide_free(&o);
    return status;
}

static ws_figure times(ws_figure f, double by)
{
    return (ws_figure){by * f.value, by * f.low, by * f.high, f.few};
}

/* Product of two figures that are not negative: the relative arms of both as sides of a triangle. */
static ws_figure product(ws_figure a, ws_figure b)
{
    const double value = a.value * b.value;
    const double low = hypot((a.value - a.low) * b.value, (b.value - b.low) * a.value);
    const double high = hypot((a.high - a.value) * b.value, (b.high - b.value) * a.value);
    return (ws_figure){value, fmax(0, value - low), value + high, a.few || b.few};
}

static wsam_status make_rule(const ws_pilot_facts *f, size_t k, ws_pilot_rule *rule,
                             wsam_error *error)
{
    const size_t n = f->data.sample.n_classes;
    rule->costs = f->o->costs[k];
    rule->bands = ws_decide_bands(&rule->costs);
    rule->accept = calloc(n + 1, sizeof *rule->accept);
    rule->drop = calloc(n + 1, sizeof *rule->drop);
    rule->classes = calloc(n + 1, sizeof *rule->classes);
    if (!rule->accept || !rule->drop || !rule->classes)
        return ws_no_memory(error, "a pilot");
    wsam_status status = judge_rule(f, rule, SIZE_MAX, &rule->figures, error);
    for (size_t c = 0; c < n && !status; c++) {
        rule->accept[c] = ws_calibrate_score(&f->calibration, c, rule->bands.accept);
        rule->drop[c] = ws_calibrate_score(&f->calibration, c, rule->bands.drop);
        status = judge_rule(f, rule, c, &rule->classes[c], error);
    }
    rule->hours_of_looking =
        times(product(rule->figures.viewed, f->seconds), (double)f->o->images / 3600);
    return status;
}

/* ---- confidence ---- */

typedef struct judged {
    double said, held;
    int hit;
} judged;

static int by_said(const void *a, const void *b)
{
    const judged *p = a, *q = b;
    if (p->said < q->said || p->said > q->said)
        return p->said < q->said ? -1 : 1;
    return p->hit - q->hit;
}

static void group(const judged *list, size_t n, ws_pilot_group *groups)
{
    for (size_t g = 0; g < WS_PILOT_GROUPS; g++) {
        ws_pilot_group *out = &groups[g];
        for (size_t i = g * n / WS_PILOT_GROUPS; i < (g + 1) * n / WS_PILOT_GROUPS; i++) {
            out->said += list[i].said;
            out->held += list[i].held;
            out->right += list[i].hit;
            out->n++;
        }
        if (out->n > 0)
            out->said /= out->n, out->held /= out->n, out->right /= out->n;
    }
}

static wsam_status judge_confidence(ws_pilot_facts *f, wsam_error *error)
{
    const ws_pilot_sample *s = &f->data.sample;
    double *said = malloc((s->n + 1) * sizeof *said);
    judged *list = malloc((s->n + 1) * sizeof *list);
    wsam_status status = said && list ? WSAM_OK : ws_no_memory(error, "a pilot");
    for (size_t i = 0; i < s->n && !status; i++) {
        said[i] = s->detections[i].score;
        list[i] = (judged){said[i], f->cross.held[i], s->detections[i].hit};
    }
    if (!status)
        status = ws_cross_calibration_error(s, said, &f->ece_before, error);
    if (!status)
        status = ws_cross_calibration_error(s, f->cross.held, &f->ece_after, error);
    if (!status) {
        f->brier_before = ws_cross_brier(s, said);
        f->brier_after = ws_cross_brier(s, f->cross.held);
        if (s->n)
            qsort(list, s->n, sizeof *list, by_said);
        group(list, s->n, f->groups);
    }
    free(said), free(list);
    return status;
}

/* ---- hours ---- */

static wsam_status judge_hours(ws_pilot_facts *f, wsam_error *error)
{
    const ws_pilot_sample *s = &f->data.sample;
    const double images = (double)f->o->images / 3600;
    double *v = malloc((3 * s->n_pictures + 3) * sizeof *v);
    if (!v)
        return ws_no_memory(error, "a pilot");
    double *seconds = v, *hand = v + s->n_pictures, *saved = v + 2 * s->n_pictures;
    for (size_t i = 0; i < s->n_pictures; i++) {
        double objects = 0;
        if (!(f->data.seconds[i] > 0))
            continue;
        for (size_t c = 0; c < s->n_classes; c++)
            objects += s->objects[i * s->n_classes + c];
        seconds[f->timed] = f->data.seconds[i];
        hand[f->timed] = objects * f->o->seconds_per_mask;
        saved[f->timed] = hand[f->timed] - seconds[f->timed];
        f->timed++;
    }
    f->seconds = ws_interval_mean(seconds, f->timed);
    f->seconds.low = fmax(0, f->seconds.low);
    f->hours_of_review = times(f->seconds, images);
    f->hours_by_hand = times(ws_interval_mean(hand, f->timed), images);
    f->hours_saved = times(ws_interval_mean(saved, f->timed), images);
    free(v);
    return WSAM_OK;
}

/* ---- all ---- */

wsam_status ws_pilot_facts_make(const wsam_pilot_options *o, ws_pilot_facts *f, wsam_error *error)
{
    *f = (ws_pilot_facts){.o = o};
    wsam_status status = ws_pilot_read(o, &f->data, error);
    if (!status)
        status = ws_calibrate_fit(&f->data.reviewed, NULL, NULL, &f->calibration, error);
    if (!status)
        status = ws_cross_make(&f->data.reviewed, &f->calibration, &f->cross, error);
    if (!status)
        status = judge_everything(f, error);
    if (!status)
        status = judge_confidence(f, error);
    if (!status)
        status = judge_hours(f, error);
    for (size_t k = 0; k < o->n_costs && !status; k++)
        status = make_rule(f, k, &f->rules[k], error);
    if (status)
        ws_pilot_facts_free(f);
    return status;
}

void ws_pilot_facts_free(ws_pilot_facts *f)
{
    for (size_t k = 0; k < WSAM_PILOT_MAX_COSTS; k++)
        free(f->rules[k].accept), free(f->rules[k].drop), free(f->rules[k].classes);
    free(f->classes);
    ws_cross_free(&f->cross);
    ws_calibrate_free(&f->calibration);
    ws_pilot_read_free(&f->data);
    *f = (ws_pilot_facts){0};
}
