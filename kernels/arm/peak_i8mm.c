/* kernels/arm/peak_i8mm.c - smmla and bfmmla: each a 2x2 block of dot products over 8 or 4 values. */
#include "kernels/peak.h"

#include <arm_neon.h>

double ws_peak_s8_i8mm(size_t count)
{
    int32x4_t x[WS_PEAK_CHAINS];
    const int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = vdupq_n_s32(j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            int32x4_t sum = vmmlaq_s32(x[j], a, b);
            __asm__ volatile("" : "+w"(sum));
            x[j] = sum;
        }
    return 2.0 * 32 * WS_PEAK_CHAINS * (double)count;
}

double ws_peak_bf16_i8mm(size_t count)
{
    float32x4_t x[WS_PEAK_CHAINS];
    unsigned half = 0x3f00; /* 0.5; hidden, as gcc 12 makes it an fmov that needs fp16 */
    __asm__ volatile("" : "+r"(half));
    const bfloat16x8_t a = vreinterpretq_bf16_u16(vdupq_n_u16((uint16_t)half));
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = vdupq_n_f32((float)j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            float32x4_t sum = vbfmmlaq_f32(x[j], a, a);
            __asm__ volatile("" : "+w"(sum));
            x[j] = sum;
        }
    return 2.0 * 16 * WS_PEAK_CHAINS * (double)count;
}
