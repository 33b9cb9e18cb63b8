/* weights/quantize.h - f32 values into the stored type of a tensor. */
#ifndef WS_WEIGHTS_QUANTIZE_H
#define WS_WEIGHTS_QUANTIZE_H

#include <stddef.h>
#include <stdint.h>

/* Symmetric per row (output channel): scale = max|w|/127, q = round-half-even(w/scale) in
 * [-127,127]; a zero row has scale 0. */
void ws_quantize_s8(size_t rows, size_t k, const float *w, int8_t *q, float *scale);
void ws_quantize_bf16(size_t n, const float *w, uint16_t *q);

#endif
