/* kernels/x86/vector_avx512.c - the vector family at this level. */
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/vector_template.h"

void ws_vector_init_avx512(wsam_vector_kernels *v)
{
    fill(v);
}
