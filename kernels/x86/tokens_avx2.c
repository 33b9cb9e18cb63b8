/* kernels/x86/tokens_avx2.c - the tokens family at this level. */
#include "kernels/x86/vec_avx2.h"

#include "kernels/template/tokens_template.h"

void ws_tokens_init_avx2(wsam_token_kernels *t)
{
    fill(t);
}
