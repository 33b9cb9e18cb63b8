/* kernels/arm/tokens_neon.c - the tokens family at this level. */
#include "kernels/arm/vec_neon.h"

#include "kernels/template/tokens_template.h"

void ws_tokens_init_neon(wsam_token_kernels *t)
{
    fill(t);
}
