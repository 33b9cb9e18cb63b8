/* kernels/gemm_pack.c - weights into panels. Runs once per weight when a graph is lowered, so plain
 * C. */
#include <string.h>

#include "kernels/gemm.h"

void ws_pack_f32(size_t n, size_t k, size_t nr, wsam_type type, const void *weight, int round,
                 size_t p0, size_t p1, float *packed)
{
    const size_t panel = ws_align64(k * nr * sizeof(float)) / sizeof(float);
    for (size_t q = p0; q < p1; q++) {
        float *to = packed + q * panel;
        for (size_t c = 0; c < nr; c++) {
            const size_t j = q * nr + c;
            for (size_t p = 0; p < k; p++) {
                const float w = j < n ? ws_weight_f32(type, weight, j * k + p) : 0.0f;
                to[p * nr + c] = round ? ws_f32_from_bf16(ws_bf16_from_f32(w)) : w;
            }
        }
    }
}

void ws_pack_bf16(size_t n, size_t k, size_t nr, wsam_type type, const void *weight, size_t p0,
                  size_t p1, uint16_t *packed)
{
    const size_t groups = ws_groups(k, 2);
    const size_t panel = ws_align64(groups * 2 * nr * sizeof(uint16_t)) / sizeof(uint16_t);
    for (size_t q = p0; q < p1; q++) {
        uint16_t *to = packed + q * panel;
        for (size_t c = 0; c < nr; c++) {
            const size_t j = q * nr + c;
            for (size_t p = 0; p < groups * 2; p++) {
                const float w = j < n && p < k ? ws_weight_f32(type, weight, j * k + p) : 0.0f;
                to[(p / 2 * nr + c) * 2 + p % 2] = ws_bf16_from_f32(w);
            }
        }
    }
}

size_t ws_packed_s8_panel(size_t k, size_t nr, size_t g, int compensate)
{
    return ws_align64(ws_groups(k, g) * g * nr + nr * sizeof(float) * (compensate ? 2 : 1));
}

void ws_pack_s8(size_t n, size_t k, size_t nr, size_t g, int compensate, const void *weight,
                const float *scale, size_t p0, size_t p1, void *packed)
{
    const size_t groups = ws_groups(k, g), panel = ws_packed_s8_panel(k, nr, g, compensate);
    const int8_t *w = weight;
    for (size_t q = p0; q < p1; q++) {
        int8_t *to = (int8_t *)packed + q * panel;
        memset(to, 0, panel);
        for (size_t c = 0; c < nr && q * nr + c < n; c++) {
            const size_t j = q * nr + c;
            int32_t sum = 0;
            for (size_t p = 0; p < k; p++) {
                to[(p / g * nr + c) * g + p % g] = w[j * k + p];
                sum += w[j * k + p];
            }
            int8_t *tail = to + groups * g * nr;
            memcpy(tail + c * sizeof(float), &scale[j], sizeof(float));
            sum *= -128;
            if (compensate)
                memcpy(tail + (nr + c) * sizeof(float), &sum, sizeof sum);
        }
    }
}
