/* kernels/arm/roi_neon.c - the RoI family at this level. */
#include "kernels/arm/vec_neon.h"

#include "kernels/template/roi_template.h"

void ws_roi_init_neon(wsam_roi_kernels *k)
{
    fill(k);
}
