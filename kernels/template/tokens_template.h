/* kernels/template/tokens_template.h - the tokens family on the vector vocabulary; included once by
 * each tokens_<level>.c after its vec_<level>.h. All functions are static. */
#include "kernels/template/math_template.h"
#include "kernels/tokens.h"

/* Up to WS_VL heads of one row: their scores stand beside each other, token after token. */
static void softmax_heads(size_t tokens, size_t heads, size_t n, float *s)
{
    vf top = vf_load_n(s, n), sum = vf_set1(0.0f);
    for (size_t t = 1; t < tokens; t++)
        top = vf_max(top, vf_load_n(s + t * heads, n));
    for (size_t t = 0; t < tokens; t++) {
        const vf e = vf_exp(vf_sub(vf_load_n(s + t * heads, n), top));
        sum = vf_add(sum, e);
        vf_store_n(s + t * heads, e, n);
    }
    const vf scale = vf_div(vf_set1(1.0f), sum);
    for (size_t t = 0; t < tokens; t++)
        vf_store_n(s + t * heads, vf_mul(vf_load_n(s + t * heads, n), scale), n);
}

/* As many heads as lanes: no masks. */
static void softmax_lanes(size_t tokens, size_t heads, float *s)
{
    vf top = vf_load(s), sum = vf_set1(0.0f);
    for (size_t t = 1; t < tokens; t++)
        top = vf_max(top, vf_load(s + t * heads));
    for (size_t t = 0; t < tokens; t++) {
        const vf e = vf_exp(vf_sub(vf_load(s + t * heads), top));
        sum = vf_add(sum, e);
        vf_store(s + t * heads, e);
    }
    const vf scale = vf_div(vf_set1(1.0f), sum);
    for (size_t t = 0; t < tokens; t++)
        vf_store(s + t * heads, vf_mul(vf_load(s + t * heads), scale));
}

static void softmax_groups(size_t m, size_t tokens, size_t heads, float *s, size_t lds)
{
    for (size_t i = 0; i < m; i++) {
        size_t h = 0;
        for (; h + WS_VL <= heads; h += WS_VL)
            softmax_lanes(tokens, heads, s + i * lds + h);
        if (h < heads)
            softmax_heads(tokens, heads, heads - h, s + i * lds + h);
    }
}

static void column_max(size_t m, size_t n, const float *s, size_t lds, float *top)
{
    for (size_t j = 0; j < n; j += WS_VL) {
        const size_t w = n - j < WS_VL ? n - j : WS_VL;
        vf t = vf_load_n(top + j, w);
        for (size_t i = 0; i < m; i++)
            t = vf_max(t, vf_load_n(s + i * lds + j, w));
        vf_store_n(top + j, t, w);
    }
}

static void exp_columns(size_t m, size_t n, float *s, size_t lds, const float *top, float *sum)
{
    for (size_t j = 0; j < n; j += WS_VL) {
        const size_t w = n - j < WS_VL ? n - j : WS_VL;
        const vf t = vf_load_n(top + j, w);
        vf total = vf_load_n(sum + j, w);
        for (size_t i = 0; i < m; i++) {
            const vf e = vf_exp(vf_sub(vf_load_n(s + i * lds + j, w), t));
            vf_store_n(s + i * lds + j, e, w);
            total = vf_add(total, e);
        }
        vf_store_n(sum + j, total, w);
    }
}

/* A tile of `nt` tokens x `nv` vectors. Called with constants: the loops unroll, the sums stay in
 * registers (24 of 32, or 12 of 16). */
enum { MIX_TOKENS = 6, MIX_VECTORS = WS_VECTOR_REGISTERS == 32 ? 4 : 2 };

static inline __attribute__((always_inline)) void mix_tile(size_t m, const int nt, const int nv,
                                                           const float *p, size_t ldp,
                                                           const float *x, size_t ldx, float *out,
                                                           size_t ldo)
{
    vf sum[MIX_TOKENS][MIX_VECTORS];
    for (int t = 0; t < nt; t++)
        for (int v = 0; v < nv; v++)
            sum[t][v] = vf_set1(0.0f);
    for (size_t i = 0; i < m; i++) {
        vf row[MIX_VECTORS];
        for (int v = 0; v < nv; v++)
            row[v] = vf_load(x + i * ldx + (size_t)v * WS_VL);
        for (int t = 0; t < nt; t++) {
            const vf weight = vf_set1(p[i * ldp + (size_t)t]);
            for (int v = 0; v < nv; v++)
                sum[t][v] = vf_fma(weight, row[v], sum[t][v]);
        }
    }
    for (int t = 0; t < nt; t++)
        for (int v = 0; v < nv; v++)
            vf_store(out + (size_t)t * ldo + (size_t)v * WS_VL, sum[t][v]);
}

/* Fewer than WS_VL columns of one token. */
static void mix_rest(size_t m, size_t width, const float *p, size_t ldp, const float *x, size_t ldx,
                     float *out)
{
    vf sum = vf_set1(0.0f);
    for (size_t i = 0; i < m; i++)
        sum = vf_fma(vf_set1(p[i * ldp]), vf_load_n(x + i * ldx, width), sum);
    vf_store_n(out, sum, width);
}

/* All tokens for `nv` vectors of columns. */
static inline __attribute__((always_inline)) void mix_columns(size_t m, size_t n, const int nv,
                                                              const float *p, size_t ldp,
                                                              const float *x, size_t ldx,
                                                              float *out, size_t ldo)
{
    size_t j = 0;
    for (; j + MIX_TOKENS <= n; j += MIX_TOKENS)
        mix_tile(m, MIX_TOKENS, nv, p + j, ldp, x, ldx, out + j * ldo, ldo);
    for (; j + 2 <= n; j += 2)
        mix_tile(m, 2, nv, p + j, ldp, x, ldx, out + j * ldo, ldo);
    if (j < n)
        mix_tile(m, 1, nv, p + j, ldp, x, ldx, out + j * ldo, ldo);
}

static void mix_rows(size_t m, size_t n, size_t width, const float *p, size_t ldp, const float *x,
                     size_t ldx, float *out, size_t ldo)
{
    size_t c = 0;
    for (; c + MIX_VECTORS * WS_VL <= width; c += MIX_VECTORS * WS_VL)
        mix_columns(m, n, MIX_VECTORS, p, ldp, x + c, ldx, out + c, ldo);
    for (; c + WS_VL <= width; c += WS_VL)
        mix_columns(m, n, 1, p, ldp, x + c, ldx, out + c, ldo);
    for (size_t j = 0; c < width && j < n; j++)
        mix_rest(m, width - c, p + j, ldp, x + c, ldx, out + j * ldo + c);
}

static void fill(wsam_token_kernels *t)
{
    *t = (wsam_token_kernels){"tokens_" WS_LEVEL, softmax_groups, column_max,
                              exp_columns,        mix_rows,       mix_rows};
}
