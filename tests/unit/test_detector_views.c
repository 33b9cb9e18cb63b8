/* Test-time augmentation of detectors: one view is the plain detector, several are its results together,
 * a mirrored image gives mirrored results. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "weaksam/weaksam.h"

TestSuite(detector_views, .init = make_folder, .fini = remove_folder);

enum { SHORT = 64, LONG = 96 };

typedef struct setting {
    wsam_model *model;
    wsam_detector *d;
    wsam_picture picture;
} setting;

static void open_setting(setting *s, const char *family)
{
    wsam_error error = {0};
    must(wsam_write_twin(family, in_folder("twin.safetensors"), 0, &error), &error);
    must(wsam_convert(in_folder("twin.safetensors"), in_folder("mini.wsam"), NULL, &error), &error);
    must(wsam_model_open(in_folder("mini.wsam"), NULL, &s->model, &error), &error);
    must(wsam_detector_create(s->model, &s->d, &error), &error);
    must(wsam_picture_draw(70, 101, &s->picture, &error), &error);
}

static void close_setting(setting *s)
{
    wsam_picture_free(&s->picture);
    wsam_detector_free(s->d);
    wsam_model_close(s->model);
}

static wsam_detector_params plain(void)
{
    wsam_detector_params p;
    wsam_detector_params_default(&p);
    p.min_score = 0;
    p.short_side = SHORT;
    p.long_side = LONG;
    return p;
}

static wsam_detector_params views(int n, int first, int second, int mirror)
{
    wsam_detector_params p = plain();
    p.n_scales = n;
    p.scales[0] = first;
    p.scales[1] = second;
    p.view_long_side = LONG;
    p.mirror = mirror;
    return p;
}

static wsam_detections *run(const setting *s, const wsam_picture *picture,
                            const wsam_detector_params *p)
{
    wsam_detections *r = NULL;
    wsam_error error = {0};
    must(wsam_detector_run(s->d, picture, p, &r, &error), &error);
    return r;
}

/* Whether b has an object of this class, score and box, and a mask of its area within 3 %. */
static int has(const wsam_detections *b, const wsam_detection *x, double limit)
{
    for (size_t i = 0; i < b->n; i++) {
        const wsam_detection *y = &b->items[i];
        double most = 0;
        for (int k = 0; k < 4; k++)
            most = fmax(most, fabs((double)x->box[k] - (double)y->box[k]));
        const double area = (double)wsam_rle_area(&x->mask),
                     other = (double)wsam_rle_area(&y->mask);
        if (x->class_index == y->class_index && most < limit &&
            fabs((double)x->score - (double)y->score) < 1e-4)
            return !x->mask.n == !y->mask.n && fabs(area - other) <= 0.03 * (area + 50);
    }
    return 0;
}

static double shared(const wsam_detections *a, const wsam_detections *b)
{
    size_t n = 0;
    cr_assert_gt(a->n, 10);
    for (size_t i = 0; i < a->n; i++)
        n += (size_t)has(b, &a->items[i], 0.02);
    return (double)n / (double)a->n;
}

Test(detector_views, one_view_is_the_detector)
{
    static const char *const families[] = {"mask_rcnn_mini", "mask_rcnn_detectron2_mini",
                                           "mask_rcnn_mmdetection_mini", "faster_rcnn_old_mini"};
    for (size_t i = 0; i < 4; i++) {
        setting s;
        const wsam_detector_params one = plain(), view = views(1, SHORT, 0, 0);
        open_setting(&s, families[i]);
        wsam_detections *a = run(&s, &s.picture, &one), *b = run(&s, &s.picture, &view);
        cr_expect_eq(a->n, b->n, "%s: %zu, %zu", families[i], a->n, b->n);
        cr_expect_eq(shared(a, b), 1.0, "%s: %g", families[i], shared(a, b));
        wsam_detections_free(a);
        wsam_detections_free(b);
        close_setting(&s);
    }
}

static double iou(const float *a, const float *b)
{
    const double w = fmin((double)a[2], (double)b[2]) - fmax((double)a[0], (double)b[0]);
    const double h = fmin((double)a[3], (double)b[3]) - fmax((double)a[1], (double)b[1]);
    const double both = w > 0 && h > 0 ? w * h : 0;
    return both / ((double)((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])) - both);
}

static int by_score(const void *x, const void *y)
{
    const float a = ((const wsam_detection *)x)->score, b = ((const wsam_detection *)y)->score;
    return (a < b) - (a > b);
}

/* The objects of two runs that no better one of their class covers. */
static size_t join(const wsam_detections *a, const wsam_detections *b, wsam_detection *out)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < a->n + b->n; i++)
        out[n++] = i < a->n ? a->items[i] : b->items[i - a->n];
    qsort(out, n, sizeof *out, by_score);
    for (size_t i = 0; i < n; i++) {
        int covered = 0;
        for (size_t k = 0; k < kept; k++)
            covered |=
                out[k].class_index == out[i].class_index && iou(out[k].box, out[i].box) > 0.5;
        if (!covered)
            out[kept++] = out[i];
    }
    return kept < 100 ? kept : 100;
}

Test(detector_views, two_views_are_both_together)
{
    setting s;
    wsam_detection all[200];
    const wsam_detector_params both = views(2, SHORT, 48, 0);
    wsam_detector_params first = plain(), second = plain();
    open_setting(&s, "faster_rcnn_old_mini");
    second.short_side = 48;
    wsam_detections *a = run(&s, &s.picture, &first), *b = run(&s, &s.picture, &second),
                    *c = run(&s, &s.picture, &both);
    const size_t n = join(a, b, all);
    cr_expect(n != a->n || shared(a, c) < 1.0, "the second view adds nothing");
    cr_expect_eq(c->n, n, "%zu, %zu", c->n, n);
    for (size_t i = 0; i < n; i++)
        cr_expect(has(c, &all[i], 1e-3), "object %zu", i);
    for (size_t i = 1; i < c->n; i++)
        cr_expect(c->items[i].score <= c->items[i - 1].score);
    wsam_detections_free(a);
    wsam_detections_free(b);
    wsam_detections_free(c);
    close_setting(&s);
}

Test(detector_views, a_mirrored_image_gives_mirrored_objects)
{
    static uint8_t pixels[70 * 101 * 3];
    static const char *const families[] = {"mask_rcnn_mini", "mask_rcnn_detectron2_mini"};
    const wsam_picture mirrored = {70, 101, 3, 303, pixels, NULL};
    for (size_t f = 0; f < 2; f++) {
        setting s;
        const wsam_detector_params p = views(2, SHORT, 48, 1);
        open_setting(&s, families[f]);
        for (int y = 0; y < 70; y++)
            for (int x = 0; x < 101; x++)
                memcpy(pixels + 303 * y + 3 * x,
                       s.picture.pixels + s.picture.stride * (size_t)y + 3 * (100 - x), 3);
        wsam_detections *a = run(&s, &s.picture, &p), *b = run(&s, &mirrored, &p);
        for (size_t i = 0; i < b->n; i++) {
            float *box = b->items[i].box;
            const float left = 101.0f - box[2];
            box[2] = 101.0f - box[0];
            box[0] = left;
        }
        cr_expect(shared(a, b) > 0.95, "%s: %g", families[f], shared(a, b));
        wsam_detections_free(a);
        wsam_detections_free(b);
        close_setting(&s);
    }
}

Test(detector_views, scales_are_checked)
{
    setting s;
    wsam_detections *r = NULL;
    open_setting(&s, "faster_rcnn_old_mini");
    wsam_detector_params p = views(1, 20, 0, 0);
    cr_expect_eq(wsam_detector_run(s.d, &s.picture, &p, &r, NULL), WSAM_ERR_ARGUMENT);
    p = views(WSAM_DETECTOR_SCALES + 1, SHORT, SHORT, 0);
    cr_expect_eq(wsam_detector_run(s.d, &s.picture, &p, &r, NULL), WSAM_ERR_ARGUMENT);
    p = views(1, LONG + 1, 0, 0);
    cr_expect_eq(wsam_detector_run(s.d, &s.picture, &p, &r, NULL), WSAM_ERR_ARGUMENT);
    cr_expect_null(r);
    close_setting(&s);
}
