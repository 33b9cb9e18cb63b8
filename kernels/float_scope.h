/* kernels/float_scope.h - results that do not depend on how the calling program rounds.
 *
 * WS_FLOAT_SCOPE; as the first line of a public function: until it returns, this thread rounds to
 * nearest and no floating-point exception traps; then the caller's mode is back. Whether denormals
 * count as zero stays as it is (wsam_float_enter decides that for tasks). */
#ifndef WS_KERNELS_FLOAT_SCOPE_H
#define WS_KERNELS_FLOAT_SCOPE_H

#include <stdint.h>

static inline uint64_t ws_float_scope_begin(void)
{
#if defined(__x86_64__)
    enum { DENORMALS = 0x8040, MASKED = 0x1f80, USUAL = 0x37f };
    const uint32_t saved = __builtin_ia32_stmxcsr();
    const uint16_t usual = USUAL; /* of the x87: printf and strtod round as it says */
    uint16_t x87;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    if (x87 != usual)
        __asm__ volatile("fldcw %0" : : "m"(usual));
    if (((saved ^ MASKED) & 0x7f80) != 0)
        __builtin_ia32_ldmxcsr((saved & DENORMALS) | MASKED);
    return saved | (uint64_t)x87 << 32;
#elif defined(__aarch64__)
    const uint64_t denormals = (uint64_t)1 << 24;
    uint64_t saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    if (saved & ~denormals)
        __asm__ volatile("msr fpcr, %0" : : "r"(saved & denormals));
    return saved;
#else
    return 0;
#endif
}

static inline void ws_float_scope_end(const uint64_t *saved)
{
#if defined(__x86_64__)
    const uint16_t x87 = (uint16_t)(*saved >> 32);
    if (x87 != 0x37f)
        __asm__ volatile("fldcw %0" : : "m"(x87));
    if ((((uint32_t)*saved ^ 0x1f80) & 0x7f80) != 0)
        __builtin_ia32_ldmxcsr((uint32_t)*saved);
#elif defined(__aarch64__)
    if (*saved & ~((uint64_t)1 << 24))
        __asm__ volatile("msr fpcr, %0" : : "r"(*saved));
#else
    (void)saved;
#endif
}

#define WS_FLOAT_SCOPE                                                                             \
    const uint64_t ws_float_saved __attribute__((cleanup(ws_float_scope_end), unused)) =           \
        ws_float_scope_begin()

#endif
