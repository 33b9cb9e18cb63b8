/* weights/family/vit.c - plain ViT encoders: SAM (windows, decomposed relative positions) and
 * EfficientSAM (all global, no bias). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/resize.h"
#include "weights/family/family.h"

#define EPS_VIT 1e-6

void ws_vit_neck(ws_builder *b, ws_ref x, uint32_t in, uint32_t out)
{
    ws_ref w = ws_store_conv(b, WS_ROLE_FLOAT,
                             ws_need_4d(b, out, in, 1, 1, "image_encoder.neck.0.weight"));
    x = ws_conv(b, "neck.0", x, w, WS_REF_NONE, 1, 0, 1);
    x = ws_layer_norm(b, "neck.1", x,
                      ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, out, "image_encoder.neck.1.weight")),
                      ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, out, "image_encoder.neck.1.bias")),
                      EPS_VIT);
    w = ws_store_conv(b, WS_ROLE_FLOAT,
                      ws_need_4d(b, out, out, 3, 3, "image_encoder.neck.2.weight"));
    x = ws_conv(b, "neck.2", x, w, WS_REF_NONE, 1, 1, 1);
    x = ws_layer_norm(b, "neck.3", x,
                      ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, out, "image_encoder.neck.3.weight")),
                      ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, out, "image_encoder.neck.3.bias")),
                      EPS_VIT);
    ws_output(b, "embedding", x);
}

/* Operators are named without the encoder they all belong to. */
static const char *short_prefix(const char *prefix)
{
    static const char encoder[] = "image_encoder.";
    return strncmp(prefix, encoder, sizeof encoder - 1) == 0 ? prefix + sizeof encoder - 1 : prefix;
}

ws_ref ws_vit_mlp(ws_builder *b, ws_ref x, const ws_mlp_names *n, uint32_t width, uint32_t hidden,
                  double eps)
{
    char name[128];
    const int first = ws_need_2d(b, hidden, width, "%s%s.weight", n->prefix, n->first);
    const ws_norm_linear nl =
        ws_smooth_norm_linear(b, ws_need_1d(b, width, "%s%s.weight", n->prefix, n->norm),
                              ws_need_1d(b, width, "%s%s.bias", n->prefix, n->norm), first,
                              ws_need_1d(b, hidden, "%s%s.bias", n->prefix, n->first), NULL);
    ws_ref second[2];
    if (n->stored) {
        memcpy(second, n->stored, sizeof second);
    } else {
        second[0] = ws_store(b, WS_ROLE_LINEAR,
                             ws_need_2d(b, width, hidden, "%s%s.weight", n->prefix, n->second));
        second[1] =
            ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, width, "%s%s.bias", n->prefix, n->second));
    }
    snprintf(name, sizeof name, "%.60s%.40s", short_prefix(n->prefix), n->norm);
    ws_ref y = ws_layer_norm(b, name, x, nl.norm_weight, nl.norm_bias, eps);
    snprintf(name, sizeof name, "%.60s%.40s", short_prefix(n->prefix), n->first);
    y = ws_linear(b, name, y, nl.weight, nl.bias);
    y = ws_activation(b, name, y, "gelu");
    snprintf(name, sizeof name, "%.60s%.40s", short_prefix(n->prefix), n->second);
    y = ws_linear(b, name, y, second[0], second[1]);
    return ws_add(b, name, y, x);
}

/* ---- position tables ---- */

/* A square position table on another grid: EfficientSAM's bicubic, behind a class row that is
 * dropped; SAM's bilinear. arg: stored side, grid, width, class rows. */
static wsam_status make_position(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const size_t side = (size_t)r->arg[0], grid = (size_t)r->arg[1], width = (size_t)r->arg[2];
    const size_t class_rows = (size_t)r->arg[3];
    const wsam_resize_kernels *k = &ws_kernels_find("c", NULL)->resize;
    float *table = malloc((side * side + class_rows) * width * sizeof *table);
    if (!table)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the position table");
    const wsam_status status = ws_builder_fetch(b, r->need[0], table, error);
    for (size_t y = 0; !status && y < grid; y++)
        (class_rows ? k->bicubic_row_f32 : k->bilinear_row_f32)(
            (int)side, (int)side, (int)width, table + class_rows * width, (int)grid, (int)grid,
            (int)y, out + y * grid * width);
    free(table);
    return status;
}

/* Relative positions for another grid, linear along the rows. arg: stored rows, rows, width. */
static wsam_status make_relative(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const size_t stored = (size_t)r->arg[0], rows = (size_t)r->arg[1], width = (size_t)r->arg[2];
    const wsam_resize_kernels *k = &ws_kernels_find("c", NULL)->resize;
    float *table = malloc(stored * width * sizeof *table);
    if (!table)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for relative positions");
    const wsam_status status = ws_builder_fetch(b, r->need[0], table, error);
    for (size_t y = 0; !status && y < rows; y++)
        k->bilinear_row_f32((int)stored, 1, (int)width, table, (int)rows, 1, (int)y,
                            out + y * width);
    free(table);
    return status;
}

static ws_ref describe_position(const ws_vit_config *v, ws_builder *b, int efficient)
{
    const uint32_t grid = v->image / v->patch, side = v->pos_side, d = v->width;
    const uint32_t map[3] = {grid, grid, d}, flat[3] = {1, side * side + 1, d};
    const uint32_t square[4] = {1, side, side, d};
    const int need = efficient ? ws_need_tensor(b, 3, flat, "image_encoder.pos_embed")
                               : ws_need_tensor(b, 4, square, "image_encoder.pos_embed");
    if (!efficient && side == grid)
        return ws_store_as(b, WS_ROLE_EXACT, need, 3, map);
    ws_recipe r = ws_builder_recipe_new(make_position);
    r.need[0] = need;
    r.arg[0] = side;
    r.arg[1] = grid;
    r.arg[2] = d;
    r.arg[3] = efficient;
    return ws_store_made(b, WS_ROLE_EXACT, "image_encoder.pos_embed", 3, map, &r);
}

static ws_ref describe_relative(ws_builder *b, uint32_t stored, uint32_t side, uint32_t head,
                                const char *name)
{
    const uint32_t rows = 2 * side - 1, dims[2] = {rows, head};
    const int need = ws_need_2d(b, 2 * stored - 1, head, "%s", name);
    if (stored == side)
        return ws_store(b, WS_ROLE_EXACT, need);
    ws_recipe r = ws_builder_recipe_new(make_relative);
    r.need[0] = need;
    r.arg[0] = 2 * (int64_t)stored - 1;
    r.arg[1] = rows;
    r.arg[2] = head;
    return ws_store_made(b, WS_ROLE_EXACT, name, 2, dims, &r);
}

static ws_ref describe_patches(const ws_vit_config *v, ws_builder *b, int efficient)
{
    const uint32_t d = v->width;
    const int32_t image[3] = {(int32_t)v->image, (int32_t)v->image, 3};
    ws_ref x = ws_input(b, "image", WSAM_F32, WSAM_RATE_IMAGE, 3, image);
    const ws_ref w = ws_store_conv(
        b, WS_ROLE_FLOAT,
        ws_need_4d(b, d, 3, v->patch, v->patch, "image_encoder.patch_embed.proj.weight"));
    const ws_ref bias =
        ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, d, "image_encoder.patch_embed.proj.bias"));
    x = ws_conv(b, "patch_embed", x, w, bias, (int)v->patch, 0, 1);
    return ws_add(b, "pos_embed", x, describe_position(v, b, efficient));
}

/* ---- blocks ---- */

static int is_global(const ws_vit_config *v, uint32_t block)
{
    for (uint32_t i = 0; i < v->n_global; i++)
        if (v->global[i] == block)
            return 1;
    return v->window == 0;
}

static ws_ref describe_attention(const ws_vit_config *v, ws_builder *b, ws_ref x, uint32_t block,
                                 int relative)
{
    const uint32_t d = v->width, window = is_global(v, block) ? 0 : v->window;
    const uint32_t side = window ? window : v->image / v->patch;
    char name[64], prefix[64];
    snprintf(prefix, sizeof prefix, "image_encoder.blocks.%u.", block);
    const ws_norm_linear qkv = ws_smooth_norm_linear(
        b, ws_need_1d(b, d, "%snorm1.weight", prefix), ws_need_1d(b, d, "%snorm1.bias", prefix),
        ws_need_2d(b, 3 * d, d, "%sattn.qkv.weight", prefix),
        ws_need_1d(b, 3 * d, "%sattn.qkv.bias", prefix), NULL);
    snprintf(name, sizeof name, "blocks.%u.norm1", block);
    ws_ref y = ws_layer_norm(b, name, x, qkv.norm_weight, qkv.norm_bias, EPS_VIT);
    snprintf(name, sizeof name, "blocks.%u.attn.qkv", block);
    y = ws_linear(b, name, y, qkv.weight, qkv.bias);
    ws_ref in[WS_ATTENTION_INPUTS] = {[WS_ATTENTION_QKV] = y,
                                      [WS_ATTENTION_REL_H] = WS_REF_NONE,
                                      [WS_ATTENTION_REL_W] = WS_REF_NONE,
                                      [WS_ATTENTION_TABLE] = WS_REF_NONE,
                                      [WS_ATTENTION_PAD] = WS_REF_NONE};
    if (relative) {
        const uint32_t stored = window ? window : (v->global_side ? v->global_side : v->pos_side);
        char table[96];
        snprintf(table, sizeof table, "%sattn.rel_pos_h", prefix);
        in[WS_ATTENTION_REL_H] = describe_relative(b, stored, side, d / v->heads, table);
        snprintf(table, sizeof table, "%sattn.rel_pos_w", prefix);
        in[WS_ATTENTION_REL_W] = describe_relative(b, stored, side, d / v->heads, table);
    }
    if (window)
        in[WS_ATTENTION_PAD] =
            qkv.bias; /* pad tokens are zeros after the norm: q, k and v are the bias */
    snprintf(name, sizeof name, "blocks.%u.attn", block);
    y = ws_op(b, "attention", name, WS_ATTENTION_INPUTS, in);
    ws_attr_int(b, "heads", v->heads);
    ws_attr_int(b, "window", window);
    ws_attr_float(b, "scale", 1.0 / sqrt((double)d / v->heads));
    ws_attr_string(b, "bias", relative ? "separable" : "none");
    ws_attr_compute(b);
    snprintf(name, sizeof name, "blocks.%u.attn.proj", block);
    y = ws_linear(b, name, y,
                  ws_store(b, WS_ROLE_LINEAR, ws_need_2d(b, d, d, "%sattn.proj.weight", prefix)),
                  ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, d, "%sattn.proj.bias", prefix)));
    return ws_add(b, name, y, x);
}

static void describe_encoder(const ws_family *family, ws_builder *b, int efficient)
{
    const ws_vit_config *v = &family->vit;
    ws_graph_begin(b, "image_encoder");
    ws_ref x = describe_patches(v, b, efficient);
    for (uint32_t i = 0; i < v->depth; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "image_encoder.blocks.%u.", i);
        const ws_mlp_names names = {prefix, "norm2", efficient ? "mlp.fc1" : "mlp.lin1",
                                    efficient ? "mlp.fc2" : "mlp.lin2", NULL};
        x = describe_attention(v, b, x, i, !efficient);
        x = ws_vit_mlp(b, x, &names, v->width, v->mlp, EPS_VIT);
    }
    ws_vit_neck(b, x, v->width, v->out);
}

void ws_vit_sam_encoder(const ws_family *family, ws_builder *b)
{
    describe_encoder(family, b, 0);
}

void ws_vit_efficient_encoder(const ws_family *family, ws_builder *b)
{
    describe_encoder(family, b, 1);
}
