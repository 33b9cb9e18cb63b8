/* kernels/arm/gemm_s8_4x4_neon.c - the exact s8 product on ARMv8.0 (Cortex-A53, A72): smull and
 * smlal2 add two products in 16 bits (at most 2*127*127 = 32258), sadalp widens. 16 products are
 * two multiplies and one add; the 16-bit form smlal by lane would need four.
 *
 * Tile: 16 accumulators along k, 4 vectors of B, 1 of A and temporaries. */
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

enum { MR = 4, NR = 4, G = 16, S8 = 1 };

static inline int32x4_t dot16(int32x4_t sum, int8x16_t a, int8x16_t b)
{
    int16x8_t pair = vmull_s8(vget_low_s8(a), vget_low_s8(b));
    pair = vmlal_high_s8(pair, a, b);
    return vpadalq_s16(sum, pair);
}

static void tile(size_t groups, const int8_t *a, const int8_t *b, void *sums)
{
    int32_t *c = sums;
    int32x4_t acc[4][4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            acc[i][j] = vdupq_n_s32(0);
    for (size_t g = 0; g < groups; g++, a += 64, b += 64) {
        const int8x16_t b0 = vld1q_s8(b), b1 = vld1q_s8(b + 16);
        const int8x16_t b2 = vld1q_s8(b + 32), b3 = vld1q_s8(b + 48);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const int8x16_t v = vld1q_s8(a + 16 * i);
            acc[i][0] = dot16(acc[i][0], v, b0);
            acc[i][1] = dot16(acc[i][1], v, b1);
            acc[i][2] = dot16(acc[i][2], v, b2);
            acc[i][3] = dot16(acc[i][3], v, b3);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const int32x4_t low = vpaddq_s32(acc[i][0], acc[i][1]);
        vst1q_s32(c + 4 * i, vpaddq_s32(low, vpaddq_s32(acc[i][2], acc[i][3])));
    }
}

#include "kernels/arm/gemm_s8_neon.h"

void ws_gemm_init_s8_neon(wsam_kernels *table)
{
    table->gemm_s8 = s8_kernel("gemm_s8_4x4_neon");
}
