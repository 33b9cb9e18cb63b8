/* weights/family/rcnn_detect.c - which R-CNN a checkpoint is: library, sizes, and the rules that its
 * tensors do not show. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/locale.h"
#include "weights/family/rcnn.h"

enum { ANCHORS = 3 }; /* ratios 0.5, 1 and 2 of one size per level */

/* ---- names and sizes ---- */

static const ws_source_tensor *find(const ws_source *s, const ws_rcnn_config *c, ws_rcnn_part part,
                                    uint32_t stage, uint32_t block, uint32_t conv)
{
    char name[WS_SOURCE_NAME + 1];
    ws_rcnn_name(c->library, part, stage, block, conv, name);
    strcat(name, ".weight");
    return ws_source_find(s, name);
}

static uint32_t dim(const ws_source_tensor *t, int d)
{
    return t && d < t->rank ? t->dims[d] : 0;
}

/* Dimension d of a part that there is once. */
static uint32_t size_of(const ws_source *s, const ws_rcnn_config *c, ws_rcnn_part part, int d)
{
    return dim(find(s, c, part, 0, 0, 0), d);
}

static int has_library(const ws_source *s, ws_rcnn_library *library)
{
    static const struct {
        const char *name;
        ws_rcnn_library library;
    } signs[] = {{"backbone.bottom_up.stem.conv1.weight", WS_RCNN_DETECTRON2},
                 {"neck.lateral_convs.0.conv.weight", WS_RCNN_MMDETECTION},
                 {"backbone.body.conv1.weight", WS_RCNN_TORCHVISION}};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (ws_source_find(s, signs[i].name)) {
            *library = signs[i].library;
            if (*library == WS_RCNN_TORCHVISION &&
                ws_source_find(s, "backbone.fpn.inner_blocks.0.weight"))
                *library = WS_RCNN_TORCHVISION_OLD;
            return 1;
        }
    return 0;
}

int ws_rcnn_detect_matches(const ws_source *s)
{
    ws_rcnn_library library;
    return has_library(s, &library);
}

static void detect_stages(const ws_source *s, ws_rcnn_config *c)
{
    c->stem = size_of(s, c, WS_RCNN_STEM, 0);
    c->basic = !find(s, c, WS_RCNN_CONV, 0, 0, 3);
    for (uint32_t i = 0; i < WS_RCNN_STAGES; i++) {
        while (c->blocks[i] < WS_RCNN_MAX_BLOCKS && find(s, c, WS_RCNN_CONV, i, c->blocks[i], 1))
            c->blocks[i]++;
        c->mid[i] = dim(find(s, c, WS_RCNN_CONV, i, 0, 1), 0);
        c->out[i] = dim(find(s, c, WS_RCNN_CONV, i, 0, c->basic ? 2 : 3), 0);
    }
}

static void detect_heads(const ws_source *s, ws_rcnn_config *c)
{
    c->pyramid = size_of(s, c, WS_RCNN_PYRAMID, 0);
    c->anchors = size_of(s, c, WS_RCNN_OBJECTNESS, 0);
    c->fc1 = size_of(s, c, WS_RCNN_FC1, 0);
    c->fc2 = size_of(s, c, WS_RCNN_FC2, 0);
    const uint32_t pooled = c->pyramid ? size_of(s, c, WS_RCNN_FC1, 1) / c->pyramid : 0;
    while ((c->bins + 1) * (c->bins + 1) <= pooled && c->bins < 32)
        c->bins++;
    c->slots = size_of(s, c, WS_RCNN_LOGITS, 0);
    c->deltas = size_of(s, c, WS_RCNN_BOX_DELTAS, 0) / 4;
    while (c->mask_convs < WS_RCNN_MAX_MASK_CONVS &&
           find(s, c, WS_RCNN_MASK_CONV, 0, 0, c->mask_convs))
        c->mask_convs++;
    c->mask_width = size_of(s, c, WS_RCNN_MASK_CONV, 0);
    c->mask_up = size_of(s, c, WS_RCNN_MASK_UPSAMPLE, 1);
    c->mask_classes = size_of(s, c, WS_RCNN_MASK_LOGITS, 0);
}

/* ---- rules ---- */

/* The family whose first weights came from Caffe: stride in the 1x1 convolution, BGR. */
static void set_style(ws_rcnn_config *c, int caffe)
{
    static const double mean[3] = {123.675, 116.28, 103.53}, std[3] = {58.395, 57.12, 57.375};
    c->stride_in_1x1 = caffe;
    c->bgr = caffe;
    c->unit = 1.0;
    for (int i = 0; i < 3; i++) {
        c->mean[i] = mean[i];
        c->std[i] = caffe ? 1.0 : std[i];
    }
}

static int is_torchvision(const ws_rcnn_config *c)
{
    return c->library == WS_RCNN_TORCHVISION || c->library == WS_RCNN_TORCHVISION_OLD;
}

/* Values of 0 to 1. */
static void set_torchvision(ws_rcnn_config *c)
{
    static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    c->unit = 255.0;
    memcpy(c->mean, mean, sizeof mean);
    memcpy(c->std, std, sizeof std);
}

void ws_rcnn_detect_rules(ws_rcnn_config *c)
{
    c->short_side = 800;
    c->long_side = 1333;
    set_style(c, 0);
    if (is_torchvision(c))
        set_torchvision(c);
}

/* Weights from Caffe carry scale and shift alone: every mean is 0 and every variance 1, or 1 - 1e-5
 * where a loader took the eps away. */
static int has_no_statistics(const ws_source *s, const ws_rcnn_config *c, int *none,
                             wsam_error *error)
{
    static const char *const ends[2] = {".running_mean", ".running_var"};
    float values[2048];
    *none = 1;
    for (int i = 0; i < 2; i++) {
        char name[WS_SOURCE_NAME + 1];
        ws_rcnn_name(c->library, WS_RCNN_STEM_NORM, 0, 0, 0, name);
        strcat(name, ends[i]);
        const ws_source_tensor *t = ws_source_find(s, name);
        const uint64_t n = t ? ws_source_elements(t) : 0;
        if (!t || t->dtype == WS_DTYPE_INT || n > sizeof values / sizeof values[0])
            return 1; /* the comparison with the model tells what is wrong */
        if (ws_source_read(s, t, values, error))
            return 0;
        for (uint64_t k = 0; k < n; k++)
            *none &= fabsf(values[k] - (float)i) < 2e-5f;
    }
    return 1;
}

/* detectron2's older files carry mean and std of the channels, in their order. */
static int read_pixels(const ws_source *s, const char *name, float out[3], wsam_error *error,
                       int *there)
{
    const ws_source_tensor *t = ws_source_find(s, name);
    *there = t && t->dtype != WS_DTYPE_INT && ws_source_elements(t) == 3;
    return !*there || !ws_source_read(s, t, out, error);
}

static wsam_status detect_detectron2(const ws_source *s, ws_rcnn_config *c, wsam_error *error)
{
    int none, has_std, has_mean;
    float std[3], mean[3];
    if (!has_no_statistics(s, c, &none, error) ||
        !read_pixels(s, "pixel_std", std, error, &has_std) ||
        !read_pixels(s, "pixel_mean", mean, error, &has_mean))
        return error->status;
    if (has_std)
        none = std[0] < 2.0f; /* 1, or some 58 of 8-bit values */
    c->extras = 1;
    set_style(c, none);
    if (has_mean) /* the first mean is blue's where the last is greater */
        c->bgr = mean[0] < mean[2];
    for (int i = 0; i < 3; i++) {
        const int from = c->bgr ? 2 - i : i;
        if (has_mean)
            c->mean[i] = (double)mean[from];
        if (has_std)
            c->std[i] = (double)std[from];
    }
    return WSAM_OK;
}

/* Three numbers behind the first `key` of a configuration: key=[a, b, c]. */
static int config_numbers(const char *text, const char *key, double out[3])
{
    const char *at = strstr(text, key);
    at = at ? at + strlen(key) : NULL;
    for (int i = 0; at && i < 3; i++) {
        char *end;
        at += strspn(at, " =[(,\n");
        out[i] = ws_locale_strtod(at, &end);
        if (end == at || !(out[i] >= 0.0 && out[i] <= 1e6))
            return 0;
        at = end;
    }
    return at != NULL;
}

static int config_says(const char *text, const char *const *any)
{
    for (; *any; any++)
        if (strstr(text, *any))
            return 1;
    return 0;
}

/* mmdetection keeps its configuration beside the weights: the style of the backbone, mean and std in
 * the order that the network wants. */
static void detect_mmdetection(const ws_source *s, ws_rcnn_config *c)
{
    static const char *const caffe[] = {"style='caffe'", "style=\"caffe\"", NULL},
                             *const bgr[] = {"bgr_to_rgb=False", "to_rgb=False", NULL};
    double mean[3], std[3];
    if (!s->config)
        return;
    set_style(c, config_says(s->config, caffe));
    c->bgr = config_says(s->config, bgr);
    if (!config_numbers(s->config, "mean=", mean) || !config_numbers(s->config, "std=", std) ||
        !(std[0] > 0.0 && std[1] > 0.0 && std[2] > 0.0))
        return;
    for (int i = 0; i < 3; i++) {
        c->mean[i] = mean[c->bgr ? 2 - i : i];
        c->std[i] = std[c->bgr ? 2 - i : i];
    }
}

static size_t count_lines(const char *text)
{
    size_t n = 1;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static wsam_status detect_rules(const ws_source *s, ws_rcnn_config *c, wsam_error *error)
{
    ws_rcnn_detect_rules(c);
    if (s->classes && count_lines(s->classes) == c->slots - 1)
        c->classes = s->classes;
    if (c->library == WS_RCNN_DETECTRON2)
        return detect_detectron2(s, c, error);
    if (c->library == WS_RCNN_MMDETECTION)
        detect_mmdetection(s, c);
    /* torchvision's published weights are run without eps; files of today's names never are */
    c->no_eps = c->library == WS_RCNN_TORCHVISION_OLD && c->slots == 91 &&
                !ws_source_find(s, "backbone.body.bn1.num_batches_tracked");
    return WSAM_OK;
}

static wsam_status apply_options(const ws_source *s, const wsam_convert_options *o,
                                 ws_rcnn_config *c, wsam_error *error)
{
    const wsam_detector_rules *r = o->detector;
    if (!r)
        return WSAM_OK;
    if (r->style && strcmp(r->style, "caffe") != 0 && strcmp(r->style, "pytorch") != 0)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "backbone style '%.40s': caffe or pytorch",
                       r->style);
    if (r->short_side < 0 || r->long_side < r->short_side || r->long_side > 8192 ||
        (r->short_side && r->short_side < 32))
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "sides of %d and %d: expected 32 or more, at most 8192, the shorter first",
                       r->short_side, r->long_side);
    if (r->style && is_torchvision(c) && *r->style == 'c')
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%s: torchvision's detectors have no backbones of Caffe's style", s->path);
    if (r->style && !is_torchvision(c))
        set_style(c, *r->style == 'c');
    if (r->norm_eps)
        c->no_eps = r->norm_eps < 0;
    if (r->short_side) {
        c->short_side = (uint32_t)r->short_side;
        c->long_side = (uint32_t)r->long_side;
    }
    return WSAM_OK;
}

/* ---- what makes no sense ---- */

static wsam_status refuse(const ws_source *s, wsam_error *error, const char *what)
{
    return ws_fail(error, WSAM_ERR_MISMATCH, "%.300s: a detector with a feature pyramid, but %s",
                   s->path, what);
}

static int is_grouped(const ws_source *s, const ws_rcnn_config *c)
{
    return !c->basic && dim(find(s, c, WS_RCNN_CONV, 0, 0, 2), 1) != c->mid[0];
}

static wsam_status check(const ws_source *s, const ws_rcnn_config *c, wsam_error *error)
{
    const uint32_t foreground = c->slots - 1;
    const int torchvision = is_torchvision(c);
    for (int i = 0; i < WS_RCNN_STAGES; i++)
        if (!c->blocks[i] || !c->mid[i] || !c->out[i])
            return refuse(s, error, "a stage of its ResNet is missing");
    if (!c->stem || c->stem > 2048 || !c->pyramid || c->pyramid > 8192)
        return refuse(s, error, "its stem or its pyramid is missing");
    if (is_grouped(s, c))
        return refuse(s, error, "its convolutions are grouped (ResNeXt), which is not supported");
    if (c->anchors != ANCHORS)
        return refuse(s, error, "it has not 3 anchors per cell");
    if (find(s, c, WS_RCNN_FC1, 0, 0, 0) == NULL)
        return refuse(s, error, "its box head has no two linear layers");
    if (!c->fc1 || !c->fc2 || !c->bins || c->bins > 14 ||
        size_of(s, c, WS_RCNN_FC1, 1) != c->bins * c->bins * c->pyramid)
        return refuse(s, error, "the first layer of its box head does not fit the pyramid");
    if (c->slots < 2 || c->slots > 65536)
        return refuse(s, error, "it has no class");
    if (c->deltas != 1 && c->deltas != (torchvision ? c->slots : foreground))
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%.300s: class logits of %u classes, but box deltas of %u", s->path,
                       foreground, c->deltas);
    if (c->mask_convs && c->mask_classes != 1 &&
        c->mask_classes != (torchvision ? c->slots : foreground))
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%.300s: class logits of %u classes, but masks of %u", s->path, foreground,
                       c->mask_classes);
    return WSAM_OK;
}

static const char *depth_name(const ws_rcnn_config *c)
{
    const uint32_t *b = c->blocks;
    if (b[0] == 2 && b[1] == 2 && b[2] == 2 && b[3] == 2 && c->basic)
        return "r18";
    if (b[0] == 3 && b[1] == 4 && b[3] == 3 && b[2] == 6)
        return c->basic ? "r34" : "r50";
    if (b[0] == 3 && b[1] == 4 && b[3] == 3 && b[2] == 23 && !c->basic)
        return "r101";
    if (b[0] == 3 && b[1] == 8 && b[3] == 3 && b[2] == 36 && !c->basic)
        return "r152";
    return "resnet";
}

wsam_status ws_rcnn_detect(const ws_source *s, const wsam_convert_options *o, ws_rcnn_config *c,
                           char name[64], wsam_error *error)
{
    wsam_error own = {0};
    wsam_error *e = error ? error : &own;
    memset(c, 0, sizeof *c);
    has_library(s, &c->library);
    detect_stages(s, c);
    detect_heads(s, c);
    wsam_status status = check(s, c, e);
    if (!status)
        status = detect_rules(s, c, e);
    if (!status)
        status = apply_options(s, o, c, e);
    snprintf(name, 64, "%s_rcnn_%s_fpn", c->mask_convs ? "mask" : "faster", depth_name(c));
    if (!status && o->arch && strcmp(o->arch, "auto") != 0 && strcmp(o->arch, name) != 0)
        status = ws_fail(e, WSAM_ERR_MISMATCH, "%s: the tensors are those of %s, not of %.60s",
                         s->path, name, o->arch);
    if (!status && o->n_classes && o->n_classes != c->slots - 1 &&
        !ws_rcnn_has_coco_ids(c, o->n_classes))
        status = ws_fail(e, WSAM_ERR_MISMATCH, "%s: %zu class names for %u classes", s->path,
                         o->n_classes, c->slots - 1);
    return status;
}
