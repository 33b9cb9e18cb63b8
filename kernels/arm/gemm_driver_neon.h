/* kernels/arm/gemm_driver_neon.h - the loops around a register tile on AArch64.
 *
 * The including file defines before the include
 *     enum { MR, NR, G, S8 };       tile, values of k per group, s8 or float sums
 *     typedef ... el;               element of rows and panels
 *     static void tile(size_t groups, const el *a, const el *b, void *sums)   sums[MR][NR] = a . b
 * with a as [groups][MR][G] and b as [groups][NR][G]. Rows are padded to whole tiles with zeros.
 *
 * Prepared: m row scales (s8), one row of floats while it is prepared, then the tiles. */
#include "kernels/arm/gemm_rows_neon.h"
#include "kernels/template/math_template.h"

enum { K_ALIGN = 16 };

static size_t padded_k(size_t k)
{
    return (k + K_ALIGN - 1) / K_ALIGN * K_ALIGN;
}

/* Elements of one tile of rows. */
static size_t tile_elements(size_t k)
{
    return padded_k(k) * MR;
}

static size_t tiles_offset(size_t m, size_t k)
{
    return ws_align64(m * sizeof(float)) + ws_align64(padded_k(k) * sizeof(float));
}

static size_t prepared_bytes(size_t m, size_t k)
{
    return tiles_offset(m, k) + ws_panels(m, MR) * tile_elements(k) * sizeof(el);
}

static inline vf activate(wsam_act act, vf x)
{
    switch (act) {
    case WSAM_ACT_GELU:
        return vf_gelu(x);
    case WSAM_ACT_RELU:
        return vf_max(vf_set1(0.0f), x);
    case WSAM_ACT_SIGMOID:
        return vf_sigmoid(x);
    case WSAM_ACT_NONE:
        break;
    }
    return x;
}

/* Four columns from j on of row i: scale, bias, activation, residual. */
static inline void finish4(const wsam_epilogue *e, size_t i, size_t j, size_t columns, vf x,
                           float *c)
{
    if (e->bias)
        x = vf_add(x, ws_some(e->bias + j, columns));
    x = activate(e->act, x);
    if (e->residual)
        x = vf_add(x, ws_some(e->residual + i * e->ld_residual + j, columns));
    if (columns < WS_VL)
        vf_store_n(c, x, columns);
    else
        vf_store(c, x);
}

/* A row of a finished tile. */
static void finish_row(const wsam_epilogue *e, size_t i, size_t j, size_t columns, const void *sums,
                       float row_scale, const float *column_scale, float *c)
{
    for (size_t q = 0; q < columns; q += WS_VL) {
        vf x;
        if (S8)
            x = vf_mul(vcvtq_f32_s32(vld1q_s32((const int32_t *)sums + q)),
                       vf_mul(vf_set1(row_scale), vf_load(column_scale + q)));
        else
            x = vf_load((const float *)sums + q);
        finish4(e, i, j + q, columns - q, x, c + q);
    }
}

/* What one call of run works on. */
typedef struct product {
    size_t m, k, panel_bytes, scales; /* bytes before a panel's column scales */
    const char *prepared, *packed;
    const wsam_epilogue *epilogue;
    float *c;
    int32_t *c_s32; /* bare sums are wanted instead */
    size_t ldc;
} product;

static void run_tile(const product *p, size_t t, size_t j, size_t columns, const char *panel)
{
    _Alignas(16) int32_t sums[MR * NR];
    float scale[NR] = {0};
    const float *row_scale = (const float *)(const void *)p->prepared;
    const el *a = (const el *)(const void *)(p->prepared + tiles_offset(p->m, p->k)) +
                  t * tile_elements(p->k);
    tile(ws_groups(p->k, G), a, (const el *)(const void *)panel, sums);
    if (S8)
        memcpy(scale, panel + p->scales, sizeof scale);
    for (size_t i = t * MR; i < p->m && i < (t + 1) * MR; i++) {
        const int32_t *row = sums + (i - t * MR) * NR;
        if (p->c_s32)
            memcpy(p->c_s32 + i * p->ldc + j, row, columns * sizeof *row);
        else
            finish_row(p->epilogue, i, j, columns, row, S8 ? row_scale[i] : 1.0f, scale,
                       p->c + i * p->ldc + j);
    }
}

/* A panel stays in L1 while all tiles of rows pass it. */
static void run_product(const product *p, size_t n0, size_t n1)
{
    const size_t tiles = ws_panels(p->m, MR);
    for (size_t j = n0; j < n1; j += NR) {
        const char *panel = p->packed + j / NR * p->panel_bytes;
        for (size_t t = 0; t < tiles; t++)
            run_tile(p, t, j, n1 - j < NR ? n1 - j : NR, panel);
    }
}

static void run(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                const void *packed, const wsam_epilogue *epilogue, float *c, size_t ldc)
{
    const product p = {.m = m,
                       .k = k,
                       .panel_bytes = panel_bytes(k),
                       .scales = S8 ? ws_groups(k, G) * NR * G : 0,
                       .prepared = prepared,
                       .packed = packed,
                       .epilogue = epilogue,
                       .c = c,
                       .ldc = ldc};
    (void)n;
    run_product(&p, n0, n1);
}
