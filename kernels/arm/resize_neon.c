/* kernels/arm/resize_neon.c - the resize family at this level. */
#include "kernels/arm/vec_neon.h"

#include "kernels/template/resize_template.h"

void ws_resize_init_neon(wsam_resize_kernels *k)
{
    fill(k);
}
