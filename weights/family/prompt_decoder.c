/* weights/family/prompt_decoder.c - prompt encoder and two-way mask decoder of SAM, MobileSAM and
 * EfficientSAM as the graphs `mask_decoder` and `mask_decoder_with_mask`. */
#include <stdio.h>

#include "weights/family/family.h"

#define EPS_DECODER 1e-5 /* every LayerNorm of the transformer */
#define EPS_MAP     1e-6 /* LayerNorm2d */

/* Names that differ between the two dresses. */
typedef struct names {
    const char *mlp_first, *mlp_second;
    const char *hyper[3], *iou[3]; /* "layers.0", ... */
    const char *up1, *up_norm, *up2;
} names;

static const names sam_names = {"mlp.lin1",
                                "mlp.lin2",
                                {"layers.0", "layers.1", "layers.2"},
                                {"layers.0", "layers.1", "layers.2"},
                                "output_upscaling.0",
                                "output_upscaling.1",
                                "output_upscaling.3"};
static const names efficient_names = {"mlp.layers.0.0",
                                      "mlp.fc",
                                      {"layers.0.0", "layers.1.0", "fc"},
                                      {"layers.0.0", "layers.1.0", "fc"},
                                      "final_output_upscaling_layers.0.0",
                                      "final_output_upscaling_layers.0.1",
                                      "final_output_upscaling_layers.1.0"};

typedef struct context {
    ws_builder *b;
    const ws_decoder_config *c;
    const names *n;
    ws_ref tokens;    /* T0: output tokens and prompt tokens */
    ws_ref positions; /* KPE */
} context;

static ws_ref linear_weight(ws_builder *b, ws_role role, uint32_t n, uint32_t k, const char *name)
{
    return ws_store(b, role, ws_need_2d(b, n, k, "%s.weight", name));
}

static ws_ref vector(ws_builder *b, uint32_t n, const char *name, const char *part)
{
    return ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, n, "%s.%s", name, part));
}

/* ---- prompts ---- */

/* Sparse tokens, T0 = [iou token, mask tokens, prompt tokens]. */
static ws_ref describe_tokens(context *x, uint32_t symbol_points)
{
    ws_builder *b = x->b;
    const uint32_t e = x->c->width, half = e / 2;
    const int32_t n = -1 - (int32_t)symbol_points;
    const int32_t fixed = x->c->efficient ? 6 : n;
    const int32_t point_dims[2] = {fixed, 2}, label_dims[1] = {fixed};
    const ws_ref points = ws_input(b, "points", WSAM_F32, WSAM_RATE_PROMPT, 2, point_dims);
    const ws_ref labels = ws_input(b, "labels", WSAM_S32, WSAM_RATE_PROMPT, 1, label_dims);
    const ws_ref gaussian = ws_store(
        b, WS_ROLE_EXACT,
        ws_need_2d(b, 2, half, "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"));
    int rows[6], count = 0;
    if (x->c->efficient) {
        rows[count++] = ws_need_2d(b, 1, e, "prompt_encoder.invalid_points.weight");
        rows[count++] = -1; /* label 0 adds nothing */
        rows[count++] = ws_need_2d(b, 1, e, "prompt_encoder.point_embeddings.weight");
        rows[count++] = ws_need_2d(b, 1, e, "prompt_encoder.bbox_top_left_embeddings.weight");
        rows[count++] = ws_need_2d(b, 1, e, "prompt_encoder.bbox_bottom_right_embeddings.weight");
    } else {
        rows[count++] = ws_need_2d(b, 1, e, "prompt_encoder.not_a_point_embed.weight");
        for (int i = 0; i < 4; i++)
            rows[count++] = ws_need_2d(b, 1, e, "prompt_encoder.point_embeddings.%d.weight", i);
    }
    const ws_ref table = ws_store_rows(b, "prompt_encoder.labels", count, rows);
    const ws_ref inputs[] = {[WS_POINT_TOKENS_POINTS] = points,
                             [WS_POINT_TOKENS_LABELS] = labels,
                             [WS_POINT_TOKENS_GAUSSIAN] = gaussian,
                             [WS_POINT_TOKENS_TABLE] = table};
    const ws_ref sparse = ws_op(b, "point_tokens", "prompt.points", WS_POINT_TOKENS_INPUTS, inputs);
    ws_attr_int(b, "first_label", -1);
    ws_attr_int(b, "replace_label", x->c->efficient ? -2 : -1);
    const int output_rows[2] = {ws_need_2d(b, 1, e, "mask_decoder.iou_token.weight"),
                                ws_need_2d(b, x->c->masks, e, "mask_decoder.mask_tokens.weight")};
    const ws_ref output_tokens = ws_store_rows(b, "mask_decoder.output_tokens", 2, output_rows);
    const ws_ref position =
        ws_op(b, "position_grid", "prompt.grid", WS_POSITION_GRID_INPUTS, &gaussian);
    ws_attr_int(b, "height", x->c->grid);
    ws_attr_int(b, "width", x->c->grid);
    x->positions = position;
    const ws_ref all[2] = {output_tokens, sparse};
    return ws_op(b, "concat", "prompt.tokens", 2, all);
}

/* mask_downscaling: conv 2x2, norm, GELU, conv 2x2, norm, GELU, conv 1x1. */
static ws_ref describe_mask_prompt(const context *x, ws_ref mask)
{
    ws_builder *b = x->b;
    uint32_t in = 1;
    for (int i = 0; i < 2; i++) {
        char name[64], norm[64];
        const uint32_t out = x->c->mask_channels[i];
        snprintf(name, sizeof name, "prompt_encoder.mask_downscaling.%d", 3 * i);
        snprintf(norm, sizeof norm, "prompt_encoder.mask_downscaling.%d", 3 * i + 1);
        const ws_ref w =
            ws_store_conv(b, WS_ROLE_EXACT, ws_need_4d(b, out, in, 2, 2, "%s.weight", name));
        mask = ws_conv(b, name, mask, w, vector(b, out, name, "bias"), 2, 0, 1);
        mask = ws_layer_norm(b, norm, mask, vector(b, out, norm, "weight"),
                             vector(b, out, norm, "bias"), EPS_MAP);
        mask = ws_activation(b, norm, mask, "gelu");
        in = out;
    }
    const char *last = "prompt_encoder.mask_downscaling.6";
    const ws_ref w =
        ws_store_conv(b, WS_ROLE_EXACT, ws_need_4d(b, x->c->width, in, 1, 1, "%s.weight", last));
    return ws_conv(b, last, mask, w, vector(b, x->c->width, last, "bias"), 1, 0, 1);
}

/* ---- transformer ---- */

typedef struct attention {
    ws_ref q, kv, q_pos, k_pos;
    uint32_t inner;
    int residual;
    const char *norm; /* full name */
} attention;

static ws_ref describe_attention(const context *x, const char *name, const attention *a)
{
    static const struct {
        const char *name;
        int weight, bias;
    } parts[] = {{"q_proj", WS_PROJECTED_Q_WEIGHT, WS_PROJECTED_Q_BIAS},
                 {"k_proj", WS_PROJECTED_K_WEIGHT, WS_PROJECTED_K_BIAS},
                 {"v_proj", WS_PROJECTED_V_WEIGHT, WS_PROJECTED_V_BIAS},
                 {"out_proj", WS_PROJECTED_OUT_WEIGHT, WS_PROJECTED_OUT_BIAS}};
    ws_builder *b = x->b;
    const uint32_t e = x->c->width;
    ws_ref in[WS_PROJECTED_INPUTS] = {[WS_PROJECTED_Q] = a->q,
                                      [WS_PROJECTED_KV] = a->kv,
                                      [WS_PROJECTED_Q_POSITION] = a->q_pos,
                                      [WS_PROJECTED_K_POSITION] = a->k_pos};
    for (int i = 0; i < 4; i++) {
        char part[128];
        snprintf(part, sizeof part, "%s.%s", name, parts[i].name);
        const uint32_t n = i < 3 ? a->inner : e, k = i < 3 ? e : a->inner;
        in[parts[i].weight] = linear_weight(b, WS_ROLE_FLOAT, n, k, part);
        in[parts[i].bias] = vector(b, n, part, "bias");
    }
    in[WS_PROJECTED_NORM_WEIGHT] = vector(b, e, a->norm, "weight");
    in[WS_PROJECTED_NORM_BIAS] = vector(b, e, a->norm, "bias");
    const ws_ref out = ws_op(b, "projected_attention", name, WS_PROJECTED_INPUTS, in);
    ws_attr_int(b, "heads", x->c->heads);
    ws_attr_int(b, "residual", a->residual);
    ws_attr_float(b, "eps", EPS_DECODER);
    ws_attr_compute(b);
    return out;
}

static ws_ref describe_token_mlp(const context *x, const char *layer, ws_ref q)
{
    ws_builder *b = x->b;
    char first[128], second[128], norm[128];
    snprintf(first, sizeof first, "%s.%s", layer, x->n->mlp_first);
    snprintf(second, sizeof second, "%s.%s", layer, x->n->mlp_second);
    snprintf(norm, sizeof norm, "%s.norm3", layer);
    const uint32_t e = x->c->width, h = x->c->mlp;
    ws_ref y = ws_linear(b, first, q, linear_weight(b, WS_ROLE_FLOAT, h, e, first),
                         vector(b, h, first, "bias"));
    y = ws_activation(b, first, y, x->c->efficient ? "gelu" : "relu");
    y = ws_linear(b, second, y, linear_weight(b, WS_ROLE_FLOAT, e, h, second),
                  vector(b, e, second, "bias"));
    y = ws_add(b, second, y, q);
    return ws_layer_norm(b, norm, y, vector(b, e, norm, "weight"), vector(b, e, norm, "bias"),
                         EPS_DECODER);
}

static void describe_layer(const context *x, uint32_t i, ws_ref *q, ws_ref *k)
{
    const uint32_t e = x->c->width;
    char layer[64], name[96], norm[96];
    snprintf(layer, sizeof layer, "mask_decoder.transformer.layers.%u", i);
    /* SAM: layer 0 has neither positions nor residual; EfficientSAM folds the positions of later
     * layers into the tokens themselves */
    const int efficient = x->c->efficient;
    if (efficient && i)
        *q = ws_add(x->b, layer, *q, x->tokens);
    const ws_ref position = i && !efficient ? x->tokens : WS_REF_NONE;
    snprintf(name, sizeof name, "%s.self_attn", layer);
    snprintf(norm, sizeof norm, "%s.norm1", layer);
    const attention self = {*q, *q, position, position, e, i || efficient, norm};
    *q = describe_attention(x, name, &self);
    snprintf(name, sizeof name, "%s.cross_attn_token_to_image", layer);
    snprintf(norm, sizeof norm, "%s.norm2", layer);
    const attention t2i = {*q, *k, x->tokens, x->positions, x->c->cross, 1, norm};
    *q = describe_attention(x, name, &t2i);
    *q = describe_token_mlp(x, layer, *q);
    snprintf(name, sizeof name, "%s.cross_attn_image_to_token", layer);
    snprintf(norm, sizeof norm, "%s.norm4", layer);
    const attention i2t = {*k, *q, x->positions, x->tokens, x->c->cross, 1, norm};
    *k = describe_attention(x, name, &i2t);
}

/* ---- heads ---- */

static ws_ref token_row(const context *x, ws_ref q, const char *name, int row)
{
    const ws_ref out = ws_op(x->b, "slice", name, WS_UNARY_INPUTS, &q);
    ws_attr_int(x->b, "begin", row);
    ws_attr_int(x->b, "length", 1);
    return out;
}

/* Three linears with an activation between them, f32 in every file. */
static ws_ref describe_head(const context *x, const char *name, const char *const parts[3],
                            ws_ref q, uint32_t out)
{
    ws_builder *b = x->b;
    const uint32_t k[3] = {x->c->width, x->c->hyper, x->c->hyper};
    const uint32_t n[3] = {x->c->hyper, x->c->hyper, out};
    for (int i = 0; i < 3; i++) {
        char part[128];
        snprintf(part, sizeof part, "%s.%s", name, parts[i]);
        q = ws_linear(b, part, q, linear_weight(b, WS_ROLE_EXACT, n[i], k[i], part),
                      vector(b, n[i], part, "bias"));
        if (i < 2)
            q = ws_activation(b, part, q, x->c->efficient ? "gelu" : "relu");
    }
    return q;
}

static ws_ref describe_upscaling(const context *x, ws_ref k)
{
    ws_builder *b = x->b;
    const uint32_t c1 = x->c->up1, c2 = x->c->up2;
    char name[96], norm[96];
    snprintf(name, sizeof name, "mask_decoder.%s", x->n->up1);
    snprintf(norm, sizeof norm, "mask_decoder.%s", x->n->up_norm);
    ws_ref in[] = {[WS_PRODUCT_X] = k,
                   [WS_PRODUCT_WEIGHT] = ws_store_conv_transpose(
                       b, WS_ROLE_FLOAT, ws_need_4d(b, x->c->width, c1, 2, 2, "%s.weight", name)),
                   [WS_PRODUCT_BIAS] = vector(b, c1, name, "bias")};
    ws_ref y = ws_op(b, "conv_transpose2d", name, WS_PRODUCT_INPUTS, in);
    ws_attr_int(b, "stride", 2);
    const ws_ref norm_in[] = {[WS_NORM_X] = y,
                              [WS_NORM_WEIGHT] = vector(b, c1, norm, "weight"),
                              [WS_NORM_BIAS] = vector(b, c1, norm, "bias")};
    y = ws_op(b, x->c->efficient ? "group_norm" : "layer_norm", norm, WS_NORM_INPUTS, norm_in);
    ws_attr_float(b, "eps", x->c->efficient ? EPS_DECODER : EPS_MAP);
    if (x->c->efficient)
        ws_attr_int(b, "groups", 1);
    y = ws_activation(b, norm, y, "gelu");
    snprintf(name, sizeof name, "mask_decoder.%s", x->n->up2);
    in[WS_PRODUCT_X] = y;
    in[WS_PRODUCT_WEIGHT] =
        ws_store_conv_transpose(b, WS_ROLE_FLOAT, ws_need_4d(b, c1, c2, 2, 2, "%s.weight", name));
    in[WS_PRODUCT_BIAS] = vector(b, c2, name, "bias");
    y = ws_op(b, "conv_transpose2d", name, WS_PRODUCT_INPUTS, in);
    ws_attr_int(b, "stride", 2);
    return ws_activation(b, name, y, "gelu");
}

/* The wanted rows of all mask tokens' results. */
static ws_ref wanted(const context *x, const char *name, ws_ref v, int axis, uint32_t first,
                     uint32_t masks)
{
    const ws_ref out = ws_op(x->b, "slice", name, WS_UNARY_INPUTS, &v);
    ws_attr_int(x->b, "axis", axis);
    ws_attr_symbol(x->b, "begin", first);
    ws_attr_symbol(x->b, "length", masks);
    return out;
}

static void describe_heads(const context *x, ws_ref q, ws_ref k, uint32_t first, uint32_t masks)
{
    ws_builder *b = x->b;
    ws_ref vectors[16];
    ws_ref iou = describe_head(x, "mask_decoder.iou_prediction_head", x->n->iou,
                               token_row(x, q, "heads.iou_token", 0), x->c->masks);
    iou = wanted(x, "heads.iou", iou, 1, first, masks);
    iou = ws_op(b, "reshape", "heads.iou", WS_UNARY_INPUTS, &iou);
    ws_attr_symbol(b, "dim0", masks);
    ws_output(b, "iou", iou);
    for (uint32_t i = 0; i < x->c->masks && i < 16; i++) {
        char name[96];
        snprintf(name, sizeof name, "mask_decoder.output_hypernetworks_mlps.%u", i);
        vectors[i] =
            describe_head(x, name, x->n->hyper, token_row(x, q, name, 1 + (int)i), x->c->up2);
    }
    ws_ref all = ws_op(b, "concat", "heads.hypernetworks", (int)x->c->masks, vectors);
    all = wanted(x, "heads.wanted", all, 0, first, masks);
    const ws_ref product[] = {
        [WS_MASK_PRODUCT_FEATURES] = describe_upscaling(x, k), [WS_MASK_PRODUCT_VECTORS] = all};
    ws_output(b, "low_res",
              ws_op(b, "mask_product", "heads.masks", WS_MASK_PRODUCT_INPUTS, product));
}

/* ---- graphs ---- */

static void describe_graph(const ws_family *family, ws_builder *b, int with_mask)
{
    const ws_decoder_config *c = &family->decoder;
    context x = {.b = b, .c = c, .n = c->efficient ? &efficient_names : &sam_names};
    ws_graph_begin(b, with_mask ? "mask_decoder_with_mask" : "mask_decoder");
    const uint32_t points = c->efficient ? 0 : ws_symbol(b, "points", 0, 4096, 1);
    const uint32_t first = ws_symbol(b, "first_mask", 0, c->masks - 1, 1);
    const uint32_t masks = ws_symbol(b, "masks", 1, c->masks, 1);
    const int32_t g = (int32_t)c->grid, map[3] = {g, g, (int32_t)c->width};
    ws_ref k = ws_input(b, "embedding", WSAM_F32, WSAM_RATE_IMAGE, 3, map);
    ws_ref mask = WS_REF_NONE;
    if (with_mask) {
        const int32_t dims[3] = {4 * g, 4 * g, 1};
        mask = ws_input(b, "mask", WSAM_F32, WSAM_RATE_PROMPT, 3, dims);
    }
    x.tokens = describe_tokens(&x, points);
    if (with_mask)
        k = ws_add(b, "prompt.dense", describe_mask_prompt(&x, mask), k);
    else if (!c->efficient)
        k = ws_add(b, "prompt.dense", k,
                   ws_store_as(b, WS_ROLE_EXACT,
                               ws_need_2d(b, 1, c->width, "prompt_encoder.no_mask_embed.weight"), 1,
                               &c->width));
    ws_ref q = x.tokens;
    for (uint32_t i = 0; i < c->layers; i++)
        describe_layer(&x, i, &q, &k);
    const attention final = {
        q, k, x.tokens, x.positions, c->cross, 1, "mask_decoder.transformer.norm_final_attn"};
    q = describe_attention(&x, "mask_decoder.transformer.final_attn_token_to_image", &final);
    describe_heads(&x, q, k, first, masks);
}

void ws_describe_decoder(const ws_family *family, ws_builder *b)
{
    describe_graph(family, b, 0);
    if (!family->decoder.efficient)
        describe_graph(family, b, 1);
}
