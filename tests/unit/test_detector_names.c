/* One detector under the names of three libraries: what is equal, what differs, and checkpoints that
 * do not fit together. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "tests/util/util_safetensors.h"
#include "weaksam/weaksam.h"
#include "weights/export/safetensors_writer.h"
#include "weights/family/rcnn.h"
#include "weights/import/source.h"

enum { HEIGHT = 64, WIDTH = 128, SLOTS = 4 };

TestSuite(detector_names, .init = make_folder, .fini = remove_folder);

/* ---- renaming ---- */

/* torchvision's name in those of another library; which part it is. */
static ws_rcnn_part rename_tensor(const char *from, ws_rcnn_library to,
                                  char name[WS_SOURCE_NAME + 1])
{
    const char *end = strrchr(from, '.');
    for (int part = 0; part < WS_RCNN_PARTS; part++)
        for (uint32_t i = 0; i < 4 * 4 * 4; i++) {
            char own[WS_SOURCE_NAME + 1];
            const uint32_t stage = i / 16, block = i / 4 % 4, conv = i % 4;
            ws_rcnn_name(WS_RCNN_TORCHVISION, (ws_rcnn_part)part, stage, block, conv, own);
            if (strlen(own) == (size_t)(end - from) && memcmp(own, from, strlen(own)) == 0) {
                ws_rcnn_name(to, (ws_rcnn_part)part, stage, block, conv, name);
                strcat(name, end);
                return (ws_rcnn_part)part;
            }
        }
    cr_assert_fail("no part is called %s", from);
    return WS_RCNN_PARTS;
}

/* The background's row goes from first to last, or away where classes alone have rows. */
static void move_background(ws_rcnn_part part, float *values, int *rows, size_t k)
{
    float first[256];
    const int moved = part == WS_RCNN_LOGITS, dropped = part == WS_RCNN_MASK_LOGITS,
              four = part == WS_RCNN_BOX_DELTAS;
    const size_t block = k * (four ? 4 : 1), n = (size_t)*rows * k;
    if (!moved && !dropped && !four)
        return;
    cr_assert(block <= 256);
    memcpy(first, values, block * sizeof *values);
    memmove(values, values + block, (n - block) * sizeof *values);
    if (moved)
        memcpy(values + n - block, first, block * sizeof *values);
    else
        *rows -= four ? 4 : 1;
}

static void write_as(ws_rcnn_library library, const char *file)
{
    wsam_error error = {0};
    ws_source *s = NULL;
    ws_tensors out = {0};
    float *owned[512];
    size_t n = 0;
    must(wsam_write_twin("mask_rcnn_mini", in_folder("tv.safetensors"), 0, &error), &error);
    must(ws_source_open(in_folder("tv.safetensors"), &s, &error), &error);
    ws_tensors_note(&out, "made", "by a test");
    for (size_t i = 0; i < s->n_tensors; i++) {
        const ws_source_tensor *t = &s->tensors[i];
        char name[WS_SOURCE_NAME + 1];
        int dims[4] = {0};
        float *values = owned[n++] = malloc(ws_source_elements(t) * sizeof *values);
        must(ws_source_read(s, t, values, &error), &error);
        for (int d = 0; d < t->rank; d++)
            dims[d] = (int)t->dims[d];
        const ws_rcnn_part part = rename_tensor(t->name, library, name);
        if (library != WS_RCNN_TORCHVISION_OLD)
            move_background(part, values, &dims[0], ws_source_elements(t) / t->dims[0]);
        ws_tensors_add(&out, name, t->rank, dims, values);
    }
    must(ws_tensors_save(&out, in_folder(file), &error), &error);
    for (size_t i = 0; i < n; i++)
        free(owned[i]);
    ws_source_close(s);
}

/* ---- running ---- */

static st_file *dump(const char *checkpoint, const char *style)
{
    static const float rois[3][4] = {{3, 4, 60, 50}, {10.5f, 20.25f, 100, 60}, {0, 0, 127, 63}};
    wsam_convert_options o;
    wsam_detector_rules rules = {.style = style, .short_side = HEIGHT, .long_side = WIDTH};
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_detector *d = NULL;
    wsam_picture picture;
    wsam_convert_options_default(&o);
    o.detector = &rules;
    must(wsam_convert(in_folder(checkpoint), in_folder("m.wsam"), &o, &error), &error);
    must(wsam_model_open(in_folder("m.wsam"), NULL, &model, &error), &error);
    must(wsam_detector_create(model, &d, &error), &error);
    must(wsam_picture_draw(HEIGHT, WIDTH, &picture, &error), &error);
    must(wsam_detector_dump(d, &picture, NULL, rois, 3, in_folder("dump"), &error), &error);
    wsam_picture_free(&picture);
    wsam_detector_free(d);
    wsam_model_close(model);
    st_file *f = st_open(in_folder("dump"));
    cr_assert_not_null(f);
    return f;
}

static double difference(st_file *a, st_file *b, const char *name)
{
    size_t n, m;
    const double *x = st_values(a, name, &n), *y = st_values(b, name, &m);
    double sum = 0, norm = 0;
    cr_assert(x && y && n == m, "%s: %zu and %zu", name, n, m);
    for (size_t i = 0; i < n; i++) {
        sum += (x[i] - y[i]) * (x[i] - y[i]);
        norm += y[i] * y[i];
    }
    return sqrt(sum / norm);
}

static const char *const maps[] = {"image_size",
                                   "image",
                                   "fpn_0",
                                   "fpn_1",
                                   "fpn_2",
                                   "fpn_3",
                                   "fpn_pool",
                                   "rpn_objectness_0",
                                   "rpn_objectness_1",
                                   "rpn_objectness_4",
                                   "rpn_deltas_0",
                                   "rpn_deltas_4"};

static void expect_maps(st_file *a, st_file *b)
{
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        cr_expect(difference(a, b, maps[i]) < 1e-5, "%s: %g", maps[i], difference(a, b, maps[i]));
}

/* The libraries compute the same maps of an image that none of them resizes. detectron2 and
 * mmdetection agree on the rest; torchvision's anchors are rounded and its RoIAlign is another. */
Test(detector_names, the_same_weights_in_three_libraries)
{
    write_as(WS_RCNN_TORCHVISION_OLD, "old.safetensors");
    write_as(WS_RCNN_DETECTRON2, "d2.safetensors");
    write_as(WS_RCNN_MMDETECTION, "mm.safetensors");
    st_file *tv = dump("tv.safetensors", NULL), *old = dump("old.safetensors", NULL),
            *d2 = dump("d2.safetensors", NULL), *mm = dump("mm.safetensors", NULL);
    static const char *const heads[] = {"class_logits", "box_regression", "mask_logits",
                                        "roi_features", "proposals"};
    expect_maps(tv, old);
    expect_maps(tv, d2);
    expect_maps(d2, mm);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        cr_expect(difference(tv, old, heads[i]) < 1e-6, "%s", heads[i]);
        cr_expect(difference(d2, mm, heads[i]) < 1e-5, "%s", heads[i]);
    }
    cr_expect(difference(tv, d2, "roi_features") > 1e-3);
    st_close(tv);
    st_close(old);
    st_close(d2);
    st_close(mm);
}

/* Caffe's style: the stride stands in another convolution, the image is BGR and not divided. */
Test(detector_names, styles_differ)
{
    write_as(WS_RCNN_DETECTRON2, "d2.safetensors");
    st_file *pytorch = dump("d2.safetensors", "pytorch"), *caffe = dump("d2.safetensors", "caffe");
    size_t n, m;
    const double *a = st_values(pytorch, "image", &n), *b = st_values(caffe, "image", &m);
    cr_assert_eq(n, m);
    for (size_t i = 0; i < n; i += 97) { /* planes are RGB in both */
        static const double std[3] = {58.395, 57.12, 57.375};
        cr_expect(fabs(a[i] * std[i / (n / 3)] - b[i]) < 1e-3);
    }
    cr_expect(difference(pytorch, caffe, "fpn_3") > 0.1);
    st_close(pytorch);
    st_close(caffe);
}

/* ---- what does not fit together ---- */

/* The twin of a family with one tensor left out, or with other rows. */
static void refused(const char *family, const char *tensor, int rows, const char *mention)
{
    wsam_error error = {0};
    ws_source *s = NULL;
    ws_tensors out = {0};
    float zeros[1 << 16] = {0};
    must(wsam_write_twin(family, in_folder("twin"), 0, &error), &error);
    must(ws_source_open(in_folder("twin"), &s, &error), &error);
    ws_tensors_note(&out, "made", "by a test");
    for (size_t i = 0; i < s->n_tensors; i++) {
        const ws_source_tensor *t = &s->tensors[i];
        int dims[4] = {0};
        for (int d = 0; d < t->rank; d++)
            dims[d] = (int)t->dims[d];
        if (strcmp(t->name, tensor) == 0)
            dims[0] = rows;
        if (dims[0])
            ws_tensors_add(&out, t->name, t->rank, dims, zeros);
    }
    must(ws_tensors_save(&out, in_folder("bad"), &error), &error);
    ws_source_close(s);
    cr_expect_eq(wsam_convert(in_folder("bad"), in_folder("m.wsam"), NULL, &error),
                 WSAM_ERR_MISMATCH);
    cr_expect_not_null(strstr(error.message, mention), "'%s' without '%s'", error.message, mention);
    cr_expect_null(strchr(error.message, '\n'));
}

Test(detector_names, checkpoints_that_do_not_fit)
{
    const char *const d2 = "mask_rcnn_detectron2_mini", *const tv = "mask_rcnn_mini";
    refused(d2, "roi_heads.box_predictor.cls_score.weight", 6, "box deltas of 3");
    refused(d2, "roi_heads.box_predictor.bbox_pred.weight", 16, "box deltas of 4");
    refused(tv, "roi_heads.mask_predictor.mask_fcn_logits.weight", 2, "masks of 2");
    refused(tv, "backbone.fpn.layer_blocks.2.0.weight", 0,
            "missing backbone.fpn.layer_blocks.2.0.weight");
    refused(d2, "backbone.fpn_lateral4.weight", 0, "missing backbone.fpn_lateral4.weight");
    refused(d2, "backbone.bottom_up.res4.0.conv1.weight", 0, "a stage of its ResNet is missing");
    refused(tv, "rpn.head.cls_logits.weight", 9, "3 anchors per cell");
    refused(tv, "roi_heads.box_head.fc6.weight", 0, "no two linear layers");
    refused(tv, "roi_heads.box_predictor.cls_score.weight", 1, "it has no class");
    refused(tv, "backbone.body.layer1.0.bn2.running_var", 4, "misshaped");
}
