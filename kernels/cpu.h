/* kernels/cpu.h - levels as sets of features, and the family initialisers.
 *
 * The levels form a partial order: avxvnni (client parts without AVX-512) is not below avx512. */
#ifndef WS_KERNELS_CPU_H
#define WS_KERNELS_CPU_H

#include "weaksam/kernels.h"

enum {
    WS_CPU_AVX2 = 1 << 0,    /* AVX2, FMA, F16C */
    WS_CPU_AVXVNNI = 1 << 1, /* vpdpbusd on ymm, VEX encoded */
    WS_CPU_AVX512 = 1 << 2,  /* F, BW, DQ, VL */
    WS_CPU_AVX512VNNI = 1 << 3,
    WS_CPU_AVX512BF16 = 1 << 4,
    WS_CPU_AMX = 1 << 5, /* int8 and bf16 tiles, with AVX512_BF16 for its conversions */
    WS_CPU_NEON = 1 << 8,
    WS_CPU_DOTPROD = 1 << 9,
    WS_CPU_I8MM = 1 << 10 /* with bf16 */
};

/* As wsam_kernels_for: NULL, with the status in `error`, where there is no such table. */
const wsam_kernels *ws_kernels_find(const char *isa, wsam_error *error);

/* Features of this machine that the operating system lets us use. */
unsigned ws_cpu_features(void);

/* Each fills its part of the table: the C versions first, then what `features` allows, in rising
 * order. One page per family shows which kernel runs where. */
void ws_gemm_init(wsam_kernels *table, unsigned features);
void ws_attention_init(wsam_kernels *table, unsigned features);
void ws_conv_init(wsam_kernels *table, unsigned features);
void ws_vector_init(wsam_kernels *table, unsigned features);
void ws_few_token_attention_init(struct ws_token_kernels *tokens, unsigned features);
void ws_resize_init(wsam_kernels *table, unsigned features);
void ws_mask_init(wsam_kernels *table, unsigned features);
void ws_roi_init(wsam_kernels *table, unsigned features);

#endif
