/* kernels/tokens.h - attention between a few tokens and many rows. */
#ifndef WS_KERNELS_TOKENS_H
#define WS_KERNELS_TOKENS_H

#include "weaksam/kernels.h"

#if defined(__x86_64__)
void ws_tokens_init_avx2(wsam_token_kernels *t);
void ws_tokens_init_avx512(wsam_token_kernels *t);
void ws_tokens_init_avx512bf16(wsam_token_kernels *t);
#elif defined(__aarch64__)
void ws_tokens_init_neon(wsam_token_kernels *t);
#endif

#endif
