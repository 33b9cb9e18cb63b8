/* kernels/template/conv_template.h - depthwise convolution and max-pool on the vector vocabulary;
 * included once by each conv_<level>.c after its vec_<level>.h. All functions are static. */
#include <math.h>

#include "kernels/conv.h"
#include "kernels/template/math_template.h"

static inline vf conv_act(wsam_act act, vf v)
{
    switch (act) {
    case WSAM_ACT_GELU:
        return vf_gelu(v);
    case WSAM_ACT_RELU:
        return vf_max(vf_set1(0.0f), v);
    case WSAM_ACT_SIGMOID:
        return vf_sigmoid(v);
    case WSAM_ACT_NONE:
        break;
    }
    return v;
}

static inline vf load_some(const float *p, size_t n)
{
    return n < WS_VL ? vf_load_n(p, n) : vf_load(p);
}

static inline void store_some(float *p, vf v, size_t n)
{
    if (n < WS_VL)
        vf_store_n(p, v, n);
    else
        vf_store(p, v);
}

/* What the functions below share: one depthwise call. */
typedef struct depthwise {
    const wsam_conv_shape *s;
    const float *x;
    int x_y0;
    const float *weight, *bias;
    wsam_act act;
} depthwise;

static const float *input_row(const depthwise *d, int y)
{
    return d->x + (size_t)(y - d->x_y0) * (size_t)d->s->in_w * (size_t)d->s->channels;
}

/* One output pixel, channels [ch, ch + n): any kernel, stride and border. */
static void any_pixel(const depthwise *d, int oy, int ox, size_t ch, size_t n, float *out)
{
    const wsam_conv_shape *s = d->s;
    const size_t c = (size_t)s->channels;
    vf sum = d->bias ? load_some(d->bias + ch, n) : vf_set1(0.0f);
    for (int i = 0; i < s->kernel_h; i++) {
        const int y = oy * s->stride - s->pad + i * s->dilation;
        if (y < 0 || y >= s->in_h)
            continue;
        for (int j = 0; j < s->kernel_w; j++) {
            const int x = ox * s->stride - s->pad + j * s->dilation;
            if (x < 0 || x >= s->in_w)
                continue;
            const vf v = load_some(input_row(d, y) + (size_t)x * c + ch, n);
            sum = vf_fma(v, load_some(d->weight + (size_t)(i * s->kernel_w + j) * c + ch, n), sum);
        }
    }
    store_some(out + ch, conv_act(d->act, sum), n);
}

static void any_pixels(const depthwise *d, int oy, int ox0, int ox1, float *out_row)
{
    const size_t c = (size_t)d->s->channels;
    for (int ox = ox0; ox < ox1; ox++)
        for (size_t ch = 0; ch < c; ch += WS_VL)
            any_pixel(d, oy, ox, ch, c - ch < WS_VL ? c - ch : WS_VL, out_row + (size_t)ox * c);
}

/* Four neighbouring output pixels of a 3x3 stride-1 kernel that lie inside, channels [ch, ch +
 * WS_VL): each input vector is loaded once for up to three outputs, 18 loads for 36 products. The
 * order of the sums is that of any_pixel. */
static inline void four_pixels(const depthwise *d, const float *const rows[3], size_t ch,
                               float *out)
{
    const size_t c = (size_t)d->s->channels;
    vf s0 = d->bias ? vf_load(d->bias + ch) : vf_set1(0.0f), s1 = s0, s2 = s0, s3 = s0;
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) {
        const float *x = rows[i] + ch, *w = d->weight + (size_t)(3 * i) * c + ch;
        const vf w0 = vf_load(w), w1 = vf_load(w + c), w2 = vf_load(w + 2 * c);
        const vf a = vf_load(x), b = vf_load(x + c), e = vf_load(x + 2 * c);
        const vf f = vf_load(x + 3 * c), g = vf_load(x + 4 * c), h = vf_load(x + 5 * c);
        s0 = vf_fma(e, w2, vf_fma(b, w1, vf_fma(a, w0, s0)));
        s1 = vf_fma(f, w2, vf_fma(e, w1, vf_fma(b, w0, s1)));
        s2 = vf_fma(g, w2, vf_fma(f, w1, vf_fma(e, w0, s2)));
        s3 = vf_fma(h, w2, vf_fma(g, w1, vf_fma(f, w0, s3)));
    }
    out += ch;
    vf_store(out, conv_act(d->act, s0));
    vf_store(out + c, conv_act(d->act, s1));
    vf_store(out + 2 * c, conv_act(d->act, s2));
    vf_store(out + 3 * c, conv_act(d->act, s3));
}

/* The same for two neighbours of stride 2, which share one column: 15 loads for 18 products. */
static inline void two_pixels(const depthwise *d, const float *const rows[3], size_t ch, float *out)
{
    const size_t c = (size_t)d->s->channels;
    vf s0 = d->bias ? vf_load(d->bias + ch) : vf_set1(0.0f), s1 = s0;
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) {
        const float *x = rows[i] + ch, *w = d->weight + (size_t)(3 * i) * c + ch;
        const vf w0 = vf_load(w), w1 = vf_load(w + c), w2 = vf_load(w + 2 * c);
        const vf a = vf_load(x), b = vf_load(x + c), e = vf_load(x + 2 * c);
        const vf f = vf_load(x + 3 * c), g = vf_load(x + 4 * c);
        s0 = vf_fma(e, w2, vf_fma(b, w1, vf_fma(a, w0, s0)));
        s1 = vf_fma(g, w2, vf_fma(f, w1, vf_fma(e, w0, s1)));
    }
    out += ch;
    vf_store(out, conv_act(d->act, s0));
    vf_store(out + c, conv_act(d->act, s1));
}

/* The inside of an output row, in fours (stride 2: in twos); returns the first pixel it left.
 * Channels are the inner loop: the input is then read in the order in which it stands in memory,
 * and nine weight loads from L1 for 36 products cost less than strides of a whole pixel. */
static int inner_pixels(const depthwise *d, int oy, float *out_row)
{
    const wsam_conv_shape *s = d->s;
    const size_t c = (size_t)s->channels, tail = c % WS_VL;
    const int step = s->stride == 1 ? 4 : 2, top = oy * s->stride - 1;
    const int inside = (s->in_w - 2) / s->stride; /* pixels 1 .. inside see no padding */
    const int last = 1 + inside / step * step;
    for (int ox = 1; ox < last; ox += step) {
        const size_t at = (size_t)(ox * s->stride - 1) * c;
        const float *const rows[3] = {input_row(d, top) + at, input_row(d, top + 1) + at,
                                      input_row(d, top + 2) + at};
        float *out = out_row + (size_t)ox * c;
        for (size_t ch = 0; ch + WS_VL <= c; ch += WS_VL) {
            if (step == 4)
                four_pixels(d, rows, ch, out);
            else
                two_pixels(d, rows, ch, out);
        }
        for (int i = 0; tail && i < step; i++)
            any_pixel(d, oy, ox + i, c - tail, tail, out + (size_t)i * c);
    }
    return last;
}

static void depthwise_rows(const wsam_conv_shape *s, const float *x, int x_y0, const float *weight,
                           const float *bias, wsam_act act, int y0, int y1, float *out)
{
    const depthwise d = {s, x, x_y0, weight, bias, act};
    const int plain = s->kernel_h == 3 && s->kernel_w == 3 && s->dilation == 1 && s->pad == 1 &&
                      (s->stride == 1 || s->stride == 2) && s->in_w >= 6;
    for (int oy = y0; oy < y1; oy++, out += (size_t)s->out_w * (size_t)s->channels) {
        if (plain && oy > 0 && oy * s->stride + 1 < s->in_h) {
            const int left = inner_pixels(&d, oy, out);
            any_pixels(&d, oy, 0, 1, out);
            any_pixels(&d, oy, left, s->out_w, out);
        } else {
            any_pixels(&d, oy, 0, s->out_w, out);
        }
    }
}

/* One output pixel of a max-pool, channels [ch, ch + n). */
static void pool_pixel(const wsam_conv_shape *s, const float *x, int x_y0, int oy, int ox,
                       size_t ch, size_t n, float *out)
{
    const size_t c = (size_t)s->channels;
    vf top = vf_set1(-INFINITY);
    for (int i = 0; i < s->kernel_h; i++) {
        const int y = oy * s->stride - s->pad + i * s->dilation;
        if (y < 0 || y >= s->in_h)
            continue;
        for (int j = 0; j < s->kernel_w; j++) {
            const int xx = ox * s->stride - s->pad + j * s->dilation;
            if (xx < 0 || xx >= s->in_w)
                continue;
            const size_t pixel = (size_t)(y - x_y0) * (size_t)s->in_w + (size_t)xx;
            top = vf_max_nan(top, load_some(x + pixel * c + ch, n));
        }
    }
    store_some(out + ch, top, n);
}

static void max_pool_rows(const wsam_conv_shape *s, const float *x, int x_y0, int y0, int y1,
                          float *out)
{
    const size_t c = (size_t)s->channels;
    for (int oy = y0; oy < y1; oy++)
        for (int ox = 0; ox < s->out_w; ox++, out += c)
            for (size_t ch = 0; ch < c; ch += WS_VL)
                pool_pixel(s, x, x_y0, oy, ox, ch, c - ch < WS_VL ? c - ch : WS_VL, out);
}

static inline vf winograd_act(wsam_act act, vf v)
{
    return conv_act(act, v);
}

#include "kernels/template/winograd_template.h"

static void fill(wsam_conv_kernels *k)
{
    k->name = "conv_" WS_LEVEL;
    k->depthwise_f32 = depthwise_rows;
    k->max_pool_f32 = max_pool_rows;
}
