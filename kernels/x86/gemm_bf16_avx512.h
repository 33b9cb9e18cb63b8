/* kernels/x86/gemm_bf16_avx512.h - what the bf16 products of AVX-512 and AMX share beside the
 * driver: packing, rounding, the entry points. Included after `enum { MR, NR, S8 = 0, K_STEP,
 * STRANGE_ROWS }` and a driver: panels end in zeros up to a multiple of K_STEP values of k, and so
 * many rows behind the prepared ones are read, whatever stands there.
 *
 * A word is two values of k. */
#include "kernels/x86/round_avx512.h"

static size_t panel_words(size_t k)
{
    return ws_groups(k, K_STEP) * (K_STEP / 2) * NR;
}

static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * panel_words(k) * sizeof(int32_t);
}

static void pack(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                 size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_bf16(n, k, NR, K_STEP, type, weight, p0, p1, packed);
}

static size_t prepared_bytes(size_t m, size_t k)
{
    return (m * ws_row_words(k, 2) + STRANGE_ROWS * WS_CHUNK) * sizeof(int32_t);
}

/* Values [p, p + 32) to bf16, those from k on to 0. */
ALWAYS_INLINE __m512i round32(const ws_row *r, size_t p, size_t k)
{
    const __m512 low = ws_row_value(r, p, ws_mask16(k - p));
    const __m512 high =
        p + 16 < k ? ws_row_value(r, p + 16, ws_mask16(k - p - 16)) : _mm512_setzero_ps();
    return ws_round_pair(low, high);
}

/* Whole groups of 32 values take no masks (`SIZE_MAX` left). */
ALWAYS_INLINE void prepare_row(const ws_row *r, size_t k, const ws_row_place *place)
{
    int32_t *to = place->to;
    size_t p = 0;
    for (; p + 2 * WS_CHUNK <= k; p += 2 * WS_CHUNK, to += place->step)
        _mm512_store_si512(to, round32(r, p, SIZE_MAX));
    if (p < k)
        _mm512_store_si512(to, round32(r, p, k));
}

static void prepare(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    ws_row_place place = ws_first_place(prepared, m, MR, ws_row_words(k, 2));
    for (size_t i = 0; i < m; i++, ws_next_place(&place)) {
        const ws_row r = ws_row_open(rows, i, k);
        const ws_row plain = ws_row_plain(&r);
        if (r.add || r.weight)
            prepare_row(&r, k, &place);
        else
            prepare_row(&plain, k, &place);
    }
}

/* ---- patches of an image: im2col and rounding at once ---- */

/* The kernel_w * channels values of output pixel (., ox) in a row of the image: they begin `at`
 * values into it, and those from `first` to `end` are inside. */
typedef struct patch_run {
    const float *row; /* NULL: above or below the image */
    ptrdiff_t at;
    ptrdiff_t first, end;
} patch_run;

static inline patch_run patch_run_at(const wsam_conv_shape *s, const float *x, int y, int ox)
{
    const ptrdiff_t c = s->channels, x0 = (ptrdiff_t)ox * s->stride - s->pad, all = s->kernel_w * c;
    const ptrdiff_t left = x0 < 0 ? -x0 * c : 0, right = (s->in_w - x0) * c;
    const int there = y >= 0 && y < s->in_h;
    return (patch_run){.row = there ? x + (ptrdiff_t)y * s->in_w * c : NULL,
                       .at = x0 * c,
                       .first = left,
                       .end = right < all ? right : all};
}

/* Lines that a pixel some places further reads first: tasks jump over the rows of an image, and no
 * processor expects where they land. */
static inline void patch_prefetch(const wsam_conv_shape *s, const patch_run *r)
{
    enum { AHEAD_BYTES = 1024 };
    const size_t fresh = (size_t)s->stride * (size_t)s->channels * sizeof(float);
    if (r->row)
        for (size_t line = 0; line < fresh; line += 64)
            __builtin_prefetch((const char *)(r->row + r->at) + AHEAD_BYTES + line, 0, 2);
}

/* Values [u, u + 16) of a run; 0 outside the image. */
static inline __m512 patch_values(const patch_run *r, ptrdiff_t u)
{
    const ptrdiff_t from = r->first > u ? r->first - u : 0, to = r->end - u;
    if (!r->row || from >= 16 || to <= from)
        return _mm512_setzero_ps();
    if (from == 0 && to >= 16)
        return _mm512_loadu_ps(r->row + r->at + u);
    return _mm512_maskz_loadu_ps((__mmask16)(ws_mask16((size_t)to) & (0xffffu << from)),
                                 r->row + r->at + u);
}

/* Runs of whole units of 16 values, half a vector of words each. */
static void patch_of_units(const wsam_conv_shape *s, const float *x, int oy, int ox,
                           const ws_row_place *place)
{
    const ptrdiff_t run = (ptrdiff_t)s->kernel_w * s->channels;
    size_t unit = 0;
    int32_t *to = place->to;
    for (int i = 0; i < s->kernel_h; i++) {
        const patch_run r = patch_run_at(s, x, oy * s->stride - s->pad + i, ox);
        patch_prefetch(s, &r);
        for (ptrdiff_t u = 0; u < run; u += 16, unit++) {
            _mm256_store_si256((__m256i *)(void *)(to + unit % 2 * 8),
                               ws_round16(patch_values(&r, u)));
            to += unit % 2 * place->step;
        }
    }
    if (unit % 2)
        _mm256_store_si256((__m256i *)(void *)(to + 8), _mm256_setzero_si256());
}

/* Three runs of 9 values, 3 x 3 pixels of 3 colours: one vector of words. */
static void patch_of_colours(const wsam_conv_shape *s, const float *x, int oy, int ox,
                             const ws_row_place *place)
{
    const __m512i low = _mm512_set_epi32(22, 21, 20, 19, 18, 17, 16, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i high =
        _mm512_set_epi32(15, 15, 15, 15, 15, 24, 23, 22, 21, 20, 19, 18, 17, 16, 8, 7);
    __m512 v[3];
    for (int i = 0; i < 3; i++) {
        const patch_run r = patch_run_at(s, x, oy * s->stride - s->pad + i, ox);
        patch_prefetch(s, &r);
        v[i] = patch_values(&r, 0);
    }
    _mm512_store_si512(place->to, ws_round_pair(_mm512_permutex2var_ps(v[0], low, v[1]),
                                                _mm512_permutex2var_ps(v[1], high, v[2])));
}

static int prepare_patches(const wsam_conv_shape *s, const float *x, size_t p0, size_t p1,
                           void *prepared)
{
    const size_t run = (size_t)s->kernel_w * (size_t)s->channels, k = (size_t)s->kernel_h * run;
    const int colours = run == 9 && s->kernel_h == 3;
    if (s->dilation != 1 || (run % 16 && !colours))
        return 0;
    ws_row_place place = ws_first_place(prepared, p1 - p0, MR, ws_row_words(k, 2));
    int oy = (int)(p0 / (size_t)s->out_w), ox = (int)(p0 % (size_t)s->out_w);
    for (size_t p = p0; p < p1; p++, ws_next_place(&place)) {
        (colours ? patch_of_colours : patch_of_units)(s, x, oy, ox, &place);
        if (++ox == s->out_w)
            ox = 0, oy++;
    }
    return 1;
}

static void run(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                const void *packed, const wsam_epilogue *epilogue, float *c, size_t ldc)
{
    const product p = {.m = m,
                       .words = ws_groups(k, 2),
                       .row_words = ws_row_words(k, 2),
                       .panel = panel_words(k),
                       .rows = prepared,
                       .epilogue = epilogue,
                       .c = c,
                       .ldc = ldc};
    (void)n;
    run_product(&p, n0, n1, packed);
}

static wsam_gemm_kernel bf16_kernel(const char *name)
{
    return (wsam_gemm_kernel){.name = name,
                              .nr = NR,
                              .rows = 64,
                              .packed_bytes = packed_bytes,
                              .pack = pack,
                              .prepared_bytes = prepared_bytes,
                              .prepare = prepare,
                              .prepare_patches = prepare_patches,
                              .run = run};
}
