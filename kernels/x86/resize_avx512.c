/* kernels/x86/resize_avx512.c - the resize family at this level. */
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/resize_template.h"

void ws_resize_init_avx512(wsam_resize_kernels *k)
{
    fill(k);
}
