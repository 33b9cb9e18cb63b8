/* kernels/arm/conv_neon.c - the conv family at this level. */
#include "kernels/arm/vec_neon.h"

#include "kernels/template/conv_template.h"

void ws_conv_init_neon(wsam_conv_kernels *k)
{
    fill(k);
}

const ws_winograd_kernels ws_winograd_neon = {winograd_in, winograd_out};
