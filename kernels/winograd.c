/* kernels/winograd.c - the C version of Winograd's transforms: the template on single floats. */
#include "kernels/winograd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/vector.h"

enum { WS_VL = 1 };
typedef float vf;

static inline vf vf_set1(float x)
{
    return x;
}

static inline vf vf_load(const float *p)
{
    return *p;
}

static inline void vf_store(float *p, vf v)
{
    *p = v;
}

static inline vf vf_load_n(const float *p, size_t n)
{
    return n ? *p : 0.0f;
}

static inline void vf_store_n(float *p, vf v, size_t n)
{
    if (n)
        *p = v;
}

static inline vf vf_from_bf16(const uint16_t *p)
{
    return ws_f32_from_bf16(*p);
}

static inline void vf_to_bf16(uint16_t *p, vf v)
{
    *p = ws_bf16_from_f32(v);
}

static inline vf vf_add(vf a, vf b)
{
    return a + b;
}

static inline vf vf_sub(vf a, vf b)
{
    return a - b;
}

static inline vf vf_mul(vf a, vf b)
{
    return a * b;
}

static inline vf winograd_act(wsam_act act, vf v)
{
    return ws_vector_act_c(act, v);
}

#include "kernels/template/winograd_template.h"

const ws_winograd_kernels *ws_winograd_of(const wsam_kernels *table)
{
    static const ws_winograd_kernels plain = {winograd_in, winograd_out};
    static const struct {
        const char *conv;
        const ws_winograd_kernels *kernels;
    } levels[] = {
#if defined(__x86_64__)
        {"conv_avx2", &ws_winograd_avx2},
        {"conv_avx512", &ws_winograd_avx512},
#elif defined(__aarch64__)
        {"conv_neon", &ws_winograd_neon},
#endif
        {"conv_c", &plain}
    };
    size_t i = 0;
    while (i + 1 < sizeof levels / sizeof levels[0] &&
           strcmp(levels[i].conv, table->conv.name) != 0)
        i++;
    return levels[i].kernels;
}

/* One dimension of a point of side 4: 1, p, p^2 over the product of p's distances from the others. */
static void taps_of_4(int point, double tap[3])
{
    static const double at[5] = {0.0, (double)WS_WINOGRAD_A, -(double)WS_WINOGRAD_A,
                                 (double)WS_WINOGRAD_B, -(double)WS_WINOGRAD_B};
    double distances = 1.0;
    for (int i = 0; i < 5; i++)
        distances *= point < 5 && i != point ? at[point] - at[i] : 1.0;
    for (int i = 0; i < 3; i++)
        tap[i] = point == 5 ? (double)(i == 2) : pow(at[point], i) / distances;
}

static void taps_of_2(int point, double tap[3])
{
    static const double g[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    memcpy(tap, g[point], sizeof g[point]);
}

/* The factors of a point for the 9 taps of a weight. */
static void factors_of(int side, int point, double factor[9])
{
    double down[3], across[3];
    (side == 4 ? taps_of_4 : taps_of_2)(point / (side + 2), down);
    (side == 4 ? taps_of_4 : taps_of_2)(point % (side + 2), across);
    for (int i = 0; i < 9; i++)
        factor[i] = down[i / 3] * across[i % 3];
}

void ws_winograd_weight(int side, size_t n, size_t c, const float *weight, int point, float *out)
{
    double factor[9];
    factors_of(side, point, factor);
    for (size_t j = 0; j < n; j++)
        for (size_t ch = 0; ch < c; ch++) {
            double sum = 0.0;
            for (int i = 0; i < 9; i++)
                sum += factor[i] * (double)weight[(9 * j + (size_t)i) * c + ch];
            out[j * c + ch] = (float)sum;
        }
}

static double sum_of(const int8_t *weight, size_t c, const double factor[9])
{
    double sum = 0.0;
    for (size_t i = 0; i < 9; i++)
        sum += factor[i] * weight[i * c];
    return sum;
}

void ws_winograd_weight_s8(int side, size_t n, size_t c, const int8_t *weight, const float *scale,
                           int point, int8_t *out, float *out_scale)
{
    double factor[9];
    factors_of(side, point, factor);
    for (size_t j = 0; j < n; j++, weight += 9 * c, out += c) {
        double top = 0.0;
        /* not fmax, which ends gcc 12 for AArch64 with an internal error */
        for (size_t ch = 0; ch < c; ch++) {
            const double value = fabs(sum_of(weight + ch, c, factor));
            top = value > top ? value : top;
        }
        for (size_t ch = 0; ch < c; ch++)
            out[ch] =
                top > 0.0 ? (int8_t)lrint(sum_of(weight + ch, c, factor) * 127.0 / top) : (int8_t)0;
        out_scale[j] = (float)((double)scale[j] * top / 127.0);
    }
}
