/* kernels/x86/gemm_epilogue_avx512.h - a finished tile of float sums into the result. */
#ifndef WS_KERNELS_X86_GEMM_EPILOGUE_AVX512_H
#define WS_KERNELS_X86_GEMM_EPILOGUE_AVX512_H

#include "kernels/x86/gemm_rows_avx512.h"

static inline __m512 ws_activate(wsam_act act, __m512 x)
{
    _Alignas(64) float y[16];
    switch (act) {
    case WSAM_ACT_NONE:
        return x;
    case WSAM_ACT_RELU:
        return _mm512_max_ps(_mm512_setzero_ps(), x); /* a NaN, the second operand, stays */
    case WSAM_ACT_GELU:
    case WSAM_ACT_SIGMOID:
        break;
    }
    _mm512_store_ps(y, x);
    for (int i = 0; i < 16; i++)
        y[i] = ws_act_scalar_c(act, y[i]);
    return _mm512_load_ps(y);
}

/* y = act(x + bias) + residual for 16 columns of row i from column j on. */
static inline void ws_finish16(const wsam_epilogue *e, wsam_act act, size_t i, size_t j,
                               __mmask16 mask, __m512 x, __m512 bias, float *y)
{
    x = ws_activate(act, _mm512_add_ps(x, bias));
    if (e->residual)
        x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, e->residual + i * e->ld_residual + j));
    _mm512_mask_storeu_ps(y, mask, x);
}

#endif
