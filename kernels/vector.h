/* kernels/vector.h - row, element-wise and activation kernels: the C versions, and what the other
 * families' C versions use of them. */
#ifndef WS_KERNELS_VECTOR_H
#define WS_KERNELS_VECTOR_H

#include <math.h>
#include <string.h>

#include "weaksam/kernels.h"

float ws_vector_act_c(wsam_act act, float x);
void ws_vector_layer_norm_c(size_t c, const float *x, const float *w, const float *b, float eps,
                            float *y);
void ws_vector_transpose_c(size_t m, size_t k, const float *x, size_t ldx, float *y, size_t ldy);

/* Round to nearest even; a NaN keeps its sign and becomes quiet. */
static inline uint16_t ws_bf16_from_f32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline float ws_f32_from_bf16(uint16_t h)
{
    const uint32_t u = (uint32_t)h << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* The row scale of int8 quantization, and its reciprocal for the products: scale = max|x|/127, q =
 * round-half-even(x * (127/max|x|)). A zero row has scale 0 and inverse 0; a NaN or infinity
 * anywhere makes the scale NaN, so that it reaches the result. Every level computes exactly this.
 */
static inline float ws_quant_inverse(float max_abs, float *scale)
{
    if (!(max_abs <= 3.0e38f)) {
        *scale = NAN;
        return 0.0f;
    }
    if (max_abs <
        1e-30f) { /* 127/max would overflow or denormals are flushed: the row counts as zero */
        *scale = 0.0f;
        return 0.0f;
    }
    *scale = max_abs / 127.0f;
    return 127.0f / max_abs;
}

#if defined(__x86_64__)
void ws_vector_init_avx2(wsam_vector_kernels *v);
void ws_vector_init_avx512(wsam_vector_kernels *v);
#elif defined(__aarch64__)
void ws_vector_init_neon(wsam_vector_kernels *v);
#endif

#endif
