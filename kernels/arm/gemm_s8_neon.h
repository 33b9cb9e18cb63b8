/* kernels/arm/gemm_s8_neon.h - what the s8 products share beside the driver: packing, quantization,
 * the entry points. Included after MR, NR, G (a divisor of 16) and `tile`. */
#include "kernels/gemm.h"

typedef int8_t el;

/* No compensation: NEON multiplies signed bytes with signed ones. */
static size_t panel_bytes(size_t k)
{
    return ws_packed_s8_panel(k, NR, G, 0);
}

#include "kernels/arm/gemm_driver_neon.h"

static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * panel_bytes(k);
}

static void pack(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                 size_t p0, size_t p1, void *packed)
{
    (void)type;
    ws_pack_s8(n, k, NR, G, 0, weight, scale, p0, p1, packed);
}

/* 16 quantized values into their groups, MR * G bytes apart. */
/* G values of k stand together, as many as an instruction sums up: 4 for SDOT, 8 for SMMLA, 16 for
 * the products of pairs of plain NEON. */
static inline void store16(int8_t *to, int8x16_t q)
{
    if (G == 16) {
        vst1q_s8(to, q);
    } else if (G == 8) {
        vst1_s8(to, vget_low_s8(q));
        vst1_s8(to + MR * 8, vget_high_s8(q));
    } else {
        int32_t words[4];
        vst1q_s32(words, vreinterpretq_s32_s8(q));
        for (int i = 0; i < 4; i++)
            memcpy(to + i * MR * 4, &words[i], 4);
    }
}

/* Rows beyond m are zeros, and so are values beyond k: tiles are always whole. */
static void prepare(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    const size_t padded = padded_k(k);
    float *scale = prepared,
          *row = (float *)(void *)((char *)prepared + ws_align64(m * sizeof(float)));
    int8_t *tiles = (int8_t *)prepared + tiles_offset(m, k);
    for (size_t i = 0; i < ws_panels(m, MR) * MR; i++) {
        int8_t *to = tiles + i / MR * tile_elements(k) + i % MR * G;
        float inverse = 0.0f;
        if (i < m) {
            ws_load_row(rows, i, k, padded, row);
            inverse = ws_quant_inverse(ws_row_top(padded, row), &scale[i]);
        }
        for (size_t p = 0; p < padded; p += 16, to += 16 * MR)
            store16(to, inverse > 0.0f ? ws_quantize16(row + p, inverse) : vdupq_n_s8(0));
    }
}

static void run_s32(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                    const void *packed, int32_t *c, size_t ldc)
{
    const product p = {.m = m,
                       .k = k,
                       .panel_bytes = panel_bytes(k),
                       .scales = ws_groups(k, G) * NR * G,
                       .prepared = prepared,
                       .packed = packed,
                       .c_s32 = c,
                       .ldc = ldc};
    (void)n;
    run_product(&p, n0, n1);
}

static wsam_gemm_kernel s8_kernel(const char *name)
{
    return (wsam_gemm_kernel){.name = name,
                              .nr = NR,
                              .rows = 64,
                              .packed_bytes = packed_bytes,
                              .pack = pack,
                              .prepared_bytes = prepared_bytes,
                              .prepare = prepare,
                              .run = run,
                              .run_s32 = run_s32};
}
