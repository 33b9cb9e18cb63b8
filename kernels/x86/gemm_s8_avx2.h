/* kernels/x86/gemm_s8_avx2.h - what the 256-bit s8 products share beside the driver: packing,
 * quantization, the entry points. Included after
 *     enum { MR, NR, BLOCK, S8 = 1, VALUES, UNSIGNED_ROWS };
 * `step`, `open_block` and
 *     static inline void store_chunk(int32_t *to, __m256i q[VALUES])
 * VALUES of k make a word of a prepared row: 4 bytes, or 2 16-bit numbers; store_chunk writes 8
 * words from 8 * VALUES values, 32 bits each. UNSIGNED_ROWS stores rows as value + 128 and starts
 * the sums at -128 * sum_k w.
 *
 * Prepared: m row scales, padded to 64 bytes, then the rows' words. */
#include "kernels/x86/gemm_driver_avx2.h"

static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * ws_packed_s8_panel(k, NR, VALUES, UNSIGNED_ROWS);
}

static void pack(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                 size_t p0, size_t p1, void *packed)
{
    (void)type;
    ws_pack_s8(n, k, NR, VALUES, UNSIGNED_ROWS, weight, scale, p0, p1, packed);
}

static size_t scale_words(size_t m)
{
    return ws_align64(m * sizeof(float)) / sizeof(int32_t);
}

static size_t prepared_bytes(size_t m, size_t k)
{
    return (scale_words(m) + m * ws_row_words(k, VALUES)) * sizeof(int32_t);
}

/* Values [p, p + 8) as integers; zeros behind the row's end. */
ALWAYS_INLINE __m256i quantize8(const ws_row *r, size_t p, size_t k, __m256 inverse)
{
    if (p >= k)
        return _mm256_setzero_si256();
    return _mm256_cvtps_epi32(_mm256_mul_ps(ws_row_value(r, p, k - p), inverse));
}

/* Chunks that lie inside the row are told so (`SIZE_MAX` left): no masks, no tests. */
ALWAYS_INLINE void quantize_chunk(const ws_row *r, size_t p, size_t k, __m256 factor, int32_t *to)
{
    __m256i q[VALUES];
    for (size_t v = 0; v < VALUES; v++)
        q[v] = quantize8(r, p + 8 * v, k, factor);
    store_chunk(to, q);
}

ALWAYS_INLINE void quantize_row(const ws_row *r, size_t k, float inverse, int32_t *to,
                                size_t step_words)
{
    const __m256 factor = _mm256_set1_ps(inverse);
    size_t p = 0;
    for (; p + VALUES * WS_CHUNK <= k; p += VALUES * WS_CHUNK, to += step_words)
        quantize_chunk(r, p, SIZE_MAX, factor, to);
    if (p < k)
        quantize_chunk(r, p, k, factor, to);
}

/* A row of scale 0 or NaN: its values may be NaN, which no integer holds. */
static void zero_row(size_t k, int32_t *to, size_t step_words)
{
    __m256i q[VALUES];
    for (size_t v = 0; v < VALUES; v++)
        q[v] = _mm256_setzero_si256();
    for (size_t p = 0; p < k; p += VALUES * WS_CHUNK, to += step_words)
        store_chunk(to, q);
}

ALWAYS_INLINE void prepare_row(const ws_row *r, size_t k, float *scale, const ws_row_place *place)
{
    const float inverse = ws_quant_inverse(ws_row_max(r, k), scale);
    if (inverse > 0.0f)
        quantize_row(r, k, inverse, place->to, place->step);
    else
        zero_row(k, place->to, place->step);
}

/* Twice: a plain row's loops then hold no test for what it lacks. */
static void prepare(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    float *scale = prepared;
    ws_row_place place =
        ws_first_place((int32_t *)prepared + scale_words(m), m, MR, ws_row_words(k, VALUES));
    for (size_t i = 0; i < m; i++, ws_next_place(&place)) {
        const ws_row r = ws_row_open(rows, i, k), plain = {.x = r.x};
        if (r.add || r.weight)
            prepare_row(&r, k, &scale[i], &place);
        else
            prepare_row(&plain, k, &scale[i], &place);
    }
}

static product open_product(size_t m, size_t k, const void *prepared, size_t ldc)
{
    const size_t groups = ws_groups(k, VALUES);
    return (product){.m = m,
                     .words = groups,
                     .row_words = ws_row_words(k, VALUES),
                     .panel = ws_packed_s8_panel(k, NR, VALUES, UNSIGNED_ROWS) / sizeof(int32_t),
                     .scales = groups * NR * VALUES / sizeof(int32_t),
                     .rows = (const int32_t *)prepared + scale_words(m),
                     .row_scale = prepared,
                     .ldc = ldc};
}

static void run(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                const void *packed, const wsam_epilogue *epilogue, float *c, size_t ldc)
{
    product p = open_product(m, k, prepared, ldc);
    p.epilogue = epilogue;
    p.c = c;
    (void)n;
    run_product(&p, n0, n1, packed, UNSIGNED_ROWS);
}

static void run_narrow(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                       const void *packed, const wsam_epilogue *epilogue,
                       const wsam_narrow_result *result)
{
    product p = open_product(m, k, prepared, result->ldc);
    p.epilogue = epilogue;
    p.narrow = result;
    (void)n;
    run_product(&p, n0, n1, packed, UNSIGNED_ROWS);
}

static void run_s32(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                    const void *packed, int32_t *c, size_t ldc)
{
    product p = open_product(m, k, prepared, ldc);
    p.c_s32 = c;
    (void)n;
    run_product(&p, n0, n1, packed, UNSIGNED_ROWS);
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
                              .run_narrow = run_narrow,
                              .run_s32 = run_s32};
}
