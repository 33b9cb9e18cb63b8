/* kernels/resize.h - what the resize family's files share. All of them give equal bytes and equal
 * floats on every level: integers are exact, and the float forms use separate multiplies and adds
 * in the order written here. */
#ifndef WS_KERNELS_RESIZE_H
#define WS_KERNELS_RESIZE_H

#include "weaksam/kernels.h"

/* Source position of one output index, PyTorch bilinear with align_corners false: value = l0*in[i0]
 * + l1*in[i1]. Index arithmetic in f32, as in the original. */
typedef struct ws_linear_tap {
    int i0, i1;
    float l0, l1;
} ws_linear_tap;

static inline ws_linear_tap ws_linear_tap_at(int n_in, int n_out, int i)
{
    const float scale = (float)n_in / (float)n_out;
    float s = scale * ((float)i + 0.5f) - 0.5f;
    s = s < 0.0f ? 0.0f : s;
    ws_linear_tap t;
    t.i0 = (int)s < n_in - 1 ? (int)s : n_in - 1;
    t.i1 = t.i0 + 1 < n_in ? t.i0 + 1 : n_in - 1;
    t.l1 = s - (float)t.i0;
    t.l0 = 1.0f - t.l1;
    return t;
}

/* PyTorch bicubic, A = -0.75: four clamped taps. */
typedef struct ws_cubic_tap {
    int i[4];
    float w[4];
} ws_cubic_tap;

ws_cubic_tap ws_resize_cubic_tap(int n_in, int n_out, int i);

#if defined(__x86_64__)
void ws_resize_init_avx2(wsam_resize_kernels *k);
void ws_resize_init_avx512(wsam_resize_kernels *k);
#elif defined(__aarch64__)
void ws_resize_init_neon(wsam_resize_kernels *k);
#endif

#endif
