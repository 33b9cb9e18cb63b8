/* pipeline/pilot/decide.c - see decide.h. */
#include "pipeline/pilot/decide.h"

#include <math.h>
#include <stdlib.h>

ws_bands ws_decide_bands(const wsam_pilot_costs *c)
{
    const double f = c->false_detection, m = c->miss, l = c->look, even = f / (f + m);
    if (l > 0 && l < f * m / (f + m))
        return (ws_bands){1 - l / f, l / m};
    return (ws_bands){even, even};
}

static void count(const ws_pilot_detection *d, double p, const ws_bands *b, ws_outcome *o)
{
    const size_t i = d->picture;
    if (p >= b->accept) {
        o->accepted[i]++;
        o->hits[i] += d->hit;
        o->wrong[i] += !d->hit;
        o->found[i] += d->hit;
    } else if (p >= b->drop) {
        o->looked[i]++;
        o->viewed[i] = 1;
        o->found[i] += d->hit;
    }
}

wsam_status ws_decide_make(const ws_pilot_sample *s, const double *probability,
                           const ws_bands *bands, size_t class_index, ws_outcome *o,
                           wsam_error *error)
{
    enum { COLUMNS = 8 };
    const size_t n = s->n_pictures;
    *o = (ws_outcome){.n = n};
    double *v = calloc((n + 1) * COLUMNS, sizeof *v);
    if (!v)
        return ws_no_memory(error, "a pilot");
    double **const columns[COLUMNS] = {&o->accepted, &o->hits,    &o->wrong,  &o->looked,
                                       &o->found,    &o->objects, &o->missed, &o->viewed};
    for (size_t k = 0; k < COLUMNS; k++)
        *columns[k] = v + k * n;
    for (size_t i = 0; i < s->n; i++)
        if (class_index == SIZE_MAX || s->detections[i].class_index == class_index)
            count(&s->detections[i], probability[i], bands, o);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < s->n_classes; c++)
            if (class_index == SIZE_MAX || c == class_index)
                o->objects[i] += s->objects[i * s->n_classes + c];
        o->missed[i] = o->objects[i] - o->found[i];
    }
    return WSAM_OK;
}

void ws_decide_free(ws_outcome *o)
{
    free(o->accepted); /* the first column is the memory of all */
    *o = (ws_outcome){0};
}

/* Cost of errors, and of looking where it costs anything. */
static wsam_status judge_cost(const ws_outcome *o, const wsam_pilot_costs *c, ws_outcome_figures *f,
                              wsam_error *error)
{
    double *errors = malloc((o->n + 1) * sizeof *errors);
    if (!errors)
        return ws_no_memory(error, "a pilot");
    f->cost = ws_interval_sum(o->wrong, o->missed, o->n, c->false_detection, c->miss, &f->wrong,
                              &f->missed);
    if (c->look > 0) {
        const ws_figure both = f->cost;
        for (size_t i = 0; i < o->n; i++)
            errors[i] = c->false_detection * o->wrong[i] + c->miss * o->missed[i];
        f->cost = ws_interval_sum(errors, o->looked, o->n, 1, c->look, &both, &f->looked);
    }
    free(errors);
    return WSAM_OK;
}

wsam_status ws_decide_judge(const ws_outcome *o, const ws_outcome *all, const ws_choice *choice,
                            const wsam_pilot_costs *costs, ws_outcome_figures *f, wsam_error *error)
{
    const size_t n = o->n;
    double *one = malloc((n + 1) * sizeof *one);
    if (!one)
        return ws_no_memory(error, "a pilot");
    *f = (ws_outcome_figures){0};
    for (size_t i = 0; i < n; i++) {
        one[i] = 1;
        f->n_accepted += o->accepted[i];
        f->n_objects += o->objects[i];
    }
    f->precision = ws_interval_share(
        o->hits, o->accepted, n, ws_interval_alike(all->hits, all->accepted, n), choice->precision);
    f->recall = ws_interval_share(o->found, o->objects, n,
                                  ws_interval_alike(all->found, all->objects, n), choice->recall);
    f->wrong = ws_interval_rate(o->wrong, n, choice->wrong);
    f->wrong.few |= f->n_accepted < WS_PILOT_FEW;
    f->missed = ws_interval_rate(o->missed, n, choice->missed);
    f->looked = ws_interval_rate(o->looked, n, choice->looked);
    f->viewed = ws_interval_share(o->viewed, one, n, 0, 0);
    free(one);
    const wsam_status status = judge_cost(o, costs, f, error);
    f->cost.few |= n < WS_PILOT_FEW; /* of images */
    return status;
}

/* ---- the choice repeated ---- */

enum { MOVED = 5 };

/* Precision, recall, and per image false, missed and looked at, of all images by one part's fit. */
static void totals(const ws_outcome *o, double *v)
{
    double accepted = 0, hits = 0, found = 0, objects = 0, wrong = 0, missed = 0, looked = 0;
    for (size_t i = 0; i < o->n; i++) {
        accepted += o->accepted[i], hits += o->hits[i], found += o->found[i];
        objects += o->objects[i], wrong += o->wrong[i], missed += o->missed[i];
        looked += o->looked[i];
    }
    const double n = (double)o->n;
    v[0] = (hits + 0.5) / (accepted + 1);
    v[1] = objects > 0 ? found / objects : 0;
    v[2] = wrong / n, v[3] = missed / n, v[4] = looked / n;
}

wsam_status ws_decide_choice(const ws_pilot_sample *s, const ws_cross *cross, const ws_bands *bands,
                             size_t class_index, ws_choice *choice, wsam_error *error)
{
    double v[WS_PILOT_FOLDS][MOVED], variance[MOVED];
    *choice = (ws_choice){0};
    if (!s->n_pictures)
        return WSAM_OK;
    for (int part = 0; part < WS_PILOT_FOLDS; part++) {
        ws_outcome o;
        const wsam_status status =
            ws_decide_make(s, cross->part[part], bands, class_index, &o, error);
        if (status)
            return status;
        totals(&o, v[part]);
        ws_decide_free(&o);
    }
    for (int k = 0; k < MOVED; k++) {
        double mean = 0, squares = 0;
        for (int part = 0; part < WS_PILOT_FOLDS; part++)
            mean += v[part][k] / WS_PILOT_FOLDS;
        for (int part = 0; part < WS_PILOT_FOLDS; part++)
            squares += (v[part][k] - mean) * (v[part][k] - mean);
        variance[k] = squares * (WS_PILOT_FOLDS - 1) / WS_PILOT_FOLDS;
    }
    *choice = (ws_choice){variance[0], variance[1], variance[2], variance[3], variance[4]};
    return WSAM_OK;
}
