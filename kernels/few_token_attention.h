/* kernels/few_token_attention.h - attention between a few tokens and many rows. */
#ifndef WS_KERNELS_FEW_TOKEN_ATTENTION_H
#define WS_KERNELS_FEW_TOKEN_ATTENTION_H

#include "weaksam/kernels.h"

/* The C versions take numbers of heads and widths that the vectors do not. */
void ws_head_scores_c(size_t m, size_t tokens, size_t heads, size_t width,
                      const wsam_head_rows *rows, const float *q, float *s, size_t lds);
void ws_head_mix_c(size_t m, size_t tokens, size_t heads, size_t width, const float *p, size_t ldp,
                   const wsam_head_rows *rows, float *out);
void ws_head_spread_c(size_t m, size_t tokens, size_t heads, size_t width, const float *p,
                      size_t ldp, const float *v, float *out);

#if defined(__x86_64__)
void ws_few_token_attention_init_avx2(wsam_token_kernels *t);
void ws_few_token_attention_init_avx512(wsam_token_kernels *t);
void ws_few_token_attention_init_avx512bf16(wsam_token_kernels *t);
#elif defined(__aarch64__)
void ws_few_token_attention_init_neon(wsam_token_kernels *t);
#endif

#endif
