/* kernels/arm/gemm_bf16_8x12_i8mm.c - the bf16 product with bfmmla: two rows times two columns over
 * 4 k, sums in f32. The tile is that of gemm_s8_8x12_i8mm.c. */
#include <arm_neon.h>
#include <string.h>

#include "kernels/gemm.h"

enum { MR = 8, NR = 12, G = 4, S8 = 0 };
typedef uint16_t el;

static size_t panel_bytes(size_t k)
{
    return ws_align64(ws_groups(k, G) * G * NR * sizeof(el));
}

static inline bfloat16x8_t load8(const uint16_t *p)
{
    return vreinterpretq_bf16_u16(vld1q_u16(p));
}

static void tile(size_t groups, const uint16_t *a, const uint16_t *b, void *sums)
{
    float *c = sums;
    float32x4_t acc[4][6];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++)
            acc[i][j] = vdupq_n_f32(0.0f);
    for (size_t g = 0; g < groups; g++, a += 32, b += 48) {
        const bfloat16x8_t a0 = load8(a), a1 = load8(a + 8), a2 = load8(a + 16), a3 = load8(a + 24);
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
            const bfloat16x8_t v = load8(b + 8 * j);
            acc[0][j] = vbfmmlaq_f32(acc[0][j], a0, v);
            acc[1][j] = vbfmmlaq_f32(acc[1][j], a1, v);
            acc[2][j] = vbfmmlaq_f32(acc[2][j], a2, v);
            acc[3][j] = vbfmmlaq_f32(acc[3][j], a3, v);
        }
    }
    /* an accumulator holds [row, row + 1] x [column, column + 1] */
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
            vst1_f32(c + 2 * i * NR + 2 * j, vget_low_f32(acc[i][j]));
            vst1_f32(c + (2 * i + 1) * NR + 2 * j, vget_high_f32(acc[i][j]));
        }
}

#include "kernels/arm/gemm_driver_neon.h"

static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * panel_bytes(k);
}

/* [groups][NR][4] */
static void pack(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                 size_t p0, size_t p1, void *packed)
{
    const size_t padded = ws_groups(k, G) * G;
    (void)scale;
    for (size_t q = p0; q < p1; q++) {
        uint16_t *to = (uint16_t *)(void *)((char *)packed + q * panel_bytes(k));
        for (size_t c = 0; c < NR; c++)
            for (size_t p = 0; p < padded; p++) {
                const size_t j = q * NR + c;
                const float w = j < n && p < k ? ws_weight_f32(type, weight, j * k + p) : 0.0f;
                to[(p / G * NR + c) * G + p % G] = ws_bf16_from_f32(w);
            }
    }
}

static void prepare(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    const size_t padded = padded_k(k);
    float *row = (float *)(void *)((char *)prepared + ws_align64(m * sizeof(float)));
    uint16_t *tiles = (uint16_t *)(void *)((char *)prepared + tiles_offset(m, k));
    for (size_t i = 0; i < ws_panels(m, MR) * MR; i++) {
        uint16_t *to = tiles + i / MR * tile_elements(k) + i % MR * G;
        if (i < m)
            ws_load_row(rows, i, k, padded, row);
        for (size_t p = 0; p < padded; p += G, to += MR * G)
            vf_to_bf16(to, i < m ? vf_load(row + p) : vf_set1(0.0f));
    }
}

void ws_gemm_init_bf16_i8mm(wsam_kernels *table)
{
    table->gemm_bf16 = (wsam_gemm_kernel){.name = "gemm_bf16_8x12_i8mm",
                                          .nr = NR,
                                          .rows = 64,
                                          .packed_bytes = packed_bytes,
                                          .pack = pack,
                                          .prepared_bytes = prepared_bytes,
                                          .prepare = prepare,
                                          .run = run};
}
