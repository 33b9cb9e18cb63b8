/* weights/family/conv_bn.c - a convolution with the BatchNorm behind it folded into it, in double.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "weights/family/family.h"

#define EPS_BATCH_NORM 1e-5

/* BatchNorm as y = x*s + t; needs 1..4 are weight, bias, running_mean, running_var. */
static wsam_status batch_norm(ws_builder *b, const ws_recipe *r, size_t n, double *s, double *t,
                              wsam_error *error)
{
    float *v = malloc(4 * n * sizeof *v);
    wsam_status status = v ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a BatchNorm");
    for (int i = 0; i < 4 && !status; i++)
        status = ws_fetch(b, r->need[1 + i], v + (size_t)i * n, error);
    for (size_t j = 0; !status && j < n; j++) {
        s[j] = (double)v[j] / sqrt((double)v[3 * n + j] + EPS_BATCH_NORM);
        t[j] = (double)v[n + j] - (double)v[2 * n + j] * s[j];
    }
    free(v);
    return status;
}

/* [O,I,kh,kw] times the norm's scale -> [O,kh,kw,I] */
static wsam_status make_folded_weight(ws_builder *b, const ws_recipe *r, float *out,
                                      wsam_error *error)
{
    const uint32_t *d = ws_need_at(b, (size_t)r->need[0])->dims;
    const size_t o = d[0], c = d[1], taps = (size_t)d[2] * d[3];
    float *in = malloc(o * c * taps * sizeof *in);
    double *s = malloc(2 * o * sizeof *s);
    wsam_status status =
        in && s ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a convolution");
    if (!status)
        status = ws_fetch(b, r->need[0], in, error);
    if (!status)
        status = batch_norm(b, r, o, s, s + o, error);
    for (size_t i = 0; !status && i < o; i++)
        for (size_t j = 0; j < c; j++)
            for (size_t t = 0; t < taps; t++)
                out[(i * taps + t) * c + j] = (float)((double)in[(i * c + j) * taps + t] * s[i]);
    free(in);
    free(s);
    return status;
}

static wsam_status make_folded_bias(ws_builder *b, const ws_recipe *r, float *out,
                                    wsam_error *error)
{
    const size_t o = ws_need_at(b, (size_t)r->need[0])->dims[0];
    double *s = malloc(2 * o * sizeof *s);
    wsam_status status = s ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a bias");
    if (!status)
        status = batch_norm(b, r, o, s, s + o, error);
    for (size_t i = 0; !status && i < o; i++)
        out[i] = (float)s[o + i];
    free(s);
    return status;
}

ws_ref ws_describe_conv_bn(ws_builder *b, ws_role role, ws_ref x, const ws_conv_bn *c)
{
    char stored[128];
    const uint32_t k = (uint32_t)c->kernel, depth = c->depthwise ? 1 : c->in;
    ws_recipe weight = ws_recipe_new(make_folded_weight);
    weight.need[0] = ws_need_4d(b, c->out, depth, k, k, "%s%s.c.weight", c->prefix, c->name);
    weight.need[1] = ws_need_1d(b, c->out, "%s%s.bn.weight", c->prefix, c->name);
    weight.need[2] = ws_need_1d(b, c->out, "%s%s.bn.bias", c->prefix, c->name);
    weight.need[3] = ws_need_1d(b, c->out, "%s%s.bn.running_mean", c->prefix, c->name);
    weight.need[4] = ws_need_1d(b, c->out, "%s%s.bn.running_var", c->prefix, c->name);
    ws_recipe bias = weight;
    bias.make = make_folded_bias;
    const uint32_t dims[4] = {c->out, k, k, depth};
    snprintf(stored, sizeof stored, "%s%s.c.weight", c->prefix, c->name);
    const ws_ref w = ws_store_made(b, role, stored, 4, dims, &weight);
    snprintf(stored, sizeof stored, "%s%s.c.bias", c->prefix, c->name);
    const ws_ref t = ws_store_made(b, WS_ROLE_EXACT, stored, 1, dims, &bias);
    return ws_conv(b, c->name, x, w, t, c->stride, c->kernel / 2, c->depthwise ? (int)c->in : 1);
}
