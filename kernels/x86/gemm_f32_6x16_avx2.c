/* kernels/x86/gemm_f32_6x16_avx2.c - the f32 product, and the bf16 one: operands rounded when they
 * are packed and prepared, then the same arithmetic.
 *
 * Tile: 12 sums, 2 vectors of B, 1 broadcast of A: 15 of 16 registers. Per word of k 12 FMA beside
 * 8 loads: two FMA and two loads per cycle since Haswell. */
#include "kernels/x86/gemm_rows_avx2.h"

enum { MR = 6, NR = 16, BLOCK = 256, S8 = 0, WORD = 64 };

/* The driver moves words of 32 bits, whatever they hold: here they are floats. */
static inline __m256 load(const int32_t *x)
{
    return _mm256_castsi256_ps(_mm256_load_si256((const __m256i *)(const void *)x));
}

static inline __attribute__((always_inline)) __m256i fma8(__m256i sum, __m256 a, __m256 b)
{
    return _mm256_castps_si256(_mm256_fmadd_ps(a, b, _mm256_castsi256_ps(sum)));
}

static inline __attribute__((always_inline)) void step(int h, __m256i sum[MR][2], const int32_t *a,
                                                       const int32_t *b)
{
    const __m256 b0 = load(b), b1 = load(b + 8);
    for (int i = 0; i < h; i++) {
        const __m256 x = _mm256_castsi256_ps(_mm256_set1_epi32(a[WS_CHUNK * i]));
        sum[i][0] = fma8(sum[i][0], x, b0);
        sum[i][1] = fma8(sum[i][1], x, b1);
    }
}

/* f32 panels are read where they lie; the s8 tiles of this level widen a block of theirs first. */
static inline const int32_t *open_block(const int32_t *panel, size_t from, size_t words,
                                        int32_t *buffer)
{
    (void)words;
    (void)buffer;
    return panel + from * NR;
}

#include "kernels/x86/gemm_driver_avx2.h"

/* No compensation and no scales: a panel is its weights alone. */
static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * k * NR * sizeof(float);
}

static void pack_f32(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                     size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_f32(n, k, NR, type, weight, 0, p0, p1, packed);
}

/* The weights are rounded once, here, and kept as f32: twice the memory of bf16, but no widening
 * in the loop. */
static void pack_bf16(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                      size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_f32(n, k, NR, type, weight, 1, p0, p1, packed);
}

/* Rows in groups of MR, chunk by chunk, so that the tile reads one stretch of memory
 * (gemm_places.h). */
static size_t prepared_bytes(size_t m, size_t k)
{
    return m * ws_row_words(k, 1) * sizeof(float);
}

/* To bf16 and back: round to nearest even on the upper half; a NaN stays one. */
static inline __m256 round_bf16(__m256 x)
{
    const __m256i u = _mm256_castps_si256(x), one = _mm256_set1_epi32(1);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), one);
    const __m256i up = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i kept = _mm256_and_si256(up, _mm256_set1_epi32((int)0xffff0000u));
    return _mm256_blendv_ps(_mm256_castsi256_ps(kept), x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

ALWAYS_INLINE void prepare(size_t m, size_t k, const wsam_rows *rows, int bf16, void *prepared)
{
    ws_row_place place = ws_first_place(prepared, m, MR, ws_row_words(k, 1));
    for (size_t i = 0; i < m; i++, ws_next_place(&place)) {
        const ws_row r = ws_row_open(rows, i, k);
        float *to = place.to;
        for (size_t p = 0; p < k; p += WS_CHUNK, to += place.step) {
            const __m256 x = ws_row_value(&r, p, k - p);
            _mm256_store_ps(to, bf16 ? round_bf16(x) : x);
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

/* A word is one f32: there are as many as k. */
static void run(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                const void *packed, const wsam_epilogue *epilogue, float *c, size_t ldc)
{
    const product p = {.m = m,
                       .words = k,
                       .row_words = ws_row_words(k, 1),
                       .panel = k * NR,
                       .rows = prepared,
                       .epilogue = epilogue,
                       .c = c,
                       .ldc = ldc};
    (void)n;
    run_product(&p, n0, n1, packed, 0);
}

void ws_gemm_init_avx2(wsam_kernels *table)
{
    table->gemm_f32 = (wsam_gemm_kernel){.name = "gemm_f32_6x16_avx2",
                                         .nr = NR,
                                         .rows = 64,
                                         .packed_bytes = packed_bytes,
                                         .pack = pack_f32,
                                         .prepared_bytes = prepared_bytes,
                                         .prepare = prepare_f32,
                                         .run = run};
    /* The same loop with other operands: what rounding costs is paid in pack and prepare. */
    table->gemm_bf16 = table->gemm_f32;
    table->gemm_bf16.name = "gemm_bf16_6x16_avx2";
    table->gemm_bf16.pack = pack_bf16;
    table->gemm_bf16.prepare = prepare_bf16;
}
