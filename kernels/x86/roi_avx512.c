/* kernels/x86/roi_avx512.c - the RoI family at this level. */
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/roi_template.h"

void ws_roi_init_avx512(wsam_roi_kernels *k)
{
    fill(k);
}
