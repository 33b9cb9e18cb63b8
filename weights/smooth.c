/* weights/smooth.c - see smooth.h.
 *
 * A LayerNorm output channel j is gamma_j*z + beta_j with z of unit variance, so |beta_j| +
 * 3|gamma_j| bounds nearly all of it without any data. A few channels are often 10 to 100 times
 * larger than the rest and decide the row's int8 scale. Dividing channel j by s_j in the norm and
 * multiplying column j of the weight by s_j changes nothing in exact arithmetic; s_j = sqrt(a_j /
 * w_j), a_j that bound and w_j the column's largest weight (SmoothQuant with exponent 1/2), shares
 * the range between both sides. With a calibration a_j is the largest value that was seen (three
 * times the root mean square: ViT-B with outliers 0.0246 for 0.0251, EfficientSAM-S 0.0123 for
 * 0.0116). It is done where the rounding error predicted from the weights gets smaller by it. */
#include "weights/smooth.h"

#include <math.h>
#include <stdlib.h>

#include "weights/builder_internal.h"
#include "weights/calibration.h"

enum { SMOOTH_NORM = 1, SMOOTH_LINEAR = 2 };

/* The predicted error must fall below this part. Even channels gain nothing: name-derived ViT-B,
 * where 0.86 is predicted, has an embedding error of 0.0149 without and 0.0151 with smoothing; its
 * twin with outlier channels, predicted 0.12, has 0.0416 and 0.0221. */
#define PAYS 0.75

/* A LayerNorm and the linear behind it, as in the checkpoint. */
typedef struct pair {
    size_t n, k;
    const float *gamma, *beta;        /* [k] */
    const float *w;                   /* [n][k] */
    const ws_channel_range *measured; /* or NULL */
} norm_pair;

/* The size of channel j of the norm's output. */
static double reach(const norm_pair *p, size_t j)
{
    if (p->measured)
        return p->measured->largest[j];
    return fabs((double)p->beta[j]) + 3.0 * fabs((double)p->gamma[j]);
}

/* The mean square of channel j. */
static double mean_square(const norm_pair *p, size_t j)
{
    const double g = p->gamma[j], b = p->beta[j];
    return p->measured ? p->measured->square[j] / (double)p->measured->rows : g * g + b * b;
}

/* s for every channel; 1 where either side is zero. Square roots and powers of two alone: they are
 * the same with every C library, and so is the file. */
static void factors(const norm_pair *p, float *s)
{
    long exponents = 0, used = 0;
    for (size_t j = 0; j < p->k; j++)
        s[j] = 0.0f;
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < p->k; j++)
            s[j] = fmaxf(s[j], fabsf(p->w[i * p->k + j]));
    for (size_t j = 0; j < p->k; j++) {
        const double a = reach(p, j), w = s[j];
        int e;
        s[j] = a > 1e-12 && w > 1e-12 ? (float)sqrt(a / w) : 0.0f;
        if (s[j] > 0.0f) {
            frexp((double)s[j], &e);
            exponents += e;
            used++;
        }
    }
    /* a common factor would only move the scales */
    const int common = used ? (int)(exponents / used) : 0;
    for (size_t j = 0; j < p->k; j++)
        s[j] = s[j] > 0.0f ? ldexpf(s[j], -common) : 1.0f;
}

/* Expected squared error of all outputs, up to a common factor, when both sides are rounded to
 * their largest value/127: a row's step is that of its largest channel and meets every weight, a
 * weight row's step is that of its largest weight and meets every channel's power. */
static double rounding_error(const norm_pair *p, const float *s)
{
    double top = 0.0, power = 0.0, weights = 0.0, steps = 0.0;
    for (size_t j = 0; j < p->k; j++) {
        const double f = s ? 1.0 / (double)s[j] : 1.0;
        top = fmax(top, reach(p, j) * f);
        power += mean_square(p, j) * f * f;
    }
    for (size_t i = 0; i < p->n; i++) {
        double largest = 0.0;
        for (size_t j = 0; j < p->k; j++) {
            const double w = (double)p->w[i * p->k + j] * (s ? (double)s[j] : 1.0);
            weights += w * w;
            largest = fmax(largest, fabs(w));
        }
        steps += largest * largest;
    }
    return top * top * weights + steps * power;
}

static wsam_status compute(ws_builder *b, const ws_recipe *r, float *s, wsam_error *error)
{
    const ws_need *linear = &b->needs[r->smooth_linear];
    const size_t n = linear->dims[0], k = linear->dims[1];
    float *gamma = malloc((2 * k + n * k) * sizeof *gamma);
    if (!gamma)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory to smooth '%s'", linear->name);
    float *beta = gamma + k, *w = gamma + 2 * k;
    wsam_status status = ws_builder_fetch(b, r->smooth_norm_weight, gamma, error);
    if (!status)
        status = ws_builder_fetch(b, r->smooth_norm_bias, beta, error);
    if (!status)
        status = ws_builder_fetch(b, r->smooth_linear, w, error);
    if (!status) {
        const char *norm = b->needs[r->smooth_norm_weight].name;
        const norm_pair p = {n,    k, gamma,
                             beta, w, ws_calibration_find(b->options.calibration, norm, k)};
        factors(&p, s);
        const double smooth = rounding_error(&p, s), plain = rounding_error(&p, NULL);
        for (size_t j = 0; j < k && !(smooth < PAYS * plain); j++)
            s[j] = 1.0f;
    }
    free(gamma);
    return status;
}

/* The factors of a pair; they are wanted three times in a row (norm weight, norm bias, linear). */
static wsam_status remembered(ws_builder *b, const ws_recipe *r, const float **s, wsam_error *error)
{
    const size_t k = b->needs[r->smooth_linear].dims[1];
    *s = b->smooth;
    if (b->smooth && b->smooth_linear == r->smooth_linear)
        return WSAM_OK;
    free(b->smooth);
    b->smooth = malloc(k * sizeof *b->smooth);
    b->smooth_linear = r->smooth_linear;
    *s = b->smooth;
    if (!b->smooth)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory to smooth '%s'",
                       b->needs[r->smooth_linear].name);
    return compute(b, r, b->smooth, error);
}

wsam_status ws_smooth(ws_builder *b, const ws_recipe *r, const ws_tensor_def *t, float *values,
                      wsam_error *error)
{
    const float *s;
    if (!r->smooth_kind)
        return WSAM_OK;
    const size_t k = b->needs[r->smooth_linear].dims[1];
    const wsam_status status = remembered(b, r, &s, error);
    const size_t rows = r->smooth_kind == SMOOTH_LINEAR ? t->dims[0] : 1;
    for (size_t i = 0; !status && i < rows; i++)
        for (size_t j = 0; j < k; j++) {
            float *v = &values[i * k + j];
            *v = r->smooth_kind == SMOOTH_LINEAR ? *v * s[j] : *v / s[j];
        }
    return status;
}

static wsam_status make_copy(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    return ws_builder_fetch(b, r->need[0], out, error);
}

static ws_ref store_smoothed(ws_builder *b, ws_role role, int need, const ws_recipe *made, int kind,
                             const int pair[3])
{
    ws_recipe r = made ? *made : ws_builder_recipe_new(make_copy);
    if (!made)
        r.need[0] = need;
    if (b->options.type == WSAM_FILE_INT8 && b->options.smoothing) {
        r.smooth_norm_weight = pair[0];
        r.smooth_norm_bias = pair[1];
        r.smooth_linear = pair[2];
        r.smooth_kind = kind;
    }
    return ws_store_made(b, role, b->needs[need].name, b->needs[need].rank, b->needs[need].dims,
                         &r);
}

ws_norm_linear ws_smooth_norm_linear(ws_builder *b, int norm_weight, int norm_bias, int weight,
                                     int bias, const ws_recipe *weight_recipe)
{
    ws_norm_linear out = {WS_REF_NONE, WS_REF_NONE, WS_REF_NONE, WS_REF_NONE};
    const int pair[3] = {norm_weight, norm_bias, weight};
    if (b->status)
        return out;
    out.norm_weight = store_smoothed(b, WS_ROLE_EXACT, norm_weight, NULL, SMOOTH_NORM, pair);
    out.norm_bias = store_smoothed(b, WS_ROLE_EXACT, norm_bias, NULL, SMOOTH_NORM, pair);
    out.weight = store_smoothed(b, WS_ROLE_LINEAR, weight, weight_recipe, SMOOTH_LINEAR, pair);
    out.bias = bias < 0 ? WS_REF_NONE : ws_store(b, WS_ROLE_EXACT, bias);
    return out;
}
