/* kernels/arm/peak_dotprod.c - sdot. */
#include "kernels/peak.h"

#include <arm_neon.h>

double ws_peak_s8_dotprod(size_t count)
{
    int32x4_t x[WS_PEAK_CHAINS];
    const int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
    for (int j = 0; j < WS_PEAK_CHAINS; j++)
        x[j] = vdupq_n_s32(j);
    for (size_t i = 0; i < count; i++)
#pragma GCC unroll 12
        for (int j = 0; j < WS_PEAK_CHAINS; j++) {
            int32x4_t sum = vdotq_s32(x[j], a, b);
            __asm__ volatile("" : "+w"(sum));
            x[j] = sum;
        }
    return 2.0 * 16 * WS_PEAK_CHAINS * (double)count;
}
