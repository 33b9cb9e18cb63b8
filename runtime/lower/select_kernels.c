/* runtime/lower/select_kernels.c - which kernel a stored type runs on. bf16 products are worth
 * rounding the inputs only where the machine multiplies bf16; elsewhere bf16 weights are widened
 * and everything is f32. */
#include <string.h>

#include "runtime/program.h"

static int multiplies_bf16(const wsam_kernels *k)
{
    return strcmp(k->isa, "avx512bf16") == 0 || strcmp(k->isa, "amx") == 0 ||
           strcmp(k->isa, "i8mm") == 0;
}

const wsam_gemm_kernel *ws_select_gemm(const wsam_kernels *k, wsam_type weight)
{
    if (weight == WSAM_S8)
        return &k->gemm_s8;
    return weight == WSAM_BF16 && multiplies_bf16(k) ? &k->gemm_bf16 : &k->gemm_f32;
}

const wsam_attention_kernel *ws_select_attention(const wsam_kernels *k, const char *compute)
{
    return strcmp(compute, "bf16") == 0 && multiplies_bf16(k) ? &k->attention_bf16
                                                              : &k->attention_f32;
}
