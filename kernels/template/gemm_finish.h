/* kernels/template/gemm_finish.h - from the sums of a register tile to the result: scales, bias,
 * activation, residual. Included after the rows and the vector vocabulary of a level and
 * `enum { NR = 2 * WS_VL, S8 }`; sums stand in rows of NR words. */
#include "kernels/template/math_template.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* What one call of run works on. */
typedef struct product {
    size_t m, words;        /* words of k */
    size_t row_words;       /* the same padded to whole chunks: a prepared row */
    size_t panel;           /* words of a packed panel */
    size_t scales;          /* words before its column scales; its first sums follow them (s8) */
    const int32_t *rows;    /* prepared */
    const float *row_scale; /* s8 */
    const wsam_epilogue *epilogue;
    float *c;
    int32_t *c_s32;                   /* bare sums are wanted instead */
    const wsam_narrow_result *narrow; /* or a result in bf16 */
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

/* `n` floats, all of a vector where `whole`, a constant. */
ALWAYS_INLINE vf load_columns(const float *x, const int whole, size_t n)
{
    return whole ? vf_load(x) : vf_load_n(x, n);
}

ALWAYS_INLINE void store_columns(float *x, const int whole, size_t n, vf y)
{
    if (whole)
        vf_store(x, y);
    else
        vf_store_n(x, y, n);
}

/* In bf16. */
ALWAYS_INLINE vf load_narrow(const uint16_t *x, const int whole, size_t n)
{
    uint16_t some[WS_VL] = {0};
    if (whole)
        return vf_from_bf16(x);
    memcpy(some, x, n * sizeof *x);
    return vf_from_bf16(some);
}

ALWAYS_INLINE void store_narrow(uint16_t *x, const int whole, size_t n, vf y)
{
    uint16_t some[WS_VL];
    vf_to_bf16(whole ? x : some, y);
    if (!whole)
        memcpy(x, some, n * sizeof *x);
}

ALWAYS_INLINE void put_narrow(const wsam_narrow_result *to, size_t row, size_t column,
                              const int whole, size_t n, vf x)
{
    if (to->residual)
        x = vf_add(x, load_narrow(to->residual + row * to->ld_residual + column, whole, n));
    if (to->relu)
        x = activate(WSAM_ACT_RELU, x);
    store_narrow(to->c + row * to->ldc + column, whole, n, x);
}

/* Rows [i, i + h) of one or two vectors of columns from j on. `whole`: all NR columns exist, and
 * nothing is masked; `vectors`: a constant, too. */
ALWAYS_INLINE void finish_rows(const product *p, wsam_act act, size_t i, size_t h, size_t j,
                               const int whole, const int vectors, size_t columns,
                               const float *column_scale, const int32_t *sums)
{
    /* copies: what is stored might be these, for all that the compiler knows */
    const wsam_epilogue e = *p->epilogue;
    const wsam_narrow_result to = p->narrow ? *p->narrow : (wsam_narrow_result){.c = NULL};
    const float *row_scale = p->row_scale;
    float *c = p->c;
    const size_t ldc = p->ldc;
    const size_t some[2] = {columns < WS_VL ? columns : WS_VL, columns - WS_VL};
    vf bias[2], scale[2];
    for (int v = 0; v < vectors; v++) {
        bias[v] =
            e.bias ? load_columns(e.bias + j + (size_t)v * WS_VL, whole, some[v]) : vf_set1(0.0f);
        if (S8)
            scale[v] = vf_load(column_scale + (size_t)v * WS_VL);
    }
    for (size_t r = i; r < i + h; r++, sums += NR)
        for (int v = 0; v < vectors; v++) {
            const int32_t *sum = sums + (size_t)v * WS_VL;
            const size_t column = j + (size_t)v * WS_VL;
            vf x = S8 ? vf_mul(vf_from_s32(sum), vf_mul(vf_set1(row_scale[r]), scale[v]))
                      : vf_from_words(sum);
            x = activate(act, vf_add(x, bias[v]));
            if (to.c) {
                put_narrow(&to, r, column, whole, some[v], x);
                continue;
            }
            if (e.residual)
                x = vf_add(x,
                           load_columns(e.residual + r * e.ld_residual + column, whole, some[v]));
            store_columns(c + r * ldc + column, whole, some[v], x);
        }
}

ALWAYS_INLINE void finish_act(const product *p, wsam_act act, size_t i, size_t h, size_t j,
                              size_t columns, const float *column_scale, const int32_t *sums)
{
    if (columns == NR)
        finish_rows(p, act, i, h, j, 1, 2, NR, column_scale, sums);
    else if (columns > WS_VL)
        finish_rows(p, act, i, h, j, 0, 2, columns, column_scale, sums);
    else
        finish_rows(p, act, i, h, j, 0, 1, columns, column_scale, sums);
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
    const size_t each = p->narrow ? sizeof(uint16_t) : sizeof(float);
    const char *c = p->c_s32    ? (const char *)p->c_s32
                    : p->narrow ? (const char *)p->narrow->c
                                : (const char *)p->c;
    for (size_t r = i; r < i + h; r++)
        for (size_t line = 0; line < NR * each; line += 64)
            __builtin_prefetch(c + (r * p->ldc + j) * each + line, 1, 2);
}
