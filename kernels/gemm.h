/* kernels/gemm.h - what the GEMM family's files share.
 *
 * A packed weight is a row of panels of nr columns, each k-major: for every group of G consecutive
 * k the nr columns' G values. G is 1 for f32, 2 for bf16, 4 for dot-product instructions on s8, 2
 * for 16-bit multiply-add. K is padded to a multiple of G with zeros, columns to nr with zeros. An
 * s8 panel ends with the nr column scales (f32), and on levels whose instruction wants unsigned
 * rows with the nr sums -128 * sum_k w (s32). Panels start on 64-byte boundaries. */
#ifndef WS_KERNELS_GEMM_H
#define WS_KERNELS_GEMM_H

#include "base/error.h"
#include "kernels/vector.h"
#include "weaksam/kernels.h"

static inline size_t ws_panels(size_t n, size_t nr)
{
    return (n + nr - 1) / nr;
}

static inline size_t ws_groups(size_t k, size_t g)
{
    return (k + g - 1) / g;
}

/* Bytes from one panel of a packed weight to the next. packed_bytes may have more, once, behind the
 * last panel, where the tiles of AMX read a whole chunk. */
static inline size_t ws_gemm_panel_bytes(const wsam_gemm_kernel *kernel, size_t k)
{
    return kernel->packed_bytes(2 * kernel->nr, k) - kernel->packed_bytes(kernel->nr, k);
}

/* m rows are cut into as few tiles of at most mr rows as possible, of even height: 64 rows with mr
 * 14 are 13+13+13+13+12, not 14+14+14+14+8, as the cost of a step hardly falls with the height. */
static inline size_t ws_tiles(size_t m, size_t mr)
{
    return (m + mr - 1) / mr;
}

static inline size_t ws_tile_start(size_t m, size_t tiles, size_t t)
{
    const size_t base = m / tiles, taller = m % tiles;
    return t * base + (t < taller ? t : taller);
}

/* Weight [j][p] of a float weight in f32, whatever it is stored as. */
static inline float ws_weight_f32(wsam_type type, const void *weight, size_t at)
{
    return type == WSAM_BF16 ? ws_f32_from_bf16(((const uint16_t *)weight)[at])
                             : ((const float *)weight)[at];
}

/* Packs panels [p0, p1) of f32 values ([k][nr]); `round` drops what bf16 does not hold. */
void ws_pack_f32(size_t n, size_t k, size_t nr, wsam_type type, const void *weight, int round,
                 size_t p0, size_t p1, float *packed);
/* The same in bf16, groups of 2; a panel ends in zeros up to a multiple of k_step values of k. */
void ws_pack_bf16(size_t n, size_t k, size_t nr, size_t k_step, wsam_type type, const void *weight,
                  size_t p0, size_t p1, uint16_t *packed);
/* s8 in groups of g, then the scales, then (compensate) the -128 sums. */
size_t ws_packed_s8_panel(size_t k, size_t nr, size_t g, int compensate);
void ws_pack_s8(size_t n, size_t k, size_t nr, size_t g, int compensate, const void *weight,
                const float *scale, size_t p0, size_t p1, void *packed);

/* y = act(x + bias[j]) + residual for `count` elements of row i from column j on. */
void ws_gemm_epilogue_row_c(const wsam_epilogue *e, size_t i, size_t j, size_t count,
                            const float *x, float *y);

void ws_gemm_init_c(wsam_kernels *table);
#if defined(__x86_64__)
void ws_gemm_init_avx2(wsam_kernels *table);
void ws_gemm_init_s8_avx2(wsam_kernels *table);
void ws_gemm_init_avxvnni(wsam_kernels *table);
void ws_gemm_init_avx512(wsam_kernels *table);
void ws_gemm_init_s8_avx512(wsam_kernels *table);
void ws_gemm_init_avx512vnni(wsam_kernels *table);
void ws_gemm_init_avx512bf16(wsam_kernels *table);
void ws_gemm_init_s8_amx(wsam_kernels *table);
void ws_gemm_init_bf16_amx(wsam_kernels *table);
#elif defined(__aarch64__)
void ws_gemm_init_neon(wsam_kernels *table);
void ws_gemm_init_s8_neon(wsam_kernels *table);
void ws_gemm_init_dotprod(wsam_kernels *table);
void ws_gemm_init_s8_i8mm(wsam_kernels *table);
void ws_gemm_init_bf16_i8mm(wsam_kernels *table);
#endif

#endif
