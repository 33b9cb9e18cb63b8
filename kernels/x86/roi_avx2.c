/* kernels/x86/roi_avx2.c - the RoI family at this level. */
#include "kernels/x86/vec_avx2.h"

#include "kernels/template/roi_template.h"

void ws_roi_init_avx2(wsam_roi_kernels *k)
{
    fill(k);
}
