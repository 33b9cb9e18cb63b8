/* kernels/arm/gemm_s8_4x4_neon.c - the exact s8 product on ARMv8.0 (Cortex-A53, A72): smull and
 * smlal2 add two products in 16 bits (at most 2*127*127 = 32258), sadalp widens. 16 products are
 * two multiplies and one add; the 16-bit form smlal by lane would need four.
 *
 * Tile: 16 accumulators along k, 4 vectors of B, 4 of A and 8 temporaries: all 32 registers. The
 * Makefile keeps gcc from reordering this file (bench/mca.txt: 80 -> 61 cycles on Cortex-A53; two
 * steps to a branch: 59). */
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/arm/load_neon.h"

enum { MR = 4, NR = 4, G = 16, S8 = 1 };

/* Two rows times the four vectors of B, in three rounds of eight: each round takes longer than its
 * instructions' latency, so that an in-order core never waits. */
static inline __attribute__((always_inline)) void
two_rows(int32x4_t acc[2][4], const int8x16_t a[2], const int8x16_t b[4])
{
    int16x8_t pair[2][4];
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            pair[i][j] = vmull_s8(vget_low_s8(a[i]), vget_low_s8(b[j]));
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            pair[i][j] = vmlal_high_s8(pair[i][j], a[i], b[j]);
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            acc[i][j] = vpadalq_s16(acc[i][j], pair[i][j]);
}

static inline __attribute__((always_inline)) void step(int32x4_t acc[4][4], const int8_t *a,
                                                       const int8_t *b)
{
    int8x16_t y[4], x[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++)
        y[j] = ws_load_s8_here(b + 16 * j);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        x[i] = ws_load_s8_here(a + 16 * i);
    two_rows(acc, x, y);
    two_rows(acc + 2, x + 2, y);
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
#pragma GCC unroll 2
    for (; groups > 0; groups--, a += 64, b += 64)
        step(acc, a, b);
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
