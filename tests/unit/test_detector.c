/* Detectors from checkpoints: the steps between the graphs by published values, small models of all
 * libraries, the same bytes for any number of threads, and what is refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/boxes.h"
#include "kernels/sort.h"
#include "pipeline/detect/detector.h"
#include "pipeline/picture/picture.h"
#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "tests/util/util_safetensors.h"
#include "weaksam/weaksam.h"
#include "weights/builder.h"
#include "weights/writer.h"

TestSuite(detector, .init = make_folder, .fini = remove_folder);

static void near_to(const float *got, const float *want, size_t n, double limit)
{
    for (size_t i = 0; i < n; i++)
        cr_expect(fabs((double)got[i] - (double)want[i]) <= limit, "%zu: %g, expected %g", i,
                  (double)got[i], (double)want[i]);
}

/* ---- boxes ---- */

Test(detector, anchors_are_those_of_the_libraries)
{
    float boxes[3][4];
    const float wide[4] = {-23, -11, 23, 11}, next[4] = {-45, -23, 45, 23},
                largest[4] = {-362, -181, 362, 181};
    ws_box_anchors(32, 1, boxes);
    near_to(boxes[0], wide, 4, 0);
    ws_box_anchors(64, 1, boxes);
    near_to(boxes[0], next, 4, 0);
    ws_box_anchors(512, 1, boxes);
    near_to(boxes[0], largest, 4, 0);
    const float exact[4] = {-22.627417f, -11.313708f, 22.627417f, 11.313708f};
    ws_box_anchors(32, 0, boxes);
    near_to(boxes[0], exact, 4, 1e-5);
    cr_expect(fabsf(boxes[1][2] - 16) < 1e-6f && fabsf(boxes[2][3] - exact[2]) < 1e-5f);
}

Test(detector, deltas_become_boxes)
{
    const float from[4] = {10, 20, 50, 40}, deltas[4] = {1, -2, 3, 30};
    const float want[4] = {-2.4424f, -599.0001f, 70.4424f, 651.0001f};
    const ws_box_rule rule = {{10, 10, 5, 5}, 0};
    float box[4];
    ws_box_decode(&rule, from, deltas, box);
    near_to(box, want, 4, 1e-3);
    const float small[4] = {0, 0, -30, 0};
    ws_box_decode(&rule, from, small, box);
    cr_expect(box[2] - box[0] < 0.15f, "%g", (double)(box[2] - box[0]));
    const ws_box_rule both = {{10, 10, 5, 5}, 1};
    ws_box_decode(&both, from, small, box);
    cr_expect(fabsf(box[2] - box[0] - 40.0f * 16 / 1000) < 1e-4f, "%g", (double)(box[2] - box[0]));
    ws_box_clip(45, 25, box);
    cr_expect(box[0] >= 0 && box[2] <= 45 && box[3] <= 25);
    float nan_box[4] = {NAN, 3, 90, -4};
    const float held[4] = {0, 3, 45, 0};
    ws_box_clip(45, 25, nan_box);
    near_to(nan_box, held, 4, 0);
}

static int by_score(const void *x, const void *y)
{
    const float *a = x, *b = y;
    if (a[0] < b[0] || a[0] > b[0])
        return a[0] < b[0] ? 1 : -1;
    return (a[1] > b[1]) - (a[1] < b[1]);
}

Test(detector, top_k_is_a_sort_that_stops)
{
    enum { N = 4000 };
    static float scores[N], sorted[N][2];
    static uint64_t scratch[N];
    static uint32_t indices[N];
    uint32_t draw = 7;
    for (int round = 0; round < 40; round++) {
        const size_t n = round < 3 ? (size_t)round : 1 + draw % N, k = (size_t)(round % 5) * 300;
        for (size_t i = 0; i < n; i++) {
            draw = draw * 1664525u + 1013904223u;
            /* rounds with many ties, rising and falling ones */
            scores[i] = round % 4 == 0   ? (float)(draw >> 28)
                        : round % 4 == 1 ? (float)i
                        : round % 4 == 2 ? -(float)i
                                         : (float)(draw >> 8) - 8e6f;
            sorted[i][0] = scores[i];
            sorted[i][1] = (float)i;
        }
        qsort(sorted, n, sizeof sorted[0], by_score);
        const size_t got = ws_sort_top_k(scores, n, k, scratch, indices);
        cr_assert_eq(got, n < k ? n : k);
        for (size_t i = 0; i < got; i++)
            cr_assert_eq(indices[i], (uint32_t)sorted[i][1], "round %d, %zu", round, i);
    }
    const float odd[4] = {1, INFINITY, NAN, -INFINITY};
    cr_assert_eq(ws_sort_top_k(odd, 4, 2, scratch, indices), 2);
    cr_expect(indices[0] == 2 && indices[1] == 1);
}

static void expect_mask(ws_paste_rule rule, const float *mask, int side, const float box[4],
                        const char *want)
{
    enum { W = 6, H = 6 };
    uint64_t bits[W];
    uint8_t bytes[W * H];
    char text[W * H + 1];
    void *scratch = malloc(ws_paste_scratch(side, H, W));
    ws_paste_mask(rule, mask, side, box, H, W, scratch, bits);
    free(scratch);
    wsam_bits_to_bytes(bits, H, W, 1, bytes, W);
    for (int i = 0; i < W * H; i++)
        text[i] = (char)('0' + bytes[i]);
    text[W * H] = 0;
    cr_expect_str_eq(text, want);
}

Test(detector, masks_are_pasted_as_the_libraries_do)
{
    const float mask[4] = {0, 1, 1, 0.5f}, box[4] = {1.2f, 0.7f, 4.6f, 5.1f};
    const float all[4] = {1, 1, 1, 1}, around[4] = {-40, -40, 60, 60}, gone[4] = {70, 70, 90, 90},
                odd[4] = {NAN, 0, 3, 3}, far[4] = {-1e30f, 0, 1e30f, 3};
    static const char none[] = "000000000000000000000000000000000000";
    static const char full[] = "111111111111111111111111111111111111";
    expect_mask(WS_PASTE_SAMPLED, mask, 2, box, "000000000100000100011100011000000000");
    expect_mask(WS_PASTE_RESIZED, mask, 2, box, "000000000010000110000110001100001000");
    for (int rule = 0; rule < 2; rule++) {
        expect_mask((ws_paste_rule)rule, all, 2, around, full);
        expect_mask((ws_paste_rule)rule, all, 2, gone, none);
        expect_mask((ws_paste_rule)rule, all, 2, odd, none);
        expect_mask((ws_paste_rule)rule, all, 2, far, none);
    }
}

/* ---- pictures ---- */

Test(detector, resized_sizes_are_those_of_the_libraries)
{
    static const int sizes[][8] = {
        /* height, width; torchvision, detectron2, 688/4000 */
        {480, 640, 800, 1066, 800, 1067, 688, 917},   {427, 640, 799, 1199, 800, 1199, 688, 1031},
        {375, 500, 799, 1066, 800, 1067, 688, 917},   {333, 500, 799, 1201, 800, 1201, 688, 1033},
        {500, 375, 1066, 799, 1067, 800, 917, 688},   {720, 1280, 749, 1333, 750, 1333, 688, 1223},
        {100, 1000, 133, 1333, 133, 1333, 400, 4000}, {512, 512, 800, 800, 800, 800, 688, 688}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int *s = sizes[i];
        int got[2];
        wsam_detector d = {.rules = WS_DETECTOR_TORCHVISION};
        ws_detector_prepare_size(&d, s[0], s[1], 800, 1333, got);
        cr_expect(got[0] == s[2] && got[1] == s[3], "torchvision %d x %d: %d x %d", s[0], s[1],
                  got[0], got[1]);
        for (int rules = WS_DETECTOR_DETECTRON2; rules <= WS_DETECTOR_MMDETECTION; rules++) {
            d.rules = (ws_detector_rules)rules;
            ws_detector_prepare_size(&d, s[0], s[1], 800, 1333, got);
            cr_expect(got[0] == s[4] && got[1] == s[5], "rules %d, %d x %d: %d x %d", rules, s[0],
                      s[1], got[0], got[1]);
        }
        d.rules = WS_DETECTOR_DETECTRON2;
        ws_detector_prepare_size(&d, s[0], s[1], 688, 4000, got);
        cr_expect(got[0] == s[6] && got[1] == s[7], "688: %d x %d", got[0], got[1]);
    }
}

/* 11-bit weights by hand: 7 columns to 4 give 0.375, 2.125, ...; half as large is a mean. */
Test(detector, opencvs_resize_is_not_antialiased)
{
    static const uint8_t row[7] = {0, 100, 200, 40, 250, 10, 90};
    static const uint8_t square[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17};
    static const uint8_t want[4] = {38, 180, 224, 60}, means[4] = {4, 6, 12, 14};
    const wsam_picture line = {1, 7, 1, 7, row, NULL}, four = {4, 4, 1, 4, square, NULL};
    wsam_picture out;
    wsam_error error = {0};
    must(ws_resize_opencv(1, &line, 1, 4, &out, &error), &error);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(out.pixels[i], want[i], "%d: %d", i, out.pixels[i]);
    wsam_picture_free(&out);
    must(ws_resize_opencv(2, &four, 2, 2, &out, &error), &error);
    cr_expect_arr_eq(out.pixels, means, 4);
    wsam_picture_free(&out);
    must(ws_resize_opencv(2, &four, 4, 4, &out, &error), &error);
    cr_expect_arr_eq(out.pixels, square, 16);
    wsam_picture_free(&out);
}

/* ---- the sum of a pyramid ---- */

Test(detector, top_down_adds_the_pixel_that_covers)
{
    enum { H = 3, W = 2, C = 5 };
    float fine[2 * H * 2 * W * C], coarse[H * W * C];
    wsam_convert_options options;
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_session *session = NULL;
    wsam_image *image = NULL;
    wsam_tensor out;
    const int32_t large[3] = {2 * H, 2 * W, C}, small[3] = {H, W, C};
    wsam_convert_options_default(&options);
    ws_builder *b = ws_builder_new(NULL, &options, &error);
    ws_graph_begin(b, "sum");
    const ws_ref in[] = {ws_input(b, "fine", WSAM_F32, WSAM_RATE_IMAGE, 3, large),
                         ws_input(b, "coarse", WSAM_F32, WSAM_RATE_IMAGE, 3, small)};
    ws_output(b, "out", ws_op(b, "top_down", "sum", WS_TOP_DOWN_INPUTS, in));
    must(ws_writer_write(b, in_folder("sum.wsam"), &error), &error);
    ws_builder_free(b);
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        fine[i] = (float)(i % 23);
    for (size_t i = 0; i < sizeof coarse / sizeof coarse[0]; i++)
        coarse[i] = 100.0f * (float)i;
    must(wsam_model_open(in_folder("sum.wsam"), NULL, &model, &error), &error);
    must(wsam_session_create(model, "sum", &session, &error), &error);
    must(wsam_session_reserve(session, NULL, 0, &error), &error);
    must(wsam_image_create(model, "sum", NULL, 0, &image, &error), &error);
    const wsam_tensor tensors[2] = {{"fine", WSAM_F32, 3, {2 * H, 2 * W, C}, fine},
                                    {"coarse", WSAM_F32, 3, {H, W, C}, coarse}};
    must(wsam_session_bind(session, tensors, 2, image, &error), &error);
    must(wsam_image_output(image, "out", &out, &error), &error);
    for (int y = 0; y < 2 * H; y++)
        for (int x = 0; x < 2 * W; x++)
            for (int c = 0; c < C; c++) {
                const int i = (y * 2 * W + x) * C + c, j = (y / 2 * W + x / 2) * C + c;
                cr_expect(fabsf(((float *)out.data)[i] - fine[i] - coarse[j]) < 1e-6f);
            }
    wsam_image_free(image);
    wsam_session_free(session);
    wsam_model_close(model);
}

/* ---- small models ---- */

static void convert(const char *family, const char *file, wsam_file_type type)
{
    wsam_convert_options o;
    wsam_error error = {0};
    wsam_convert_options_default(&o);
    o.type = type;
    must(wsam_write_twin(family, in_folder("twin.safetensors"), 0, &error), &error);
    must(wsam_convert(in_folder("twin.safetensors"), in_folder(file), &o, &error), &error);
}

static wsam_detections *run(const char *file, int threads, wsam_lowering lowering,
                            const wsam_picture *picture)
{
    wsam_options options;
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_detector *d = NULL;
    wsam_detector_params p;
    wsam_detections *r = NULL;
    wsam_options_default(&options);
    options.threads = threads;
    options.lowering = lowering;
    wsam_detector_params_default(&p);
    p.min_score = 0;
    p.short_side = 64;
    p.long_side = 96;
    must(wsam_model_open(in_folder(file), &options, &model, &error), &error);
    must(wsam_detector_create(model, &d, &error), &error);
    must(wsam_detector_run(d, picture, &p, &r, &error), &error);
    cr_expect_eq(wsam_detector_class_count(d), 3);
    cr_expect_str_eq(wsam_detector_class_name(d, 2), "class 2");
    cr_expect_null(wsam_detector_class_name(d, 3));
    wsam_detector_free(d);
    wsam_model_close(model);
    return r;
}

static void expect_same(const wsam_detections *a, const wsam_detections *b)
{
    cr_assert_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const wsam_detection *x = &a->items[i], *y = &b->items[i];
        cr_expect(x->class_index == y->class_index && memcmp(&x->score, &y->score, 4) == 0 &&
                  memcmp(x->box, y->box, sizeof x->box) == 0 && x->mask.n == y->mask.n);
        cr_expect(!x->mask.n ||
                  memcmp(x->mask.counts, y->mask.counts, x->mask.n * sizeof *x->mask.counts) == 0);
    }
}

static void expect_sensible(const wsam_detections *r, int masks)
{
    cr_expect(r->n > 10, "%zu", r->n);
    for (size_t i = 0; i < r->n; i++) {
        const wsam_detection *d = &r->items[i];
        cr_expect(d->class_index >= 0 && d->class_index < 3);
        cr_expect(!i || d->score <= d[-1].score);
        cr_expect(d->box[0] >= 0 && d->box[1] >= 0 && d->box[2] <= (float)r->width + 1 &&
                  d->box[3] <= (float)r->height + 1 && d->box[2] > d->box[0] &&
                  d->box[3] > d->box[1]);
        cr_expect_eq(d->mask.n > 0, masks);
        if (masks)
            cr_expect_eq(wsam_rle_validate(&d->mask, NULL), WSAM_OK);
    }
}

static const struct {
    const char *family;
    int masks;
} minis[] = {{"mask_rcnn_mini", 1},
             {"faster_rcnn_old_mini", 0},
             {"mask_rcnn_detectron2_mini", 1},
             {"mask_rcnn_mmdetection_mini", 1}};

Test(detector, every_library_and_any_number_of_threads)
{
    wsam_picture picture;
    wsam_error error = {0};
    must(wsam_picture_draw(70, 101, &picture, &error), &error);
    for (size_t i = 0; i < sizeof minis / sizeof minis[0]; i++) {
        convert(minis[i].family, "mini.wsam", WSAM_FILE_F32);
        wsam_detections *one = run("mini.wsam", 1, WSAM_LOWERING_AUTO, &picture);
        wsam_detections *three = run("mini.wsam", 3, WSAM_LOWERING_AUTO, &picture);
        expect_sensible(one, minis[i].masks);
        expect_same(one, three);
        wsam_detections_free(one);
        wsam_detections_free(three);
    }
    wsam_picture_free(&picture);
}

Test(detector, instances_are_what_was_found)
{
    wsam_picture picture, drawn;
    wsam_error error = {0};
    wsam_instances list;
    must(wsam_picture_draw(50, 61, &picture, &error), &error);
    convert("mask_rcnn_mini", "mini.wsam", WSAM_FILE_INT8);
    wsam_detections *r = run("mini.wsam", 2, WSAM_LOWERING_AUTO, &picture);
    must(wsam_detections_instances(r, &list, &error), &error);
    cr_assert_eq(list.n, r->n);
    for (size_t i = 0; i < r->n; i++) {
        cr_expect(fabs(list.items[i].bbox[2] - (double)(r->items[i].box[2] - r->items[i].box[0])) <
                  1e-4);
        cr_expect_eq(list.items[i].area, wsam_rle_area(&r->items[i].mask));
    }
    wsam_instances_clear(&list);
    must(wsam_detections_overlay(r, &picture, &drawn, &error), &error);
    cr_expect_eq(drawn.width, 61);
    wsam_picture_free(&drawn);
    picture.width--;
    cr_expect_eq(wsam_detections_overlay(r, &picture, &drawn, &error), WSAM_ERR_ARGUMENT);
    picture.width++;
    wsam_detections_free(r);
    wsam_picture_free(&picture);
}

Test(detector, parameters_are_checked)
{
    wsam_picture picture;
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_detector *d = NULL;
    wsam_detector_params p;
    wsam_detections *r = NULL;
    must(wsam_picture_draw(32, 32, &picture, &error), &error);
    convert("faster_rcnn_old_mini", "mini.wsam", WSAM_FILE_F32);
    must(wsam_model_open(in_folder("mini.wsam"), NULL, &model, &error), &error);
    must(wsam_detector_create(model, &d, &error), &error);
    wsam_detector_params_default(&p);
    p.short_side = 20;
    cr_expect_eq(wsam_detector_run(d, &picture, &p, &r, &error), WSAM_ERR_ARGUMENT);
    wsam_detector_params_default(&p);
    p.nms = NAN;
    cr_expect_eq(wsam_detector_run(d, &picture, &p, &r, &error), WSAM_ERR_ARGUMENT);
    const float rois[1][4] = {{0, 0, NAN, 4}};
    cr_expect_eq(wsam_detector_dump(d, &picture, NULL, rois, 1, in_folder("d"), &error),
                 WSAM_ERR_ARGUMENT);
    wsam_detector_free(d);
    wsam_model_close(model);
    wsam_picture_free(&picture);
}
