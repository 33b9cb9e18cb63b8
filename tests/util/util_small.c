/* tests/util/util_small.c - see util_small.h: the files. */
#include "tests/util/util_small.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- description ---- */

enum { E = 16, GRID = 4, SIZE = 16, CLASSES = 2 };

static uint32_t tensor(small_file *f, const char *name, wsam_type type, int rank, uint32_t d0,
                       uint32_t d1, uint32_t d2, uint32_t d3)
{
    ws_tensor_def *t = &f->tensors[f->n_tensors];
    snprintf(t->name, sizeof t->name, "%s", name);
    t->type = type;
    t->rank = rank;
    t->dims[0] = d0;
    t->dims[1] = d1;
    t->dims[2] = d2;
    t->dims[3] = d3;
    return WS_REF_TENSOR + f->n_tensors++;
}

static uint32_t matrix(small_file *f, const char *name, uint32_t n, uint32_t k)
{
    return tensor(f, name, WSAM_F32, 2, n, k, 0, 0);
}

static uint32_t vector(small_file *f, const char *name, uint32_t n)
{
    return tensor(f, name, WSAM_F32, 1, n, 0, 0, 0);
}

static small_graph *graph(small_file *f, const char *name)
{
    small_graph *g = &f->graphs[f->n_graphs++];
    snprintf(g->def.name, sizeof g->def.name, "%s", name);
    return g;
}

/* The dimension that stands for the new symbol. */
static int32_t symbol(small_graph *g, const char *name, uint32_t min, uint32_t max)
{
    ws_symbol_def *s = &g->symbols[g->def.n_symbols++];
    snprintf(s->name, sizeof s->name, "%s", name);
    s->min = min;
    s->max = max;
    s->multiple = 1;
    return -(int32_t)g->def.n_symbols;
}

static uint32_t input(small_graph *g, const char *name, wsam_rate rate, int rank, int32_t d0,
                      int32_t d1, int32_t d2)
{
    ws_input_def *in = &g->inputs[g->def.n_inputs];
    snprintf(in->name, sizeof in->name, "%s", name);
    in->type = strcmp(name, "labels") == 0 ? WSAM_S32 : WSAM_F32;
    in->rate = rate;
    in->rank = rank;
    in->dims[0] = d0;
    in->dims[1] = d1;
    in->dims[2] = d2;
    return g->def.n_inputs++;
}

static uint32_t op(small_graph *g, const char *kind, int n, ...)
{
    ws_op_def *o = &g->ops[g->def.n_ops].def;
    va_list args;
    snprintf(o->kind, sizeof o->kind, "%s", kind);
    snprintf(o->name, sizeof o->name, "%.30s.%u", kind, g->def.n_ops);
    o->n_inputs = (uint32_t)n;
    va_start(args, n);
    for (int i = 0; i < n; i++)
        o->inputs[i] = va_arg(args, uint32_t);
    va_end(args);
    return g->def.n_inputs + g->def.n_ops++;
}

/* Of the last operator. */
static ws_attr_def *attribute(small_graph *g, const char *name, ws_attr_kind kind)
{
    small_op *o = &g->ops[g->def.n_ops - 1];
    ws_attr_def *a = &o->attrs[o->def.n_attrs++];
    snprintf(a->name, sizeof a->name, "%s", name);
    a->kind = kind;
    return a;
}

static void number(small_graph *g, const char *name, int64_t value)
{
    attribute(g, name, WS_ATTR_INT)->i = value;
}

static void real_number(small_graph *g, const char *name, double value)
{
    attribute(g, name, WS_ATTR_FLOAT)->f = value;
}

static void word(small_graph *g, const char *name, const char *value)
{
    ws_attr_def *a = attribute(g, name, WS_ATTR_STRING);
    snprintf(a->s, sizeof a->s, "%s", value);
}

static void symbol_number(small_graph *g, const char *name, int32_t dim)
{
    attribute(g, name, WS_ATTR_SYMBOL)->i = -1 - dim;
}

static void output(small_graph *g, const char *name, uint32_t ref)
{
    ws_output_def *out = &g->outputs[g->def.n_outputs++];
    snprintf(out->name, sizeof out->name, "%s", name);
    out->ref = ref;
}

/* Keys must come sorted. */
static small_note *note(small_file *f, const char *key, ws_meta_kind kind)
{
    small_note *n = &f->metadata[f->n_metadata++];
    snprintf(n->key, sizeof n->key, "%s", key);
    n->kind = kind;
    return n;
}

static void note_text(small_file *f, const char *key, const char *text)
{
    small_note *n = note(f, key, WS_META_STRING);
    snprintf(n->text, sizeof n->text, "%s", text);
}

static void note_int(small_file *f, const char *key, int64_t value)
{
    note(f, key, WS_META_INT)->integer = value;
}

static void note_numbers(small_file *f, const char *key, uint32_t count, double value)
{
    small_note *n = note(f, key, WS_META_NUMBERS);
    n->count = count;
    for (uint32_t i = 0; i < count; i++)
        n->numbers[i] = value;
}

/* ---- a segmenter ---- */

static void describe_encoder(small_file *f)
{
    small_graph *g = graph(f, "image_encoder");
    uint32_t x = input(g, "image", WSAM_RATE_IMAGE, 3, SIZE, SIZE, 3);
    x = op(g, "conv2d", 3, x, tensor(f, "patch", WSAM_F32, 4, E, 4, 4, 3), vector(f, "patch.b", E));
    number(g, "stride", 4);
    x = op(g, "layer_norm", 3, x, vector(f, "norm.w", E), vector(f, "norm.b", E));
    real_number(g, "eps", 1e-6);
    const uint32_t qkv = op(g, "linear", 2, x, tensor(f, "qkv", WSAM_S8, 2, 3 * E, E, 0, 0));
    x = op(g, "attention", 1, qkv);
    number(g, "heads", 2);
    number(g, "window", 2);
    real_number(g, "scale", 0.5);
    word(g, "bias", "none");
    x = op(g, "linear", 2, x, tensor(f, "out", WSAM_BF16, 2, E, E, 0, 0));
    x = op(g, "activation", 1, x);
    word(g, "function", "gelu");
    output(g, "embedding", x);
}

static uint32_t upscale(small_file *f, small_graph *g, uint32_t x)
{
    static const uint32_t weight[2] = {WS_REF_TENSOR, WS_REF_TENSOR + 1};
    (void)f;
    for (int i = 0; i < 2; i++) {
        x = op(g, "conv_transpose2d", 2, x, weight[i]);
        number(g, "stride", 2);
        x = op(g, "activation", 1, x);
        word(g, "function", "gelu");
    }
    return x;
}

static void describe_decoder(small_file *f, int with_mask)
{
    small_graph *g = graph(f, with_mask ? "mask_decoder_with_mask" : "mask_decoder");
    const int32_t points = symbol(g, "points", 0, 64), first = symbol(g, "first_mask", 0, 3),
                  masks = symbol(g, "masks", 1, 4);
    uint32_t k = input(g, "embedding", WSAM_RATE_IMAGE, 3, GRID, GRID, E);
    const uint32_t mask =
        with_mask ? input(g, "mask", WSAM_RATE_PROMPT, 3, 4 * GRID, 4 * GRID, 1) : 0;
    const uint32_t xy = input(g, "points", WSAM_RATE_PROMPT, 2, points, 2, 0),
                   labels = input(g, "labels", WSAM_RATE_PROMPT, 1, points, 0, 0);
    const uint32_t gaussian = WS_REF_TENSOR + 2, table = WS_REF_TENSOR + 3,
                   tokens = WS_REF_TENSOR + 4, w = WS_REF_TENSOR + 5, b = WS_REF_TENSOR + 6,
                   scores = WS_REF_TENSOR + 7, down = WS_REF_TENSOR + 8, hyper = WS_REF_TENSOR + 9;
    uint32_t q = op(g, "point_tokens", 4, xy, labels, gaussian, table);
    number(g, "first_label", -1);
    number(g, "replace_label", -1);
    q = op(g, "concat", 2, tokens, q);
    if (with_mask) {
        const uint32_t dense = op(g, "conv2d", 2, mask, down);
        number(g, "stride", 4);
        k = op(g, "binary", 2, dense, k);
        word(g, "function", "add");
    }
    q = op(g, "projected_attention", 12, q, k, WS_REF_NONE, WS_REF_NONE, w, b, w, b, w, b, w, b);
    number(g, "heads", 2);
    number(g, "residual", 1);
    real_number(g, "eps", 1e-5);
    uint32_t x = op(g, "slice", 1, q);
    number(g, "begin", 0);
    number(g, "length", 1);
    x = op(g, "linear", 2, x, scores);
    x = op(g, "slice", 1, x);
    number(g, "axis", 1);
    symbol_number(g, "begin", first);
    symbol_number(g, "length", masks);
    x = op(g, "reshape", 1, x);
    symbol_number(g, "dim0", masks);
    output(g, "iou", x);
    x = op(g, "slice", 1, q);
    number(g, "begin", 1);
    number(g, "length", 4);
    x = op(g, "linear", 2, x, hyper);
    x = op(g, "slice", 1, x);
    symbol_number(g, "begin", first);
    symbol_number(g, "length", masks);
    output(g, "low_res", op(g, "mask_product", 2, upscale(f, g, k), x));
}

static void describe_segmenter(small_file *f)
{
    note_text(f, "model.id", "small");
    note_text(f, "output.resize", "crop_bilinear");
    note_text(f, "output.threshold", ">");
    note_numbers(f, "picture.mean", 3, 120.0);
    note_text(f, "picture.resize", "longest_side");
    note_int(f, "picture.size", SIZE);
    note_numbers(f, "picture.std", 3, 60.0);
    note_numbers(f, "picture.unit", 1, 1.0);
    note_int(f, "prompt.fixed_points", 0);
    note_int(f, "prompt.mask_size", 4 * GRID);
    note_int(f, "prompt.negative_points", 1);
    note_text(f, "prompt.pad_point", "without_box");
    /* the decoders' tensors, by their numbers */
    tensor(f, "up1", WSAM_F32, 4, 2, 2, 4, E);
    tensor(f, "up2", WSAM_F32, 4, 2, 2, 4, 4);
    matrix(f, "gaussian", 2, E / 2);
    matrix(f, "labels", 5, E);
    matrix(f, "tokens", 5, E);
    matrix(f, "projection", E, E);
    vector(f, "projection.b", E);
    matrix(f, "scores", 4, E);
    tensor(f, "down", WSAM_F32, 4, E, 4, 4, 1);
    matrix(f, "hyper", 4, E);
    describe_encoder(f);
    describe_decoder(f, 0);
    describe_decoder(f, 1);
}

/* ---- a clue network and a backbone: tokens of classes and patches ---- */

/* Up to the first product: queries, keys and values of all tokens, and the grid that they come from. */
static uint32_t describe_tokens(small_file *f, small_graph *g, const char *patch, uint32_t classes,
                                uint32_t *grid)
{
    const int32_t height = symbol(g, "height", 4, 256), width = symbol(g, "width", 4, 256);
    note_int(f, patch, 4);
    note_text(f, "model.id", "small");
    note_numbers(f, "picture.mean", 3, 0.5);
    note_numbers(f, "picture.std", 3, 0.25);
    note_numbers(f, "picture.unit", 1, 255.0);
    const uint32_t image = input(g, "image", WSAM_RATE_IMAGE, 3, height, width, 3);
    *grid = op(g, "conv2d", 2, image, tensor(f, "patch", WSAM_F32, 4, E, 4, 4, 3));
    number(g, "stride", 4);
    *grid = op(g, "add_positions", 2, *grid, tensor(f, "positions", WSAM_F32, 3, 2, 2, E, 0));
    uint32_t x = op(g, "reshape", 1, *grid);
    number(g, "dim0", -1);
    number(g, "dim1", E);
    x = op(g, "concat", 2, matrix(f, "class", classes, E), x);
    x = op(g, "reshape", 1, x);
    number(g, "dim0", 1);
    number(g, "dim1", -1);
    number(g, "dim2", E);
    return op(g, "linear", 2, x, tensor(f, "qkv", WSAM_S8, 2, 3 * E, E, 0, 0));
}

static void describe_clues(small_file *f)
{
    small_graph *g = graph(f, "clues");
    uint32_t grid;
    const uint32_t qkv = describe_tokens(f, g, "clues.patch", CLASSES, &grid);
    const uint32_t cross = op(g, "class_attention", 2, qkv, grid);
    number(g, "heads", 2);
    real_number(g, "scale", 0.5);
    uint32_t x = op(g, "attention", 1, qkv);
    number(g, "heads", 2);
    real_number(g, "scale", 0.5);
    word(g, "bias", "none");
    uint32_t y = op(g, "slice", 1, x);
    number(g, "axis", 1);
    number(g, "begin", 0);
    number(g, "length", CLASSES);
    y = op(g, "linear", 2, y, matrix(f, "logits", 1, E));
    y = op(g, "reshape", 1, y);
    number(g, "dim0", CLASSES);
    output(g, "logits", y);
    y = op(g, "grid_rows", 2, x, grid);
    output(g, "tokens", y);
    const uint32_t coarse = op(g, "linear", 2, y, matrix(f, "coarse", CLASSES, E));
    output(g, "coarse", coarse);
    const uint32_t sum = op(g, "attention_sum", 1, cross);
    real_number(g, "factor", 0.5);
    y = op(g, "binary", 2, sum, coarse);
    word(g, "function", "mul");
    y = op(g, "attention_spread", 2, qkv, y);
    number(g, "heads", 2);
    real_number(g, "scale", 0.5);
    real_number(g, "factor", 1.0);
    output(g, "fine", y);
    output(g, "cross_0", cross);
    output(g, "cross_1", cross);
}

static void describe_backbone(small_file *f)
{
    small_graph *g = graph(f, "backbone");
    uint32_t grid;
    const uint32_t qkv = describe_tokens(f, g, "backbone.patch", 1, &grid);
    output(g, "attention", op(g, "class_attention", 2, qkv, grid));
    number(g, "heads", 2);
    real_number(g, "scale", 0.5);
    uint32_t x = op(g, "attention", 1, qkv);
    number(g, "heads", 2);
    real_number(g, "scale", 0.5);
    word(g, "bias", "none");
    output(g, "patch_tokens", op(g, "grid_rows", 2, x, grid));
    x = op(g, "slice", 1, x);
    number(g, "axis", 1);
    number(g, "begin", 0);
    number(g, "length", 1);
    x = op(g, "reshape", 1, x);
    number(g, "dim0", E);
    output(g, "class_token", x);
}

/* ---- a detection head ---- */

enum { BINS = 2, REDUCED = 4 };

static void describe_head(small_file *f)
{
    const uint32_t features = REDUCED * BINS * BINS;
    small_graph *g = graph(f, "head");
    note_text(f, "head.bins", "2");
    note_text(f, "head.classes", "cat\ndog");
    note_text(f, "head.maps", "sam");
    note_text(f, "head.stage", "retrain");
    uint32_t x =
        input(g, "rois", WSAM_RATE_IMAGE, 2, symbol(g, "rois", 1, 1 << 10), (int32_t)features, 0);
    x = op(g, "linear", 3, x, tensor(f, "neck", WSAM_S8, 2, E, features, 0, 0),
           vector(f, "neck.b", E));
    x = op(g, "activation", 1, x);
    word(g, "function", "relu");
    x = op(g, "linear", 2, x, matrix(f, "predictors", 5 * (CLASSES + 1), E));
    output(g, "predictions", x);
    g = graph(f, "reduce_sam");
    x = input(g, "map", WSAM_RATE_IMAGE, 2, symbol(g, "cells", 1, 1 << 12), E, 0);
    output(g, "reduced", op(g, "linear", 2, x, matrix(f, "reduce", REDUCED, E)));
}

/* ---- detectors ---- */

enum { SLOTS = 3, POOLED = 2, MASK_POOLED = 2, ANCHORS = 3 };

static void note_picture(small_file *f)
{
    note_numbers(f, "picture.mean", 3, 0.5);
    note_numbers(f, "picture.std", 3, 0.25);
    note_numbers(f, "picture.unit", 1, 255.0);
}

/* Sides of whole steps of 32 pixels. */
static int32_t step_symbol(small_graph *g, const char *name)
{
    const int32_t dim = symbol(g, name, 32, 256);
    g->symbols[g->def.n_symbols - 1].multiple = 32;
    return dim;
}

static uint32_t halved(small_file *f, small_graph *g, const char *name, uint32_t x)
{
    x = op(g, "conv2d", 2, x, tensor(f, name, WSAM_S8, 4, E, 2, 2, E));
    number(g, "stride", 2);
    return x;
}

static void describe_maps(small_file *f)
{
    static const char *const fpn[] = {"fpn_0", "fpn_1", "fpn_2", "fpn_3", "fpn_pool"};
    static const char *const steps[] = {"", "down.1", "down.2", "down.3"};
    small_graph *g = graph(f, "detector");
    const int32_t height = step_symbol(g, "height"), width = step_symbol(g, "width");
    uint32_t maps[5], objectness, deltas;
    maps[0] = op(g, "conv2d", 2, input(g, "image", WSAM_RATE_IMAGE, 3, height, width, 3),
                 tensor(f, "stem", WSAM_F32, 4, E, 4, 4, 3));
    number(g, "stride", 4);
    for (int i = 1; i < 4; i++)
        maps[i] = halved(f, g, steps[i], maps[i - 1]);
    maps[0] = op(g, "top_down", 2, maps[0], maps[1]);
    maps[4] = op(g, "max_pool2d", 1, maps[3]);
    number(g, "kernel", 1);
    number(g, "stride", 2);
    objectness = tensor(f, "objectness", WSAM_F32, 4, ANCHORS, 1, 1, E);
    deltas = tensor(f, "deltas", WSAM_F32, 4, 4 * ANCHORS, 1, 1, E);
    for (int i = 0; i < 5; i++) {
        char name[32];
        output(g, fpn[i], maps[i]);
        snprintf(name, sizeof name, "rpn_objectness_%d", i);
        output(g, name, op(g, "conv2d", 2, maps[i], objectness));
        snprintf(name, sizeof name, "rpn_deltas_%d", i);
        output(g, name, op(g, "conv2d", 2, maps[i], deltas));
    }
}

static uint32_t pooled_box(small_graph *g, uint32_t bins)
{
    const uint32_t x = input(g, "roi", WSAM_RATE_PROMPT, 3, (int32_t)bins, (int32_t)bins, E);
    const uint32_t flat = op(g, "reshape", 1, x);
    number(g, "dim0", (int64_t)bins * bins * E);
    return flat;
}

static void describe_detector(small_file *f)
{
    note_int(f, "detector.bins", POOLED);
    note_int(f, "detector.deltas", SLOTS);
    note_int(f, "detector.long_side", 64);
    note_int(f, "detector.mask_bins", MASK_POOLED);
    note_int(f, "detector.mask_classes", SLOTS);
    note_text(f, "detector.rules", "torchvision");
    note_int(f, "detector.short_side", 32);
    note_int(f, "detector.slots", SLOTS);
    note_picture(f);
    describe_maps(f);
    small_graph *g = graph(f, "detector_boxes");
    const uint32_t x = pooled_box(g, POOLED), features = POOLED * POOLED * E;
    output(g, "class_logits", op(g, "linear", 2, x, matrix(f, "logits", SLOTS, features)));
    output(g, "box_regression", op(g, "linear", 2, x, matrix(f, "boxes", 4 * SLOTS, features)));
    g = graph(f, "detector_masks");
    uint32_t m = input(g, "roi", WSAM_RATE_PROMPT, 3, MASK_POOLED, MASK_POOLED, E);
    m = op(g, "conv_transpose2d", 2, m, tensor(f, "up", WSAM_F32, 4, 2, 2, E, E));
    number(g, "stride", 2);
    output(g, "mask_logits",
           op(g, "conv2d", 2, m, tensor(f, "masks", WSAM_F32, 4, SLOTS, 1, 1, E)));
}

static void describe_mist(small_file *f)
{
    note_int(f, "mist.bins", POOLED);
    note_int(f, "mist.min_side", 2);
    note_int(f, "mist.slots", SLOTS);
    note_picture(f);
    small_graph *g = graph(f, "mist_map");
    const int32_t height = step_symbol(g, "height"), width = step_symbol(g, "width");
    const uint32_t image = input(g, "image", WSAM_RATE_IMAGE, 3, height, width, 3);
    output(g, "features", op(g, "conv2d", 2, image, tensor(f, "stem", WSAM_F32, 4, E, 8, 8, 3)));
    number(g, "stride", 8);
    g = graph(f, "mist_boxes");
    const uint32_t x = pooled_box(g, POOLED), features = POOLED * POOLED * E;
    output(g, "class_logits", op(g, "linear", 2, x, matrix(f, "ref", 3 * SLOTS, features)));
    output(g, "box_regression", op(g, "linear", 2, x, matrix(f, "boxes", 4 * SLOTS, features)));
}

void small_init(small_file *f, small_role role)
{
    memset(f, 0, sizeof *f);
    if (role == SMALL_SEGMENTER)
        describe_segmenter(f);
    else if (role == SMALL_CLUES)
        describe_clues(f);
    else if (role == SMALL_BACKBONE)
        describe_backbone(f);
    else if (role == SMALL_HEAD)
        describe_head(f);
    else if (role == SMALL_DETECTOR)
        describe_detector(f);
    else
        describe_mist(f);
}
