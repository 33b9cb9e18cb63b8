/* kernels/conv.c - convolution helpers: C versions and the family's table. im2col and pixel shuffle
 * move bytes only; memcpy already uses the widest moves of the machine, so they have one version.
 */
#include "kernels/conv.h"

#include <math.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/vector.h"

/* Copies `n` values, or zeros where the source pixel is padding. */
static void copy_pixels(float *to, const float *from, size_t n)
{
    if (from)
        memcpy(to, from, n * sizeof *to);
    else
        memset(to, 0, n * sizeof *to);
}

/* A run of floats. Three colours times three or seven columns are the short runs of our graphs, 65536 x 9
 * and 268800 x 7 per picture: a call would cost more than the copy. */
static inline void copy_run(float *to, const float *from, size_t n)
{
    if (n == 9)
        memcpy(to, from, 9 * sizeof *to);
    else if (n == 21)
        memcpy(to, from, 21 * sizeof *to);
    else
        memcpy(to, from, n * sizeof *to);
}

/* One kernel row of one patch: kernel_w pixels from column x0 on. `row` is NULL above and below the
 * image. */
static void patch_row(const wsam_conv_shape *s, const float *row, int x0, float *to)
{
    const size_t c = (size_t)s->channels;
    const int inside = row && x0 >= 0 && x0 + s->kernel_w <= s->in_w;
    if (inside && s->dilation == 1) {
        copy_run(to, row + (size_t)x0 * c, (size_t)s->kernel_w * c);
        return;
    }
    for (int j = 0; j < s->kernel_w; j++) {
        const int x = x0 + j * s->dilation;
        const float *from = row && x >= 0 && x < s->in_w ? row + (size_t)x * c : NULL;
        copy_pixels(to + (size_t)j * c, from, c);
    }
}

static void im2col_c(const wsam_conv_shape *s, const float *x, int x_y0, size_t p0, size_t p1,
                     float *rows)
{
    const size_t c = (size_t)s->channels, row_length = (size_t)s->in_w * c;
    const size_t kernel_row = (size_t)s->kernel_w * c;
    int oy = (int)(p0 / (size_t)s->out_w), ox = (int)(p0 % (size_t)s->out_w);
    for (size_t p = p0; p < p1; p++) {
        for (int i = 0; i < s->kernel_h; i++, rows += kernel_row) {
            const int y = oy * s->stride - s->pad + i * s->dilation;
            const float *row = y >= 0 && y < s->in_h ? x + (size_t)(y - x_y0) * row_length : NULL;
            patch_row(s, row, ox * s->stride - s->pad, rows);
        }
        if (++ox == s->out_w)
            ox = 0, oy++;
    }
}

/* One output pixel; taps outside the image are left out. */
static void depthwise_pixel_c(const wsam_conv_shape *s, const float *x, int x_y0,
                              const float *weight, const float *bias, wsam_act act, int oy, int ox,
                              float *out)
{
    const size_t c = (size_t)s->channels;
    for (size_t ch = 0; ch < c; ch++) {
        float sum = bias ? bias[ch] : 0.0f;
        for (int i = 0; i < s->kernel_h; i++) {
            const int y = oy * s->stride - s->pad + i * s->dilation;
            if (y < 0 || y >= s->in_h)
                continue;
            for (int j = 0; j < s->kernel_w; j++) {
                const int xx = ox * s->stride - s->pad + j * s->dilation;
                if (xx >= 0 && xx < s->in_w)
                    sum += x[((size_t)(y - x_y0) * (size_t)s->in_w + (size_t)xx) * c + ch] *
                           weight[(size_t)(i * s->kernel_w + j) * c + ch];
            }
        }
        out[ch] = ws_vector_act_c(act, sum);
    }
}

static void depthwise_c(const wsam_conv_shape *s, const float *x, int x_y0, const float *weight,
                        const float *bias, wsam_act act, int y0, int y1, float *out)
{
    for (int oy = y0; oy < y1; oy++)
        for (int ox = 0; ox < s->out_w; ox++, out += s->channels)
            depthwise_pixel_c(s, x, x_y0, weight, bias, act, oy, ox, out);
}

/* As in PyTorch: NaN wins, and a window of padding alone gives -inf. */
static void max_pool_pixel(const wsam_conv_shape *s, const float *x, int x_y0, int oy, int ox,
                           float *out)
{
    const size_t c = (size_t)s->channels;
    for (size_t ch = 0; ch < c; ch++)
        out[ch] = -INFINITY;
    for (int i = 0; i < s->kernel_h; i++) {
        const int y = oy * s->stride - s->pad + i * s->dilation;
        for (int j = 0; j < s->kernel_w; j++) {
            const int xx = ox * s->stride - s->pad + j * s->dilation;
            if (y < 0 || y >= s->in_h || xx < 0 || xx >= s->in_w)
                continue;
            const float *from = x + ((size_t)(y - x_y0) * (size_t)s->in_w + (size_t)xx) * c;
            for (size_t ch = 0; ch < c; ch++)
                out[ch] = from[ch] > out[ch] || isnan(from[ch]) ? from[ch] : out[ch];
        }
    }
}

static void max_pool_c(const wsam_conv_shape *s, const float *x, int x_y0, int y0, int y1,
                       float *out)
{
    for (int oy = y0; oy < y1; oy++)
        for (int ox = 0; ox < s->out_w; ox++, out += s->channels)
            max_pool_pixel(s, x, x_y0, oy, ox, out);
}

static void pixel_shuffle_c(int w, int s, int o, const float *rows, float *out, size_t ld_out)
{
    const size_t line = (size_t)s * (size_t)o; /* one pixel's values in one output row */
    for (int x = 0; x < w; x++)
        for (int i = 0; i < s; i++)
            memcpy(out + (size_t)i * ld_out + (size_t)x * line,
                   rows + ((size_t)x * (size_t)s + (size_t)i) * line, line * sizeof *out);
}

void ws_conv_init(wsam_kernels *table, unsigned features)
{
    wsam_conv_kernels *k = &table->conv;
    *k = (wsam_conv_kernels){.name = "conv_c",
                             .im2col_f32 = im2col_c,
                             .depthwise_f32 = depthwise_c,
                             .max_pool_f32 = max_pool_c,
                             .pixel_shuffle_f32 = pixel_shuffle_c};
#if defined(__x86_64__)
    if (features & WS_CPU_AVX2)
        ws_conv_init_avx2(k);
    if (features & WS_CPU_AVX512)
        ws_conv_init_avx512(k);
#elif defined(__aarch64__)
    if (features & WS_CPU_NEON)
        ws_conv_init_neon(k);
#endif
    (void)features;
}
