/* tests/kernels/check_roi.c - features of boxes: values worked out by hand, and levels against C.
 */
#include <math.h>
#include <stdio.h>

#include "tests/kernels/check.h"

/* On a map whose value is its column, a bin's mean is the column of its centre. */
static void check_ramp(check *t)
{
    float map[8 * 10], out[4];
    const float box[4] = {16, 16, 80, 48}; /* 4 x 2 cells of 16 pixels from cell 1 on */
    for (int i = 0; i < 80; i++)
        map[i] = (float)(i % 10);
    wsam_roi_shape s = {.height = 8,
                        .width = 10,
                        .channels = 1,
                        .scale_x = 1.0f / 16,
                        .scale_y = 1.0f / 16,
                        .bins = 2,
                        .ratio = 2};
    /* bin centres at cells 2 and 4; with the half 1.5 and 3.5 */
    static const float half[4] = {1.5f, 3.5f, 1.5f, 3.5f}, whole[4] = {2, 4, 2, 4};
    static const float top[4] = {3, 5, 3, 5};
    t->isa->roi.align_f32(&s, map, box, out, 1);
    check_floats_close(t, "ramp, half", half, out, 4, 1e-6f, 0);
    s.ratio = 0;
    t->isa->roi.align_f32(&s, map, box, out, 1);
    check_floats_close(t, "ramp, adaptive", half, out, 4, 1e-6f, 0);
    s.rule = WSAM_ROI_ALIGN;
    t->isa->roi.align_f32(&s, map, box, out, 1);
    check_floats_close(t, "ramp, no half", whole, out, 4, 1e-6f, 0);
    t->isa->roi.max_pool_f32(&s, map, box, out, 1); /* cells 1 to 5: 2.5 per bin */
    check_floats_close(t, "ramp, max", top, out, 4, 0, 0);
}

/* A map, a box and what detectors' own operators make of it, in both conventions. */
static void check_golden(check *t)
{
    float map[4 * 5], out[4];
    const float box[4] = {1, 2, 8.5f, 7};
    static const float half[4] = {6.7451171875f, 4.58203125f, 5.408203125f, 4.73828125f};
    static const float whole[4] = {6.943359375f, 3.974609375f, 4.32177734375f, 4.2373046875f};
    for (int i = 0; i < 20; i++)
        map[i] = (float)((7 * (i / 5) + 3 * (i % 5)) % 11);
    wsam_roi_shape s = {
        .height = 4, .width = 5, .channels = 1, .scale_x = 0.5f, .scale_y = 0.5f, .bins = 2};
    for (s.ratio = 0; s.ratio <= 2; s.ratio += 2) {
        s.rule = WSAM_ROI_ALIGN_HALF;
        t->isa->roi.align_f32(&s, map, box, out, 1);
        check_floats_close(t, "golden, half", half, out, 4, 1e-6f, 0);
    }
    s.ratio = 2;
    s.rule = WSAM_ROI_ALIGN;
    t->isa->roi.align_f32(&s, map, box, out, 1);
    check_floats_close(t, "golden, no half", whole, out, 4, 1e-6f, 0);
}

/* What lies outside is 0, or the edge where samples are clamped. */
static void check_outside(check *t)
{
    float map[4] = {1, 2, 3, 4}, out[1];
    const float box[4] = {400, 400, 432, 432};
    static const float zero[1] = {0}, corner[1] = {4};
    wsam_roi_shape s = {.height = 2,
                        .width = 2,
                        .channels = 1,
                        .scale_x = 0.0625f,
                        .scale_y = 0.0625f,
                        .bins = 1,
                        .ratio = 2};
    t->isa->roi.align_f32(&s, map, box, out, 1);
    check_floats_close(t, "outside", zero, out, 1, 0, 0);
    t->isa->roi.max_pool_f32(&s, map, box, out, 1);
    check_floats_close(t, "outside, max", zero, out, 1, 0, 0);
    s.rule = WSAM_ROI_CLAMPED;
    t->isa->roi.align_f32(&s, map, box, out, 1);
    check_floats_close(t, "outside, clamped", corner, out, 1, 0, 0);
}

/* Boxes inside, over the edges, empty, reversed and not numbers at all. */
static void random_box(check *t, int i, float box[4])
{
    for (int k = 0; k < 4; k++)
        box[k] = (float)check_int(t, -100, 600) + 0.25f * (float)check_int(t, 0, 3);
    if (i % 7 == 1)
        box[2] = box[0];
    if (i % 7 == 2)
        box[3] = NAN;
    if (i % 7 == 3)
        box[2] = 1e30f;
}

static void check_case(check *t, int height, int width, int channels, int bins, int ratio)
{
    char what[64];
    wsam_roi_shape s = {.height = height,
                        .width = width,
                        .channels = channels,
                        .scale_x = 0.061f,
                        .scale_y = 0.066f,
                        .bins = bins,
                        .ratio = ratio};
    const size_t cells = (size_t)(bins * bins), c = (size_t)channels, ld = c + 5;
    float *map = check_alloc(t, (size_t)(height * width) * c * sizeof *map);
    float *want = check_alloc(t, cells * ld * sizeof *want);
    float *got = check_alloc(t, cells * ld * sizeof *got);
    const size_t values = (size_t)(height * width) * c;
    uint16_t *narrow = check_alloc(t, values * sizeof *narrow);
    float *wide = check_alloc(t, values * sizeof *wide);
    check_floats(t, map, values, CHECK_NORMAL);
    t->c->vector.f32_to_bf16(values, map, narrow);
    t->c->vector.bf16_to_f32(values, narrow, wide);
    for (int i = 0; i < 12; i++) {
        float box[4];
        random_box(t, i, box);
        for (int rule = WSAM_ROI_ALIGN_HALF; rule <= WSAM_ROI_CLAMPED && (ratio || i % 7 != 3);
             rule++) {
            s.rule = (wsam_roi_rule)rule;
            snprintf(what, sizeof what, "align %dx%dx%d bins %d ratio %d rule %d", height, width,
                     channels, bins, ratio, rule);
            t->c->roi.align_f32(&s, map, box, want, ld);
            t->isa->roi.align_f32(&s, map, box, got, ld);
            check_rows_close(t, what, want, got, cells, c, ld, 2e-6f, 2e-6f);
        }
        snprintf(what, sizeof what, "align bf16 %dx%dx%d bins %d ratio %d", height, width, channels,
                 bins, ratio);
        for (int k = 0; channels % 16 == 0 && k < 2; k++) { /* as the map of its values */
            const wsam_roi_kernels *roi = k ? &t->isa->roi : &t->c->roi;
            roi->align_f32(&s, wide, box, want, ld);
            roi->align_bf16(&s, narrow, box, got, ld);
            check_rows_close(t, what, want, got, cells, c, ld, 0, 0);
        }
        snprintf(what, sizeof what, "max %dx%dx%d bins %d", height, width, channels, bins);
        t->c->roi.max_pool_f32(&s, map, box, want, ld);
        t->isa->roi.max_pool_f32(&s, map, box, got, ld);
        check_rows_close(t, what, want, got, cells, c, ld, 0, 0);
    }
    check_done(t, "roi");
}

typedef struct timed {
    const wsam_kernels *k;
    wsam_roi_shape shape;
    const float *map;
    float *out;
} timed;

static void run_align(void *arg)
{
    const timed *b = arg;
    const float box[4] = {40, 30, 400, 300};
    b->k->roi.align_f32(&b->shape, b->map, box, b->out, (size_t)b->shape.channels);
}

static void bench_roi(check *t)
{
    timed b = {.k = t->isa,
               .shape = {.height = 64,
                         .width = 64,
                         .channels = 192,
                         .scale_x = 0.0625f,
                         .scale_y = 0.0625f,
                         .bins = 7,
                         .ratio = 2,
                         .rule = WSAM_ROI_CLAMPED}};
    float *map = check_alloc(t, (size_t)64 * 64 * 192 * sizeof *map);
    check_floats(t, map, (size_t)64 * 64 * 192, CHECK_NORMAL);
    b.map = map;
    b.out = check_alloc(t, (size_t)49 * 192 * sizeof *b.out);
    check_bench(t, "align 7x7x192 ratio 2", run_align, &b, 2.0 * 49 * 16 * 192, WS_PEAK_F32);
    check_done(t, "bench");
}

void check_roi(check *t)
{
    if (!check_new(t, "roi", t->isa->roi.name, &t->isa->roi, sizeof t->isa->roi))
        return;
    if (t->bench) {
        bench_roi(t);
        return;
    }
    check_ramp(t);
    check_golden(t);
    check_outside(t);
    check_case(t, 24, 31, 128, 4, 2);
    check_case(t, 48, 64, 67, 7, 2);
    check_case(t, 9, 1, 3, 7, 0);
    check_case(t, 20, 30, 40, 7, 0);
}
