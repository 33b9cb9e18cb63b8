/* kernels/x86/gemm_finish_avx512.h - from the sums of a register tile to the result: scales, bias,
 * activation, residual. Included after `enum { NR = 32, S8 }`; sums stand in rows of NR words. */
#include "kernels/x86/gemm_rows_avx512.h"
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/math_template.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* What one call of run works on. */
typedef struct product {
    size_t m, words;        /* words of k */
    size_t row_words;       /* the same padded to whole chunks: a prepared row */
    size_t panel;           /* words of a packed panel */
    const int32_t *rows;    /* prepared */
    const float *row_scale; /* s8 */
    const wsam_epilogue *epilogue;
    float *c;
    int32_t *c_s32; /* bare sums are wanted instead */
    size_t ldc;
} product;

static inline vf activate(wsam_act act, vf x)
{
    switch (act) {
    case WSAM_ACT_GELU:
        return vf_gelu(x);
    case WSAM_ACT_RELU:
        return vf_max(vf_set1(0.0f), x); /* a NaN, the second operand, stays */
    case WSAM_ACT_SIGMOID:
        return vf_sigmoid(x);
    case WSAM_ACT_NONE:
        break;
    }
    return x;
}

/* 16 columns of a finished tile. */
typedef struct finish16 {
    __m512 scale, bias; /* of the columns */
    __mmask16 mask;     /* columns that exist */
} finish16;

ALWAYS_INLINE finish16 open_finish(const product *p, size_t j, __mmask16 mask,
                                   const float *column_scale)
{
    const float *bias = p->epilogue->bias;
    finish16 f = {.bias = bias ? _mm512_maskz_loadu_ps(mask, bias + j) : _mm512_setzero_ps(),
                  .mask = mask};
    if (S8)
        f.scale = _mm512_loadu_ps(column_scale);
    return f;
}

/* Scale, bias, activation and residual for row r, columns from j on. */
ALWAYS_INLINE void finish_row(const product *p, const finish16 *f, wsam_act act, size_t r, size_t j,
                              const int32_t *sums)
{
    const wsam_epilogue *e = p->epilogue;
    const __m512i sum = _mm512_load_si512(sums);
    __m512 x = _mm512_castsi512_ps(sum);
    if (S8) {
        const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(p->row_scale[r]), f->scale);
        x = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
    }
    x = activate(act, _mm512_add_ps(x, f->bias));
    if (e->residual) {
        const float *residual = e->residual + r * e->ld_residual + j;
        x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(f->mask, residual));
    }
    if (f->mask == 0xffff)
        _mm512_storeu_ps(p->c + r * p->ldc + j, x);
    else
        _mm512_mask_storeu_ps(p->c + r * p->ldc + j, f->mask, x);
}

/* m0, m1: the columns that exist; constants for a whole panel, so that nothing is masked then. */
ALWAYS_INLINE void finish_rows(const product *p, wsam_act act, size_t i, size_t h, size_t j,
                               __mmask16 m0, __mmask16 m1, const float *column_scale,
                               const int32_t *sums)
{
    const finish16 f0 = open_finish(p, j, m0, column_scale);
    const finish16 f1 = open_finish(p, j + 16, m1, column_scale + 16);
    for (size_t r = i; r < i + h; r++, sums += NR) {
        finish_row(p, &f0, act, r, j, sums);
        if (m1)
            finish_row(p, &f1, act, r, j + 16, sums + 16);
    }
}

ALWAYS_INLINE void finish_act(const product *p, wsam_act act, size_t i, size_t h, size_t j,
                              size_t columns, const float *column_scale, const int32_t *sums)
{
    if (columns == NR)
        finish_rows(p, act, i, h, j, 0xffff, 0xffff, column_scale, sums);
    else
        finish_rows(p, act, i, h, j, ws_mask16(columns), ws_mask16(columns > 16 ? columns - 16 : 0),
                    column_scale, sums);
}

static void finish_s32(const product *p, size_t i, size_t h, size_t j, size_t columns,
                       const int32_t *sums)
{
    for (size_t r = i; r < i + h; r++, sums += NR)
        memcpy(p->c_s32 + r * p->ldc + j, sums, columns * sizeof *sums);
}

/* A finished tile: rows [i, i + h), columns [j, j + columns). */
static void finish(const product *p, size_t i, size_t h, size_t j, size_t columns,
                   const void *column_scale, const int32_t *sums)
{
    if (S8 && p->c_s32) {
        finish_s32(p, i, h, j, columns, sums);
        return;
    }
    switch (p->epilogue->act) {
    case WSAM_ACT_NONE:
        finish_act(p, WSAM_ACT_NONE, i, h, j, columns, column_scale, sums);
        break;
    case WSAM_ACT_GELU:
        finish_act(p, WSAM_ACT_GELU, i, h, j, columns, column_scale, sums);
        break;
    case WSAM_ACT_RELU:
        finish_act(p, WSAM_ACT_RELU, i, h, j, columns, column_scale, sums);
        break;
    case WSAM_ACT_SIGMOID:
        finish_act(p, WSAM_ACT_SIGMOID, i, h, j, columns, column_scale, sums);
        break;
    }
}

/* Asks for the lines of a tile's result while its products run: a store that misses waits for
 * memory in the store queue, and a result row is a page of its own. Into L2: rows 4096 bytes or a
 * multiple apart fall into one set of L1 and would throw out each other and A and B (8 % on
 * 4096x192x576 s8). */
static inline void prefetch_result(const product *p, size_t i, size_t h, size_t j)
{
    const char *c = p->c_s32 ? (const char *)p->c_s32 : (const char *)p->c;
    for (size_t r = i; r < i + h; r++) {
        const char *line = c + (r * p->ldc + j) * sizeof(float);
        __builtin_prefetch(line, 1, 2);
        __builtin_prefetch(line + 64, 1, 2);
    }
}
