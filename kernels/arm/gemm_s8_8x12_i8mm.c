/* kernels/arm/gemm_s8_8x12_i8mm.c - the s8 product with smmla: two rows times two columns over 8 k.
 *
 * Tile: 4 row pairs times 6 column pairs are 24 accumulators; 4 vectors of A and 1 of B at a time;
 * 24 smmla beside 10 loads. */
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

enum { MR = 8, NR = 12, G = 8, S8 = 1 };

static void tile(size_t groups, const int8_t *a, const int8_t *b, void *sums)
{
    int32_t *c = sums;
    int32x4_t acc[4][6];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++)
            acc[i][j] = vdupq_n_s32(0);
    for (size_t g = 0; g < groups; g++, a += 64, b += 96) {
        const int8x16_t a0 = vld1q_s8(a), a1 = vld1q_s8(a + 16);
        const int8x16_t a2 = vld1q_s8(a + 32), a3 = vld1q_s8(a + 48);
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
            const int8x16_t v = vld1q_s8(b + 16 * j);
            acc[0][j] = vmmlaq_s32(acc[0][j], a0, v);
            acc[1][j] = vmmlaq_s32(acc[1][j], a1, v);
            acc[2][j] = vmmlaq_s32(acc[2][j], a2, v);
            acc[3][j] = vmmlaq_s32(acc[3][j], a3, v);
        }
    }
    /* an accumulator holds [row, row + 1] x [column, column + 1] */
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
            vst1_s32(c + 2 * i * NR + 2 * j, vget_low_s32(acc[i][j]));
            vst1_s32(c + (2 * i + 1) * NR + 2 * j, vget_high_s32(acc[i][j]));
        }
}

#include "kernels/arm/gemm_s8_neon.h"

void ws_gemm_init_s8_i8mm(wsam_kernels *table)
{
    table->gemm_s8 = s8_kernel("gemm_s8_8x12_i8mm");
}
