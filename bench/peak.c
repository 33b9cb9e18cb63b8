/* bench/peak.c - picks and times the register loops. */
#include "bench/peak.h"
#include "base/clock.h"

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
    volatile float keep = 0.0f;
    for (int j = 0; j < N; j++)
        keep = keep + x[j];
    return 2.0 * N * (double)count;
}

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

/* The rate of one run in which every thread does `count` rounds. */
static double rate(ws_peak_loop loop, size_t count, int threads)
{
    double ops = 0.0;
    const double start = ws_clock();
#pragma omp parallel for num_threads(threads) schedule(static, 1) reduction(+ : ops)
    for (int i = 0; i < threads; i++)
        ops += loop(count);
    return ops / (ws_clock() - start) * 1e-9;
}

double ws_peak_gops(const char *isa, ws_peak_type type, int threads)
{
    enum { RUNS = 25 };
    const double run_seconds = 5e-3;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(levels[i].isa, isa) != 0)
            continue;
        const ws_peak_loop loop = levels[i].loops[type];
        const size_t probe = 20000;
        const double start = ws_clock();
        loop(probe);
        const double per_round = (ws_clock() - start) / (double)probe;
        const size_t count = (size_t)(run_seconds / per_round) + 1;
        double best = 0.0;
        for (int run = 0; run < RUNS; run++) {
            const double r = rate(loop, count, threads);
            best = r > best ? r : best;
        }
        return best;
    }
    return 0.0;
}
