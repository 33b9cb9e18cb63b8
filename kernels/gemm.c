/* kernels/gemm.c - the GEMM family's table: which kernel runs at which level. */
#include "kernels/gemm.h"

#include "kernels/cpu.h"

void ws_gemm_init(wsam_kernels *table, unsigned features)
{
    ws_gemm_init_c(table);
#if defined(__x86_64__)
    if (features & WS_CPU_AVX2) {
        ws_gemm_init_avx2(table);    /* f32 6x16, bf16 on f32 arithmetic */
        ws_gemm_init_s8_avx2(table); /* s8 6x16, 16-bit multiply-add */
    }
    if (features & WS_CPU_AVXVNNI)
        ws_gemm_init_avxvnni(table); /* s8 6x16 */
    if (features & WS_CPU_AVX512) {
        ws_gemm_init_avx512(table);    /* f32 14x32, bf16 on f32 arithmetic */
        ws_gemm_init_s8_avx512(table); /* s8 12x32, sign transfer */
    }
    if (features & WS_CPU_AVX512VNNI)
        ws_gemm_init_avx512vnni(table); /* s8 14x32 */
    if (features & WS_CPU_AVX512BF16)
        ws_gemm_init_avx512bf16(table); /* bf16 14x32 */
#if defined(WS_AMX)
    if (features & WS_CPU_AMX) {
        ws_gemm_init_s8_amx(table);   /* s8 32x32 in tiles; few rows as above */
        ws_gemm_init_bf16_amx(table); /* bf16 32x32 in tiles */
    }
#endif
#elif defined(__aarch64__)
    if (features & WS_CPU_NEON) {
        ws_gemm_init_neon(table);    /* f32 8x12, bf16 on f32 arithmetic */
        ws_gemm_init_s8_neon(table); /* s8 4x4, widening multiplies */
    }
    if (features & WS_CPU_DOTPROD)
        ws_gemm_init_dotprod(table); /* s8 8x12 */
    if (features & WS_CPU_I8MM) {
        ws_gemm_init_s8_i8mm(table);   /* s8 8x12 */
        ws_gemm_init_bf16_i8mm(table); /* bf16 8x12 */
    }
#endif
    (void)features;
}
