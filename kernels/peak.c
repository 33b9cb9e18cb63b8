/* kernels/peak.c - the register loops by level. */
#include "kernels/peak.h"

#include <string.h>

typedef struct peak_level {
    const char *isa;
    ws_peak_loop loops[3]; /* by ws_peak_type */
} peak_level;

static const peak_level levels[] = {
    {"c", {ws_peak_f32_c, ws_peak_f32_c, ws_peak_s8_c}},
#if defined(__x86_64__)
    {"avx2", {ws_peak_f32_avx2, ws_peak_f32_avx2, ws_peak_s8_avx2}},
    {"avxvnni", {ws_peak_f32_avx2, ws_peak_f32_avx2, ws_peak_s8_avxvnni}},
    {"avx512", {ws_peak_f32_avx512, ws_peak_f32_avx512, ws_peak_s8_avx512}},
    {"avx512vnni", {ws_peak_f32_avx512, ws_peak_f32_avx512, ws_peak_s8_avx512vnni}},
    {"avx512bf16", {ws_peak_f32_avx512, ws_peak_bf16_avx512bf16, ws_peak_s8_avx512vnni}},
#if defined(WS_AMX)
    {"amx", {ws_peak_f32_avx512, ws_peak_bf16_amx, ws_peak_s8_amx}},
#endif
#elif defined(__aarch64__)
    {"neon", {ws_peak_f32_neon, ws_peak_f32_neon, ws_peak_s8_neon}},
    {"dotprod", {ws_peak_f32_neon, ws_peak_f32_neon, ws_peak_s8_dotprod}},
    {"i8mm", {ws_peak_f32_neon, ws_peak_bf16_i8mm, ws_peak_s8_i8mm}},
#endif
};

/* Four lanes of multiply and add: what a compiler makes of C on the base instruction set. */
double ws_peak_f32_c(size_t count)
{
    enum { N = 4 * WS_PEAK_CHAINS };
    float x[N];
    for (int j = 0; j < N; j++)
        x[j] = (float)j;
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < N; j++)
            x[j] = x[j] * 0.999f + 0.5f;
    /* The sums are looked at, or the loop would go. */
    volatile float keep = 0.0f;
    for (int j = 0; j < N; j++)
        keep = keep + x[j];
    return 2.0 * N * (double)count;
}

/* The base instruction set has no byte products: what the compiler makes of the widest loop. */
double ws_peak_s8_c(size_t count)
{
    enum { N = 64 };
    signed char a[N], b[N];
    int sum = 0;
    for (int j = 0; j < N; j++)
        a[j] = (signed char)j, b[j] = (signed char)(j - 32);
    for (size_t i = 0; i < count; i++) {
        a[i % N] = (signed char)i;
        for (int j = 0; j < N; j++)
            sum += a[j] * b[j];
    }
    volatile int keep = sum;
    (void)keep;
    return 2.0 * N * (double)count;
}

ws_peak_loop ws_peak_loop_of(const char *isa, ws_peak_type type)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(levels[i].isa, isa) == 0)
            return levels[i].loops[type];
    return NULL;
}
