/* weights/family/rcnn.c - the graphs of a Faster R-CNN or Mask R-CNN: the maps of an image, and the
 * heads on one pooled box. What lies between them (anchors, proposals, pooling, NMS) depends on
 * values and is the pipeline's (pipeline/detect). */
#include "weights/family/rcnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/family/family.h"

enum { MASK_BINS = 14, MOST_SIDE = 8192, STEP = 32, LEVELS = 5 };

typedef struct describer {
    const ws_rcnn_config *c;
    ws_builder *b;
} describer;

/* ---- tensors ---- */

/* Which tensor of the checkpoint: its part, and where that part stands. */
typedef struct place {
    ws_rcnn_part part;
    uint32_t stage, block, conv;
} place;

static void name_of(const describer *d, place p, char name[WS_SOURCE_NAME + 1])
{
    ws_rcnn_name(d->c->library, p.part, p.stage, p.block, p.conv, name);
}

/* A convolution with bias and without a norm. */
static ws_ref plain_conv(const describer *d, ws_role role, place p, ws_ref x, uint32_t in,
                         uint32_t out, int kernel)
{
    char name[WS_SOURCE_NAME + 1];
    const uint32_t k = (uint32_t)kernel;
    name_of(d, p, name);
    const ws_ref w = ws_store_conv(d->b, role, ws_need_4d(d->b, out, in, k, k, "%s.weight", name));
    const ws_ref bias = ws_store(d->b, WS_ROLE_EXACT, ws_need_1d(d->b, out, "%s.bias", name));
    return ws_conv(d->b, name, x, w, bias, 1, kernel / 2, 1);
}

typedef struct normed {
    place conv, norm;
    uint32_t in, out;
    int kernel, stride;
    ws_role role;
} normed;

static ws_ref normed_conv(const describer *d, ws_ref x, const normed *n)
{
    char conv[WS_SOURCE_NAME + 1], norm[WS_SOURCE_NAME + 1];
    name_of(d, n->conv, conv);
    name_of(d, n->norm, norm);
    const int stem = n->conv.part == WS_RCNN_STEM;
    const ws_normed_conv c = {.conv = conv,
                              .norm = norm,
                              .out = n->out,
                              .depth = n->in,
                              .kernel = n->kernel,
                              .no_eps = d->c->no_eps,
                              .reversed = stem && d->c->bgr};
    const ws_folded f = ws_conv_bn_store_folded(d->b, n->role, &c);
    return ws_conv(d->b, conv, x, f.weight, f.bias, n->stride, n->kernel / 2, 1);
}

/* ---- the ResNet ---- */

static ws_ref block_conv(const describer *d, ws_ref x, uint32_t stage, uint32_t block, uint32_t i,
                         uint32_t in, uint32_t out, int kernel, int stride)
{
    const normed n = {{WS_RCNN_CONV, stage, block, i},
                      {WS_RCNN_CONV_NORM, stage, block, i},
                      in,
                      out,
                      kernel,
                      stride,
                      WS_ROLE_LINEAR};
    return normed_conv(d, x, &n);
}

static ws_ref relu(const describer *d, const char *what, uint32_t stage, uint32_t block, ws_ref x)
{
    char name[64];
    snprintf(name, sizeof name, "stage%u.%u.%s", stage + 2, block, what);
    return ws_activation(d->b, name, x, "relu");
}

static ws_ref describe_shortcut(const describer *d, ws_ref x, uint32_t stage, uint32_t in,
                                int stride)
{
    const uint32_t out = d->c->out[stage];
    if (in == out && stride == 1 && d->c->basic)
        return x;
    const normed n = {{WS_RCNN_SHORTCUT, stage, 0, 0},
                      {WS_RCNN_SHORTCUT_NORM, stage, 0, 0},
                      in,
                      out,
                      1,
                      stride,
                      WS_ROLE_LINEAR};
    return normed_conv(d, x, &n);
}

static ws_ref describe_block(const describer *d, ws_ref x, uint32_t stage, uint32_t block,
                             uint32_t in)
{
    const uint32_t mid = d->c->mid[stage], out = d->c->out[stage];
    const int stride = stage && !block ? 2 : 1, first = d->c->stride_in_1x1;
    char name[64];
    ws_ref y;
    const ws_ref shortcut = block ? x : describe_shortcut(d, x, stage, in, stride);
    if (d->c->basic) {
        y = relu(d, "relu1", stage, block, block_conv(d, x, stage, block, 1, in, mid, 3, stride));
        y = block_conv(d, y, stage, block, 2, mid, out, 3, 1);
    } else {
        y = relu(d, "relu1", stage, block,
                 block_conv(d, x, stage, block, 1, in, mid, 1, first ? stride : 1));
        y = relu(d, "relu2", stage, block,
                 block_conv(d, y, stage, block, 2, mid, mid, 3, first ? 1 : stride));
        y = block_conv(d, y, stage, block, 3, mid, out, 1, 1);
    }
    snprintf(name, sizeof name, "stage%u.%u.add", stage + 2, block);
    return relu(d, "relu", stage, block, ws_add(d->b, name, y, shortcut));
}

static ws_ref max_pool(const describer *d, const char *name, ws_ref x, int kernel, int stride,
                       int pad)
{
    x = ws_op(d->b, "max_pool2d", name, WS_UNARY_INPUTS, &x);
    ws_attr_int(d->b, "kernel", kernel);
    ws_attr_int(d->b, "stride", stride);
    ws_attr_int(d->b, "pad", pad);
    return x;
}

/* The last map of every stage. */
static void describe_resnet(const describer *d, ws_ref x, ws_ref maps[WS_RCNN_STAGES])
{
    const normed stem = {
        {WS_RCNN_STEM, 0, 0, 0}, {WS_RCNN_STEM_NORM, 0, 0, 0}, 3, d->c->stem, 7, 2, WS_ROLE_EXACT};
    uint32_t in = d->c->stem;
    x = ws_activation(d->b, "stem.relu", normed_conv(d, x, &stem), "relu");
    x = max_pool(d, "stem.pool", x, 3, 2, 1);
    for (uint32_t s = 0; s < WS_RCNN_STAGES; s++) {
        for (uint32_t i = 0; i < d->c->blocks[s]; i++, in = d->c->out[s])
            x = describe_block(d, x, s, i, in);
        maps[s] = x;
    }
}

/* ---- pyramid and RPN ---- */

static void describe_pyramid(const describer *d, const ws_ref maps[WS_RCNN_STAGES],
                             ws_ref levels[LEVELS])
{
    const ws_rcnn_config *c = d->c;
    ws_ref merged = WS_REF_NONE;
    for (uint32_t s = WS_RCNN_STAGES; s-- > 0;) {
        char name[32];
        const ws_ref side = plain_conv(d, WS_ROLE_LINEAR, (place){WS_RCNN_LATERAL, s, 0, 0},
                                       maps[s], c->out[s], c->pyramid, 1);
        const ws_ref both[] = {[WS_TOP_DOWN_FINE] = side, [WS_TOP_DOWN_COARSE] = merged};
        snprintf(name, sizeof name, "fpn.top_down.%u", s);
        merged = s + 1 == WS_RCNN_STAGES ? side
                                         : ws_op(d->b, "top_down", name, WS_TOP_DOWN_INPUTS, both);
        levels[s] = plain_conv(d, WS_ROLE_LINEAR, (place){WS_RCNN_PYRAMID, s, 0, 0}, merged,
                               c->pyramid, c->pyramid, 3);
        snprintf(name, sizeof name, "fpn_%u", s);
        ws_output(d->b, name, levels[s]);
    }
    levels[LEVELS - 1] = max_pool(d, "fpn.pool", levels[WS_RCNN_STAGES - 1], 1, 2, 0);
    ws_output(d->b, "fpn_pool", levels[LEVELS - 1]);
}

static void describe_rpn(const describer *d, ws_ref map, int level)
{
    const ws_rcnn_config *c = d->c;
    char name[32];
    ws_ref x = plain_conv(d, WS_ROLE_LINEAR, (place){WS_RCNN_RPN, 0, 0, 0}, map, c->pyramid,
                          c->pyramid, 3);
    snprintf(name, sizeof name, "rpn.relu.%d", level);
    x = ws_activation(d->b, name, x, "relu");
    snprintf(name, sizeof name, "rpn_objectness_%d", level);
    ws_output(d->b, name,
              plain_conv(d, WS_ROLE_EXACT, (place){WS_RCNN_OBJECTNESS, 0, 0, 0}, x, c->pyramid,
                         c->anchors, 1));
    snprintf(name, sizeof name, "rpn_deltas_%d", level);
    ws_output(d->b, name,
              plain_conv(d, WS_ROLE_EXACT, (place){WS_RCNN_ANCHOR_DELTAS, 0, 0, 0}, x, c->pyramid,
                         4 * c->anchors, 1));
}

static void describe_maps(const describer *d)
{
    ws_ref maps[WS_RCNN_STAGES], levels[LEVELS];
    ws_graph_begin(d->b, "detector");
    const uint32_t height = ws_symbol(d->b, "height", STEP, MOST_SIDE, STEP);
    const uint32_t width = ws_symbol(d->b, "width", STEP, MOST_SIDE, STEP);
    const int32_t image[3] = {-1 - (int32_t)height, -1 - (int32_t)width, 3};
    const ws_ref x = ws_input(d->b, "image", WSAM_F32, WSAM_RATE_IMAGE, 3, image);
    describe_resnet(d, x, maps);
    describe_pyramid(d, maps, levels);
    for (int i = 0; i < LEVELS; i++)
        describe_rpn(d, levels[i], i);
}

/* ---- heads on a pooled box ---- */

static ws_ref begin_head(const describer *d, const char *graph, uint32_t bins)
{
    const int32_t roi[3] = {(int32_t)bins, (int32_t)bins, (int32_t)d->c->pyramid};
    ws_graph_begin(d->b, graph);
    return ws_input(d->b, "roi", WSAM_F32, WSAM_RATE_PROMPT, 3, roi);
}

static ws_ref reshape_1d(const describer *d, const char *name, ws_ref x, uint32_t n)
{
    x = ws_op(d->b, "reshape", name, WS_UNARY_INPUTS, &x);
    ws_attr_int(d->b, "dim0", n);
    return x;
}

static ws_ref linear(const describer *d, ws_role role, ws_rcnn_part part, ws_ref x, uint32_t in,
                     uint32_t out)
{
    char name[WS_SOURCE_NAME + 1];
    name_of(d, (place){part, 0, 0, 0}, name);
    const int weight = ws_need_2d(d->b, out, in, "%s.weight", name);
    const uint32_t cells = part == WS_RCNN_FC1 ? d->c->bins * d->c->bins : 1;
    const ws_ref w = ws_store_channels_last(d->b, role, weight, cells);
    const ws_ref bias = ws_store(d->b, WS_ROLE_EXACT, ws_need_1d(d->b, out, "%s.bias", name));
    return ws_linear(d->b, name, x, w, bias);
}

static void describe_boxes(const describer *d)
{
    const ws_rcnn_config *c = d->c;
    const uint32_t pooled = c->bins * c->bins * c->pyramid;
    ws_ref x = reshape_1d(d, "pooled", begin_head(d, "detector_boxes", c->bins), pooled);
    x = ws_activation(d->b, "fc1.relu", linear(d, WS_ROLE_LINEAR, WS_RCNN_FC1, x, pooled, c->fc1),
                      "relu");
    x = ws_activation(d->b, "fc2.relu", linear(d, WS_ROLE_LINEAR, WS_RCNN_FC2, x, c->fc1, c->fc2),
                      "relu");
    ws_output(d->b, "class_logits", linear(d, WS_ROLE_EXACT, WS_RCNN_LOGITS, x, c->fc2, c->slots));
    ws_output(d->b, "box_regression",
              linear(d, WS_ROLE_EXACT, WS_RCNN_BOX_DELTAS, x, c->fc2, 4 * c->deltas));
}

static ws_ref describe_upsample(const describer *d, ws_ref x)
{
    char name[WS_SOURCE_NAME + 1];
    const uint32_t in = d->c->mask_width, out = d->c->mask_up;
    name_of(d, (place){WS_RCNN_MASK_UPSAMPLE, 0, 0, 0}, name);
    const ws_ref product[] = {
        [WS_PRODUCT_X] = x,
        [WS_PRODUCT_WEIGHT] = ws_store_conv_transpose(
            d->b, WS_ROLE_FLOAT, ws_need_4d(d->b, in, out, 2, 2, "%s.weight", name)),
        [WS_PRODUCT_BIAS] = ws_store(d->b, WS_ROLE_EXACT, ws_need_1d(d->b, out, "%s.bias", name))};
    x = ws_op(d->b, "conv_transpose2d", name, WS_PRODUCT_INPUTS, product);
    ws_attr_int(d->b, "stride", 2);
    return ws_activation(d->b, "mask.relu", x, "relu");
}

static void describe_masks(const describer *d)
{
    const ws_rcnn_config *c = d->c;
    ws_ref x = begin_head(d, "detector_masks", MASK_BINS);
    for (uint32_t i = 0; i < c->mask_convs; i++) {
        char name[32];
        snprintf(name, sizeof name, "mask.relu%u", i + 1);
        x = plain_conv(d, WS_ROLE_LINEAR, (place){WS_RCNN_MASK_CONV, 0, 0, i}, x,
                       i ? c->mask_width : c->pyramid, c->mask_width, 3);
        x = ws_activation(d->b, name, x, "relu");
    }
    x = plain_conv(d, WS_ROLE_EXACT, (place){WS_RCNN_MASK_LOGITS, 0, 0, 0}, describe_upsample(d, x),
                   c->mask_up, c->mask_classes, 1);
    ws_output(d->b, "mask_logits", x);
}

/* ---- metadata ---- */

static void describe_rules(const describer *d, const char *name)
{
    static const char *const rules[] = {[WS_RCNN_TORCHVISION] = "torchvision",
                                        [WS_RCNN_TORCHVISION_OLD] = "torchvision",
                                        [WS_RCNN_DETECTRON2] = "detectron2",
                                        [WS_RCNN_MMDETECTION] = "mmdetection"};
    const ws_rcnn_config *c = d->c;
    ws_meta_string(d->b, "model.family", name);
    ws_meta_string(d->b, "detector.rules", rules[c->library]);
    ws_meta_numbers(d->b, "picture.unit", 1, &c->unit);
    ws_meta_numbers(d->b, "picture.mean", 3, c->mean);
    ws_meta_numbers(d->b, "picture.std", 3, c->std);
    ws_meta_int(d->b, "detector.short_side", c->short_side);
    ws_meta_int(d->b, "detector.long_side", c->long_side);
    ws_meta_int(d->b, "detector.bins", c->bins);
    ws_meta_int(d->b, "detector.slots", c->slots);
    ws_meta_int(d->b, "detector.deltas", c->deltas);
    ws_meta_int(d->b, "detector.mask_bins", c->mask_convs ? MASK_BINS : 0);
    ws_meta_int(d->b, "detector.mask_classes", c->mask_classes);
}

/* What detectron2 keeps beside the weights. */
static void describe_unused(const describer *d)
{
    const uint32_t pixel[3] = {3, 1, 1};
    if (!d->c->extras)
        return;
    ws_need_unused(d->b, ws_need_tensor(d->b, 3, pixel, "pixel_mean"));
    ws_need_unused(d->b, ws_need_tensor(d->b, 3, pixel, "pixel_std"));
    for (int i = 0; i < LEVELS; i++)
        ws_need_unused(d->b, ws_need_2d(d->b, d->c->anchors, 4,
                                        "proposal_generator.anchor_generator.cell_anchors.%d", i));
}

int ws_rcnn_has_coco_ids(const ws_rcnn_config *c, size_t n_names)
{
    return c->slots == 91 && n_names == 80 &&
           (c->library == WS_RCNN_TORCHVISION || c->library == WS_RCNN_TORCHVISION_OLD);
}

/* Ids from 1 to 90 that no class of COCO has. */
static int is_gap(size_t id)
{
    static const unsigned char gaps[] = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83};
    return memchr(gaps, (int)id, sizeof gaps) != NULL;
}

static void describe_coco_ids(const describer *d, const char *const *given)
{
    const char *names[90];
    char unused[90][16];
    for (size_t id = 1; id <= 90; id++) {
        snprintf(unused[id - 1], sizeof unused[0], "unused %zu", id);
        names[id - 1] = is_gap(id) ? unused[id - 1] : *given++;
    }
    ws_meta_strings(d->b, "classes", 90, names);
}

/* Names that were given, or those of the checkpoint. */
static void describe_classes(const describer *d)
{
    const wsam_convert_options *o = ws_builder_options(d->b);
    const size_t n = d->c->slots - 1;
    char *text = NULL, *rest;
    const char **names = NULL;
    if (o->n_classes) {
        if (ws_rcnn_has_coco_ids(d->c, o->n_classes))
            describe_coco_ids(d, o->classes);
        else
            ws_meta_strings(d->b, "classes", o->n_classes, o->classes);
        return;
    }
    if (!d->c->classes)
        return;
    text = rest = strdup(d->c->classes);
    names = calloc(n, sizeof *names);
    for (size_t i = 0; text && names && i < n; i++)
        names[i] = strsep(&rest, "\n");
    if (text && names) /* without memory the classes are numbered */
        ws_meta_strings(d->b, "classes", n, names);
    free(text);
    free((void *)names);
}

void ws_describe_rcnn(const ws_rcnn_config *c, const char *name, ws_builder *b)
{
    const describer d = {c, b};
    describe_rules(&d, name);
    describe_classes(&d);
    describe_maps(&d);
    describe_boxes(&d);
    if (c->mask_convs)
        describe_masks(&d);
    describe_unused(&d);
}
