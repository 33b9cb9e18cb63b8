/* weights/family/weaktr.c - WeakTr's clue network: a plain ViT with one token per class, and its
 * attention maps fused by fixed or learned weights (WeakTr models.py, AAF.py). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/family/plain_vit.h"

#define FUSION "adaptive_attention_fusion."

/* ---- from the checkpoint ---- */

static uint32_t dim(const ws_source *s, int d, const char *name)
{
    const ws_source_tensor *t = ws_source_find(s, name);
    return t && d < t->rank ? t->dims[d] : 0;
}

/* The fused maps tell heads times depth; else the options, a note, or the usual head sizes. */
static uint32_t heads_of(const ws_source *s, const wsam_convert_options *o, const ws_clue_config *c)
{
    const char *note = ws_source_note_value(s, "weaksam.heads");
    const uint32_t maps = c->fusion == WS_FUSION_BY_TOKENS
                              ? dim(s, 1, FUSION "fc.0.weight")
                              : dim(s, 1, FUSION "attn_head_ffn.0.weight");
    if (maps && c->depth && maps % c->depth == 0)
        return maps / c->depth;
    if (o->heads)
        return (uint32_t)o->heads;
    const long noted = note ? strtol(note, NULL, 10) : 0;
    if (noted > 0 && noted <= 1024)
        return (uint32_t)noted;
    return c->width % 64 == 0 ? c->width / 64 : c->width / 32;
}

/* Its head is a convolution; a backbone's classifier is a matrix. */
int ws_weaktr_matches(const ws_source *s)
{
    const ws_source_tensor *head = ws_source_find(s, "head.weight");
    return ws_source_find(s, "cls_token") && ws_source_find(s, "pos_embed") && head &&
           head->rank == 4 && ws_source_find(s, "blocks.0.attn.qkv.weight");
}

void ws_weaktr_detect(const ws_source *s, const wsam_convert_options *o, ws_clue_config *c)
{
    c->classes = dim(s, 1, "cls_token");
    c->width = dim(s, 2, "cls_token");
    ws_stem_detect(s, &c->stem);
    c->patch = c->stem.stages ? 1u << c->stem.stages : dim(s, 2, "patch_embed.proj.weight");
    c->mlp = dim(s, 0, "blocks.0.mlp.fc1.weight");
    c->depth = ws_plain_depth(s);
    const uint32_t rows = dim(s, 1, "pos_embed");
    c->side = rows > c->classes ? ws_plain_side(rows - c->classes) : 0;
    if (ws_source_find(s, FUSION "fc.0.weight"))
        c->fusion = WS_FUSION_BY_TOKENS;
    else if (ws_source_find(s, FUSION "attn_head_ffn.0.weight"))
        c->fusion = WS_FUSION_BY_FEATURES;
    c->hidden = c->fusion == WS_FUSION_BY_TOKENS ? dim(s, 0, FUSION "fc.0.weight")
                                                 : dim(s, 0, FUSION "attn_head_ffn.0.weight");
    c->feature_hidden = dim(s, 0, FUSION "attn_feat_ffn.0.weight");
    c->heads = heads_of(s, o, c);
    if (o->uniform_fusion) {
        c->unused = c->fusion;
        c->fusion = WS_FUSION_NONE;
    }
    c->names = ws_source_note_value(s, "weaksam.classes");
}

int ws_weaktr_sensible(const ws_clue_config *c)
{
    return c->classes && c->classes <= 4096 && c->width && c->width <= 8192 && c->patch &&
           c->patch <= 64 && c->depth && c->depth <= WS_MAX_CLUE_DEPTH && c->heads &&
           c->heads <= 1024 && c->width % c->heads == 0 && c->mlp && c->side && c->side <= 1024 &&
           ws_stem_sensible(&c->stem) && (c->fusion == WS_FUSION_NONE || c->hidden) &&
           (c->fusion != WS_FUSION_BY_FEATURES || c->feature_hidden);
}

/* ---- tensors made at conversion ---- */

/* need[0] [1,K,D] + the first rows of need[1] [1,K+G*G,D]. */
static wsam_status make_class_tokens(ws_builder *b, const ws_recipe *r, float *out,
                                     wsam_error *error)
{
    const size_t n = (size_t)r->arg[0] * (size_t)r->arg[2],
                 all = n + (size_t)r->arg[1] * (size_t)r->arg[2];
    float *rows = malloc(all * sizeof *rows);
    if (!rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the class tokens");
    wsam_status status = ws_builder_fetch(b, r->need[1], rows, error);
    if (!status)
        status = ws_builder_fetch(b, r->need[0], out, error);
    for (size_t i = 0; !status && i < n; i++)
        out[i] += rows[i];
    free(rows);
    return status;
}

/* 1/D for every channel: the mean as a product. arg: D. */
static wsam_status make_mean(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    (void)b;
    (void)error;
    for (int64_t i = 0; i < r->arg[0]; i++)
        out[i] = (float)(1.0 / (double)r->arg[0]);
    return WSAM_OK;
}

/* Maps are numbered head * depth + layer in checkpoints, layer * heads + head here. */
static size_t published_index(const ws_recipe *r, size_t i)
{
    const size_t heads = (size_t)r->arg[0], depth = (size_t)r->arg[1];
    return i % heads * depth + i / heads;
}

/* Two tensors of a and b values in one block; free(). */
static float *fetch_pair(ws_builder *b, const ws_recipe *r, size_t first, size_t second,
                         wsam_status *status, wsam_error *error)
{
    float *values = malloc((first + second) * sizeof *values);
    if (!values) {
        *status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for the attention fusion");
        return NULL;
    }
    *status = ws_builder_fetch(b, r->need[0], values, error);
    if (!*status)
        *status = ws_builder_fetch(b, r->need[1], values + first, error);
    return values;
}

/* W2 relu(W1 p) with p = 1/T everywhere is W2 relu(W1 1) / T: the runtime divides. arg: heads,
 * depth, hidden. */
static wsam_status make_by_tokens(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const size_t maps = (size_t)(r->arg[0] * r->arg[1]), hidden = (size_t)r->arg[2];
    wsam_status status;
    float *w1 = fetch_pair(b, r, maps * hidden, maps * hidden, &status, error);
    for (size_t i = 0; !status && i < maps; i++) {
        const float *w2 = w1 + maps * hidden + published_index(r, i) * hidden;
        double sum = 0.0;
        for (size_t j = 0; j < hidden; j++) {
            double one = 0.0;
            for (size_t k = 0; k < maps; k++)
                one += (double)w1[j * maps + k];
            sum += one > 0.0 ? one * (double)w2[j] : 0.0;
        }
        out[i] = (float)sum;
    }
    free(w1);
    return status;
}

/* The feature's two layers have no activation between: one row per head, over the channels d *
 * heads + head that are its feature. need: [F,d], [1,F]. arg: heads, depth, F, head size. */
static wsam_status make_feature(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const size_t heads = (size_t)r->arg[0], hidden = (size_t)r->arg[2], d = (size_t)r->arg[3];
    wsam_status status;
    float *w1 = fetch_pair(b, r, hidden * d, hidden, &status, error);
    for (size_t i = 0; !status && i < heads * heads * d; i++) {
        const size_t head = i / (heads * d), channel = i % (heads * d);
        double sum = 0.0;
        for (size_t j = 0; j < hidden && channel % heads == head; j++)
            sum += (double)w1[hidden * d + j] * (double)w1[j * d + channel / heads];
        out[i] = (float)sum;
    }
    free(w1);
    return status;
}

/* W b1 + b2, for every head. need: b1 [F], W [1,F], b2 [1]. */
static wsam_status make_feature_bias(ws_builder *b, const ws_recipe *r, float *out,
                                     wsam_error *error)
{
    const size_t hidden = (size_t)r->arg[2];
    float last = 0.0f;
    double sum = 0.0;
    wsam_status status;
    float *b1 = fetch_pair(b, r, hidden, hidden, &status, error);
    if (!status)
        status = ws_builder_fetch(b, r->need[2], &last, error);
    for (size_t j = 0; !status && j < hidden; j++)
        sum += (double)b1[j] * (double)b1[hidden + j];
    for (int64_t h = 0; h < r->arg[0]; h++)
        out[h] = (float)(sum + (double)last);
    free(b1);
    return status;
}

/* The maps' columns ([hidden,maps], arg[3] = 0) or rows ([maps,hidden], 1) in this file's order. */
static wsam_status make_reordered(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const size_t maps = (size_t)(r->arg[0] * r->arg[1]), hidden = (size_t)r->arg[2];
    float *w = malloc(maps * hidden * sizeof *w);
    if (!w)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the attention fusion");
    const wsam_status status = ws_builder_fetch(b, r->need[0], w, error);
    for (size_t i = 0; !status && i < maps; i++)
        for (size_t j = 0; j < hidden; j++) {
            const size_t from = published_index(r, i);
            out[r->arg[3] ? i * hidden + j : j * maps + i] =
                w[r->arg[3] ? from * hidden + j : j * maps + from];
        }
    free(w);
    return status;
}

static ws_recipe recipe(ws_make_fn make, int64_t a0, int64_t a1, int64_t a2, int64_t a3)
{
    ws_recipe r = ws_builder_recipe_new(make);
    r.arg[0] = a0;
    r.arg[1] = a1;
    r.arg[2] = a2;
    r.arg[3] = a3;
    return r;
}

/* ---- the graph ---- */

/* What the layers leave for the maps. */
typedef struct state {
    const ws_clue_config *c;
    ws_plain_vit vit;
    ws_builder *b;
    ws_ref grid; /* patches before the first block: gives h and w */
    ws_ref qkv[WS_MAX_CLUE_DEPTH], cross[WS_MAX_CLUE_DEPTH], score[WS_MAX_CLUE_DEPTH];
} state;

/* One convolution of the patch's size, or a stem and a 1x1 convolution. */
static ws_ref describe_patches(state *s, ws_ref x)
{
    const ws_clue_config *c = s->c;
    ws_builder *b = s->b;
    const uint32_t stages = c->stem.stages, in = stages ? c->stem.width[stages - 1] : 3;
    const uint32_t side = stages ? 1 : c->patch;
    x = ws_describe_stem(b, x, &c->stem);
    const int weight = ws_need_4d(b, c->width, in, side, side, "patch_embed.proj.weight");
    const int bias = ws_need_1d(b, c->width, "patch_embed.proj.bias");
    return ws_conv(b, "patch_embed", x, ws_store_conv(b, WS_ROLE_FLOAT, weight),
                   ws_store(b, WS_ROLE_EXACT, bias), (int)side, 0, 1);
}

static ws_ref describe_tokens(state *s)
{
    const ws_clue_config *c = s->c;
    ws_builder *b = s->b;
    const uint32_t d = c->width, patches = c->side * c->side;
    const uint32_t tokens[3] = {1, c->classes, d}, rows[3] = {1, c->classes + patches, d};
    uint32_t symbols[2];
    ws_ref x = ws_plain_input(b, c->patch, 1, symbols);
    const int classes = ws_need_tensor(b, 3, tokens, "cls_token");
    const int positions = ws_need_tensor(b, 3, rows, "pos_embed");
    x = describe_patches(s, x);
    ws_recipe r = recipe(make_class_tokens, c->classes, patches, d, 0);
    r.need[0] = classes;
    r.need[1] = positions;
    const ws_ref prefix = ws_store_made(b, WS_ROLE_EXACT, "cls_token", 2, tokens + 1, &r);
    const ws_plain_tokens t = ws_plain_join(b, &s->vit, x, positions, c->classes, prefix, symbols);
    s->grid = t.grid;
    return t.x;
}

/* A layer's score per head, of its attention output's largest values. */
static ws_ref describe_score(state *s, ws_ref out, uint32_t layer)
{
    const ws_clue_config *c = s->c;
    ws_builder *b = s->b;
    const uint32_t head = c->width / c->heads, dims[2] = {c->heads, c->width};
    char name[64];
    const int w1 = ws_need_2d(b, c->feature_hidden, head, FUSION "attn_feat_ffn.0.weight");
    const int b1 = ws_need_1d(b, c->feature_hidden, FUSION "attn_feat_ffn.0.bias");
    const int w2 = ws_need_2d(b, 1, c->feature_hidden, FUSION "attn_feat_ffn.1.weight");
    ws_recipe r = recipe(make_feature, c->heads, c->depth, c->feature_hidden, head);
    r.need[0] = w1;
    r.need[1] = w2;
    const ws_ref weight = ws_store_made(b, WS_ROLE_EXACT, "fusion.feature.weight", 2, dims, &r);
    r = recipe(make_feature_bias, c->heads, c->depth, c->feature_hidden, 0);
    r.need[0] = b1;
    r.need[1] = w2;
    r.need[2] = ws_need_1d(b, 1, FUSION "attn_feat_ffn.1.bias");
    const ws_ref bias = ws_store_made(b, WS_ROLE_EXACT, "fusion.feature.bias", 1, dims, &r);
    snprintf(name, sizeof name, "fusion.%u", layer);
    return ws_linear(b, name, ws_op(b, "row_max", name, WS_UNARY_INPUTS, &out), weight, bias);
}

static ws_ref describe_attention(state *s, ws_ref x, uint32_t layer)
{
    const ws_clue_config *c = s->c;
    ws_builder *b = s->b;
    char name[64];
    s->qkv[layer] = ws_plain_qkv(b, &s->vit, x, layer);
    const ws_ref in[] = {
        [WS_CLASS_ATTENTION_QKV] = s->qkv[layer], [WS_CLASS_ATTENTION_GRID] = s->grid};
    snprintf(name, sizeof name, "blocks.%u.attn.classes", layer);
    s->cross[layer] = ws_op(b, "class_attention", name, WS_CLASS_ATTENTION_INPUTS, in);
    ws_attr_int(b, "heads", c->heads);
    ws_attr_float(b, "scale", ws_plain_scale(&s->vit));
    const ws_ref y = ws_plain_attention(b, &s->vit, s->qkv[layer], layer);
    if (c->fusion == WS_FUSION_BY_FEATURES)
        s->score[layer] = describe_score(s, y, layer);
    snprintf(name, sizeof name, "blocks.%u.attn.proj", layer);
    return ws_add(b, name, y, x);
}

static ws_ref describe_blocks(state *s, ws_ref x)
{
    for (uint32_t i = 0; i < s->c->depth; i++) {
        x = describe_attention(s, x, i);
        x = ws_plain_mlp(s->b, &s->vit, x, i);
    }
    return x;
}

/* The mean over the channels of the class tokens. */
static void describe_logits(state *s, ws_ref x)
{
    ws_builder *b = s->b;
    const uint32_t dims[2] = {1, s->c->width};
    const ws_recipe r = recipe(make_mean, s->c->width, 0, 0, 0);
    x = ws_op(b, "slice", "logits", WS_UNARY_INPUTS, &x);
    ws_attr_int(b, "axis", 1);
    ws_attr_int(b, "begin", 0);
    ws_attr_int(b, "length", s->c->classes);
    x = ws_linear(b, "logits", x, ws_store_made(b, WS_ROLE_EXACT, "mean", 2, dims, &r),
                  WS_REF_NONE);
    x = ws_op(b, "reshape", "logits", WS_UNARY_INPUTS, &x);
    ws_attr_int(b, "dim0", s->c->classes);
    ws_output(b, "logits", x);
}

static ws_ref describe_coarse(state *s, ws_ref x)
{
    ws_builder *b = s->b;
    const uint32_t k = s->c->classes;
    const ws_ref in[] = {[WS_GRID_ROWS_X] = x, [WS_GRID_ROWS_GRID] = s->grid};
    x = ws_op(b, "grid_rows", "head", WS_GRID_ROWS_INPUTS, in);
    ws_output(b, "tokens", x); /* features of a detection head */
    x = ws_conv(b, "head", x,
                ws_store_conv(b, WS_ROLE_FLOAT, ws_need_4d(b, k, s->c->width, 3, 3, "head.weight")),
                ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, k, "head.bias")), 1, 1, 1);
    x = ws_activation(b, "head", x, "relu");
    ws_output(b, "coarse", x);
    return x;
}

/* ---- fusion ---- */

/* The scores of all layers in one row: concat takes 16 at a time. */
static ws_ref join_scores(state *s)
{
    ws_ref joined[(WS_MAX_CLUE_DEPTH + 15) / 16] = {WS_REF_NONE};
    int n = 0;
    for (uint32_t i = 0; i < s->c->depth; i += 16, n++) {
        const uint32_t some = s->c->depth - i < 16 ? s->c->depth - i : 16;
        joined[n] =
            some > 1 ? ws_op(s->b, "concat", "fusion", (int)some, s->score + i) : s->score[i];
    }
    ws_ref x = n > 1 ? ws_op(s->b, "concat", "fusion", n, joined) : joined[0];
    x = ws_op(s->b, "reshape", "fusion", WS_UNARY_INPUTS, &x);
    ws_attr_int(s->b, "dim0", 1);
    ws_attr_int(s->b, "dim1", (int64_t)s->c->depth * s->c->heads);
    return x;
}

/* sigmoid(W2 relu(W1 scores)) of the newer fusion. */
static ws_ref describe_given(state *s)
{
    const ws_clue_config *c = s->c;
    ws_builder *b = s->b;
    const uint32_t maps = c->heads * c->depth;
    const uint32_t first[2] = {c->hidden, maps}, second[2] = {maps, c->hidden};
    ws_recipe r = recipe(make_reordered, c->heads, c->depth, c->hidden, 0);
    r.need[0] = ws_need_2d(b, c->hidden, maps, FUSION "attn_head_ffn.0.weight");
    ws_ref x = join_scores(s);
    x = ws_linear(b, "fusion.0", x,
                  ws_store_made(b, WS_ROLE_EXACT, "fusion.0.weight", 2, first, &r), WS_REF_NONE);
    x = ws_activation(b, "fusion.0", x, "relu");
    r = recipe(make_reordered, c->heads, c->depth, c->hidden, 1);
    r.need[0] = ws_need_2d(b, maps, c->hidden, FUSION "attn_head_ffn.2.weight");
    x = ws_linear(b, "fusion.2", x,
                  ws_store_made(b, WS_ROLE_EXACT, "fusion.2.weight", 2, second, &r), WS_REF_NONE);
    return ws_activation(b, "fusion.2", x, "sigmoid");
}

static ws_ref describe_weights(state *s)
{
    const ws_clue_config *c = s->c;
    const uint32_t maps = c->heads * c->depth;
    if (c->fusion == WS_FUSION_BY_FEATURES)
        return describe_given(s);
    if (c->fusion == WS_FUSION_NONE)
        return WS_REF_NONE;
    ws_recipe r = recipe(make_by_tokens, c->heads, c->depth, c->hidden, 0);
    r.need[0] = ws_need_2d(s->b, c->hidden, maps, FUSION "fc.0.weight");
    r.need[1] = ws_need_2d(s->b, maps, c->hidden, FUSION "fc.2.weight");
    return ws_store_made(s->b, WS_ROLE_EXACT, "fusion.weights", 1, &maps, &r);
}

/* The fusion of a checkpoint whose maps count alike: known, but nothing is made of it. */
static void describe_unused_fusion(state *s)
{
    const ws_clue_config *c = s->c;
    ws_builder *b = s->b;
    const uint32_t maps = c->heads * c->depth, head = c->width / c->heads;
    if (c->unused == WS_FUSION_BY_TOKENS) {
        ws_need_unused(b, ws_need_2d(b, c->hidden, maps, FUSION "fc.0.weight"));
        ws_need_unused(b, ws_need_2d(b, maps, c->hidden, FUSION "fc.2.weight"));
    } else if (c->unused == WS_FUSION_BY_FEATURES) {
        const uint32_t f = c->feature_hidden;
        ws_need_unused(b, ws_need_2d(b, f, head, FUSION "attn_feat_ffn.0.weight"));
        ws_need_unused(b, ws_need_1d(b, f, FUSION "attn_feat_ffn.0.bias"));
        ws_need_unused(b, ws_need_2d(b, 1, f, FUSION "attn_feat_ffn.1.weight"));
        ws_need_unused(b, ws_need_1d(b, 1, FUSION "attn_feat_ffn.1.bias"));
        ws_need_unused(b, ws_need_2d(b, c->hidden, maps, FUSION "attn_head_ffn.0.weight"));
        ws_need_unused(b, ws_need_2d(b, maps, c->hidden, FUSION "attn_head_ffn.2.weight"));
    }
}

static void weigh(state *s, uint32_t layer)
{
    ws_attr_float(s->b, "factor", 1.0 / (double)(s->c->heads * s->c->depth));
    ws_attr_int(s->b, "first", (int64_t)layer * s->c->heads);
    ws_attr_string(s->b, "weights", s->c->fusion == WS_FUSION_BY_TOKENS ? "by_tokens" : "given");
}

/* fused = the mean of all weighted class rows; fine = the same mean of the patch rows, times
 * (fused * coarse). */
static void describe_maps(state *s, ws_ref coarse)
{
    ws_builder *b = s->b;
    const ws_ref weights = describe_weights(s);
    ws_ref fused = WS_REF_NONE, fine = WS_REF_NONE;
    char name[64];
    for (uint32_t i = 0; i < s->c->depth; i++) {
        const ws_ref in[] = {[WS_ATTENTION_SUM_MAPS] = s->cross[i],
                             [WS_ATTENTION_SUM_SUM] = fused,
                             [WS_ATTENTION_SUM_WEIGHTS] = weights};
        snprintf(name, sizeof name, "fused.%u", i);
        fused = ws_op(b, "attention_sum", name, WS_ATTENTION_SUM_INPUTS, in);
        weigh(s, i);
    }
    ws_output(b, "fused", fused);
    const ws_ref both[] = {[WS_BINARY_A] = fused, [WS_BINARY_B] = coarse};
    const ws_ref values = ws_op(b, "binary", "fine", WS_BINARY_INPUTS, both);
    ws_attr_string(b, "function", "mul");
    for (uint32_t i = 0; i < s->c->depth; i++) {
        const ws_ref in[] = {[WS_ATTENTION_SPREAD_QKV] = s->qkv[i],
                             [WS_ATTENTION_SPREAD_VALUES] = values,
                             [WS_ATTENTION_SPREAD_SUM] = fine,
                             [WS_ATTENTION_SPREAD_WEIGHTS] = weights};
        snprintf(name, sizeof name, "fine.%u", i);
        fine = ws_op(b, "attention_spread", name, WS_ATTENTION_SPREAD_INPUTS, in);
        ws_attr_int(b, "heads", s->c->heads);
        ws_attr_float(b, "scale", ws_plain_scale(&s->vit));
        weigh(s, i);
        ws_attr_compute(b);
    }
    ws_output(b, "fine", fine);
}

/* The checkpoint's own class names, where it has one for every class. */
static void describe_noted_classes(const ws_clue_config *c, ws_builder *b)
{
    char *copy = strdup(c->names), *rest = copy;
    const char **names = calloc((size_t)c->classes + 1, sizeof *names);
    size_t n = 0;
    for (char *name; names && n <= c->classes && (name = strsep(&rest, ","));)
        if (*name && strlen(name) <= WS_CAP_NAME)
            names[n++] = name;
    if (names && n == c->classes)
        ws_meta_strings(b, "classes", n, names);
    free(names);
    free(copy);
}

static void describe_metadata(const ws_clue_config *c, ws_builder *b)
{
    const wsam_convert_options *o = ws_builder_options(b);
    const double unit = 255.0, scales[3] = {1.0, 0.8, 1.2};
    const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    /* Layers 8 and 9 of twelve; in other depths the two that begin at two thirds. */
    const uint32_t first = c->depth * 2 / 3;
    const double layers[2] = {first, first + 1 < c->depth ? first + 1 : first};
    ws_meta_string(b, "model.family", "weaktr");
    ws_meta_numbers(b, "picture.unit", 1, &unit);
    ws_meta_numbers(b, "picture.mean", 3, mean);
    ws_meta_numbers(b, "picture.std", 3, std);
    ws_meta_int(b, "clues.patch", c->patch);
    ws_meta_numbers(b, "clues.scales", 3, scales);
    ws_meta_numbers(b, "clues.layers", first + 1 < c->depth ? 2 : 1, layers);
    if (o->n_classes)
        ws_meta_strings(b, "classes", o->n_classes, o->classes);
    else if (c->names)
        describe_noted_classes(c, b);
}

void ws_describe_weaktr(const ws_clue_config *c, ws_builder *b)
{
    state s = {.c = c,
               .b = b,
               .vit = {.width = c->width, .heads = c->heads, .mlp = c->mlp, .side = c->side}};
    char name[32];
    describe_metadata(c, b);
    ws_graph_begin(b, "clues");
    const ws_ref x = describe_blocks(&s, describe_tokens(&s));
    ws_need_unused(b, ws_need_1d(b, c->width, "norm.weight"));
    ws_need_unused(b, ws_need_1d(b, c->width, "norm.bias"));
    describe_logits(&s, x);
    describe_maps(&s, describe_coarse(&s, x));
    describe_unused_fusion(&s);
    for (uint32_t i = 0; i < c->depth; i++) {
        snprintf(name, sizeof name, "cross_%u", i);
        ws_output(b, name, s.cross[i]);
    }
}
