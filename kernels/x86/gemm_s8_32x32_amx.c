/* kernels/x86/gemm_s8_32x32_amx.c - the s8 product with tdpbssd, and with vpdpbusd for few rows.
 *
 * The instruction multiplies signed by signed bytes, so that rows are quantized without an offset;
 * panels are those of the level below with the start of its sums, which is not read. Few rows use
 * few of a tile's 16: a tile's product of h rows is worth h of 16 parts of 2048 operations a cycle
 * against 256, but waits for B as much as the vectors do. The sums are the same bits either way. */
#include "kernels/x86/gemm_rows_avx512.h"

enum { MR = 16, NR = 32, S8 = 1, UNSIGNED_ROWS = 0, COMPENSATED = 1 };
#define TILE_DOT(sum, a, b) tile_dot_s8(sum, a, b)

#include "kernels/x86/gemm_driver_amx.h"
#include "kernels/x86/gemm_s8_avx512.h"

/* Fewer rows than this are the level's below. Not timed: see bench/amx_ratios.sh. */
enum { FEWEST_ROWS = 8 };

static wsam_gemm_kernel few; /* of the level below */

/* The last panel's last chunk is read as a whole one. */
static size_t packed_bytes_whole(size_t n, size_t k)
{
    return packed_bytes(n, k) + (WS_CHUNK - 1) * NR * sizeof(int32_t);
}

/* The last tile's rows are read as 16. */
static size_t prepared_bytes_whole(size_t m, size_t k)
{
    if (m < FEWEST_ROWS)
        return few.prepared_bytes(m, k);
    return prepared_bytes(m, k) + (MR - 1) * WS_CHUNK * sizeof(int32_t);
}

static void prepare_some(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    (m < FEWEST_ROWS ? few.prepare : prepare)(m, k, rows, prepared);
}

static void prepare_some_narrow(size_t m, size_t k, const uint16_t *rows, size_t ld, void *prepared)
{
    (m < FEWEST_ROWS ? few.prepare_narrow : prepare_narrow)(m, k, rows, ld, prepared);
}

static void prepare_row_of_some(size_t m, size_t k, size_t i, size_t n, const float *x, size_t ldx,
                                void *prepared, size_t bytes)
{
    (m < FEWEST_ROWS ? few.prepare_row : prepare_row_of_each)(m, k, i, n, x, ldx, prepared, bytes);
}

static void run_some_narrow(size_t m, size_t n, size_t k, size_t n0, size_t n1,
                            const void *prepared, const void *packed, const wsam_epilogue *epilogue,
                            const wsam_narrow_result *result)
{
    (m < FEWEST_ROWS ? few.run_narrow : run_narrow)(m, n, k, n0, n1, prepared, packed, epilogue,
                                                    result);
}

static void run_some(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                     const void *packed, const wsam_epilogue *epilogue, float *c, size_t ldc)
{
    (m < FEWEST_ROWS ? few.run : run)(m, n, k, n0, n1, prepared, packed, epilogue, c, ldc);
}

static void run_some_s32(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                         const void *packed, int32_t *c, size_t ldc)
{
    (m < FEWEST_ROWS ? few.run_s32 : run_s32)(m, n, k, n0, n1, prepared, packed, c, ldc);
}

void ws_gemm_init_s8_amx(wsam_kernels *table)
{
    few = table->gemm_s8;
    table->gemm_s8 = s8_kernel("gemm_s8_32x32_amx");
    table->gemm_s8.packed_bytes = packed_bytes_whole;
    table->gemm_s8.prepared_bytes = prepared_bytes_whole;
    table->gemm_s8.prepare = prepare_some;
    table->gemm_s8.run = run_some;
    table->gemm_s8.prepare_narrow = prepare_some_narrow;
    table->gemm_s8.prepare_row = prepare_row_of_some;
    table->gemm_s8.run_narrow = run_some_narrow;
    table->gemm_s8.run_s32 = run_some_s32;
}
