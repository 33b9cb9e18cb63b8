/* tests/kernels/check_resize.c - resampling: published values, and every level equal to C to the
 * bit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernels/check.h"

/* Both passes of the 8-bit resampler on level `k`. */
static void resize(check *t, const wsam_resize_kernels *k, int h, int w, int channels,
                   const uint8_t *in, int out_h, int out_w, wsam_filter filter, uint8_t *out)
{
    wsam_resample x, y;
    const size_t line = (size_t)(out_w * channels);
    wsam_resample_init(&x, w, out_w, filter, check_alloc(t, wsam_resample_bytes(w, out_w, filter)));
    wsam_resample_init(&y, h, out_h, filter, check_alloc(t, wsam_resample_bytes(h, out_h, filter)));
    uint8_t *middle = check_alloc(t, (size_t)h * line);
    const uint8_t **rows = check_alloc(t, (size_t)h * sizeof *rows);
    for (int i = 0; i < h; i++)
        k->horizontal_u8(&x, channels, in + (size_t)i * (size_t)(w * channels),
                         middle + (size_t)i * line);
    for (int i = 0; i < out_h; i++) {
        for (int j = 0; j < y.n[i]; j++)
            rows[j] = middle + (size_t)(y.lo[i] + j) * line;
        k->vertical_u8(&y, i, line, rows, out + (size_t)i * line);
    }
}

/* Values that Pillow gives. */
static void check_published(check *t)
{
    static const uint8_t row[7] = {10, 20, 30, 40, 50, 60, 70};
    static const uint8_t four[4] = {15, 31, 49, 65},
                         ten[10] = {10, 15, 23, 30, 37, 43, 50, 58, 65, 70};
    static const uint8_t block[12] = {20, 78, 146, 204, 25, 83, 151, 209, 30, 88, 156, 214};
    uint8_t in[35], out[16];
    resize(t, &t->isa->resize, 1, 7, 1, row, 1, 4, WSAM_FILTER_BILINEAR, out);
    check_equal(t, "7 to 4", four, out, 4);
    resize(t, &t->isa->resize, 1, 7, 1, row, 1, 10, WSAM_FILTER_BILINEAR, out);
    check_equal(t, "7 to 10", ten, out, 10);
    for (int i = 0; i < 35; i++)
        in[i] = (uint8_t)(37 * i);
    resize(t, &t->isa->resize, 5, 7, 1, in, 3, 4, WSAM_FILTER_BILINEAR, out);
    check_equal(t, "5x7 to 3x4", block, out, 12);
    static const float line[4] = {0, 1, 2, 3}, squares[4] = {0, 1, 4, 9};
    static const float eight[8] = {0, 0.25f, 0.75f, 1.25f, 1.75f, 2.25f, 2.75f, 3};
    static const float cubic[8] = {-0.10546875f, 0.12109375f, 0.45703125f, 1.609375f,
                                   2.828125f,    5.44921875f, 7.97265625f, 9.52734375f};
    float got[8];
    t->isa->resize.bilinear_row_f32(1, 4, 1, line, 1, 8, 0, got);
    check_floats_close(t, "bilinear 4 to 8", eight, got, 8, 1e-6f, 0);
    t->isa->resize.bicubic_row_f32(1, 4, 1, squares, 1, 8, 0, got);
    check_floats_close(t, "bicubic 4 to 8", cubic, got, 8, 1e-5f, 0);
    check_done(t, "published values");
}

static void check_size(check *t, int channels, int h, int w, int out_h, int out_w)
{
    char what[64];
    const size_t n = (size_t)(h * w * channels), m = (size_t)(out_h * out_w * channels);
    uint8_t *in = check_alloc(t, n), *want = check_alloc(t, m), *got = check_alloc(t, m);
    float *x = check_alloc(t, n * sizeof *x);
    const size_t line = (size_t)(out_w * channels);
    float *a = check_alloc(t, line * sizeof *a), *b = check_alloc(t, line * sizeof *b);
    snprintf(what, sizeof what, "%dx%dx%d to %dx%d", h, w, channels, out_h, out_w);
    check_bytes(t, in, n);
    check_floats(t, x, n, CHECK_NORMAL);
    for (int filter = WSAM_FILTER_BILINEAR; filter <= WSAM_FILTER_BICUBIC; filter += 2) {
        resize(t, &t->c->resize, h, w, channels, in, out_h, out_w, (wsam_filter)filter, want);
        resize(t, &t->isa->resize, h, w, channels, in, out_h, out_w, (wsam_filter)filter, got);
        check_equal(t, what, want, got, m);
    }
    for (int y = 0; y < out_h; y += 3) {
        t->c->resize.bilinear_row_f32(h, w, channels, x, out_h, out_w, y, a);
        t->isa->resize.bilinear_row_f32(h, w, channels, x, out_h, out_w, y, b);
        check_equal(t, what, a, b, line * sizeof *a);
        t->c->resize.bicubic_row_f32(h, w, channels, x, out_h, out_w, y, a);
        t->isa->resize.bicubic_row_f32(h, w, channels, x, out_h, out_w, y, b);
        check_equal(t, what, a, b, line * sizeof *a);
    }
    check_done(t, what);
}

void check_resize(check *t)
{
    if (!check_new(t, "resize", t->isa->resize.name, &t->isa->resize, sizeof t->isa->resize) ||
        t->bench)
        return;
    check_published(t);
    check_size(t, 3, 48, 64, 77, 102);
    check_size(t, 3, 90, 121, 31, 40);
    check_size(t, 1, 1, 50, 1, 17);
    check_size(t, 4, 33, 9, 7, 30);
    check_size(t, 3, 5, 300, 5, 37);
}
