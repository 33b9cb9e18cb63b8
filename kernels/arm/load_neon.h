/* kernels/arm/load_neon.h - a vector load that stays where it is written.
 *
 * gcc joins neighbouring loads into ldp and spreads them between the multiplies. In-order cores pay
 * for both: on Cortex-A55 an ldp of two vectors holds the load unit for 6 cycles, and behind a
 * multiply a load waits until its result is written. A volatile read is neither joined nor moved
 * over another one. */
#ifndef WS_KERNELS_ARM_LOAD_NEON_H
#define WS_KERNELS_ARM_LOAD_NEON_H

#include <arm_neon.h>

static inline int8x16_t ws_load_s8_here(const int8_t *p)
{
    return *(const volatile int8x16_t *)(const void *)p;
}

#endif
