/* kernels/winograd.c - the C version of Winograd's transforms: the template on single floats. */
#include "kernels/winograd.h"

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

void ws_winograd_weight(size_t n, size_t c, const float *weight, int point, float *out)
{
    static const double g[6][3] = {{1.0 / 4, 0, 0},
                                   {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                   {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                   {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                   {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                   {0, 0, 1}};
    const double *row = g[point / 6], *column = g[point % 6];
    for (size_t j = 0; j < n; j++)
        for (size_t ch = 0; ch < c; ch++) {
            double sum = 0.0;
            for (int i = 0; i < 9; i++)
                sum += row[i / 3] * column[i % 3] * (double)weight[(9 * j + (size_t)i) * c + ch];
            out[j * c + ch] = (float)sum;
        }
}
