/* kernels/gemm_c.c - the C versions of the products: the specification of every other one. */
#include <math.h>
#include <string.h>

#include "kernels/gemm.h"

/* Columns per panel: what a compiler turns into two vectors of the base instruction set (SSE2,
 * NEON). */
enum { NR = 8 };

/* The order is part of the specification: bias, activation, residual. */
void ws_gemm_epilogue_row_c(const wsam_epilogue *e, size_t i, size_t j, size_t count,
                            const float *x, float *y)
{
    for (size_t c = 0; c < count; c++) {
        float v = x[c] + (e->bias ? e->bias[j + c] : 0.0f);
        v = ws_vector_act_c(e->act, v);
        if (e->residual)
            v += e->residual[i * e->ld_residual + j + c];
        y[c] = v;
    }
}

/* Row i as the product sees it: add, then LayerNorm. */
static void load_row(const wsam_rows *rows, size_t i, size_t k, float *to)
{
    const float *from = rows->data + i * rows->ld;
    for (size_t p = 0; p < k; p++)
        to[p] = rows->add ? from[p] + rows->add[i * rows->ld_add + p] : from[p];
    if (rows->norm_weight)
        ws_vector_layer_norm_c(k, to, rows->norm_weight, rows->norm_bias, rows->norm_eps, to);
}

/* ---- f32, and bf16 as f32 arithmetic on rounded operands ---- */

/* Panels start at lines of 64 bytes, for the vector levels; the C version keeps to the same
 * layout. */
static size_t packed_bytes_f32(size_t n, size_t k)
{
    return ws_panels(n, NR) * ws_align64(k * NR * sizeof(float));
}

static void pack_f32(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                     size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_f32(n, k, NR, type, weight, 0, p0, p1, packed);
}

static void pack_bf16(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                      size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_f32(n, k, NR, type, weight, 1, p0, p1, packed);
}

static size_t prepared_bytes_f32(size_t m, size_t k)
{
    return m * k * sizeof(float);
}

static void prepare_f32(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    for (size_t i = 0; i < m; i++)
        load_row(rows, i, k, (float *)prepared + i * k);
}

static void prepare_bf16(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    float *to = prepared;
    prepare_f32(m, k, rows, prepared);
    for (size_t i = 0; i < m * k; i++)
        to[i] = ws_f32_from_bf16(ws_bf16_from_f32(to[i]));
}

/* One chain of k additions per result, in the order of k: every other level is compared with this
 * within a bound that grows with sqrt(k). */
static void run_f32(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                    const void *packed, const wsam_epilogue *epilogue, float *c, size_t ldc)
{
    const float *a = prepared;
    const size_t panel = ws_align64(k * NR * sizeof(float)) / sizeof(float);
    (void)n;
    for (size_t j = n0; j < n1; j += NR) {
        const float *b = (const float *)packed + j / NR * panel;
        const size_t columns = n1 - j < NR ? n1 - j : NR;
        for (size_t i = 0; i < m; i++) {
            float sum[NR] = {0};
            for (size_t p = 0; p < k; p++)
                for (size_t q = 0; q < NR; q++)
                    sum[q] += a[i * k + p] * b[p * NR + q];
            ws_gemm_epilogue_row_c(epilogue, i, j, columns, sum, c + i * ldc + j);
        }
    }
}

/* ---- s8: prepared = m row scales (padded to 64 bytes), then the rows ---- */

static size_t packed_bytes_s8(size_t n, size_t k)
{
    return ws_panels(n, NR) * ws_packed_s8_panel(k, NR, 1, 0);
}

static void pack_s8(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                    size_t p0, size_t p1, void *packed)
{
    (void)type;
    ws_pack_s8(n, k, NR, 1, 0, weight, scale, p0, p1, packed);
}

static size_t prepared_bytes_s8(size_t m, size_t k)
{
    return ws_align64(m * sizeof(float)) + ws_align64(k * sizeof(float)) + m * k;
}

/* The row's f32 values live behind the scales while they are quantized. */
static void prepare_s8(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    float *scales = prepared;
    float *row = (float *)(void *)((char *)prepared + ws_align64(m * sizeof(float)));
    int8_t *q = (int8_t *)row + ws_align64(k * sizeof(float));
    for (size_t i = 0; i < m; i++) {
        float top = 0.0f;
        load_row(rows, i, k, row);
        /* NaN becomes the top and with it the row's scale: the whole row of results is NaN, as it
         * is in f32. */
        for (size_t p = 0; p < k; p++) {
            const float a = fabsf(row[p]);
            top = a > top || isnan(a) ? a : top;
        }
        const float inverse = ws_quant_inverse(top, &scales[i]);
        for (size_t p = 0; p < k; p++)
            q[i * k + p] = isnan(row[p] * inverse) ? 0 : (int8_t)lrintf(row[p] * inverse);
    }
}

/* Exact: k products of at most 127 x 127 stay below 2^31 up to k = 133 000. */
static int32_t sum_s8(const int8_t *a, const int8_t *b, size_t k, size_t column)
{
    int32_t sum = 0;
    for (size_t p = 0; p < k; p++)
        sum += a[p] * b[p * NR + column];
    return sum;
}

/* The bare sums: equal on every level, which the tests compare bit by bit. */
static void run_s32(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                    const void *packed, int32_t *c, size_t ldc)
{
    const int8_t *a =
        (const int8_t *)prepared + ws_align64(m * sizeof(float)) + ws_align64(k * sizeof(float));
    const size_t panel = ws_packed_s8_panel(k, NR, 1, 0);
    (void)n;
    for (size_t j = n0; j < n1; j++) {
        const int8_t *b = (const int8_t *)packed + j / NR * panel;
        for (size_t i = 0; i < m; i++)
            c[i * ldc + j] = sum_s8(a + i * k, b, k, j % NR);
    }
}

static void run_s8(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                   const void *packed, const wsam_epilogue *epilogue, float *c, size_t ldc)
{
    const float *row_scale = prepared;
    const int8_t *a =
        (const int8_t *)prepared + ws_align64(m * sizeof(float)) + ws_align64(k * sizeof(float));
    const size_t panel = ws_packed_s8_panel(k, NR, 1, 0);
    (void)n;
    for (size_t j = n0; j < n1; j++) {
        const int8_t *b = (const int8_t *)packed + j / NR * panel;
        float column_scale;
        memcpy(&column_scale, b + k * NR + j % NR * sizeof(float), sizeof column_scale);
        for (size_t i = 0; i < m; i++) {
            /* The scales are multiplied with one another first, here and on every level: the same
             * rounding. */
            const float x = (float)sum_s8(a + i * k, b, k, j % NR) * (row_scale[i] * column_scale);
            ws_gemm_epilogue_row_c(epilogue, i, j, 1, &x, c + i * ldc + j);
        }
    }
}

void ws_gemm_init_c(wsam_kernels *table)
{
    table->gemm_f32 = (wsam_gemm_kernel){.name = "gemm_f32_1x8_c",
                                         .nr = NR,
                                         .rows = 64,
                                         .packed_bytes = packed_bytes_f32,
                                         .pack = pack_f32,
                                         .prepared_bytes = prepared_bytes_f32,
                                         .prepare = prepare_f32,
                                         .run = run_f32};
    table->gemm_bf16 = table->gemm_f32;
    table->gemm_bf16.name = "gemm_bf16_1x8_c";
    table->gemm_bf16.pack = pack_bf16;
    table->gemm_bf16.prepare = prepare_bf16;
    table->gemm_s8 = (wsam_gemm_kernel){.name = "gemm_s8_1x8_c",
                                        .nr = NR,
                                        .rows = 64,
                                        .packed_bytes = packed_bytes_s8,
                                        .pack = pack_s8,
                                        .prepared_bytes = prepared_bytes_s8,
                                        .prepare = prepare_s8,
                                        .run = run_s8,
                                        .run_s32 = run_s32};
}
