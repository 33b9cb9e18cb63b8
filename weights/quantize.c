/* weights/quantize.c - see quantize.h. */
#include "weights/quantize.h"

#include <math.h>

#include "kernels/vector.h"

void ws_quantize_s8(size_t rows, size_t k, const float *w, int8_t *q, float *scale)
{
    for (size_t i = 0; i < rows; i++, w += k, q += k) {
        float top = 0.0f;
        for (size_t p = 0; p < k; p++)
            top = fmaxf(top, fabsf(w[p]));
        scale[i] = top > 1e-30f ? top / 127.0f : 0.0f;
        for (size_t p = 0; p < k; p++) {
            const long v = scale[i] > 0.0f ? lrint((double)w[p] / (double)scale[i]) : 0;
            q[p] = (int8_t)(v > 127 ? 127 : (v < -127 ? -127 : v));
        }
    }
}

void ws_quantize_bf16(size_t n, const float *w, uint16_t *q)
{
    for (size_t i = 0; i < n; i++)
        q[i] = ws_bf16_from_f32(w[i]);
}
