/* kernels/peak.h - the rate of a level's multiply instructions in a register loop: the ceiling that
 * the kernels' rates are compared with, measured in the same run. */
#ifndef WS_KERNELS_PEAK_H
#define WS_KERNELS_PEAK_H

#include <stddef.h>

typedef enum ws_peak_type { WS_PEAK_F32 = 0, WS_PEAK_BF16 = 1, WS_PEAK_S8 = 2 } ws_peak_type;

/* Does `count` rounds; returns the operations (a multiply-add counts as two). */
typedef double (*ws_peak_loop)(size_t count);

/* NULL for an unknown level. bf16 without its instruction is f32 arithmetic; s8 without one is the
 * level's exact multiply-add sequence. The machine must support the level. */
ws_peak_loop ws_peak_loop_of(const char *isa, ws_peak_type type);

double ws_peak_f32_c(size_t count);
double ws_peak_s8_c(size_t count);
double ws_peak_f32_avx2(size_t count);
double ws_peak_s8_avx2(size_t count);
double ws_peak_s8_avxvnni(size_t count);
double ws_peak_f32_avx512(size_t count);
double ws_peak_s8_avx512(size_t count);
double ws_peak_s8_avx512vnni(size_t count);
double ws_peak_bf16_avx512bf16(size_t count);
double ws_peak_s8_amx(size_t count);
double ws_peak_bf16_amx(size_t count);
double ws_peak_f32_neon(size_t count);
double ws_peak_s8_neon(size_t count);
double ws_peak_s8_dotprod(size_t count);
double ws_peak_s8_i8mm(size_t count);
double ws_peak_bf16_i8mm(size_t count);

/* Independent accumulators: enough for every latency x throughput product met so far (Zen 5: 4
 * cycles x 2 = 8, Neoverse V1: 4 x 4 = 16), within 16 registers on AVX2. */
enum { WS_PEAK_CHAINS = 12 };

#endif
