/* kernels/float_scope.c - how tasks round: see wsam_float_enter in kernels.h. */
#include "weaksam/kernels.h"

uint64_t wsam_float_enter(void)
{
#if defined(__x86_64__)
    const uint64_t saved = __builtin_ia32_stmxcsr();
    uint16_t x87; /* printf and strtod go by its rounding */
    const uint16_t usual = 0x37f;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    __builtin_ia32_ldmxcsr(0x9fc0); /* FTZ, DAZ, all exceptions masked, round to nearest */
    __asm__ volatile("fldcw %0" : : "m"(usual));
    return saved | (uint64_t)x87 << 32;
#elif defined(__aarch64__)
    uint64_t saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)1 << 24)); /* FZ, no traps, to nearest */
    return saved;
#else
    return 0;
#endif
}

void wsam_float_restore(uint64_t saved)
{
#if defined(__x86_64__)
    const uint16_t x87 = (uint16_t)(saved >> 32);
    __builtin_ia32_ldmxcsr((uint32_t)saved);
    __asm__ volatile("fldcw %0" : : "m"(x87));
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(saved));
#else
    (void)saved;
#endif
}
