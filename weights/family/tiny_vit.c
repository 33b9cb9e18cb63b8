/* weights/family/tiny_vit.c - MobileSAM's TinyViT encoder (MobileSAM
 * mobile_sam/modeling/tiny_vit_sam.py). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/family/family.h"

#define EPS_TINY 1e-5

/* ---- recipes ---- */

static const ws_need *need_of(ws_builder *b, const ws_recipe *r, int i)
{
    return ws_need_at(b, (size_t)r->need[i]);
}

/* Row of part-major qkv (all q, all k, all v) in the checkpoint's per-head order (q, k, v of head
 * 0, ...). */
static size_t interleaved_row(size_t i, size_t width, size_t heads)
{
    const size_t head_dim = width / heads, part = i / width, within = i % width;
    return within / head_dim * 3 * head_dim + part * head_dim + within % head_dim;
}

/* need 0 [3D, ...] with its rows in part-major order; arg: D, heads. */
static wsam_status make_part_major(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const ws_need *need = need_of(b, r, 0);
    const size_t rows = need->dims[0], k = need->rank > 1 ? need->dims[1] : 1;
    float *in = malloc(rows * k * sizeof *in);
    if (!in)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for '%s'", need->name);
    const wsam_status status = ws_builder_fetch(b, r->need[0], in, error);
    for (size_t i = 0; !status && i < rows; i++)
        memcpy(out + i * k, in + interleaved_row(i, (size_t)r->arg[0], (size_t)r->arg[1]) * k,
               k * sizeof *out);
    free(in);
    return status;
}

/* q, k, v of a pad token: pads are zeros before the norm, so they enter the product as the norm's
 * bias. needs: qkv weight, qkv bias, norm bias; arg: D, heads. */
static wsam_status make_pad(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const size_t d = (size_t)r->arg[0];
    float *w = malloc((3 * d * d + 4 * d) * sizeof *w);
    if (!w)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for pad tokens");
    float *bias = w + 3 * d * d, *norm = bias + 3 * d;
    wsam_status status = ws_builder_fetch(b, r->need[0], w, error);
    if (!status)
        status = ws_builder_fetch(b, r->need[1], bias, error);
    if (!status)
        status = ws_builder_fetch(b, r->need[2], norm, error);
    for (size_t i = 0; !status && i < 3 * d; i++) {
        const size_t row = interleaved_row(i, d, (size_t)r->arg[1]);
        double sum = bias[row];
        for (size_t j = 0; j < d; j++)
            sum += (double)w[row * d + j] * (double)norm[j];
        out[i] = (float)sum;
    }
    free(w);
    return status;
}

/* [heads, ws*ws] over absolute offsets -> [heads, (2ws-1)^2] over signed ones; arg: ws. */
static wsam_status make_bias_table(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const ws_need *need = need_of(b, r, 0);
    const int side = (int)r->arg[0], span = 2 * side - 1;
    const size_t heads = need->dims[0], area = (size_t)(side * side);
    float *in = malloc(heads * area * sizeof *in);
    if (!in)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for '%s'", need->name);
    const wsam_status status = ws_builder_fetch(b, r->need[0], in, error);
    for (size_t h = 0; !status && h < heads; h++)
        for (int i = 0; i < span * span; i++) {
            const int dy = abs(i / span - (side - 1)), dx = abs(i % span - (side - 1));
            *out++ = in[h * area + (size_t)(dy * side + dx)];
        }
    free(in);
    return status;
}

/* ---- convolutions ---- */

static ws_ref conv_bn(ws_builder *b, ws_role role, const char *name, ws_ref x, uint32_t in,
                      uint32_t out, int kernel, int stride, int depthwise)
{
    const ws_conv_bn conv = {"image_encoder.", name, in, out, kernel, stride, depthwise};
    return ws_describe_conv_bn(b, role, x, &conv);
}

static ws_ref gelu(ws_builder *b, const char *name, ws_ref x)
{
    return ws_activation(b, name, x, "gelu");
}

/* Expand, depthwise, project: MBConv (with its residual) and PatchMerging share it. */
static ws_ref describe_inverted(ws_builder *b, const char *prefix, ws_ref x, uint32_t in,
                                uint32_t hidden, uint32_t out, int stride)
{
    char name[96];
    snprintf(name, sizeof name, "%s.conv1", prefix);
    x = gelu(b, name, conv_bn(b, WS_ROLE_LINEAR, name, x, in, hidden, 1, 1, 0));
    snprintf(name, sizeof name, "%s.conv2", prefix);
    x = gelu(b, name, conv_bn(b, WS_ROLE_EXACT, name, x, hidden, hidden, 3, stride, 1));
    snprintf(name, sizeof name, "%s.conv3", prefix);
    return conv_bn(b, WS_ROLE_LINEAR, name, x, hidden, out, 1, 1, 0);
}

static ws_ref describe_mbconv(ws_builder *b, uint32_t block, ws_ref x, uint32_t c, uint32_t expand)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "layers.0.blocks.%u", block);
    const ws_ref y = describe_inverted(b, prefix, x, c, c * expand, c, 1);
    return gelu(b, prefix, ws_add(b, prefix, y, x));
}

/* ---- transformer block ---- */

static ws_ref part_major(ws_builder *b, const char *name, int need, int rank, const uint32_t *dims,
                         const ws_recipe *recipe)
{
    ws_recipe r = *recipe;
    r.need[0] = need;
    return ws_store_made(b, WS_ROLE_EXACT, name, rank, dims, &r);
}

typedef struct tiny_block {
    const char *prefix; /* "layers.1.blocks.0" */
    uint32_t width, heads, window;
} tiny_block;

static ws_ref describe_attention(ws_builder *b, const tiny_block *t, ws_ref x)
{
    const uint32_t d = t->width, d3 = 3 * d;
    char name[128];
    ws_recipe reorder = ws_builder_recipe_new(make_part_major);
    reorder.arg[0] = d;
    reorder.arg[1] = t->heads;
    const int weight = ws_need_2d(b, d3, d, "image_encoder.%s.attn.qkv.weight", t->prefix);
    const int bias = ws_need_1d(b, d3, "image_encoder.%s.attn.qkv.bias", t->prefix);
    const int norm_weight = ws_need_1d(b, d, "image_encoder.%s.attn.norm.weight", t->prefix);
    const int norm_bias = ws_need_1d(b, d, "image_encoder.%s.attn.norm.bias", t->prefix);
    reorder.need[0] = weight;
    const ws_norm_linear qkv =
        ws_smooth_norm_linear(b, norm_weight, norm_bias, weight, -1, &reorder);
    snprintf(name, sizeof name, "image_encoder.%s.attn.qkv.bias", t->prefix);
    const ws_ref qkv_bias = part_major(b, name, bias, 1, &d3, &reorder);
    ws_recipe pad = ws_builder_recipe_new(make_pad);
    pad.need[0] = weight;
    pad.need[1] = bias;
    pad.need[2] = norm_bias;
    pad.arg[0] = d;
    pad.arg[1] = t->heads;
    snprintf(name, sizeof name, "image_encoder.%s.attn.pad", t->prefix);
    const ws_ref pad_tensor = ws_store_made(b, WS_ROLE_EXACT, name, 1, &d3, &pad);
    const uint32_t span = 2 * t->window - 1, table_dims[2] = {t->heads, span * span};
    ws_recipe table = ws_builder_recipe_new(make_bias_table);
    table.need[0] = ws_need_2d(b, t->heads, t->window * t->window,
                               "image_encoder.%s.attn.attention_biases", t->prefix);
    table.arg[0] = t->window;
    snprintf(name, sizeof name, "image_encoder.%s.attn.attention_biases", t->prefix);
    const ws_ref table_tensor = ws_store_made(b, WS_ROLE_EXACT, name, 2, table_dims, &table);

    snprintf(name, sizeof name, "%s.attn.norm", t->prefix);
    ws_ref y = ws_layer_norm(b, name, x, qkv.norm_weight, qkv.norm_bias, EPS_TINY);
    snprintf(name, sizeof name, "%s.attn.qkv", t->prefix);
    y = ws_linear(b, name, y, qkv.weight, qkv_bias);
    const ws_ref in[] = {[WS_ATTENTION_QKV] = y,
                         [WS_ATTENTION_REL_H] = WS_REF_NONE,
                         [WS_ATTENTION_REL_W] = WS_REF_NONE,
                         [WS_ATTENTION_TABLE] = table_tensor,
                         [WS_ATTENTION_PAD] = pad_tensor};
    snprintf(name, sizeof name, "%s.attn", t->prefix);
    y = ws_op(b, "attention", name, WS_ATTENTION_INPUTS, in);
    ws_attr_int(b, "heads", t->heads);
    ws_attr_int(b, "window", t->window);
    ws_attr_float(b, "scale", 1.0 / sqrt((double)d / t->heads));
    ws_attr_string(b, "bias", "table");
    ws_attr_compute(b);
    snprintf(name, sizeof name, "%s.attn.proj", t->prefix);
    y = ws_linear(
        b, name, y,
        ws_store(b, WS_ROLE_LINEAR,
                 ws_need_2d(b, d, d, "image_encoder.%s.attn.proj.weight", t->prefix)),
        ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, d, "image_encoder.%s.attn.proj.bias", t->prefix)));
    return ws_add(b, name, y, x);
}

static ws_ref describe_block(ws_builder *b, const tiny_block *t, ws_ref x, uint32_t mlp_ratio)
{
    char name[96], prefix[96];
    x = describe_attention(b, t, x);
    snprintf(name, sizeof name, "%s.local_conv", t->prefix);
    x = conv_bn(b, WS_ROLE_EXACT, name, x, t->width, t->width, 3, 1, 1);
    snprintf(prefix, sizeof prefix, "image_encoder.%s.mlp.", t->prefix);
    const ws_mlp_names names = {prefix, "norm", "fc1", "fc2", NULL};
    return ws_vit_mlp(b, x, &names, t->width, mlp_ratio * t->width, EPS_TINY);
}

/* The classifier that came with the pretrained encoder and is never used. */
static void describe_unused(ws_builder *b, const ws_tiny_config *t)
{
    if (!t->classes)
        return;
    ws_need_unused(b, ws_need_1d(b, t->dims[3], "image_encoder.norm_head.weight"));
    ws_need_unused(b, ws_need_1d(b, t->dims[3], "image_encoder.norm_head.bias"));
    ws_need_unused(b, ws_need_2d(b, t->classes, t->dims[3], "image_encoder.head.weight"));
    ws_need_unused(b, ws_need_1d(b, t->classes, "image_encoder.head.bias"));
}

void ws_describe_tiny_encoder(const ws_family *family, ws_builder *b)
{
    const ws_tiny_config *t = &family->tiny;
    const int32_t image[3] = {(int32_t)t->image, (int32_t)t->image, 3};
    char name[64];
    ws_graph_begin(b, "image_encoder");
    ws_ref x = ws_input(b, "image", WSAM_F32, WSAM_RATE_IMAGE, 3, image);
    x = gelu(b, "patch_embed.seq.0",
             conv_bn(b, WS_ROLE_FLOAT, "patch_embed.seq.0", x, 3, t->dims[0] / 2, 3, 2, 0));
    x = conv_bn(b, WS_ROLE_FLOAT, "patch_embed.seq.2", x, t->dims[0] / 2, t->dims[0], 3, 2, 0);
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = 0; j < t->depths[i]; j++) {
            snprintf(name, sizeof name, "layers.%u.blocks.%u", i, j);
            const tiny_block block = {name, t->dims[i], t->heads[i], t->windows[i]};
            x = i ? describe_block(b, &block, x, t->mlp_ratio)
                  : describe_mbconv(b, j, x, t->dims[0], t->expand);
        }
        if (i == 3)
            break;
        snprintf(name, sizeof name, "layers.%u.downsample", i);
        /* the source keeps stride 1 into a last stage of 320, 448 or 576 channels */
        x = describe_inverted(b, name, x, t->dims[i], t->dims[i + 1], t->dims[i + 1],
                              i < 2 ? 2 : 1);
    }
    describe_unused(b, t);
    ws_vit_neck(b, x, t->dims[3], t->out);
}
