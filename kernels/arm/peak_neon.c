/* kernels/arm/peak_neon.c - register loops of the AArch64 base instructions. */
#include "kernels/peak.h"

#include <arm_neon.h>

double ws_peak_f32_neon(size_t count)
{
    float32x4_t x[WS_PEAK_CHAINS], a = vdupq_n_f32(0.999f), b = vdupq_n_f32(0.5f);
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = vdupq_n_f32((float)j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            float32x4_t sum = vfmaq_f32(x[j], a, b);
            __asm__ volatile("" : "+w"(sum));
            x[j] = sum;
        }
    return 2.0 * 4 * WS_PEAK_CHAINS * (double)count;
}

/* The exact s8 sequence: widening multiplies of both halves into s16, pairwise added into s32. */
double ws_peak_s8_neon(size_t count)
{
    int32x4_t x[WS_PEAK_CHAINS];
    int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = vdupq_n_s32(j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            __asm__ volatile("" : "+w"(a));
            const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
            int32x4_t sum = vpadalq_s16(x[j], vmlal_high_s8(low, a, b));
            __asm__ volatile("" : "+w"(sum));
            x[j] = sum;
        }
    return 2.0 * 16 * WS_PEAK_CHAINS * (double)count;
}
