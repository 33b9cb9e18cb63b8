/* weights/family/rcnn.h - Faster R-CNN and Mask R-CNN with a ResNet and a feature pyramid, from
 * torchvision, detectron2 and mmdetection. */
#ifndef WS_WEIGHTS_FAMILY_RCNN_H
#define WS_WEIGHTS_FAMILY_RCNN_H

#include "weights/builder.h"

typedef enum ws_rcnn_library {
    WS_RCNN_TORCHVISION,
    WS_RCNN_TORCHVISION_OLD, /* names of files written before torchvision 0.13 */
    WS_RCNN_DETECTRON2,
    WS_RCNN_MMDETECTION
} ws_rcnn_library;

/* Tensors of an R-CNN whose names differ between the libraries. */
typedef enum ws_rcnn_part {
    WS_RCNN_STEM,
    WS_RCNN_STEM_NORM,
    WS_RCNN_CONV, /* of a block */
    WS_RCNN_CONV_NORM,
    WS_RCNN_SHORTCUT,
    WS_RCNN_SHORTCUT_NORM,
    WS_RCNN_LATERAL,
    WS_RCNN_PYRAMID,
    WS_RCNN_RPN,
    WS_RCNN_OBJECTNESS,
    WS_RCNN_ANCHOR_DELTAS,
    WS_RCNN_FC1,
    WS_RCNN_FC2,
    WS_RCNN_LOGITS,
    WS_RCNN_BOX_DELTAS,
    WS_RCNN_MASK_CONV,
    WS_RCNN_MASK_UPSAMPLE,
    WS_RCNN_MASK_LOGITS,
    WS_RCNN_PARTS
} ws_rcnn_part;

enum { WS_RCNN_STAGES = 4, WS_RCNN_MAX_BLOCKS = 64, WS_RCNN_MAX_MASK_CONVS = 16 };

typedef struct ws_rcnn_config {
    ws_rcnn_library library;
    uint32_t stem;
    uint32_t blocks[WS_RCNN_STAGES], mid[WS_RCNN_STAGES], out[WS_RCNN_STAGES];
    int basic; /* blocks of two 3x3 convolutions (ResNet-18, 34), not of three (50, 101, 152) */
    uint32_t pyramid;    /* channels of every level */
    uint32_t anchors;    /* per cell */
    uint32_t bins;       /* per axis of a pooled box */
    uint32_t fc1, fc2;   /* widths */
    uint32_t slots;      /* classes and the background */
    uint32_t deltas;     /* classes with box deltas of their own; 1: all share them */
    uint32_t mask_convs; /* 0: Faster R-CNN, without masks */
    uint32_t mask_width; /* channels behind each of them */
    uint32_t mask_up;    /* and behind the transposed convolution */
    uint32_t mask_classes;
    int stride_in_1x1;      /* a stage's first block halves the map in its first convolution */
    int no_eps;             /* the norms divide by sqrt(var) */
    int bgr;                /* the checkpoint wants blue first */
    int extras;             /* the file may carry means and anchors beside its weights */
    double unit;            /* what 8-bit values are divided by in front of mean and std */
    double mean[3], std[3]; /* RGB */
    uint32_t short_side, long_side;
    const char *classes; /* the source's, one per line, or NULL */
} ws_rcnn_config;

/* The name of a part without .weight and .bias. `stage` counts from 0 over the four stages and
 * levels, `block` from 0; `conv` from 1 in a block, from 0 in the mask head. */
void ws_rcnn_name(ws_rcnn_library library, ws_rcnn_part part, uint32_t stage, uint32_t block,
                  uint32_t conv, char name[WS_SOURCE_NAME + 1]);

/* Sizes and channels of images as the library has them. */
void ws_rcnn_detect_rules(ws_rcnn_config *config);
/* Whether the slots are COCO's ids, of which 80 of 90 have a class. */
int ws_rcnn_has_coco_ids(const ws_rcnn_config *config, size_t n_names);
int ws_rcnn_detect_matches(const ws_source *source);
wsam_status ws_rcnn_detect(const ws_source *source, const wsam_convert_options *options,
                           ws_rcnn_config *config, char name[64], wsam_error *error);
void ws_describe_rcnn(const ws_rcnn_config *config, const char *name, ws_builder *b);

#endif
