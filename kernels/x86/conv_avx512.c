/* kernels/x86/conv_avx512.c - the conv family at this level. */
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/conv_template.h"

void ws_conv_init_avx512(wsam_conv_kernels *k)
{
    fill(k);
}

const ws_winograd_kernels ws_winograd_avx512 = {winograd_in, winograd_out};
