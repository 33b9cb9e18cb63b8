/* weights/smooth.c - see smooth.h.
 *
 * A LayerNorm output channel j is gamma_j*z + beta_j with z of unit variance, so |beta_j| +
 * 3|gamma_j| bounds nearly all of it without any data. A few channels are often 10 to 100 times
 * larger than the rest and decide the row's int8 scale. Dividing channel j by s_j in the norm and
 * multiplying column j of the weight by s_j changes nothing in exact arithmetic; s_j = sqrt(a_j /
 * w_j), a_j that bound and w_j the column's largest weight (SmoothQuant with exponent 1/2), shares
 * the range between both sides. */
#include "weights/smooth.h"

#include <math.h>
#include <stdlib.h>

#include "weights/builder_internal.h"

enum { SMOOTH_NORM = 1, SMOOTH_LINEAR = 2 };

/* s for every channel; 1 where either side is zero. */
static void factors(size_t k, const float *norm_weight, const float *norm_bias,
                    const float *column_max, float *s)
{
    double log_sum = 0.0;
    size_t used = 0;
    for (size_t j = 0; j < k; j++) {
        const double a = fabs((double)norm_bias[j]) + 3.0 * fabs((double)norm_weight[j]);
        const double w = column_max[j];
        s[j] = a > 1e-12 && w > 1e-12 ? (float)sqrt(a / w) : 0.0f;
        if (s[j] > 0.0f) {
            log_sum += log((double)s[j]);
            used++;
        }
    }
    /* a common factor would only move the scales: divide by the geometric mean */
    const float mean = used ? (float)exp(log_sum / (double)used) : 1.0f;
    for (size_t j = 0; j < k; j++)
        s[j] = s[j] > 0.0f ? s[j] / mean : 1.0f;
}

static wsam_status compute(ws_builder *b, const ws_recipe *r, float *s, wsam_error *error)
{
    const ws_need *linear = &b->needs[r->smooth_linear];
    const size_t n = linear->dims[0], k = linear->dims[1];
    float *norm = malloc((3 * k + n * k) * sizeof *norm);
    if (!norm)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory to smooth '%s'", linear->name);
    float *bias = norm + k, *column_max = norm + 2 * k, *w = norm + 3 * k;
    wsam_status status = ws_fetch(b, r->smooth_norm_weight, norm, error);
    if (!status)
        status = ws_fetch(b, r->smooth_norm_bias, bias, error);
    if (!status)
        status = ws_fetch(b, r->smooth_linear, w, error);
    if (!status) {
        for (size_t j = 0; j < k; j++)
            column_max[j] = 0.0f;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < k; j++)
                column_max[j] = fmaxf(column_max[j], fabsf(w[i * k + j]));
        factors(k, norm, bias, column_max, s);
    }
    free(norm);
    return status;
}

wsam_status ws_smooth(ws_builder *b, const ws_recipe *r, const ws_tensor_def *t, float *values,
                      wsam_error *error)
{
    if (!r->smooth_kind)
        return WSAM_OK;
    const size_t k = b->needs[r->smooth_linear].dims[1];
    float *s = malloc(k * sizeof *s);
    if (!s)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory to smooth '%s'", t->name);
    const wsam_status status = compute(b, r, s, error);
    const size_t rows = r->smooth_kind == SMOOTH_LINEAR ? t->dims[0] : 1;
    for (size_t i = 0; !status && i < rows; i++)
        for (size_t j = 0; j < k; j++) {
            float *v = &values[i * k + j];
            *v = r->smooth_kind == SMOOTH_LINEAR ? *v * s[j] : *v / s[j];
        }
    free(s);
    return status;
}

static wsam_status make_copy(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    return ws_fetch(b, r->need[0], out, error);
}

static ws_ref store_smoothed(ws_builder *b, ws_role role, int need, const ws_recipe *made, int kind,
                             const int pair[3])
{
    ws_recipe r = made ? *made : ws_recipe_new(make_copy);
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

ws_norm_linear ws_store_norm_linear(ws_builder *b, int norm_weight, int norm_bias, int weight,
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
