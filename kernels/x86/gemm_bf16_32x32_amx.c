/* kernels/x86/gemm_bf16_32x32_amx.c - the bf16 product with tdpbf16ps.
 *
 * For few rows, too: a single row's tile products run at the rate of f32 vectors, and read half of
 * their bytes. Which kernel a product takes then never depends on how many prompts share it, as its
 * last bits must not. */
#include "kernels/x86/gemm_rows_avx512.h"

enum { MR = 16, NR = 32, S8 = 0, K_STEP = 2 * WS_CHUNK, STRANGE_ROWS = MR - 1 };
#define TILE_DOT(sum, a, b) tile_dot_bf16(sum, a, b)

#include "kernels/x86/gemm_driver_amx.h"

#include "kernels/x86/gemm_bf16_avx512.h"

void ws_gemm_init_bf16_amx(wsam_kernels *table)
{
    table->gemm_bf16 = bf16_kernel("gemm_bf16_32x32_amx");
}
