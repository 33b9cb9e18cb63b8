/* pipeline/regions/mil_loss.c - see mil_loss.h. */
#include "pipeline/regions/mil_loss.h"

#include <math.h>

static const double least = 1e-6; /* of a probability */

static double sigmoid(double x)
{
    return x >= 0.0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x));
}

static double softplus(double x)
{
    return (x > 0.0 ? x : 0.0) + log1p(exp(-fabs(x)));
}

/* Held away from 0 and 1; comparisons that keep NaN, to be noticed. */
static double hold(double p)
{
    return p < least ? least : p > 1.0 - least ? 1.0 - least : p;
}

/* ---- attention ---- */

static double attended_of(const ws_region_loss *l, const double *a, const double *b, double *sum)
{
    double top = b[0], p = 0.0;
    for (size_t i = 1; i < l->n; i++)
        top = b[i * l->row] > top ? b[i * l->row] : top;
    *sum = 0.0;
    for (size_t i = 0; i < l->n; i++) {
        const double e = exp(b[i * l->row] - top);
        *sum += e;
        p += e * sigmoid(a[i * l->row]);
    }
    p /= *sum;
    *sum = log(*sum) + top;
    return p;
}

static double attend(const ws_region_loss *l, const double *a, const double *b, double target,
                     double weight, double *da, double *db, double *p)
{
    double log_sum;
    *p = attended_of(l, a, b, &log_sum);
    const double held = hold(*p), g = weight * (held - target) / (held * (1.0 - held));
    for (size_t i = 0; i < l->n; i++) {
        const double w = exp(b[i * l->row] - log_sum), s = sigmoid(a[i * l->row]);
        da[i * l->row] = g * w * s * (1.0 - s);
        db[i * l->row] = g * w * (s - *p);
    }
    return -weight * (target * log(held) + (1.0 - target) * log(1.0 - held));
}

/* ---- noisy-or ---- */

static double any_of(const ws_region_loss *l, const double *a, double target, double weight,
                     double *da, double *p)
{
    double q = 0.0; /* -log of "none of them" */
    for (size_t i = 0; i < l->n; i++)
        q += softplus(a[i * l->row]);
    *p = -expm1(-q);
    const double held = hold(*p);
    const double g = weight * (1.0 - target / held);
    for (size_t i = 0; i < l->n; i++)
        da[i * l->row] += g * sigmoid(a[i * l->row]);
    return weight * ((1.0 - target) * q - target * log(held));
}

double ws_region_mil_loss(const ws_region_loss *l, const double *values, double *gradient,
                          double *attended, double *any)
{
    double loss = 0.0;
    for (size_t c = 0; c < l->classes; c++) {
        attended[c] = any[c] = 0.0;
        if (!l->n)
            continue;
        const double target = l->shown[c] ? 1.0 : l->smooth;
        const double weight = (l->shown[c] ? l->positive[c] : 1.0) / (double)l->classes;
        const double *a = values + c, *b = a + l->classes;
        double *da = gradient + c;
        loss += attend(l, a, b, target, l->attended * weight, da, da + l->classes, &attended[c]);
        loss += any_of(l, a, target, l->any * weight, da, &any[c]);
    }
    return loss;
}

double ws_region_target_loss(const ws_region_loss *l, const double *values, const double *target,
                             const double *weight, double *gradient)
{
    double loss = 0.0;
    for (size_t i = 0; i < l->n; i++)
        for (size_t c = 0; c < l->classes; c++) {
            const double x = values[i * l->row + c], t = target[i * l->classes + c];
            const double w = weight[i * l->classes + c];
            loss += w * (softplus(x) - t * x);
            gradient[i * l->row + c] += w * (sigmoid(x) - t);
        }
    return loss;
}
