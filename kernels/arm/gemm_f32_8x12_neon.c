/* kernels/arm/gemm_f32_8x12_neon.c - the f32 product on AArch64 base instructions, and the bf16
 * one: operands rounded when they are packed and prepared, then the same arithmetic.
 *
 * Tile: 24 accumulators of 4 columns, 3 vectors of B, 2 of A: 29 of 32 registers. Per k 24 fmla by
 * lane (A needs no broadcast) beside 5 loads: the multiplies are the limit on all cores
 * (bench/mca.txt). */
#include <arm_neon.h>

#include "kernels/gemm.h"

enum { MR = 8, NR = 12, G = 1, S8 = 0 };
typedef float el;

static size_t panel_bytes(size_t k)
{
    return ws_align64(k * NR * sizeof(float));
}

/* The three vectors of B times lane l of a into row i. Lanes must be constants, hence no function.
 */
#define FMA_ROW(i, a, l)                                                                           \
    acc[i][0] = vfmaq_laneq_f32(acc[i][0], b0, a, l);                                              \
    acc[i][1] = vfmaq_laneq_f32(acc[i][1], b1, a, l);                                              \
    acc[i][2] = vfmaq_laneq_f32(acc[i][2], b2, a, l)

/* Each element is one chain of fused multiply-adds in rising k. */
static void tile(size_t k, const float *a, const float *b, void *sums)
{
    float *c = sums;
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

#include "kernels/arm/gemm_driver_neon.h"

static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * panel_bytes(k);
}

static void pack_f32(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                     size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_f32(n, k, NR, type, weight, 0, p0, p1, packed);
}

static void pack_bf16(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                      size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_f32(n, k, NR, type, weight, 1, p0, p1, packed);
}

/* Four rows at a time would save stores, but a prepared row is read by every panel: the cost is
 * small. */
static void prepare(size_t m, size_t k, const wsam_rows *rows, int bf16, void *prepared)
{
    const size_t padded = padded_k(k);
    float *row = (float *)(void *)((char *)prepared + ws_align64(m * sizeof(float)));
    float *tiles = (float *)(void *)((char *)prepared + tiles_offset(m, k));
    for (size_t i = 0; i < ws_panels(m, MR) * MR; i++) {
        float *to = tiles + i / MR * tile_elements(k) + i % MR;
        if (i < m)
            ws_load_row(rows, i, k, padded, row);
        for (size_t p = 0; p < padded; p++, to += MR) {
            const float x = i < m ? row[p] : 0.0f;
            *to = bf16 ? ws_f32_from_bf16(ws_bf16_from_f32(x)) : x;
        }
    }
}

static void prepare_f32(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    prepare(m, k, rows, 0, prepared);
}

static void prepare_bf16(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    prepare(m, k, rows, 1, prepared);
}

void ws_gemm_init_neon(wsam_kernels *table)
{
    table->gemm_f32 = (wsam_gemm_kernel){.name = "gemm_f32_8x12_neon",
                                         .nr = NR,
                                         .rows = 64,
                                         .packed_bytes = packed_bytes,
                                         .pack = pack_f32,
                                         .prepared_bytes = prepared_bytes,
                                         .prepare = prepare_f32,
                                         .run = run};
    table->gemm_bf16 = table->gemm_f32;
    table->gemm_bf16.name = "gemm_bf16_8x12_neon";
    table->gemm_bf16.pack = pack_bf16;
    table->gemm_bf16.prepare = prepare_bf16;
}
