/* kernels/x86/resize_avx2.c - the resize family at this level. */
#include "kernels/x86/vec_avx2.h"

#include "kernels/template/resize_template.h"

void ws_resize_init_avx2(wsam_resize_kernels *k)
{
    fill(k);
}
