/* weights/family/plain_vit.c - see plain_vit.h. */
#include "weights/family/plain_vit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PIXELS = 16384 }; /* of a side */

uint32_t ws_plain_depth(const ws_source *s)
{
    char name[64];
    for (uint32_t i = 0; i < WS_MAX_DEPTH; i++) {
        snprintf(name, sizeof name, "blocks.%u.attn.qkv.weight", i);
        if (!ws_source_find(s, name))
            return i;
    }
    return WS_MAX_DEPTH;
}

uint32_t ws_plain_side(uint32_t cells)
{
    uint32_t r = 0;
    while ((r + 1) * (r + 1) <= cells && r < 4096)
        r++;
    return r * r == cells ? r : 0;
}

double ws_plain_scale(const ws_plain_vit *v)
{
    return 1.0 / sqrt((double)v->width / v->heads);
}

/* ---- tokens ---- */

ws_ref ws_plain_input(ws_builder *b, uint32_t patch, uint32_t multiple, uint32_t symbols[2])
{
    const uint32_t most = MOST_PIXELS - MOST_PIXELS % multiple;
    symbols[0] = ws_symbol(b, "height", patch, most, multiple);
    symbols[1] = ws_symbol(b, "width", patch, most, multiple);
    const int32_t image[3] = {-1 - (int32_t)symbols[0], -1 - (int32_t)symbols[1], 3};
    return ws_input(b, "image", WSAM_F32, WSAM_RATE_IMAGE, 3, image);
}

/* The rows of need[0] behind the prefix's. arg: skipped rows, patches, width. */
static wsam_status make_positions(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const size_t width = (size_t)r->arg[2], skip = (size_t)r->arg[0] * width,
                 n = (size_t)r->arg[1] * width;
    float *rows = malloc((skip + n) * sizeof *rows);
    if (!rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the position table");
    const wsam_status status = ws_builder_fetch(b, r->need[0], rows, error);
    if (!status)
        memcpy(out, rows + skip, n * sizeof *out);
    free(rows);
    return status;
}

ws_plain_tokens ws_plain_join(ws_builder *b, const ws_plain_vit *v, ws_ref patches, int positions,
                              uint32_t skip, ws_ref prefix, const uint32_t symbols[2])
{
    const uint32_t table[3] = {v->side, v->side, v->width};
    ws_plain_tokens t;
    ws_recipe r = ws_builder_recipe_new(make_positions);
    r.need[0] = positions;
    r.arg[0] = skip;
    r.arg[1] = (int64_t)v->side * v->side;
    r.arg[2] = v->width;
    const ws_ref in[] = {[WS_ADD_POSITIONS_X] = patches,
                         [WS_ADD_POSITIONS_TABLE] =
                             ws_store_made(b, WS_ROLE_EXACT, "pos_embed", 3, table, &r)};
    t.grid = ws_op(b, "add_positions", "pos_embed", WS_ADD_POSITIONS_INPUTS, in);
    if (v->mode) {
        ws_attr_string(b, "mode", v->mode);
    } else {
        ws_attr_symbol(b, "height", symbols[0]);
        ws_attr_symbol(b, "width", symbols[1]);
    }
    ws_ref x = ws_op(b, "reshape", "patches", WS_UNARY_INPUTS, &t.grid);
    ws_attr_int(b, "dim0", -1);
    ws_attr_int(b, "dim1", v->width);
    const ws_ref both[2] = {prefix, x};
    x = ws_op(b, "concat", "tokens", 2, both);
    t.x = ws_op(b, "reshape", "tokens", WS_UNARY_INPUTS, &x);
    ws_attr_int(b, "dim0", 1);
    ws_attr_int(b, "dim1", -1);
    ws_attr_int(b, "dim2", v->width);
    return t;
}

/* ---- LayerScale ---- */

/* need[0] [n][k], or [n] with k = 1, every row times its factor of need[1] [n]. arg: n, k. */
static wsam_status make_scaled(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const size_t n = (size_t)r->arg[0], k = (size_t)r->arg[1];
    float *gamma = malloc(n * sizeof *gamma);
    if (!gamma)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a LayerScale");
    wsam_status status = ws_builder_fetch(b, r->need[1], gamma, error);
    if (!status)
        status = ws_builder_fetch(b, r->need[0], out, error);
    for (size_t i = 0; !status && i < n * k; i++)
        out[i] *= gamma[i / k];
    free(gamma);
    return status;
}

/* Weight and bias [width] of a product whose output goes to the residual, with the block's
 * LayerScale (one factor per output channel) folded in before anything is quantized. */
static void store_scaled(ws_builder *b, const ws_plain_vit *v, uint32_t block, const char *name,
                         const char *gamma, uint32_t k, ws_ref out[2])
{
    const uint32_t n = v->width, dims[2] = {n, k};
    const int need[2] = {ws_need_2d(b, n, k, "blocks.%u.%s.weight", block, name),
                         ws_need_1d(b, n, "blocks.%u.%s.bias", block, name)};
    ws_recipe r = ws_builder_recipe_new(make_scaled);
    r.need[1] = ws_need_1d(b, n, "blocks.%u.%s.gamma", block, gamma);
    for (int i = 0; i < 2; i++) {
        char text[96];
        snprintf(text, sizeof text, "blocks.%u.%s.%s", block, name, i ? "bias" : "weight");
        r.need[0] = need[i];
        r.arg[0] = n;
        r.arg[1] = i ? 1 : k;
        out[i] = ws_store_made(b, i ? WS_ROLE_EXACT : WS_ROLE_LINEAR, text, i ? 1 : 2, dims, &r);
    }
}

/* ---- blocks ---- */

ws_ref ws_plain_qkv(ws_builder *b, const ws_plain_vit *v, ws_ref x, uint32_t block)
{
    const uint32_t d = v->width;
    char name[64];
    const ws_norm_linear qkv =
        ws_smooth_norm_linear(b, ws_need_1d(b, d, "blocks.%u.norm1.weight", block),
                              ws_need_1d(b, d, "blocks.%u.norm1.bias", block),
                              ws_need_2d(b, 3 * d, d, "blocks.%u.attn.qkv.weight", block),
                              ws_need_1d(b, 3 * d, "blocks.%u.attn.qkv.bias", block), NULL);
    snprintf(name, sizeof name, "blocks.%u.norm1", block);
    x = ws_layer_norm(b, name, x, qkv.norm_weight, qkv.norm_bias, WS_PLAIN_EPS);
    snprintf(name, sizeof name, "blocks.%u.attn.qkv", block);
    return ws_linear(b, name, x, qkv.weight, qkv.bias);
}

ws_ref ws_plain_attention(ws_builder *b, const ws_plain_vit *v, ws_ref qkv, uint32_t block)
{
    char name[64];
    ws_ref proj[2];
    snprintf(name, sizeof name, "blocks.%u.attn", block);
    const ws_ref y = ws_op(b, "attention", name, WS_ATTENTION_QKV + 1, &qkv);
    ws_attr_int(b, "heads", v->heads);
    ws_attr_float(b, "scale", ws_plain_scale(v));
    ws_attr_string(b, "bias", "none");
    ws_attr_compute(b);
    if (v->layer_scale) {
        store_scaled(b, v, block, "attn.proj", "ls1", v->width, proj);
    } else {
        proj[0] = ws_store(b, WS_ROLE_LINEAR,
                           ws_need_2d(b, v->width, v->width, "blocks.%u.attn.proj.weight", block));
        proj[1] =
            ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, v->width, "blocks.%u.attn.proj.bias", block));
    }
    snprintf(name, sizeof name, "blocks.%u.attn.proj", block);
    return ws_linear(b, name, y, proj[0], proj[1]);
}

ws_ref ws_plain_mlp(ws_builder *b, const ws_plain_vit *v, ws_ref x, uint32_t block)
{
    char prefix[64];
    ws_ref second[2];
    snprintf(prefix, sizeof prefix, "blocks.%u.", block);
    ws_mlp_names names = {prefix, "norm2", "mlp.fc1", "mlp.fc2", NULL};
    if (v->layer_scale) {
        store_scaled(b, v, block, "mlp.fc2", "ls2", v->mlp, second);
        names.stored = second;
    }
    return ws_vit_mlp(b, x, &names, v->width, v->mlp, WS_PLAIN_EPS);
}
