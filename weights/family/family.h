/* weights/family/family.h - the model families: how each is recognised and described. Only here are
 * checkpoint names known. */
#ifndef WS_WEIGHTS_FAMILY_FAMILY_H
#define WS_WEIGHTS_FAMILY_FAMILY_H

#include "weights/builder.h"
#include "weights/family/mist.h"
#include "weights/family/rcnn.h"

/* Two-way mask decoder with its prompt encoder, in SAM's or EfficientSAM's dress (spec:
 * segment-anything modeling/{prompt_encoder,mask_decoder,transformer}.py, EfficientSAM
 * efficient_sam_decoder.py). */
typedef struct ws_decoder_config {
    uint32_t grid;             /* image tokens per side */
    uint32_t width;            /* E, 256 */
    uint32_t cross;            /* inner width of the cross attentions, E/2 */
    uint32_t mlp;              /* 2048 */
    uint32_t layers;           /* 2 */
    uint32_t heads;            /* 8 */
    uint32_t masks;            /* mask tokens, 4 */
    uint32_t up1, up2;         /* channels after the transposed convolutions, 64 and 32 */
    uint32_t hyper;            /* hidden width of the hypernetworks and the IoU head, 256 */
    uint32_t mask_channels[2]; /* of the mask prompt's convolutions, 4 and 16 */
    int efficient; /* EfficientSAM: residual in layer 0, GELU everywhere, GroupNorm, no mask prompt
                    */
} ws_decoder_config;

enum { WS_MAX_DEPTH = 256 }; /* blocks of an encoder or a stage */

typedef struct ws_vit_config {
    uint32_t image, patch; /* pixels */
    uint32_t width, depth, heads, mlp;
    uint32_t window;               /* 0: all blocks global */
    uint32_t global[WS_MAX_DEPTH]; /* block numbers with global attention, when window > 0 */
    uint32_t n_global;
    uint32_t pos_side;    /* side of the patch grid of the checkpoint's position table */
    uint32_t global_side; /* and of its global relative tables; 0: pos_side */
    uint32_t out;         /* neck width */
} ws_vit_config;

typedef struct ws_tiny_config {
    uint32_t image;
    uint32_t dims[4], depths[4], heads[4], windows[4];
    uint32_t mlp_ratio, expand; /* 4, 4 */
    uint32_t classes;           /* of the unused classifier; 0: absent */
    uint32_t out;
} ws_tiny_config;

/* How the attention maps of a clue network are weighed: all alike, by the number of tokens (the
 * module that WeakSAM carries), or by what attention gives (WeakTr's own). */
typedef enum ws_fusion { WS_FUSION_NONE, WS_FUSION_BY_TOKENS, WS_FUSION_BY_FEATURES } ws_fusion;

enum { WS_MAX_CLUE_DEPTH = 28 }; /* every layer is an output of its graph */

#define WS_STEM "patch_embed.stem."
enum { WS_MAX_STEM = 6 };

typedef struct ws_stem_config {
    uint32_t stages; /* 0: there is none */
    uint32_t width[WS_MAX_STEM], pairs[WS_MAX_STEM];
} ws_stem_config;

typedef struct ws_clue_config {
    uint32_t classes, width, depth, heads, mlp;
    uint32_t patch; /* pixels; with a stem: what it divides the picture by */
    ws_stem_config stem;
    uint32_t side; /* of the stored position grid */
    ws_fusion fusion;
    ws_fusion unused; /* of the checkpoint, where the maps count alike all the same */
    uint32_t hidden, feature_hidden; /* of the fusion's layers */
    const char *names;               /* a note of class names with commas, or NULL */
} ws_clue_config;

/* A frozen ViT whose patches are features: DINOv2 and DINO, DeiT. */
typedef struct ws_backbone_config {
    uint32_t width, depth, heads, mlp, patch;
    uint32_t side; /* of the stored position grid */
    uint32_t registers;
    int layer_scale;
    int distilled;           /* DeiT's distillation token: a register with a position */
    int no_class_position;   /* timm's DINOv2 with registers: the class token has it already */
    uint32_t head_rows;      /* of the unused classifier; 0: there is none */
    uint32_t distilled_rows; /* of the distillation token's */
    const char *positions;   /* how the table is resampled: offset, size, antialias */
} ws_backbone_config;

typedef enum ws_family_kind {
    WS_FAMILY_SAM,
    WS_FAMILY_TINY,
    WS_FAMILY_EFFICIENT,
    WS_FAMILY_WEAKTR,
    WS_FAMILY_BACKBONE,
    WS_FAMILY_RCNN,
    WS_FAMILY_MIST
} ws_family_kind;

typedef struct ws_family {
    char name[64]; /* "sam_vit_b", or a generic one for unpublished sizes */
    ws_family_kind kind;
    ws_vit_config vit;   /* SAM, EfficientSAM */
    ws_tiny_config tiny; /* MobileSAM */
    ws_decoder_config decoder;
    ws_clue_config clues;        /* WeakTr: nothing else */
    ws_backbone_config backbone; /* nothing else either */
    ws_rcnn_config rcnn;         /* nor here */
    ws_mist_config mist;         /* nor here */
} ws_family;

/* Recognises the family from names and shapes. */
wsam_status ws_family_detect(const ws_source *source, const wsam_convert_options *options,
                             ws_family *family, wsam_error *error);

/* A family by name, with the sizes it was published with (or a small one for tests). */
wsam_status ws_family_by_name(const char *name, ws_family *family, wsam_error *error);

/* Describes encoder, decoder and metadata. */
void ws_family_describe(const ws_family *family, ws_builder *b);

/* The parts. */
void ws_vit_sam_encoder(const ws_family *family, ws_builder *b);
void ws_describe_tiny_encoder(const ws_family *family, ws_builder *b);
void ws_vit_efficient_encoder(const ws_family *family, ws_builder *b);
void ws_describe_weaktr(const ws_clue_config *config, ws_builder *b);
void ws_describe_backbone(const ws_family *family, ws_builder *b);
int ws_family_backbone_matches(const ws_source *source);
wsam_status ws_family_backbone_detect(const ws_source *source, const wsam_convert_options *options,
                                      ws_family *family, wsam_error *error);
int ws_weaktr_matches(const ws_source *source);
void ws_weaktr_detect(const ws_source *source, const wsam_convert_options *options,
                      ws_clue_config *config);
int ws_weaktr_sensible(const ws_clue_config *config);
void ws_stem_detect(const ws_source *source, ws_stem_config *config);
int ws_stem_sensible(const ws_stem_config *config);
ws_ref ws_describe_stem(ws_builder *b, ws_ref image, const ws_stem_config *config);
void ws_describe_decoder(const ws_family *family, ws_builder *b);
/* 1x1 conv, norm, 3x3 conv, norm: the neck that all encoders end with; outputs `embedding`. */
void ws_vit_neck(ws_builder *b, ws_ref x, uint32_t in, uint32_t out);
/* The weight and bias of a convolution with the BatchNorm behind it folded in; `conv` and `norm` are
 * the names in the checkpoint without .weight, .bias, ... */
typedef struct ws_normed_conv {
    const char *conv, *norm;
    uint32_t out, depth;
    int kernel;
    int no_eps;   /* the norm divides by sqrt(var) alone, not by sqrt(var + 1e-5) */
    int reversed; /* the checkpoint's input channels are the other way round: BGR */
} ws_normed_conv;
typedef struct ws_folded {
    ws_ref weight, bias;
} ws_folded;
ws_folded ws_conv_bn_store_folded(ws_builder *b, ws_role role, const ws_normed_conv *conv);
/* A convolution (padding kernel / 2) and its BatchNorm: `name`.c and `name`.bn behind `prefix`. */
typedef struct ws_conv_bn {
    const char *prefix, *name;
    uint32_t in, out;
    int kernel, stride, depthwise;
} ws_conv_bn;
ws_ref ws_describe_conv_bn(ws_builder *b, ws_role role, ws_ref x, const ws_conv_bn *conv);
/* x + lin2(gelu(lin1(norm(x)))), with the names of one block: norm, lin1, lin2 under `prefix`. */
typedef struct ws_mlp_names {
    const char *prefix, *norm, *first, *second;
    const ws_ref
        *stored; /* weight and bias of lin2 where they are not stored as they are, or NULL */
} ws_mlp_names;
ws_ref ws_vit_mlp(ws_builder *b, ws_ref x, const ws_mlp_names *names, uint32_t width,
                  uint32_t hidden, double eps);

#endif
