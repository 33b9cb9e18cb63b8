/* pipeline/pilot/cross.c - probabilities of images that the fit has not seen, and how good they are. */
#include <math.h>
#include <stdlib.h>

#include "pipeline/pilot/calibrate.h"

static size_t part_of(const ws_pilot_sample *s, size_t i)
{
    return s->detections[i].picture % WS_PILOT_FOLDS;
}

/* `audit` is the random sample of s. */
static wsam_status fit_part(const ws_pilot_sample *s, const ws_pilot_sample *audit,
                            const ws_calibration *whole, size_t part, unsigned char *use,
                            ws_cross *cross, wsam_error *error)
{
    ws_calibration c;
    for (size_t i = 0; i < s->n; i++)
        use[i] = i >= audit->n || part_of(s, i) != part;
    const wsam_status status = ws_calibrate_fit(s, use, whole, &c, error);
    if (status)
        return status;
    for (size_t i = 0; i < audit->n; i++) {
        const ws_pilot_detection *d = &s->detections[i];
        cross->part[part][i] = ws_calibrate_of(&c, d->class_index, d->score);
        if (!use[i])
            cross->held[i] = cross->part[part][i];
    }
    ws_calibrate_free(&c);
    return WSAM_OK;
}

wsam_status ws_cross_make(const ws_pilot_sample *s, const ws_calibration *whole, ws_cross *cross,
                          wsam_error *error)
{
    const ws_pilot_sample audit = ws_sample_audit(s);
    unsigned char *use = calloc(s->n + 1, 1);
    double *v = calloc((audit.n + 1) * (WS_PILOT_FOLDS + 1), sizeof *v);
    wsam_status status = use && v ? WSAM_OK : ws_no_memory(error, "a pilot");
    cross->held = v;
    for (size_t part = 0; part < WS_PILOT_FOLDS && !status; part++) {
        cross->part[part] = v + (part + 1) * audit.n;
        status = fit_part(s, &audit, whole, part, use, cross, error);
    }
    free(use);
    if (status)
        ws_cross_free(cross);
    return status;
}

void ws_cross_free(ws_cross *cross)
{
    free(cross->held); /* the memory of all */
    *cross = (ws_cross){0};
}

double ws_cross_brier(const ws_pilot_sample *s, const double *probability)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        const double e = probability[i] - s->detections[i].hit;
        sum += e * e;
    }
    return s->n ? sum / (double)s->n : 0;
}

typedef struct judged {
    double p;
    int hit;
} judged;

static int by_probability(const void *a, const void *b)
{
    const judged *p = a, *q = b;
    if (p->p < q->p || p->p > q->p)
        return p->p < q->p ? -1 : 1;
    return p->hit - q->hit;
}

wsam_status ws_cross_calibration_error(const ws_pilot_sample *s, const double *probability,
                                       double *ece, wsam_error *error)
{
    enum { GROUPS = 10 };
    judged *list = malloc((s->n + 1) * sizeof *list);
    *ece = 0;
    if (!list)
        return ws_no_memory(error, "a pilot");
    for (size_t i = 0; i < s->n; i++)
        list[i] = (judged){probability[i], s->detections[i].hit};
    if (s->n)
        qsort(list, s->n, sizeof *list, by_probability);
    for (size_t g = 0; g < GROUPS; g++) {
        double difference = 0;
        for (size_t i = g * s->n / GROUPS; i < (g + 1) * s->n / GROUPS; i++)
            difference += list[i].p - list[i].hit;
        *ece += s->n ? fabs(difference) / (double)s->n : 0;
    }
    free(list);
    return WSAM_OK;
}
