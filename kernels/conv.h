/* kernels/conv.h - what the convolution family's files share. */
#ifndef WS_KERNELS_CONV_H
#define WS_KERNELS_CONV_H

#include "weaksam/kernels.h"

#if defined(__x86_64__)
void ws_conv_init_avx2(wsam_conv_kernels *k);
void ws_conv_init_avx512(wsam_conv_kernels *k);
#elif defined(__aarch64__)
void ws_conv_init_neon(wsam_conv_kernels *k);
#endif

#endif
