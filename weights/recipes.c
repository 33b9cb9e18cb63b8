/* weights/recipes.c - how stored tensors are made from checkpoint tensors: layouts that families
 * share. */
#include <stdlib.h>
#include <string.h>

#include "weights/builder_internal.h"

static size_t elements(const ws_need *need)
{
    size_t n = 1;
    for (int d = 0; d < need->rank; d++)
        n *= need->dims[d];
    return n;
}

/* [O,I,kh,kw] -> [O,kh,kw,I] */
static wsam_status make_conv(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const ws_need *need = &b->needs[r->need[0]];
    const size_t o = need->dims[0], c = need->dims[1];
    const size_t taps = (size_t)need->dims[2] * need->dims[3];
    float *in = malloc(elements(need) * sizeof *in);
    if (!in)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for tensor '%s'", need->name);
    const wsam_status status = ws_builder_fetch(b, r->need[0], in, error);
    for (size_t i = 0; !status && i < o; i++)
        for (size_t j = 0; j < c; j++)
            for (size_t t = 0; t < taps; t++)
                out[(i * taps + t) * c + j] = in[(i * c + j) * taps + t];
    free(in);
    return status;
}

ws_ref ws_store_conv(ws_builder *b, ws_role role, int need)
{
    if (b->status)
        return WS_REF_NONE;
    const uint32_t *d = b->needs[need].dims;
    const uint32_t dims[4] = {d[0], d[2], d[3], d[1]};
    ws_recipe r = ws_builder_recipe_new(make_conv);
    r.need[0] = need;
    return ws_store_made(b, role, b->needs[need].name, 4, dims, &r);
}

/* [I,O,s,s] -> [s,s,O,I] */
static wsam_status make_conv_transpose(ws_builder *b, const ws_recipe *r, float *out,
                                       wsam_error *error)
{
    const ws_need *need = &b->needs[r->need[0]];
    const size_t c = need->dims[0], o = need->dims[1];
    const size_t taps = (size_t)need->dims[2] * need->dims[3];
    float *in = malloc(elements(need) * sizeof *in);
    if (!in)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for tensor '%s'", need->name);
    const wsam_status status = ws_builder_fetch(b, r->need[0], in, error);
    for (size_t j = 0; !status && j < c; j++)
        for (size_t i = 0; i < o; i++)
            for (size_t t = 0; t < taps; t++)
                out[(t * o + i) * c + j] = in[(j * o + i) * taps + t];
    free(in);
    return status;
}

ws_ref ws_store_conv_transpose(ws_builder *b, ws_role role, int need)
{
    if (b->status)
        return WS_REF_NONE;
    const uint32_t *d = b->needs[need].dims;
    const uint32_t dims[4] = {d[2], d[3], d[1], d[0]};
    ws_recipe r = ws_builder_recipe_new(make_conv_transpose);
    r.need[0] = need;
    return ws_store_made(b, role, b->needs[need].name, 4, dims, &r);
}

/* [N][C * cells] -> [N][cells * C]; arg: cells. */
static wsam_status make_channels_last(ws_builder *b, const ws_recipe *r, float *out,
                                      wsam_error *error)
{
    const uint32_t *dims = b->needs[r->need[0]].dims;
    const size_t n = dims[0], k = dims[1], cells = (size_t)r->arg[0], channels = k / cells;
    float *in = malloc(k * sizeof *in * n);
    if (!in)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for tensor '%s'",
                       b->needs[r->need[0]].name);
    const wsam_status status = ws_builder_fetch(b, r->need[0], in, error);
    for (size_t i = 0; !status && i < n; i++)
        for (size_t c = 0; c < channels; c++)
            for (size_t j = 0; j < cells; j++)
                out[i * k + j * channels + c] = in[i * k + c * cells + j];
    free(in);
    return status;
}

ws_ref ws_store_channels_last(ws_builder *b, ws_role role, int need, uint32_t cells)
{
    if (b->status)
        return WS_REF_NONE;
    ws_recipe r = ws_builder_recipe_new(make_channels_last);
    r.need[0] = need;
    r.arg[0] = cells;
    return cells > 1 ? ws_store_made(b, role, b->needs[need].name, 2, b->needs[need].dims, &r)
                     : ws_store(b, role, need);
}

/* Rows of several needs under each other; a need of -1 is a row of zeros of arg[0] values. */
static wsam_status make_rows(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    for (int i = 0; i < 6 && r->need[i] != -2; i++) {
        const size_t n = r->need[i] < 0 ? (size_t)r->arg[0] : elements(&b->needs[r->need[i]]);
        if (r->need[i] < 0) {
            memset(out, 0, n * sizeof *out);
        } else {
            const wsam_status status = ws_builder_fetch(b, r->need[i], out, error);
            if (status)
                return status;
        }
        out += n;
    }
    return WSAM_OK;
}

ws_ref ws_store_rows(ws_builder *b, const char *name, int n, const int *needs)
{
    uint32_t dims[2] = {0, 0};
    if (b->status)
        return WS_REF_NONE;
    ws_recipe r = ws_builder_recipe_new(make_rows);
    for (int i = 0; i < 6; i++)
        r.need[i] = i < n ? needs[i] : -2;
    for (int i = 0; i < n; i++) {
        dims[0] += needs[i] < 0 ? 1 : b->needs[needs[i]].dims[0];
        if (needs[i] >= 0)
            dims[1] = b->needs[needs[i]].dims[1];
    }
    r.arg[0] = dims[1];
    return ws_store_made(b, WS_ROLE_EXACT, name, 2, dims, &r);
}
