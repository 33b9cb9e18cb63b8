/* kernels/x86/vector_avx2.c - the vector family at this level. */
#include "kernels/x86/vec_avx2.h"

#include "kernels/template/vector_template.h"

void ws_vector_init_avx2(wsam_vector_kernels *v)
{
    fill(v);
}
