/* kernels/winograd.h - convolutions of 3x3 with stride, padding and dilation 1 by Winograd's
 * F(4x4, 3x3) in f32, F(2x2, 3x3) in int8.
 *
 * `side`, 2 or 4, is that of a tile of output pixels. 4 has the fewer multiplications, a quarter;
 * 2 takes 4/9, and its points are plain sums of four pixels, so that bytes hold them as well as
 * pixels. */
#ifndef WS_KERNELS_WINOGRAD_H
#define WS_KERNELS_WINOGRAD_H

#include "weaksam/kernels.h"

enum { WS_WINOGRAD_MOST_POINTS = 36 };

/* Where side 4 interpolates, beside 0 and infinity: at these and their opposites. 1 and 2 give smaller factors, and more
 * than twice the error: what rounding adds to the points of white noise comes out 10.8 times, here 4.8
 * times (side 2: 1.7). Squares and cubes of these are exact in f32. */
#define WS_WINOGRAD_A 0.6875f
#define WS_WINOGRAD_B 1.5f

static inline size_t ws_winograd_points(int side)
{
    return (size_t)((side + 2) * (side + 2));
}

/* Floats from a tile to the next: its points, one row of `columns` behind the other, and two lines
 * by which tiles differ in their places in L1. */
static inline size_t ws_winograd_stride(int side, size_t columns)
{
    return ws_winograd_points(side) * columns + 32;
}

static inline size_t ws_winograd_across(int side, const wsam_conv_shape *s)
{
    return (size_t)((s->out_w + side - 1) / side);
}

static inline size_t ws_winograd_tiles(int side, const wsam_conv_shape *s)
{
    return (size_t)((s->out_h + side - 1) / side) * ws_winograd_across(side, s);
}

/* Point `point` of a weight [n][3][3][c], as a weight [n][c]. */
void ws_winograd_weight(int side, size_t n, size_t c, const float *weight, int point, float *out);

/* The same of a weight in int8 with a scale per row of n: again in int8, with a scale per row. */
void ws_winograd_weight_s8(int side, size_t n, size_t c, const int8_t *weight, const float *scale,
                           int point, int8_t *out, float *out_scale);

/* The transforms of a level. They give the same bits on every level. */
typedef struct ws_winograd_kernels {
    /* The tiles [t0, t1), row-major: their input as points [points][channels] of each,
     * ws_winograd_stride apart. `x` is f32,
     * or bf16 where `narrow`: of a multiple of 16 channels. */
    void (*in_f32)(int side, const wsam_conv_shape *shape, const void *x, int narrow, size_t t0,
                   size_t t1, float *points);
    /* Output pixels of sums [points][columns] of each tile, which are the points times those of the
     * weight: after(act(value + bias) + residual), where residual and `out` are the whole map's. `out` is f32 or bf16, as above. */
    void (*out_f32)(int side, const wsam_conv_shape *shape, int columns, const float *sums,
                    size_t t0, size_t t1, const wsam_epilogue *epilogue, wsam_act after, void *out,
                    int narrow);
} ws_winograd_kernels;

/* Those of the level that a table's convolutions have. */
const ws_winograd_kernels *ws_winograd_of(const wsam_kernels *table);

#if defined(__x86_64__)
extern const ws_winograd_kernels ws_winograd_avx2, ws_winograd_avx512;
#elif defined(__aarch64__)
extern const ws_winograd_kernels ws_winograd_neon;
#endif

#endif
