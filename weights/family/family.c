/* weights/family/family.c - which family a checkpoint is, from its names and shapes; the published
 * sizes. */
#include "weights/family/family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_GRID = 256 }; /* 4096 pixels in patches of 16; position tables grow with its square */

/* ---- what a checkpoint tells ---- */

/* Dimension d of a tensor, 0 when it is not there. */
static uint32_t dim(const ws_source *s, int d, const char *name)
{
    const ws_source_tensor *t = ws_source_find(s, name);
    return t && d < t->rank ? t->dims[d] : 0;
}

/* How many of the numbered names ("...%u...") follow each other from 0 on. */
static uint32_t count(const ws_source *s, const char *before, const char *after)
{
    char name[WS_SOURCE_NAME + 1];
    for (uint32_t i = 0; i < WS_MAX_DEPTH; i++) {
        snprintf(name, sizeof name, "%s%u%s", before, i, after);
        if (!ws_source_find(s, name))
            return i;
    }
    return WS_MAX_DEPTH;
}

static uint32_t note(const ws_source *s, const char *key, uint32_t otherwise)
{
    const char *text = ws_source_note_value(s, key);
    const long v = text ? strtol(text, NULL, 10) : 0;
    return v > 0 && v <= 65536 ? (uint32_t)v : otherwise;
}

static uint32_t square_root(uint32_t n)
{
    uint32_t r = 0;
    while ((r + 1) * (r + 1) <= n && r < 65535)
        r++;
    return r;
}

static void detect_decoder(const ws_source *s, ws_decoder_config *c, int efficient)
{
    const char *layer = "mask_decoder.transformer.layers.";
    c->efficient = efficient;
    c->width = dim(s, 1, "mask_decoder.iou_token.weight");
    c->masks = dim(s, 0, "mask_decoder.mask_tokens.weight");
    c->cross = dim(s, 0, "mask_decoder.transformer.final_attn_token_to_image.q_proj.weight");
    c->layers = count(s, layer, ".norm1.weight");
    c->heads = note(s, "weaksam.decoder_heads", 8);
    c->mlp = dim(s, 0,
                 efficient ? "mask_decoder.transformer.layers.0.mlp.fc.weight"
                           : "mask_decoder.transformer.layers.0.mlp.lin1.weight");
    if (efficient)
        c->mlp = dim(s, 1, "mask_decoder.transformer.layers.0.mlp.fc.weight");
    c->up1 = dim(s, 1,
                 efficient ? "mask_decoder.final_output_upscaling_layers.0.0.weight"
                           : "mask_decoder.output_upscaling.0.weight");
    c->up2 = dim(s, 1,
                 efficient ? "mask_decoder.final_output_upscaling_layers.1.0.weight"
                           : "mask_decoder.output_upscaling.3.weight");
    c->hyper = dim(s, 0,
                   efficient ? "mask_decoder.iou_prediction_head.layers.0.0.weight"
                             : "mask_decoder.iou_prediction_head.layers.0.weight");
    c->mask_channels[0] = dim(s, 0, "prompt_encoder.mask_downscaling.0.weight");
    c->mask_channels[1] = dim(s, 0, "prompt_encoder.mask_downscaling.3.weight");
}

static void detect_vit(const ws_source *s, const wsam_convert_options *o, ws_family *f)
{
    ws_vit_config *v = &f->vit;
    v->width = dim(s, 0, "image_encoder.patch_embed.proj.weight");
    v->patch = dim(s, 2, "image_encoder.patch_embed.proj.weight");
    v->depth = count(s, "image_encoder.blocks.", ".norm1.weight");
    v->out = dim(s, 0, "image_encoder.neck.0.weight");
    v->mlp = dim(s, 0,
                 f->kind == WS_FAMILY_SAM ? "image_encoder.blocks.0.mlp.lin1.weight"
                                          : "image_encoder.blocks.0.mlp.fc1.weight");
    if (f->kind == WS_FAMILY_SAM) {
        const uint32_t head = dim(s, 1, "image_encoder.blocks.0.attn.rel_pos_h");
        v->heads = head ? v->width / head : 0;
        v->pos_side = dim(s, 1, "image_encoder.pos_embed");
        v->image = o->image_size ? (uint32_t)o->image_size : v->pos_side * v->patch;
    } else {
        const uint32_t rows = dim(s, 1, "image_encoder.pos_embed");
        v->heads = o->heads ? (uint32_t)o->heads : note(s, "weaksam.heads", v->width / 64);
        v->pos_side = square_root(rows ? rows - 1 : 0);
        v->image = o->image_size ? (uint32_t)o->image_size : note(s, "weaksam.image_size", 1024);
    }
    f->decoder.grid = v->patch ? v->image / v->patch : 0;
}

static uint32_t relative_side(const ws_source *s, uint32_t block)
{
    char name[96];
    snprintf(name, sizeof name, "image_encoder.blocks.%u.attn.rel_pos_h", block);
    return (dim(s, 0, name) + 1) / 2;
}

/* A block whose table spans the position grid is global; the others give the window. Where no table
 * has the grid's size (the original resamples them when it runs), the largest are the global ones.
 */
static void detect_windows(const ws_source *s, ws_vit_config *v)
{
    uint32_t smallest = UINT32_MAX, largest = 0, global = 0;
    for (uint32_t i = 0; i < v->depth; i++) {
        const uint32_t side = relative_side(s, i);
        if (side == v->pos_side)
            global = side;
        smallest = side < smallest ? side : smallest;
        largest = side > largest ? side : largest;
    }
    if (!global && (largest > smallest || largest > v->pos_side))
        global = largest;
    for (uint32_t i = 0; i < v->depth; i++) {
        const uint32_t side = relative_side(s, i);
        if (side == global)
            v->global[v->n_global++] = i;
        else
            v->window = side;
    }
    v->global_side = global;
}

static void detect_tiny(const ws_source *s, const wsam_convert_options *o, ws_family *f)
{
    ws_tiny_config *t = &f->tiny;
    char name[96], before[64];
    t->dims[0] = dim(s, 0, "image_encoder.patch_embed.seq.2.c.weight");
    t->depths[0] = count(s, "image_encoder.layers.0.blocks.", ".conv1.c.weight");
    t->expand =
        t->dims[0] ? dim(s, 0, "image_encoder.layers.0.blocks.0.conv1.c.weight") / t->dims[0] : 0;
    for (uint32_t i = 1; i < 4; i++) {
        snprintf(before, sizeof before, "image_encoder.layers.%u.blocks.", i);
        t->depths[i] = count(s, before, ".attn.qkv.weight");
        snprintf(name, sizeof name, "%s0.attn.qkv.weight", before);
        t->dims[i] = dim(s, 1, name);
        snprintf(name, sizeof name, "%s0.attn.attention_biases", before);
        t->heads[i] = dim(s, 0, name);
        t->windows[i] = square_root(dim(s, 1, name));
        snprintf(name, sizeof name, "%s0.mlp.fc1.weight", before);
        t->mlp_ratio = t->dims[i] ? dim(s, 0, name) / t->dims[i] : 0;
    }
    t->classes = dim(s, 0, "image_encoder.head.weight");
    t->out = dim(s, 0, "image_encoder.neck.0.weight");
    t->image = o->image_size ? (uint32_t)o->image_size : note(s, "weaksam.image_size", 1024);
    f->decoder.grid = t->image / 16;
}

/* Published names of the usual sizes, for people; "sam_vit" and so on otherwise. */
static void name_family(ws_family *f)
{
    const uint32_t d = f->vit.width;
    if (f->kind == WS_FAMILY_TINY)
        snprintf(f->name, sizeof f->name, "mobile_sam");
    else if (f->kind == WS_FAMILY_EFFICIENT)
        snprintf(f->name, sizeof f->name, "efficient_sam%s",
                 d == 192 ? "_ti" : (d == 384 ? "_s" : ""));
    else
        snprintf(f->name, sizeof f->name, "sam_vit%s",
                 d == 768 ? "_b" : (d == 1024 ? "_l" : (d == 1280 ? "_h" : "")));
}

/* What a description divides by or multiplies must make sense; the rest is found by comparing
 * shapes. */
static wsam_status check_family(const ws_source *s, const ws_family *f, wsam_error *error)
{
    const ws_vit_config *v = &f->vit;
    const ws_tiny_config *t = &f->tiny;
    const ws_decoder_config *c = &f->decoder;
    int bad = !c->width || c->width % 2 || !c->masks || c->masks > 16 || !c->cross || !c->layers ||
              !c->heads || c->width % c->heads || c->cross % c->heads || !c->grid ||
              c->grid > MAX_GRID;
    if (f->kind == WS_FAMILY_TINY) {
        bad |= !t->depths[0] || !t->expand || !t->mlp_ratio || t->image % 16;
        for (int i = 1; i < 4; i++)
            bad |= !t->dims[i] || !t->heads[i] || t->dims[i] % t->heads[i] || !t->windows[i];
    } else {
        bad |= !v->width || !v->patch || !v->depth || !v->heads || v->width % v->heads || !v->mlp ||
               !v->image || v->image % v->patch || !v->pos_side;
    }
    if (bad)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%s: looks like %s, but sizes that define the model are missing or absurd",
                       s->path, f->name);
    return WSAM_OK;
}

static wsam_status detect_weaktr(const ws_source *s, const wsam_convert_options *o, ws_family *f,
                                 wsam_error *error)
{
    f->kind = WS_FAMILY_WEAKTR;
    snprintf(f->name, sizeof f->name, "weaktr");
    ws_weaktr_detect(s, o, &f->clues);
    if (o->arch && strcmp(o->arch, "auto") != 0 && strcmp(o->arch, f->name) != 0)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: the tensors are those of %s, not of %.60s",
                       s->path, f->name, o->arch);
    if (!ws_weaktr_sensible(&f->clues))
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%s: looks like weaktr, but sizes that define the model are missing or "
                       "absurd (%u classes, width %u, depth %u, %u heads, patch %u, grid %u)",
                       s->path, f->clues.classes, f->clues.width, f->clues.depth, f->clues.heads,
                       f->clues.patch, f->clues.side);
    if (o->n_classes && o->n_classes != f->clues.classes)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: %zu class names for %u classes", s->path,
                       o->n_classes, f->clues.classes);
    return WSAM_OK;
}

/* The names are what a person recognises a model by. */
static wsam_status unknown_family(const ws_source *s, wsam_error *error)
{
    const size_t n = s->n_tensors;
    const char *first = n ? s->tensors[0].name : "";
    const char *middle = n > 2 ? s->tensors[n / 2].name : first;
    const char *last = n > 1 ? s->tensors[n - 1].name : first;
    return ws_fail(
        error, WSAM_ERR_UNSUPPORTED,
        "%s: %zu tensors, but of no known family (SAM, MobileSAM, EfficientSAM, "
        "WeakTr, DINOv2, DINO, DeiT, Faster and Mask R-CNN, MIST); there are '%.100s', '%.100s', '%.100s'",
        s->path, n, first, middle, last);
}

wsam_status ws_family_detect(const ws_source *s, const wsam_convert_options *o, ws_family *f,
                             wsam_error *error)
{
    memset(f, 0, sizeof *f);
    const int backbone = ws_family_backbone_matches(s);
    if (o->positions && !backbone)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%s: no backbone; a mode for its positions was given", s->path);
    const int rcnn = ws_rcnn_detect_matches(s);
    if (o->detector && !rcnn)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: no detector; rules for one were given",
                       s->path);
    if (ws_weaktr_matches(s))
        return detect_weaktr(s, o, f, error);
    if (o->uniform_fusion)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%s: no clue network; uniform fusion of its maps was asked for", s->path);
    if (rcnn) {
        f->kind = WS_FAMILY_RCNN;
        return ws_rcnn_detect(s, o, &f->rcnn, f->name, error);
    }
    if (ws_family_mist_matches(s)) {
        f->kind = WS_FAMILY_MIST;
        return ws_family_mist_detect(s, o, &f->mist, f->name, error);
    }
    if (o->n_classes)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: a model without classes; names were given",
                       s->path);
    if (backbone)
        return ws_family_backbone_detect(s, o, f, error);
    const int tiny = ws_source_find(s, "image_encoder.patch_embed.seq.0.c.weight") != NULL;
    const int vit = ws_source_find(s, "image_encoder.patch_embed.proj.weight") != NULL;
    const int efficient = ws_source_find(s, "prompt_encoder.invalid_points.weight") != NULL ||
                          (vit && ws_source_find(s, "image_encoder.blocks.0.mlp.fc1.weight"));
    if (!tiny && !vit)
        return unknown_family(s, error);
    f->kind = tiny ? WS_FAMILY_TINY : (efficient ? WS_FAMILY_EFFICIENT : WS_FAMILY_SAM);
    detect_decoder(s, &f->decoder, f->kind == WS_FAMILY_EFFICIENT);
    if (tiny)
        detect_tiny(s, o, f);
    else
        detect_vit(s, o, f);
    if (f->kind == WS_FAMILY_SAM)
        detect_windows(s, &f->vit);
    name_family(f);
    if (o->arch && strcmp(o->arch, "auto") != 0 && strcmp(o->arch, f->name) != 0)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: the tensors are those of %s, not of %.60s",
                       s->path, f->name, o->arch);
    return check_family(s, f, error);
}

/* ---- families by name ---- */

static const ws_decoder_config sam_decoder = {.grid = 64,
                                              .width = 256,
                                              .cross = 128,
                                              .mlp = 2048,
                                              .layers = 2,
                                              .heads = 8,
                                              .masks = 4,
                                              .up1 = 64,
                                              .up2 = 32,
                                              .hyper = 256,
                                              .mask_channels = {4, 16}};

#define SAM_VIT(width_, depth_, heads_, ...)                                                       \
    {                                                                                              \
        .image = 1024, .patch = 16, .width = width_, .depth = depth_, .heads = heads_,             \
        .mlp = 4 * width_, .window = 14, .global = {__VA_ARGS__}, .n_global = 4, .pos_side = 64,   \
        .out = 256                                                                                 \
    }
#define EFFICIENT_VIT(width_, heads_)                                                              \
    {                                                                                              \
        .image = 1024, .patch = 16, .width = width_, .depth = 12, .heads = heads_,                 \
        .mlp = 4 * width_, .pos_side = 14, .out = 256                                              \
    }
#define TINY_VIT(image_, classes_)                                                                 \
    {                                                                                              \
        .image = image_, .dims = {64, 128, 160, 320}, .depths = {2, 2, 6, 2},                      \
        .heads = {2, 4, 5, 10}, .windows = {7, 7, 14, 7}, .mlp_ratio = 4, .expand = 4,             \
        .classes = classes_, .out = 256                                                            \
    }

#define WEAKTR(width_, depth_, heads_, classes_, side_, fusion_, hidden_)                          \
    {                                                                                              \
        .classes = classes_, .width = width_, .depth = depth_, .heads = heads_, .mlp = 4 * width_, \
        .patch = 16, .side = side_, .fusion = fusion_, .hidden = hidden_, .feature_hidden = 8      \
    }

#define BACKBONE(width_, patch_, side_, registers_, scale_, head_, positions_)                     \
    {                                                                                              \
        .width = width_, .depth = 12, .heads = (width_) / 64, .mlp = 4 * (width_),                 \
        .patch = patch_, .side = side_, .registers = registers_, .layer_scale = scale_,            \
        .head_rows = head_, .positions = positions_                                                \
    }
#define BACKBONE_MINI(patch_, side_, registers_, scale_, head_, positions_)                        \
    {                                                                                              \
        .width = 64, .depth = 2, .heads = 1, .mlp = 128, .patch = patch_, .side = side_,           \
        .registers = registers_, .layer_scale = scale_, .head_rows = head_,                        \
        .positions = positions_                                                                    \
    }

#define RCNN(library_, slots_, deltas_, mask_convs_)                                               \
    {                                                                                              \
        .library = library_, .stem = 64, .blocks = {3, 4, 6, 3}, .mid = {64, 128, 256, 512},       \
        .out = {256, 512, 1024, 2048}, .pyramid = 256, .anchors = 3, .bins = 7, .fc1 = 1024,       \
        .fc2 = 1024, .slots = slots_, .deltas = deltas_, .mask_convs = mask_convs_,                \
        .mask_width = 256, .mask_up = 256, .mask_classes = deltas_                                 \
    }
#define RCNN_MINI(library_, slots_, deltas_, mask_convs_)                                          \
    {                                                                                              \
        .library = library_, .stem = 8, .blocks = {1, 2, 1, 1}, .mid = {8, 8, 8, 16},              \
        .out = {16, 16, 24, 32}, .pyramid = 16, .anchors = 3, .bins = 7, .fc1 = 32, .fc2 = 24,     \
        .slots = slots_, .deltas = deltas_, .mask_convs = mask_convs_, .mask_width = 16,           \
        .mask_up = 8, .mask_classes = deltas_                                                      \
    }

static const ws_family known[] = {
    {.name = "sam_vit_b", .kind = WS_FAMILY_SAM, .vit = SAM_VIT(768, 12, 12, 2, 5, 8, 11)},
    {.name = "sam_vit_l", .kind = WS_FAMILY_SAM, .vit = SAM_VIT(1024, 24, 16, 5, 11, 17, 23)},
    {.name = "sam_vit_h", .kind = WS_FAMILY_SAM, .vit = SAM_VIT(1280, 32, 16, 7, 15, 23, 31)},
    {.name = "mobile_sam", .kind = WS_FAMILY_TINY, .tiny = TINY_VIT(1024, 1000)},
    {.name = "efficient_sam_ti", .kind = WS_FAMILY_EFFICIENT, .vit = EFFICIENT_VIT(192, 3)},
    {.name = "efficient_sam_s", .kind = WS_FAMILY_EFFICIENT, .vit = EFFICIENT_VIT(384, 6)},
    {.name = "sam_vit_mini",
     .kind = WS_FAMILY_SAM,
     .vit = {.image = 256,
             .patch = 16,
             .width = 64,
             .depth = 3,
             .heads = 2,
             .mlp = 256,
             .window = 14,
             .global = {1},
             .n_global = 1,
             .pos_side = 16,
             .out = 256}},
    {.name = "tiny_vit_mini", .kind = WS_FAMILY_TINY, .tiny = TINY_VIT(256, 0)},
    {.name = "efficient_sam_mini",
     .kind = WS_FAMILY_EFFICIENT,
     .vit = {.image = 256,
             .patch = 16,
             .width = 64,
             .depth = 2,
             .heads = 2,
             .mlp = 256,
             .pos_side = 14,
             .out = 256}},
    {.name = "weaktr",
     .kind = WS_FAMILY_WEAKTR,
     .clues = WEAKTR(384, 12, 6, 20, 14, WS_FUSION_BY_TOKENS, 18)},
    {.name = "weaktr_mini",
     .kind = WS_FAMILY_WEAKTR,
     .clues = WEAKTR(64, 3, 4, 20, 4, WS_FUSION_BY_TOKENS, 3)},
    {.name = "weaktr_features_mini",
     .kind = WS_FAMILY_WEAKTR,
     .clues = WEAKTR(64, 3, 4, 5, 4, WS_FUSION_BY_FEATURES, 3)},
    {.name = "weaktr_plain_mini",
     .kind = WS_FAMILY_WEAKTR,
     .clues = WEAKTR(48, 2, 3, 3, 5, WS_FUSION_NONE, 0)},
    {.name = "weaktr_stem_mini",
     .kind = WS_FAMILY_WEAKTR,
     .clues = {.classes = 3,
               .width = 48,
               .depth = 2,
               .heads = 3,
               .mlp = 192,
               .patch = 8,
               .side = 5,
               .stem = {.stages = 3, .width = {8, 16, 24}, .pairs = {0, 1, 2}}}},
    {.name = "dinov2_vits14",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE(384, 14, 37, 0, 1, 0, "offset")},
    {.name = "dinov2_vits14_reg",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE(384, 14, 37, 4, 1, 0, "antialias")},
    {.name = "dinov2_vitb14",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE(768, 14, 37, 0, 1, 0, "offset")},
    {.name = "dinov2_vitb14_reg",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE(768, 14, 37, 4, 1, 0, "antialias")},
    {.name = "dino_vits16",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE(384, 16, 14, 0, 0, 0, "offset")},
    {.name = "deit_small",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE(384, 16, 14, 0, 0, 1000, "size")},
    {.name = "deit_tiny",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE(192, 16, 14, 0, 0, 1000, "size")},
    {.name = "dinov2_mini",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE_MINI(14, 5, 0, 1, 0, "offset")},
    {.name = "dinov2_reg_mini",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE_MINI(14, 5, 4, 1, 0, "antialias")},
    {.name = "dino_mini",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE_MINI(8, 6, 0, 0, 0, "offset")},
    {.name = "deit_mini",
     .kind = WS_FAMILY_BACKBONE,
     .backbone = BACKBONE_MINI(16, 4, 0, 0, 10, "size")},
    {.name = "mask_rcnn_r50_fpn",
     .kind = WS_FAMILY_RCNN,
     .rcnn = RCNN(WS_RCNN_TORCHVISION, 91, 91, 4)},
    {.name = "faster_rcnn_r50_fpn",
     .kind = WS_FAMILY_RCNN,
     .rcnn = RCNN(WS_RCNN_TORCHVISION, 91, 91, 0)},
    {.name = "mask_rcnn_mini",
     .kind = WS_FAMILY_RCNN,
     .rcnn = RCNN_MINI(WS_RCNN_TORCHVISION, 4, 4, 2)},
    {.name = "faster_rcnn_old_mini",
     .kind = WS_FAMILY_RCNN,
     .rcnn = RCNN_MINI(WS_RCNN_TORCHVISION_OLD, 4, 4, 0)},
    {.name = "mask_rcnn_detectron2_mini",
     .kind = WS_FAMILY_RCNN,
     .rcnn = RCNN_MINI(WS_RCNN_DETECTRON2, 4, 3, 2)},
    {.name = "mask_rcnn_mmdetection_mini",
     .kind = WS_FAMILY_RCNN,
     .rcnn = RCNN_MINI(WS_RCNN_MMDETECTION, 4, 3, 2)},
    {.name = "mist_vgg16",
     .kind = WS_FAMILY_MIST,
     .mist = {.width = {64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512},
              .bins = 7,
              .fc1 = 4096,
              .fc2 = 4096,
              .slots = 21,
              .similarity = {4096, 128}}},
    {.name = "mist_mini",
     .kind = WS_FAMILY_MIST,
     .mist = {.width = {4, 4, 8, 8, 8, 8, 8, 16, 16, 16, 16, 16, 16},
              .bins = 7,
              .fc1 = 32,
              .fc2 = 24,
              .slots = 4,
              .similarity = {24, 8}}},
};

const char *wsam_family_name(int index)
{
    return index >= 0 && index < (int)(sizeof known / sizeof known[0]) ? known[index].name : NULL;
}

wsam_status ws_family_by_name(const char *name, ws_family *f, wsam_error *error)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0) {
            *f = known[i];
            if (f->kind == WS_FAMILY_RCNN)
                ws_rcnn_detect_rules(&f->rcnn);
            if (f->kind == WS_FAMILY_WEAKTR)
                f->vit.heads = f->clues.heads; /* what a twin's notes say */
            f->decoder = sam_decoder;
            f->decoder.efficient = f->kind == WS_FAMILY_EFFICIENT;
            f->decoder.grid = (f->kind == WS_FAMILY_TINY ? f->tiny.image : f->vit.image) / 16;
            return WSAM_OK;
        }
    return ws_fail(error, WSAM_ERR_ARGUMENT, "unknown model family '%.60s'", name);
}

/* ---- description ---- */

/* Picture and prompt rules: FORMAT.md, metadata keys. */
static void describe_rules(const ws_family *f, ws_builder *b)
{
    const int efficient = f->kind == WS_FAMILY_EFFICIENT;
    const double unit = efficient ? 255.0 : 1.0;
    const double sam_mean[3] = {123.675, 116.28, 103.53}, sam_std[3] = {58.395, 57.12, 57.375};
    const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    ws_meta_string(b, "model.family", f->name);
    ws_meta_string(b, "picture.resize", efficient ? "stretch" : "longest_side");
    ws_meta_int(b, "picture.size", f->kind == WS_FAMILY_TINY ? f->tiny.image : f->vit.image);
    ws_meta_numbers(b, "picture.unit", 1, &unit);
    ws_meta_numbers(b, "picture.mean", 3, efficient ? mean : sam_mean);
    ws_meta_numbers(b, "picture.std", 3, efficient ? std : sam_std);
    ws_meta_string(b, "prompt.pad_point", efficient ? "none" : "without_box");
    ws_meta_int(b, "prompt.fixed_points", efficient ? 6 : 0);
    ws_meta_int(b, "prompt.mask_size", efficient ? 0 : 4 * (int64_t)f->decoder.grid);
    ws_meta_int(b, "prompt.negative_points", efficient ? 0 : 1);
    ws_meta_string(b, "output.resize", efficient ? "bicubic" : "crop_bilinear");
    ws_meta_string(b, "output.threshold", efficient ? ">=" : ">");
}

void ws_family_describe(const ws_family *f, ws_builder *b)
{
    if (f->kind == WS_FAMILY_WEAKTR) {
        ws_describe_weaktr(&f->clues, b);
        return;
    }
    if (f->kind == WS_FAMILY_BACKBONE) {
        ws_describe_backbone(f, b);
        return;
    }
    if (f->kind == WS_FAMILY_RCNN) {
        ws_describe_rcnn(&f->rcnn, f->name, b);
        return;
    }
    if (f->kind == WS_FAMILY_MIST) {
        ws_describe_mist(&f->mist, f->name, b);
        return;
    }
    describe_rules(f, b);
    switch (f->kind) {
    case WS_FAMILY_SAM:
        ws_vit_sam_encoder(f, b);
        break;
    case WS_FAMILY_TINY:
        ws_describe_tiny_encoder(f, b);
        break;
    case WS_FAMILY_EFFICIENT:
        ws_vit_efficient_encoder(f, b);
        break;
    case WS_FAMILY_WEAKTR:
    case WS_FAMILY_BACKBONE:
    case WS_FAMILY_RCNN:
    case WS_FAMILY_MIST:
        break;
    }
    ws_describe_decoder(f, b);
}
