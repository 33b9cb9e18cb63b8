/* kernels/arm/gemm_f32_8x12_neon.c - the f32 product on AArch64 base instructions.
 *
 * Tile: 24 accumulators of 4 columns, 3 vectors of B, 2 of A: 29 of 32 registers. Per k 24 fmla by lane (A needs
 * no broadcast) beside 5 loads; Cortex-A53 and A55 issue one 128-bit fmla per cycle, N1 and V1 two, so the
 * multiplies are the limit (bench/mca.txt). */
#include <arm_neon.h>

#include "kernels/arm/gemm_driver_neon.h"

/* The three vectors of B times lane `l` of A into row i. Lanes must be constants, hence no function. */
#define FMA_ROW(i, a, l)                                                                           \
    acc[i][0] = vfmaq_laneq_f32(acc[i][0], b0, a, l);                                              \
    acc[i][1] = vfmaq_laneq_f32(acc[i][1], b1, a, l);                                              \
    acc[i][2] = vfmaq_laneq_f32(acc[i][2], b2, a, l)

/* c[8][12] = a[k][8]^T . b[k][12]; each element is one chain of fused multiply-adds in rising k. */
static void tile(size_t k, const void *a_panel, const void *b_panel, void *c_tile)
{
    const float *a = a_panel, *b = b_panel;
    float *c = c_tile;
    float32x4_t acc[8][3];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++)
            acc[i][j] = vdupq_n_f32(0.0f);
    for (size_t p = 0; p < k; p++, a += 8, b += 12) {
        const float32x4_t b0 = vld1q_f32(b), b1 = vld1q_f32(b + 4), b2 = vld1q_f32(b + 8);
        const float32x4_t a0 = vld1q_f32(a), a1 = vld1q_f32(a + 4);
        FMA_ROW(0, a0, 0);
        FMA_ROW(1, a0, 1);
        FMA_ROW(2, a0, 2);
        FMA_ROW(3, a0, 3);
        FMA_ROW(4, a1, 0);
        FMA_ROW(5, a1, 1);
        FMA_ROW(6, a1, 2);
        FMA_ROW(7, a1, 3);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++)
            vst1q_f32(c + i * 12 + 4 * j, acc[i][j]);
}
