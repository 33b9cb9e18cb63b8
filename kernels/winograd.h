/* kernels/winograd.h - convolutions of 3x3 with stride, padding and dilation 1 by Winograd's
 * F(4x4, 3x3). */
#ifndef WS_KERNELS_WINOGRAD_H
#define WS_KERNELS_WINOGRAD_H

#include "weaksam/kernels.h"

enum { WS_WINOGRAD_POINTS = 36 };

static inline size_t ws_winograd_across(const wsam_conv_shape *s)
{
    return ((size_t)s->out_w + 3) / 4;
}

static inline size_t ws_winograd_tiles(const wsam_conv_shape *s)
{
    return ((size_t)s->out_h + 3) / 4 * ws_winograd_across(s);
}

/* Point `point` of a weight [n][3][3][c], as a weight [n][c]. */
void ws_winograd_weight(size_t n, size_t c, const float *weight, int point, float *out);

/* The transforms of a level. */
typedef struct ws_winograd_kernels {
    /* The tiles [t0, t1) of 4 x 4 output pixels, row-major: their input as points
     * [36][t1 - t0][channels]. */
    void (*in_f32)(const wsam_conv_shape *shape, const float *x, size_t t0, size_t t1,
                   float *points);
    /* Output pixels of sums [36][t1 - t0][columns], which are the points times those of the weight:
     * after(act(value + bias) + residual), where residual and `out` are the whole map's. */
    void (*out_f32)(const wsam_conv_shape *shape, int columns, const float *sums, size_t t0,
                    size_t t1, const wsam_epilogue *epilogue, wsam_act after, float *out);
} ws_winograd_kernels;

/* Those of the level that a table's convolutions have. */
const ws_winograd_kernels *ws_winograd_of(const wsam_kernels *table);

#if defined(__x86_64__)
extern const ws_winograd_kernels ws_winograd_avx2, ws_winograd_avx512;
#elif defined(__aarch64__)
extern const ws_winograd_kernels ws_winograd_neon;
#endif

#endif
