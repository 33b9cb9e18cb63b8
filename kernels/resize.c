/* kernels/resize.c - Pillow's 8-bit resampler and PyTorch's float interpolations: C versions and
 * table. */
#include "kernels/resize.h"

#include <math.h>

#include "base/error.h"
#include "kernels/cpu.h"

/* ---- Pillow: coefficient tables, in double ---- */

static double triangle(double t)
{
    t = fabs(t);
    return t < 1.0 ? 1.0 - t : 0.0;
}

/* Keys' cubic with a = -0.5. */
static double cubic(double t)
{
    const double a = -0.5;
    t = fabs(t);
    if (t < 1.0)
        return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    if (t < 2.0)
        return (((t - 5.0) * t + 8.0) * t - 4.0) * a;
    return 0.0;
}

/* Pillow widens the filter when it makes an image smaller (antialias): the support grows with the
 * scale. */
static double filter_support(int n_in, int n_out, wsam_filter filter)
{
    const double scale = (double)n_in / n_out;
    return (filter == WSAM_FILTER_BICUBIC ? 2.0 : 1.0) * (scale > 1.0 ? scale : 1.0);
}

static int filter_taps(int n_in, int n_out, wsam_filter filter)
{
    return (int)ceil(filter_support(n_in, n_out, filter)) * 2 + 1;
}

size_t wsam_resample_bytes(int n_in, int n_out, wsam_filter filter)
{
    /* lo, n, q, and one row of double weights */
    const size_t taps = (size_t)filter_taps(n_in, n_out, filter);
    return (size_t)n_out * (2 + taps) * sizeof(int32_t) + (taps + 1) * sizeof(double);
}

/* The taps of one output index; normalised in double, then rounded to 22 bits. */
static void resample_row(wsam_resample *axis, int i, wsam_filter filter, double *w)
{
    const double s = (double)axis->n_in / axis->n_out, fs = s > 1.0 ? s : 1.0;
    const double support = filter_support(axis->n_in, axis->n_out, filter);
    const double centre = (i + 0.5) * s;
    int lo = (int)(centre - support + 0.5), hi = (int)(centre + support + 0.5);
    lo = lo < 0 ? 0 : lo;
    hi = hi > axis->n_in ? axis->n_in : hi;
    double sum = 0.0;
    for (int j = lo; j < hi; j++) {
        const double t = (j - centre + 0.5) * (1.0 / fs);
        w[j - lo] = filter == WSAM_FILTER_BICUBIC ? cubic(t) : triangle(t);
        sum += w[j - lo];
    }
    int32_t *q = axis->q + (size_t)i * (size_t)axis->max_taps;
    for (int j = 0; j < hi - lo; j++) {
        /* 2^22, as Pillow has it: 8 bits of value, 22 of weight and 2 for overshoot make 32. Away
         * from zero at half. */
        const double v = (sum < 0.0 || sum > 0.0 ? w[j] / sum : w[j]) * 4194304.0;
        q[j] = (int32_t)(v < 0.0 ? v - 0.5 : v + 0.5);
    }
    for (int j = hi - lo; j < axis->max_taps; j++)
        q[j] = 0;
    axis->lo[i] = lo;
    axis->n[i] = hi - lo;
}

/* The row of doubles stands in front, where memory is aligned for it, and is no longer read
 * afterwards. */
void wsam_resample_init(wsam_resample *axis, int n_in, int n_out, wsam_filter filter, void *memory)
{
    const int taps = filter_taps(n_in, n_out, filter);
    double *w = memory;
    axis->n_in = n_in;
    axis->n_out = n_out;
    axis->max_taps = taps;
    void *tables = w + taps + 1;
    axis->lo = tables;
    axis->n = axis->lo + n_out;
    axis->q = axis->n + n_out;
    for (int i = 0; i < n_out; i++)
        resample_row(axis, i, filter, w);
}

static uint8_t clamp_u8(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : (v > 255 ? 255 : v));
}

static void horizontal_u8_c(const wsam_resample *axis, int channels, const uint8_t *in,
                            uint8_t *out)
{
    for (int i = 0; i < axis->n_out; i++) {
        const int32_t *q = axis->q + (size_t)i * (size_t)axis->max_taps;
        const uint8_t *from = in + (size_t)axis->lo[i] * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            /* Half a unit of the 22 bits: the shift rounds. Fixed point, so that every level gives
             * the same bytes. */
            int32_t acc = 1 << 21;
            for (int j = 0; j < axis->n[i]; j++)
                acc += q[j] * from[(size_t)j * (size_t)channels + (size_t)c];
            *out++ = clamp_u8(acc >> 22);
        }
    }
}

static void vertical_u8_c(const wsam_resample *axis, int y, size_t bytes,
                          const uint8_t *const *rows, uint8_t *out)
{
    const int32_t *q = axis->q + (size_t)y * (size_t)axis->max_taps;
    for (size_t b = 0; b < bytes; b++) {
        int32_t acc = 1 << 21;
        for (int j = 0; j < axis->n[y]; j++)
            acc += q[j] * rows[j][b];
        out[b] = clamp_u8(acc >> 22);
    }
}

/* ---- PyTorch ---- */

ws_cubic_tap ws_resize_cubic_tap(int n_in, int n_out, int i)
{
    const float a = -0.75f, scale = (float)n_in / (float)n_out;
    const float s = scale * ((float)i + 0.5f) - 0.5f, f = floorf(s), t = s - f;
    const float x0 = t + 1.0f, x1 = t, x2 = 1.0f - t, x3 = 2.0f - t;
    ws_cubic_tap tap;
    tap.w[0] = ((a * x0 - 5.0f * a) * x0 + 8.0f * a) * x0 - 4.0f * a;
    tap.w[1] = ((a + 2.0f) * x1 - (a + 3.0f)) * x1 * x1 + 1.0f;
    tap.w[2] = ((a + 2.0f) * x2 - (a + 3.0f)) * x2 * x2 + 1.0f;
    tap.w[3] = ((a * x3 - 5.0f * a) * x3 + 8.0f * a) * x3 - 4.0f * a;
    for (int j = 0; j < 4; j++) {
        const int at = (int)f - 1 + j;
        tap.i[j] = at < 0 ? 0 : (at >= n_in ? n_in - 1 : at);
    }
    return tap;
}

/* x before y, each product rounded by itself: the order of PyTorch's loops. */
static void bilinear_row_c(int in_h, int in_w, int channels, const float *in, int out_h, int out_w,
                           int y, float *out)
{
    const ws_linear_tap v = ws_linear_tap_at(in_h, out_h, y);
    const size_t row = (size_t)in_w * (size_t)channels;
    const float *r0 = in + (size_t)v.i0 * row, *r1 = in + (size_t)v.i1 * row;
    for (int x = 0; x < out_w; x++) {
        const ws_linear_tap h = ws_linear_tap_at(in_w, out_w, x);
        const size_t a = (size_t)h.i0 * (size_t)channels, b = (size_t)h.i1 * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            const float top = h.l0 * r0[a + (size_t)c] + h.l1 * r0[b + (size_t)c];
            const float low = h.l0 * r1[a + (size_t)c] + h.l1 * r1[b + (size_t)c];
            *out++ = v.l0 * top + v.l1 * low;
        }
    }
}

static void bicubic_row_c(int in_h, int in_w, int channels, const float *in, int out_h, int out_w,
                          int y, float *out)
{
    const ws_cubic_tap v = ws_resize_cubic_tap(in_h, out_h, y);
    const size_t row = (size_t)in_w * (size_t)channels;
    for (int x = 0; x < out_w; x++) {
        const ws_cubic_tap h = ws_resize_cubic_tap(in_w, out_w, x);
        for (int c = 0; c < channels; c++) {
            float sum = 0.0f;
            for (int j = 0; j < 4; j++) {
                const float *r = in + (size_t)v.i[j] * row + (size_t)c;
                const float t = h.w[0] * r[(size_t)h.i[0] * (size_t)channels] +
                                h.w[1] * r[(size_t)h.i[1] * (size_t)channels] +
                                h.w[2] * r[(size_t)h.i[2] * (size_t)channels] +
                                h.w[3] * r[(size_t)h.i[3] * (size_t)channels];
                /* The first tap begins the sum: 0 + -0 would lose a sign. */
                sum = j ? sum + v.w[j] * t : v.w[j] * t;
            }
            *out++ = sum;
        }
    }
}

void ws_resize_init(wsam_kernels *table, unsigned features)
{
    wsam_resize_kernels *k = &table->resize;
    *k = (wsam_resize_kernels){.name = "resize_c",
                               .horizontal_u8 = horizontal_u8_c,
                               .vertical_u8 = vertical_u8_c,
                               .bilinear_row_f32 = bilinear_row_c,
                               .bicubic_row_f32 = bicubic_row_c};
#if defined(__x86_64__)
    if (features & WS_CPU_AVX2)
        ws_resize_init_avx2(k);
    if (features & WS_CPU_AVX512)
        ws_resize_init_avx512(k);
#elif defined(__aarch64__)
    if (features & WS_CPU_NEON)
        ws_resize_init_neon(k);
#endif
    (void)features;
}
