/* weights/family/backbone.c - frozen backbones: DINOv2 S, B and L with and without registers, DINO,
 * DeiT. One graph, `backbone`: the final norm of all tokens (dinov2 models/vision_transformer.py,
 * dino vision_transformer.py, deit models.py). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/family/plain_vit.h"

/* ---- from the checkpoint ---- */

static uint32_t dim(const ws_source *s, int d, const char *name)
{
    const ws_source_tensor *t = ws_source_find(s, name);
    return t && d < t->rank ? t->dims[d] : 0;
}

int ws_family_backbone_matches(const ws_source *s)
{
    const ws_source_tensor *head = ws_source_find(s, "head.weight");
    return dim(s, 1, "cls_token") == 1 && !(head && head->rank == 4) &&
           ws_source_find(s, "pos_embed") && ws_source_find(s, "patch_embed.proj.weight") &&
           ws_source_find(s, "blocks.0.attn.qkv.weight");
}

/* Rows of the position table: behind a class token, and a distillation token where there is one;
 * timm's DINOv2 with registers has patches alone. */
static void detect_positions(const ws_source *s, ws_backbone_config *c)
{
    const uint32_t rows = dim(s, 1, "pos_embed");
    c->distilled = ws_source_find(s, "dist_token") != NULL;
    if (c->distilled)
        c->registers = 1;
    c->no_class_position = c->registers && !c->distilled && ws_plain_side(rows) != 0;
    const uint32_t skip = c->no_class_position ? 0 : 1 + (uint32_t)c->distilled;
    c->side = rows > skip ? ws_plain_side(rows - skip) : 0;
}

static const char *size_letter(uint32_t width)
{
    return width == 192    ? "ti"
           : width == 384  ? "s"
           : width == 768  ? "b"
           : width == 1024 ? "l"
                           : "x";
}

/* The published name, for people and --arch; "x" for sizes that were never published. */
static void name_backbone(const ws_backbone_config *c, int deit, char *name, size_t size)
{
    const char *letter = size_letter(c->width);
    if (c->layer_scale)
        snprintf(name, size, "dinov2_vit%s%u%s", letter, c->patch, c->registers ? "_reg" : "");
    else if (deit)
        snprintf(name, size, "deit_%s%s",
                 c->width == 192   ? "tiny"
                 : c->width == 384 ? "small"
                 : c->width == 768 ? "base"
                                   : "x",
                 c->distilled ? "_distilled" : "");
    else
        snprintf(name, size, "dino_vit%s%u", letter, c->patch);
}

/* DINO and a DeiT without its classifier are the same tensors: --arch deit... decides. */
static int is_deit(const ws_source *s, const wsam_convert_options *o)
{
    return ws_source_find(s, "head.weight") || ws_source_find(s, "dist_token") ||
           (o->arch && strncmp(o->arch, "deit", 4) == 0);
}

static wsam_status choose_positions(const ws_source *s, const wsam_convert_options *o, int deit,
                                    ws_backbone_config *c, wsam_error *error)
{
    static const char *const modes[] = {"offset", "size", "antialias"};
    c->positions = c->layer_scale ? modes[c->registers ? 2 : 0] : modes[deit ? 1 : 0];
    if (!o->positions)
        return WSAM_OK;
    for (int i = 0; i < 3; i++)
        if (strcmp(o->positions, modes[i]) == 0) {
            c->positions = modes[i];
            return WSAM_OK;
        }
    return ws_fail(error, WSAM_ERR_ARGUMENT,
                   "%s: positions '%.40s': the modes are offset, size and antialias", s->path,
                   o->positions);
}

static int is_sensible(const ws_source *s, const ws_backbone_config *c)
{
    const uint32_t p = c->patch;
    return c->width && c->width <= 8192 && c->width % c->heads == 0 && c->depth &&
           c->depth < WS_MAX_DEPTH && c->mlp && c->side && c->side <= 1024 &&
           (p == 8 || p == 14 || p == 16) && p == dim(s, 3, "patch_embed.proj.weight") &&
           c->registers <= 64;
}

wsam_status ws_family_backbone_detect(const ws_source *s, const wsam_convert_options *o,
                                      ws_family *f, wsam_error *error)
{
    ws_backbone_config *c = &f->backbone;
    f->kind = WS_FAMILY_BACKBONE;
    c->width = dim(s, 0, "patch_embed.proj.weight");
    c->patch = dim(s, 2, "patch_embed.proj.weight");
    c->depth = ws_plain_depth(s);
    c->mlp = dim(s, 0, "blocks.0.mlp.fc1.weight");
    c->registers = dim(s, 1, "register_tokens");
    c->layer_scale = ws_source_find(s, "blocks.0.ls1.gamma") != NULL;
    c->head_rows = dim(s, 0, "head.weight");
    c->distilled_rows = dim(s, 0, "head_dist.weight");
    c->heads = o->heads ? (uint32_t)o->heads : c->width / 64;
    detect_positions(s, c);
    const int deit = !c->layer_scale && is_deit(s, o);
    name_backbone(c, deit, f->name, sizeof f->name);
    if (o->arch && strcmp(o->arch, "auto") != 0 && strcmp(o->arch, f->name) != 0)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: the tensors are those of %s, not of %.60s",
                       s->path, f->name, o->arch);
    if (!c->heads || (!o->heads && c->width % 64) || !is_sensible(s, c))
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%s: looks like the backbone %s, but its sizes are missing or out of range "
                       "(width %u, depth %u, %u heads, patch %u, position grid %u, %u registers)",
                       s->path, f->name, c->width, c->depth, c->heads, c->patch, c->side,
                       c->registers);
    return choose_positions(s, o, deit, c, error);
}

/* ---- tokens in front of the patches ---- */

/* need[0] the class token, need[1] pos_embed, need[2] the registers or the distillation token; out
 * [1 + R][width]. arg: R, rows of pos_embed, how many of them belong to the prefix, width. */
static wsam_status make_prefix(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const size_t width = (size_t)r->arg[3], n = (size_t)r->arg[2] * width;
    float *rows = malloc((size_t)r->arg[1] * width * sizeof *rows);
    if (!rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the class token");
    wsam_status status = ws_builder_fetch(b, r->need[1], rows, error);
    if (!status)
        status = ws_builder_fetch(b, r->need[0], out, error);
    if (!status && r->arg[0])
        status = ws_builder_fetch(b, r->need[2], out + width, error);
    for (size_t i = 0; !status && i < n; i++)
        out[i] += rows[i];
    free(rows);
    return status;
}

/* Symbols for the patch grid and the prefix; returns all tokens. */
static ws_plain_tokens describe_tokens(const ws_backbone_config *c, const ws_plain_vit *v,
                                       ws_builder *b)
{
    const uint32_t d = c->width, r = c->registers;
    const uint32_t skip = c->no_class_position ? 0 : 1 + (uint32_t)c->distilled;
    const uint32_t rows = skip + c->side * c->side, one[3] = {1, 1, d}, table[3] = {1, rows, d};
    const uint32_t more[3] = {1, r, d}, prefix[2] = {1 + r, d}, mask[2] = {1, d};
    uint32_t symbols[2];
    ws_ref x = ws_plain_input(b, c->patch, c->patch, symbols);
    ws_recipe recipe = ws_builder_recipe_new(make_prefix);
    recipe.need[0] = ws_need_tensor(b, 3, one, "cls_token");
    recipe.need[1] = ws_need_tensor(b, 3, table, "pos_embed");
    if (r)
        recipe.need[2] =
            ws_need_tensor(b, 3, more, c->distilled ? "dist_token" : "register_tokens");
    if (c->layer_scale)
        ws_need_unused(b, ws_need_tensor(b, 2, mask, "mask_token"));
    recipe.arg[0] = r;
    recipe.arg[1] = rows;
    recipe.arg[2] = skip;
    recipe.arg[3] = d;
    const int weight = ws_need_4d(b, d, 3, c->patch, c->patch, "patch_embed.proj.weight");
    const int bias = ws_need_1d(b, d, "patch_embed.proj.bias");
    /* f32 in every file: half a percent of the products, but where LayerScale keeps the blocks'
     * branches small its rounding would be most of an int8 file's error */
    x = ws_conv(b, "patch_embed", x, ws_store_conv(b, WS_ROLE_EXACT, weight),
                ws_store(b, WS_ROLE_EXACT, bias), (int)c->patch, 0, 1);
    return ws_plain_join(b, v, x, recipe.need[1], skip,
                         ws_store_made(b, WS_ROLE_EXACT, "prefix", 2, prefix, &recipe), symbols);
}

/* ---- the graph ---- */

/* The class token's row over the patches; of the last block's softmax over all tokens. */
static void describe_class_attention(const ws_plain_vit *v, ws_builder *b, ws_ref qkv, ws_ref grid)
{
    const ws_ref in[] = {[WS_CLASS_ATTENTION_QKV] = qkv, [WS_CLASS_ATTENTION_GRID] = grid};
    ws_ref x = ws_op(b, "class_attention", "attention", WS_CLASS_ATTENTION_INPUTS, in);
    ws_attr_int(b, "heads", v->heads);
    ws_attr_float(b, "scale", ws_plain_scale(v));
    x = ws_op(b, "slice", "attention", WS_UNARY_INPUTS, &x);
    ws_attr_int(b, "axis", 1);
    ws_attr_int(b, "begin", 0);
    ws_attr_int(b, "length", 1);
    ws_output(b, "attention", x);
}

static void describe_outputs(const ws_plain_vit *v, ws_builder *b, ws_ref x, ws_ref grid)
{
    const ws_ref weight = ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, v->width, "norm.weight"));
    const ws_ref bias = ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, v->width, "norm.bias"));
    x = ws_layer_norm(b, "norm", x, weight, bias, WS_PLAIN_EPS);
    const ws_ref in[] = {[WS_GRID_ROWS_X] = x, [WS_GRID_ROWS_GRID] = grid};
    ws_output(b, "patch_tokens", ws_op(b, "grid_rows", "patch_tokens", WS_GRID_ROWS_INPUTS, in));
    x = ws_op(b, "slice", "class_token", WS_UNARY_INPUTS, &x);
    ws_attr_int(b, "axis", 1);
    ws_attr_int(b, "begin", 0);
    ws_attr_int(b, "length", 1);
    x = ws_op(b, "reshape", "class_token", WS_UNARY_INPUTS, &x);
    ws_attr_int(b, "dim0", v->width);
    ws_output(b, "class_token", x);
}

static void describe_unused(const ws_backbone_config *c, ws_builder *b)
{
    if (c->head_rows) {
        ws_need_unused(b, ws_need_2d(b, c->head_rows, c->width, "head.weight"));
        ws_need_unused(b, ws_need_1d(b, c->head_rows, "head.bias"));
    }
    if (c->distilled_rows) {
        ws_need_unused(b, ws_need_2d(b, c->distilled_rows, c->width, "head_dist.weight"));
        ws_need_unused(b, ws_need_1d(b, c->distilled_rows, "head_dist.bias"));
    }
}

static void describe_metadata(const ws_family *f, ws_builder *b)
{
    const ws_backbone_config *c = &f->backbone;
    const double unit = 255.0;
    const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    ws_meta_string(b, "model.family", f->name);
    ws_meta_numbers(b, "picture.unit", 1, &unit);
    ws_meta_numbers(b, "picture.mean", 3, mean);
    ws_meta_numbers(b, "picture.std", 3, std);
    ws_meta_int(b, "backbone.patch", c->patch);
    ws_meta_int(b, "backbone.registers", c->registers);
    ws_meta_int(b, "backbone.grid", c->side);
    ws_meta_string(b, "backbone.positions", c->positions);
}

void ws_describe_backbone(const ws_family *f, ws_builder *b)
{
    const ws_backbone_config *c = &f->backbone;
    const ws_plain_vit v = {.width = c->width,
                            .heads = c->heads,
                            .mlp = c->mlp,
                            .side = c->side,
                            .mode = c->positions,
                            .layer_scale = c->layer_scale};
    describe_metadata(f, b);
    ws_graph_begin(b, "backbone");
    const ws_plain_tokens t = describe_tokens(c, &v, b);
    ws_ref x = t.x;
    for (uint32_t i = 0; i < c->depth; i++) {
        char name[64];
        const ws_ref qkv = ws_plain_qkv(b, &v, x, i);
        if (i + 1 == c->depth)
            describe_class_attention(&v, b, qkv, t.grid);
        snprintf(name, sizeof name, "blocks.%u.attn.proj", i);
        x = ws_add(b, name, ws_plain_attention(b, &v, qkv, i), x);
        x = ws_plain_mlp(b, &v, x, i);
    }
    describe_outputs(&v, b, x, t.grid);
    describe_unused(c, b);
}
