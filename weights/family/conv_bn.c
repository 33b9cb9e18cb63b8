/* weights/family/conv_bn.c - a convolution with the BatchNorm behind it folded into it, in double.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "weights/family/family.h"

#define EPS_BATCH_NORM 1e-5

enum { NO_EPS, REVERSED }; /* args of both recipes */

/* BatchNorm as y = x*s + t; needs 1..4 are weight, bias, running_mean, running_var. */
static wsam_status batch_norm(ws_builder *b, const ws_recipe *r, size_t n, double *s, double *t,
                              wsam_error *error)
{
    float *v = malloc(4 * n * sizeof *v);
    wsam_status status = v ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a BatchNorm");
    for (int i = 0; i < 4 && !status; i++)
        status = ws_builder_fetch(b, r->need[1 + i], v + (size_t)i * n, error);
    for (size_t j = 0; !status && j < n; j++) {
        s[j] = (double)v[j] / sqrt((double)v[3 * n + j] + (r->arg[NO_EPS] ? 0.0 : EPS_BATCH_NORM));
        t[j] = (double)v[n + j] - (double)v[2 * n + j] * s[j];
    }
    free(v);
    return status;
}

/* [O,I,kh,kw] times the norm's scale -> [O,kh,kw,I], input channels last to first if REVERSED */
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
        status = ws_builder_fetch(b, r->need[0], in, error);
    if (!status)
        status = batch_norm(b, r, o, s, s + o, error);
    for (size_t i = 0; !status && i < o; i++)
        for (size_t j = 0; j < c; j++)
            for (size_t t = 0; t < taps; t++)
                out[(i * taps + t) * c + (r->arg[REVERSED] ? c - 1 - j : j)] =
                    (float)((double)in[(i * c + j) * taps + t] * s[i]);
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

ws_folded ws_conv_bn_store_folded(ws_builder *b, ws_role role, const ws_normed_conv *c)
{
    char stored[160];
    const uint32_t k = (uint32_t)c->kernel, dims[4] = {c->out, k, k, c->depth};
    ws_folded f;
    ws_recipe weight = ws_builder_recipe_new(make_folded_weight);
    weight.need[0] = ws_need_4d(b, c->out, c->depth, k, k, "%s.weight", c->conv);
    weight.need[1] = ws_need_1d(b, c->out, "%s.weight", c->norm);
    weight.need[2] = ws_need_1d(b, c->out, "%s.bias", c->norm);
    weight.need[3] = ws_need_1d(b, c->out, "%s.running_mean", c->norm);
    weight.need[4] = ws_need_1d(b, c->out, "%s.running_var", c->norm);
    weight.arg[NO_EPS] = c->no_eps;
    weight.arg[REVERSED] = c->reversed;
    ws_recipe bias = weight;
    bias.make = make_folded_bias;
    snprintf(stored, sizeof stored, "%s.weight", c->conv);
    f.weight = ws_store_made(b, role, stored, 4, dims, &weight);
    snprintf(stored, sizeof stored, "%s.bias", c->conv);
    f.bias = ws_store_made(b, WS_ROLE_EXACT, stored, 1, dims, &bias);
    return f;
}

ws_ref ws_describe_conv_bn(ws_builder *b, ws_role role, ws_ref x, const ws_conv_bn *c)
{
    char conv[128], norm[128];
    snprintf(conv, sizeof conv, "%s%s.c", c->prefix, c->name);
    snprintf(norm, sizeof norm, "%s%s.bn", c->prefix, c->name);
    const ws_normed_conv folded = {.conv = conv,
                                   .norm = norm,
                                   .out = c->out,
                                   .depth = c->depthwise ? 1 : c->in,
                                   .kernel = c->kernel};
    const ws_folded f = ws_conv_bn_store_folded(b, role, &folded);
    return ws_conv(b, c->name, x, f.weight, f.bias, c->stride, c->kernel / 2,
                   c->depthwise ? (int)c->in : 1);
}
