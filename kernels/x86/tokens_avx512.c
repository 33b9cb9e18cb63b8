/* kernels/x86/tokens_avx512.c - the tokens family at this level. */
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/tokens_template.h"

void ws_tokens_init_avx512(wsam_token_kernels *t)
{
    fill(t);
}
