/* kernels/arm/gemm_s8_8x12_dotprod.c - the s8 product with sdot by lane: 4 columns times 4 k per
 * lane.
 *
 * Tile: the f32 one with words of 4 bytes: 24 accumulators, 3 vectors of B, 2 of A; 24 sdot beside
 * 5 loads, which pair with no product on Cortex-A55: 29 cycles are the best there (bench/mca.txt).
 */
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/arm/load_neon.h"

enum { MR = 8, NR = 12, G = 4, S8 = 1 };

/* The three vectors of B times lane l of a into row i. Lanes must be constants, hence no function.
 */
#define DOT_ROW(i, a, l)                                                                           \
    acc[i][0] = vdotq_laneq_s32(acc[i][0], b0, a, l);                                              \
    acc[i][1] = vdotq_laneq_s32(acc[i][1], b1, a, l);                                              \
    acc[i][2] = vdotq_laneq_s32(acc[i][2], b2, a, l)

static void tile(size_t groups, const int8_t *a, const int8_t *b, void *sums)
{
    int32_t *c = sums;
    int32x4_t acc[8][3];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++)
            acc[i][j] = vdupq_n_s32(0);
#pragma GCC unroll 8 /* a branch waits for the products before it: 34 -> 30 cycles a step */
    for (size_t g = 0; g < groups; g++, a += 32, b += 48) {
        int8x16_t a0 = ws_load_s8_here(a), a1 = ws_load_s8_here(a + 16);
        int8x16_t b0 = ws_load_s8_here(b), b1 = ws_load_s8_here(b + 16);
        int8x16_t b2 = ws_load_s8_here(b + 32);
        /* All loads before the first product. */
        __asm__("" : "+w"(a0), "+w"(a1), "+w"(b0), "+w"(b1), "+w"(b2));
        DOT_ROW(0, a0, 0);
        DOT_ROW(1, a0, 1);
        DOT_ROW(2, a0, 2);
        DOT_ROW(3, a0, 3);
        DOT_ROW(4, a1, 0);
        DOT_ROW(5, a1, 1);
        DOT_ROW(6, a1, 2);
        DOT_ROW(7, a1, 3);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++)
            vst1q_s32(c + i * 12 + 4 * j, acc[i][j]);
}

#include "kernels/arm/gemm_s8_neon.h"

void ws_gemm_init_dotprod(wsam_kernels *table)
{
    table->gemm_s8 = s8_kernel("gemm_s8_8x12_dotprod");
}
