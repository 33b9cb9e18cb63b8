/* MIST: sizes of views, which boxes are scored, the same bytes for any number of threads, and which
 * boxes are detections. tests/golden/mist_reference.py compares it with PyTorch. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/detect/mist.h"
#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "weaksam/weaksam.h"

TestSuite(mist, .init = make_folder, .fini = remove_folder);

Test(mist, sizes_of_views)
{
    static const int sizes[][5] = {/* height, width, scale; height, width of the view */
                                   {480, 640, 800, 800, 1066},   {640, 480, 800, 1066, 800},
                                   {800, 900, 800, 800, 900},    {100, 1000, 800, 200, 2000},
                                   {333, 1000, 1200, 666, 2000}, {50, 50, 480, 480, 480}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int *s = sizes[i];
        ws_mist_view v = {.height = 0};
        ws_mist_view_size(s[0], s[1], s[2], 2000, &v);
        cr_expect(v.height == s[3] && v.width == s[4], "%d x %d at %d: %d x %d", s[0], s[1], s[2],
                  v.height, v.width);
    }
}

static wsam_model *open_mini(int threads, wsam_file_type type)
{
    wsam_convert_options o;
    wsam_options options;
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_convert_options_default(&o);
    wsam_options_default(&options);
    o.type = type;
    options.threads = threads;
    must(wsam_write_twin("mist_mini", in_folder("twin"), 0, &error), &error);
    must(wsam_convert(in_folder("twin"), in_folder("m.wsam"), &o, &error), &error);
    must(wsam_model_open(in_folder("m.wsam"), &options, &model, &error), &error);
    return model;
}

/* Two copies, one too small, one beyond the picture. */
static const float boxes[6][4] = {{3, 4, 50, 40},  {10, 5, 29, 60},   {3, 4, 50, 40},
                                  {20, 2, 60, 48}, {-9, -9, 200, 99}, {70, 50, 95, 88}};

static wsam_mist_views *run(wsam_model *model, const wsam_mist_params *p)
{
    wsam_error error = {0};
    wsam_mist *m = NULL;
    wsam_mist_views *v = NULL;
    wsam_picture picture;
    must(wsam_picture_draw(64, 80, &picture, &error), &error);
    must(wsam_mist_create(model, &m, &error), &error);
    cr_expect_eq(wsam_mist_class_count(m), 3);
    cr_expect_str_eq(wsam_mist_class_name(m, 1), "class 1");
    cr_expect_null(wsam_mist_class_name(m, 3));
    must(wsam_mist_run(m, &picture, 6, boxes, p, &v, &error), &error);
    wsam_mist_free(m);
    wsam_picture_free(&picture);
    return v;
}

static wsam_mist_params small_params(void)
{
    wsam_mist_params p;
    wsam_mist_params_default(&p);
    p.n_scales = 2;
    p.scales[0] = 96;
    p.scales[1] = 64;
    return p;
}

Test(mist, which_boxes_are_scored)
{
    const wsam_mist_params p = small_params();
    wsam_model *model = open_mini(2, WSAM_FILE_F32);
    wsam_mist_views *v = run(model, &p);
    cr_assert_eq(v->n, 3, "%zu", v->n); /* 19 and 10 pixels are too few */
    cr_expect(v->kept[0] == 0 && v->kept[1] == 3 && v->kept[2] == 4);
    cr_expect(v->height == 96 && v->width == 120);
    for (size_t i = 0; i < v->n; i++) {
        float sum = 0;
        for (size_t c = 0; c < 4; c++) {
            const float *b = v->boxes[i * 4 + c];
            sum += v->scores[i * 4 + c];
            cr_expect(b[0] >= 0 && b[1] >= 0 && b[2] < 120 && b[3] < 96);
        }
        cr_expect(fabsf(sum - 1) < 1e-5f);
    }
    wsam_mist_views_free(v);
    wsam_model_close(model);
}

Test(mist, any_number_of_threads_and_int8)
{
    const wsam_mist_params p = small_params();
    for (int type = WSAM_FILE_F32; type <= WSAM_FILE_INT8; type += WSAM_FILE_INT8) {
        wsam_model *one = open_mini(1, (wsam_file_type)type),
                   *three = open_mini(3, (wsam_file_type)type);
        wsam_mist_views *a = run(one, &p), *b = run(three, &p);
        cr_assert_eq(a->n, b->n);
        cr_expect_arr_eq(a->scores, b->scores, a->n * 4 * sizeof *a->scores);
        cr_expect_arr_eq(a->boxes, b->boxes, a->n * 4 * sizeof *a->boxes);
        wsam_mist_views_free(a);
        wsam_mist_views_free(b);
        wsam_model_close(one);
        wsam_model_close(three);
    }
}

/* Three boxes of one class in a frame twice as large as the picture: two overlap, one has the score
 * of the better one. */
Test(mist, detections)
{
    float scores[3][2] = {{0.4f, 0.6f}, {0.5f, 0.5f}, {0.4f, 0.6f}};
    float corners[6][4] = {{0, 0, 0, 0},     {10, 10, 50, 50}, {0, 0, 0, 0},
                           {12, 10, 50, 52}, {0, 0, 0, 0},     {60, 60, 80, 80}};
    size_t kept[3] = {0, 1, 2};
    const wsam_mist_views v = {3, 1, kept, 200, 100, scores[0], corners};
    wsam_mist_params p;
    wsam_instances out;
    wsam_error error = {0};
    wsam_mist_params_default(&p);
    must(wsam_mist_detect(&v, 100, 50, &p, &out, &error), &error);
    cr_assert_eq(out.n, 2);
    cr_expect(fabs(out.items[0].bbox[0] - 5) < 1e-6 && fabs(out.items[0].bbox[2] - 21) < 1e-6);
    wsam_instances_clear(&out);
    p.most = 1; /* but two are equally good */
    must(wsam_mist_detect(&v, 100, 50, &p, &out, &error), &error);
    cr_expect_eq(out.n, 2);
    wsam_instances_clear(&out);
    p.min_score = 0.6;
    must(wsam_mist_detect(&v, 100, 50, &p, &out, &error), &error);
    cr_expect_eq(out.n, 2, "%zu", out.n); /* 0.6f is above 0.6 */
    wsam_instances_clear(&out);
}

Test(mist, parameters_are_checked)
{
    wsam_error error = {0};
    wsam_model *model = open_mini(1, WSAM_FILE_F32);
    wsam_mist *m = NULL;
    wsam_mist_views *v = NULL;
    wsam_picture picture;
    wsam_mist_params p = small_params();
    must(wsam_picture_draw(32, 40, &picture, &error), &error);
    must(wsam_mist_create(model, &m, &error), &error);
    p.scales[1] = 9;
    cr_expect_eq(wsam_mist_run(m, &picture, 6, boxes, &p, &v, &error), WSAM_ERR_ARGUMENT);
    p = small_params();
    p.n_scales = 17;
    cr_expect_eq(wsam_mist_run(m, &picture, 6, boxes, &p, &v, &error), WSAM_ERR_ARGUMENT);
    p = small_params();
    must(wsam_mist_run(m, &picture, 0, boxes, &p, &v, &error), &error); /* no box is no error */
    cr_expect_eq(v->n, 0);
    wsam_mist_views_free(v);
    wsam_mist_free(m);
    wsam_picture_free(&picture);
    wsam_model_close(model);
}
