/* tests/kernels/check_conv.c - im2col, depthwise convolution, pooling, Winograd and pixel shuffle of every
 * level: against C, and C against a direct sum. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/winograd.h"
#include "tests/kernels/check.h"

typedef struct geometry {
    int h, w, c, kernel, stride, pad, dilation;
} geometry;

static const geometry geometries[] = {
    {8, 8, 16, 3, 1, 1, 1},  {9, 7, 32, 3, 2, 1, 1},   {5, 13, 3, 3, 1, 1, 1},
    {6, 6, 160, 3, 1, 1, 1}, {12, 20, 37, 3, 1, 1, 1}, {7, 7, 8, 5, 1, 2, 1},
    {11, 9, 20, 3, 1, 2, 2}, {16, 16, 3, 4, 4, 0, 1},  {1, 1, 64, 3, 1, 1, 1},
    {10, 5, 48, 3, 2, 1, 1}, {4, 30, 64, 3, 1, 1, 1},  {8, 16, 37, 3, 2, 1, 1},
    {9, 12, 35, 2, 2, 0, 3}, {15, 14, 3, 3, 2, 1, 1},  {32, 48, 3, 16, 16, 0, 1},
    {5, 6, 19, 2, 1, 3, 2}}; /* the last: windows of padding alone */

static wsam_conv_shape shape_of(const geometry *g)
{
    const int span = (g->kernel - 1) * g->dilation + 1;
    const wsam_conv_shape s = {g->h,
                               g->w,
                               g->c,
                               (g->h + 2 * g->pad - span) / g->stride + 1,
                               (g->w + 2 * g->pad - span) / g->stride + 1,
                               g->kernel,
                               g->kernel,
                               g->stride,
                               g->pad,
                               g->dilation};
    return s;
}

static float *input(check *t, size_t n)
{
    float *x = check_alloc(t, n * sizeof *x);
    check_floats(t, x, n, CHECK_NORMAL);
    return x;
}

/* A tap's value, 0 outside the image. */
static float at(const wsam_conv_shape *s, const float *x, int y, int xx, int ch)
{
    return y < 0 || y >= s->in_h || xx < 0 || xx >= s->in_w
               ? 0.0f
               : x[((size_t)y * (size_t)s->in_w + (size_t)xx) * (size_t)s->channels + (size_t)ch];
}

static void direct_depthwise(const wsam_conv_shape *s, const float *x, const float *w,
                             const float *b, float *out)
{
    for (int oy = 0; oy < s->out_h; oy++)
        for (int ox = 0; ox < s->out_w; ox++)
            for (int ch = 0; ch < s->channels; ch++) {
                double sum = b[ch];
                for (int i = 0; i < s->kernel_h * s->kernel_w; i++)
                    sum += (double)at(s, x, oy * s->stride - s->pad + i / s->kernel_w * s->dilation,
                                      ox * s->stride - s->pad + i % s->kernel_w * s->dilation, ch) *
                           w[i * s->channels + ch];
                *out++ = (float)sum;
            }
}

/* The values of a window in a list, then its largest; NaN where there is one. */
static void direct_max_pool(const wsam_conv_shape *s, const float *x, float *out)
{
    for (int oy = 0; oy < s->out_h; oy++)
        for (int ox = 0; ox < s->out_w; ox++)
            for (int ch = 0; ch < s->channels; ch++, out++) {
                *out = -INFINITY;
                for (int i = 0; i < s->kernel_h * s->kernel_w && !isnan(*out); i++) {
                    const int y = oy * s->stride - s->pad + i / s->kernel_w * s->dilation;
                    const int xx = ox * s->stride - s->pad + i % s->kernel_w * s->dilation;
                    const float v = at(s, x, y, xx, ch);
                    if (y >= 0 && y < s->in_h && xx >= 0 && xx < s->in_w && !(v <= *out))
                        *out = v;
                }
            }
}

/* Patches on their way into bf16 products: the bytes of im2col and prepare, or a refusal that leaves
 * everything as it was. Some pixels from the middle on, as tasks have them. Returns what it did. */
static int check_patches(check *t, const geometry *g)
{
    char what[96];
    const wsam_conv_shape s = shape_of(g);
    const wsam_gemm_kernel *kernel = &t->isa->gemm_bf16;
    const size_t k = (size_t)(g->kernel * g->kernel * g->c);
    const size_t p1 = (size_t)(s.out_h * s.out_w), p0 = p1 / 3, m = p1 - p0;
    const size_t bytes = kernel->prepared_bytes(m, k);
    const float *x = input(t, (size_t)(g->h * g->w * g->c));
    float *rows = check_alloc(t, m * k * sizeof *rows);
    void *want = check_alloc(t, bytes), *got = check_alloc(t, bytes);
    const wsam_rows source = {.data = rows, .ld = k};
    snprintf(what, sizeof what, "patches %dx%dx%d kernel %d stride %d pad %d dilation %d", g->h,
             g->w, g->c, g->kernel, g->stride, g->pad, g->dilation);
    memset(want, 0x55, bytes);
    memset(got, 0x55, bytes);
    const int done = kernel->prepare_patches(&s, x, p0, p1, got);
    if (done) {
        t->c->conv.im2col_f32(&s, x, 0, p0, p1, rows);
        kernel->prepare(m, k, &source, want);
    }
    check_equal(t, what, want, got, bytes);
    check_done(t, what);
    return done;
}

static void check_all_patches(check *t)
{
    int done = 0;
    for (size_t i = 0; i < sizeof geometries / sizeof geometries[0]; i++)
        done += check_patches(t, &geometries[i]);
    check_report(t, done >= 8, "patches", "%d shapes without im2col", done);
    check_done(t, "patches");
}

/* With NaN at chance places: one value of it, as payloads are not promised; and with -inf. */
static void check_max_pool(check *t, const geometry *g, const char *what)
{
    const wsam_conv_shape s = shape_of(g);
    const size_t c = (size_t)g->c, n = (size_t)(s.out_h * s.out_w) * c;
    float *x = input(t, (size_t)(g->h * g->w) * c);
    float *want = check_alloc(t, n * sizeof *want), *got = check_alloc(t, n * sizeof *got);
    for (int i = 0; i < 6; i++) {
        x[(size_t)check_int(t, 0, g->h * g->w - 1) * c + (size_t)check_int(t, 0, g->c - 1)] = NAN;
        x[(size_t)check_int(t, 0, g->h * g->w - 1) * c] = -INFINITY;
    }
    direct_max_pool(&s, x, want);
    memset(got, 0x55, n * sizeof *got);
    t->c->conv.max_pool_f32(&s, x, 0, 0, s.out_h, got);
    check_equal(t, what, want, got, n * sizeof *got);
    memset(got, 0x55, n * sizeof *got);
    for (int y = 0; y < s.out_h; y++)
        t->isa->conv.max_pool_f32(&s, x, 0, y, y + 1, got + (size_t)(y * s.out_w) * c);
    check_equal(t, what, want, got, n * sizeof *got);
}

static void check_geometry(check *t, const geometry *g)
{
    char what[96];
    const wsam_conv_shape s = shape_of(g);
    const size_t taps = (size_t)(g->kernel * g->kernel), c = (size_t)g->c;
    const size_t pixels = (size_t)(s.out_h * s.out_w);
    const float *x = input(t, (size_t)(g->h * g->w) * c), *w = input(t, taps * c), *b = input(t, c);
    float *want = check_alloc(t, pixels * taps * c * sizeof *want);
    float *got = check_alloc(t, pixels * taps * c * sizeof *got);
    snprintf(what, sizeof what, "%dx%dx%d kernel %d stride %d pad %d dilation %d", g->h, g->w, g->c,
             g->kernel, g->stride, g->pad, g->dilation);
    t->c->conv.im2col_f32(&s, x, 0, 0, pixels, want);
    t->isa->conv.im2col_f32(&s, x, 0, 0, pixels, got);
    check_equal(t, what, want, got, pixels * taps * c * sizeof *got);
    direct_depthwise(&s, x, w, b, want);
    t->isa->conv.depthwise_f32(&s, x, 0, w, b, WSAM_ACT_NONE, 0, s.out_h, got);
    check_floats_close(t, what, want, got, pixels * c, 2e-5f, 2e-5f);
    t->c->conv.depthwise_f32(&s, x, 0, w, b, WSAM_ACT_GELU, 0, s.out_h, want);
    t->isa->conv.depthwise_f32(&s, x, 0, w, b, WSAM_ACT_GELU, 0, s.out_h, got);
    check_floats_close(t, what, want, got, pixels * c, 2e-5f, 2e-5f);
    for (int y = 0; y < s.out_h; y++) /* row by row gives the same bytes */
        t->isa->conv.depthwise_f32(&s, x, 0, w, b, WSAM_ACT_GELU, y, y + 1,
                                   want + (size_t)(y * s.out_w) * c);
    check_equal(t, what, got, want, pixels * c * sizeof *got);
    check_max_pool(t, g, what);
    check_done(t, what);
}

static void check_shuffle(check *t)
{
    enum { W = 5, S = 2, O = 3 };
    const float *rows = input(t, W * S * S * O);
    float *got = check_alloc(t, (size_t)S * W * S * O * sizeof *got);
    int good = 1;
    t->isa->conv.pixel_shuffle_f32(W, S, O, rows, got, W * S * O);
    for (int i = 0; i < S; i++)
        for (int x = 0; x < W; x++)
            for (int j = 0; j < S * O; j++)
                good &= memcmp(&got[i * W * S * O + x * S * O + j], &rows[(x * S + i) * S * O + j],
                               sizeof *got) == 0;
    check_true(t, "pixel_shuffle", good);
    check_done(t, "pixel_shuffle");
}

/* ---- Winograd's F(2x2, 3x3) and F(4x4, 3x3) ---- */

enum { COLUMNS = 21 };

/* A convolution of 3x3 as it is defined, and what is done to its values. */
static void direct_conv(const wsam_conv_shape *s, const float *x, const float *w,
                        const wsam_epilogue *e, float *out)
{
    for (int p = 0; p < s->out_h * s->out_w; p++)
        for (int o = 0; o < COLUMNS; o++) {
            double sum = (double)e->bias[o];
            for (int i = 0; i < 9; i++)
                for (int ch = 0; ch < s->channels; ch++)
                    sum +=
                        (double)at(s, x, p / s->out_w - 1 + i / 3, p % s->out_w - 1 + i % 3, ch) *
                        (double)w[(9 * o + i) * s->channels + ch];
            out[p * COLUMNS + o] = (float)(fmax(sum, 0.0) + (double)e->residual[p * COLUMNS + o]);
        }
}

/* The same by points, `block` tiles at a time. */
static void by_points(const ws_winograd_kernels *k, int side, const wsam_conv_shape *s,
                      const float *x, const float *points_of_weight, const wsam_epilogue *e,
                      size_t block, float *points, float *sums, float *out)
{
    const size_t tiles = ws_winograd_tiles(side, s), c = (size_t)s->channels;
    for (size_t t = 0; t < tiles; t += block) {
        const size_t n = tiles - t < block ? tiles - t : block;
        k->in_f32(side, s, x, 0, t, t + n, points);
        for (size_t i = 0; i < n * ws_winograd_points(side); i++)
            for (size_t o = 0; o < COLUMNS; o++) {
                const size_t tile = i / ws_winograd_points(side), at = i % ws_winograd_points(side);
                const float *w = points_of_weight + (at * COLUMNS + o) * c;
                const float *x_point = points + tile * ws_winograd_stride(side, c) + at * c;
                float sum = 0.0f;
                for (size_t ch = 0; ch < c; ch++)
                    sum += x_point[ch] * w[ch];
                sums[tile * ws_winograd_stride(side, COLUMNS) + at * COLUMNS + o] = sum;
            }
        k->out_f32(side, s, COLUMNS, sums, t, t + n, e, WSAM_ACT_NONE, out, 0);
    }
}

/* Points that become bytes are the same on every level. */
static void check_same_bits(check *t, const char *what, int side, const wsam_conv_shape *s,
                            const float *x)
{
    const size_t tiles = ws_winograd_tiles(side, s);
    const size_t n = ws_winograd_stride(side, (size_t)s->channels) * tiles;
    float *want = check_alloc(t, n * sizeof *want), *got = check_alloc(t, n * sizeof *got);
    memset(want, 0, n * sizeof *want); /* what lies between tiles is not written */
    memset(got, 0, n * sizeof *got);
    ws_winograd_of(t->c)->in_f32(side, s, x, 0, 0, tiles, want);
    ws_winograd_of(t->isa)->in_f32(side, s, x, 0, 0, tiles, got);
    check_equal(t, what, want, got, n * sizeof *got);
}

static void check_winograd(check *t, const geometry *g, int side)
{
    char what[96];
    const wsam_conv_shape s = shape_of(g);
    const size_t c = (size_t)g->c, tiles = ws_winograd_tiles(side, &s);
    const size_t n = (size_t)(s.out_h * s.out_w) * COLUMNS, n_points = ws_winograd_points(side);
    const float *x = input(t, (size_t)(g->h * g->w) * c), *w = input(t, 9 * COLUMNS * c);
    const wsam_epilogue e = {input(t, COLUMNS), WSAM_ACT_RELU, input(t, n), COLUMNS};
    float *weights = check_alloc(t, n_points * COLUMNS * c * sizeof *weights);
    float *points = check_alloc(t, ws_winograd_stride(side, c) * tiles * sizeof *points);
    float *sums = check_alloc(t, ws_winograd_stride(side, COLUMNS) * tiles * sizeof *sums);
    float *want = check_alloc(t, n * sizeof *want), *got = check_alloc(t, n * sizeof *got);
    const float limit = 3e-5f * sqrtf(9.0f * (float)c);
    for (int i = 0; i < (int)n_points; i++)
        ws_winograd_weight(side, COLUMNS, c, w, i, weights + (size_t)i * COLUMNS * c);
    snprintf(what, sizeof what, "winograd %d, %dx%dx%d", side, g->h, g->w, g->c);
    direct_conv(&s, x, w, &e, want);
    by_points(ws_winograd_of(t->c), side, &s, x, weights, &e, tiles, points, sums, got);
    check_floats_close(t, what, want, got, n, limit, 3e-5f);
    memset(got, 0x55, n * sizeof *got);
    by_points(ws_winograd_of(t->isa), side, &s, x, weights, &e, 3, points, sums, got);
    check_floats_close(t, what, want, got, n, limit, 3e-5f);
    check_same_bits(t, what, side, &s, x);
    check_done(t, what);
}

/* Maps in bf16: the points of their values, and sums' pixels rounded. */
static void check_narrow(check *t, int side)
{
    enum { H = 9, W = 14, C = 48, VALUES = H * W * C };
    const wsam_conv_shape s = {H, W, C, H, W, 3, 3, 1, 1, 1};
    const ws_winograd_kernels *k = ws_winograd_of(t->isa);
    const size_t tiles = ws_winograd_tiles(side, &s);
    const size_t n = ws_winograd_stride(side, C) * tiles;
    const wsam_epilogue e = {input(t, C), WSAM_ACT_RELU, NULL, 0};
    uint16_t *narrow = check_alloc(t, VALUES * sizeof *narrow);
    uint16_t *rounded = check_alloc(t, VALUES * sizeof *rounded);
    float *wide = check_alloc(t, VALUES * sizeof *wide);
    float *want = check_alloc(t, n * sizeof *want), *got = check_alloc(t, n * sizeof *got);
    t->c->vector.f32_to_bf16(VALUES, input(t, VALUES), narrow);
    t->c->vector.bf16_to_f32(VALUES, narrow, wide);
    memset(want, 0, n * sizeof *want);
    memset(got, 0, n * sizeof *got);
    k->in_f32(side, &s, wide, 0, 0, tiles, want);
    k->in_f32(side, &s, narrow, 1, 0, tiles, got);
    check_equal(t, "winograd, points of bf16", want, got, n * sizeof *got);
    k->out_f32(side, &s, C, want, 0, tiles, &e, WSAM_ACT_NONE, wide, 0);
    k->out_f32(side, &s, C, want, 0, tiles, &e, WSAM_ACT_NONE, narrow, 1);
    t->c->vector.f32_to_bf16(VALUES, wide, rounded);
    check_equal(t, "winograd, pixels in bf16", rounded, narrow, VALUES * sizeof *narrow);
    check_done(t, "winograd, bf16");
}

/* The weight's points in int8: within half a step of those of its values, the largest at 127. */
static void check_weight_s8(check *t, int side)
{
    enum { N = 3, C = 70 };
    int8_t weight[N * 9 * C], q[N * C];
    float values[N * 9 * C], scale[N], points[N * C], q_scale[N];
    int good = 1;
    for (int j = 0; j < N; j++) {
        scale[j] = j == 1 ? 0.0f : 0.01f * (float)(j + 1); /* a row of zeros has the scale 0 */
        for (int i = 0; i < 9 * C; i++) {
            weight[j * 9 * C + i] = (int8_t)(j == 1 ? 0 : check_int(t, -127, 127));
            values[j * 9 * C + i] = scale[j] * (float)weight[j * 9 * C + i];
        }
    }
    for (int point = 0; point < (int)ws_winograd_points(side); point++) {
        ws_winograd_weight(side, N, C, values, point, points);
        ws_winograd_weight_s8(side, N, C, weight, scale, point, q, q_scale);
        for (int j = 0; j < N; j++) {
            int top = 0;
            for (int i = j * C; i < (j + 1) * C; i++) {
                good &= fabsf(points[i] - q_scale[j] * (float)q[i]) <= 0.501f * q_scale[j] + 1e-6f;
                top = abs(q[i]) > top ? abs(q[i]) : top;
            }
            good &= top == (j == 1 ? 0 : 127);
        }
    }
    check_true(t, "winograd, int8 weights", good);
    check_done(t, "winograd, int8 weights");
}

typedef struct timed {
    const wsam_conv_kernels *k;
    wsam_conv_shape s;
    const float *x, *w, *b;
    float *y;
} timed;

static void time_depthwise(void *arg)
{
    const timed *a = arg;
    a->k->depthwise_f32(&a->s, a->x, 0, a->w, a->b, WSAM_ACT_NONE, 0, a->s.out_h, a->y);
}

void check_conv(check *t)
{
    const wsam_gemm_kernel *products = &t->isa->gemm_bf16;
    if (products->prepare_patches && !t->bench &&
        check_new(t, "patches", products->name, products, sizeof *products))
        check_all_patches(t);
    if (!check_new(t, "conv", t->isa->conv.name, &t->isa->conv, sizeof t->isa->conv))
        return;
    if (t->bench) {
        const geometry g = {32, 64, 160, 3, 1, 1, 1};
        const size_t n = (size_t)(g.h * g.w * g.c);
        timed a = {&t->isa->conv,     shape_of(&g),  input(t, n),
                   input(t, 9 * 160), input(t, 160), NULL};
        a.y = check_alloc(t, n * sizeof *a.y);
        check_bench(t, "depthwise 3x3, 32x64x160", time_depthwise, &a, 18.0 * (double)n,
                    WS_PEAK_F32);
        check_done(t, "bench");
        return;
    }
    for (size_t i = 0; i < sizeof geometries / sizeof geometries[0]; i++)
        check_geometry(t, &geometries[i]);
    for (size_t i = 0; i < sizeof geometries / sizeof geometries[0]; i++)
        if (geometries[i].kernel == 3 && geometries[i].stride == 1 && geometries[i].pad == 1) {
            check_winograd(t, &geometries[i], 2);
            check_winograd(t, &geometries[i], 4);
        }
    for (int side = 2; side <= 4; side += 2) {
        check_weight_s8(t, side);
        check_narrow(t, side);
    }
    check_shuffle(t);
}
