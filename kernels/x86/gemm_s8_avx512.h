/* kernels/x86/gemm_s8_avx512.h - what the s8 products of AVX-512 and AMX share beside the driver:
 * packing, quantization, the entry points. Included after `enum { MR, NR, S8 = 1, UNSIGNED_ROWS,
 * COMPENSATED }` and a driver; UNSIGNED_ROWS stores rows as value + 128, COMPENSATED panels hold
 * what the sums start at then, -128 * sum_k w.
 *
 * Prepared: m row scales, padded to 64 bytes, then the rows' words (four values of k each). */
static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * ws_packed_s8_panel(k, NR, 4, COMPENSATED);
}

static void pack(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                 size_t p0, size_t p1, void *packed)
{
    (void)type;
    ws_pack_s8(n, k, NR, 4, COMPENSATED, weight, scale, p0, p1, packed);
}

static size_t scale_words(size_t m)
{
    return ws_align64(m * sizeof(float)) / sizeof(int32_t);
}

static size_t prepared_bytes(size_t m, size_t k)
{
    return (scale_words(m) + m * ws_row_words(k, 4)) * sizeof(int32_t);
}

ALWAYS_INLINE __m512i quantize16(const ws_row *r, size_t p, size_t k, __m512 inverse)
{
    if (p >= k)
        return _mm512_setzero_si512();
    return _mm512_cvtps_epi32(_mm512_mul_ps(ws_row_value(r, p, ws_mask16(k - p)), inverse));
}

/* Values [p, p + 64) to s8, those from k on to 0. Packing works within 128-bit lanes, so the words
 * come out transposed. */
ALWAYS_INLINE __m512i quantize64(const ws_row *r, size_t p, size_t k, __m512 inverse)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i low =
        _mm512_packs_epi32(quantize16(r, p, k, inverse), quantize16(r, p + 16, k, inverse));
    const __m512i high =
        _mm512_packs_epi32(quantize16(r, p + 32, k, inverse), quantize16(r, p + 48, k, inverse));
    return _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));
}

/* `top` is the row's largest |value|. A row of scale 0 or NaN is all zeros: its values may be NaN,
 * which no integer holds. Whole groups of 64 values take no masks (`SIZE_MAX` left). */
ALWAYS_INLINE void prepare_row(const ws_row *r, float top, size_t k, float *scale,
                               const ws_row_place *place)
{
    const __m512i offset = _mm512_set1_epi8(UNSIGNED_ROWS ? -128 : 0);
    const float inverse = ws_quant_inverse(top, scale);
    const __m512 factor = _mm512_set1_ps(inverse);
    int32_t *to = place->to;
    size_t p = 0;
    if (!(inverse > 0.0f)) {
        for (; p < k; p += 4 * WS_CHUNK, to += place->step)
            _mm512_store_si512(to, offset);
        return;
    }
    for (; p + 4 * WS_CHUNK <= k; p += 4 * WS_CHUNK, to += place->step)
        _mm512_store_si512(to, _mm512_xor_si512(quantize64(r, p, SIZE_MAX, factor), offset));
    if (p < k)
        _mm512_store_si512(to, _mm512_xor_si512(quantize64(r, p, k, factor), offset));
}

static void prepare(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    float *scale = prepared;
    ws_row_place place =
        ws_first_place((int32_t *)prepared + scale_words(m), m, MR, ws_row_words(k, 4));
    for (size_t i = 0; i < m; i++, ws_next_place(&place)) {
        const ws_row r = ws_row_open(rows, i, k);
        const ws_row plain = ws_row_plain(&r);
        if (r.add || r.weight)
            prepare_row(&r, ws_row_max(&r, k), k, &scale[i], &place);
        else
            prepare_row(&plain, ws_row_max(&plain, k), k, &scale[i], &place);
    }
}

static void prepare_narrow(size_t m, size_t k, const uint16_t *rows, size_t ld, void *prepared)
{
    float *scale = prepared;
    ws_row_place place =
        ws_first_place((int32_t *)prepared + scale_words(m), m, MR, ws_row_words(k, 4));
    for (size_t i = 0; i < m; i++, ws_next_place(&place)) {
        const ws_row r = ws_row_narrow(rows + i * ld);
        prepare_row(&r, ws_narrow_max(r.narrow, k), k, &scale[i], &place);
    }
}

static void prepare_row_of_each(size_t m, size_t k, size_t i, size_t n, const float *x, size_t ldx,
                                void *prepared, size_t bytes)
{
    const ws_row_place first =
        ws_place_of((int32_t *)prepared + scale_words(m), m, MR, ws_row_words(k, 4), i);
    for (size_t p = 0; p < n; p++) {
        const ws_row r = {.x = x + p * ldx};
        const ws_row_place place = {.to = (char *)first.to + p * bytes, .step = first.step};
        prepare_row(&r, ws_row_max(&r, k), k, (float *)(void *)((char *)prepared + p * bytes) + i,
                    &place);
    }
}

static product open_product(size_t m, size_t k, const void *prepared, size_t ldc)
{
    return (product){.m = m,
                     .words = ws_groups(k, 4),
                     .row_words = ws_row_words(k, 4),
                     .panel = ws_packed_s8_panel(k, NR, 4, COMPENSATED) / sizeof(int32_t),
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
    run_product(&p, n0, n1, packed);
}

static void run_narrow(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                       const void *packed, const wsam_epilogue *epilogue,
                       const wsam_narrow_result *result)
{
    product p = open_product(m, k, prepared, result->ldc);
    p.epilogue = epilogue;
    p.narrow = result;
    (void)n;
    run_product(&p, n0, n1, packed);
}

static void run_s32(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                    const void *packed, int32_t *c, size_t ldc)
{
    product p = open_product(m, k, prepared, ldc);
    p.c_s32 = c;
    (void)n;
    run_product(&p, n0, n1, packed);
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
                              .prepare_narrow = prepare_narrow,
                              .prepare_row = prepare_row_of_each,
                              .run = run,
                              .run_narrow = run_narrow,
                              .run_s32 = run_s32};
}
