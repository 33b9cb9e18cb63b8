/* kernels/arm/vector_neon.c - the vector family at this level. */
#include "kernels/arm/vec_neon.h"

#include "kernels/template/vector_template.h"

void ws_vector_init_neon(wsam_vector_kernels *v)
{
    fill(v);
}
