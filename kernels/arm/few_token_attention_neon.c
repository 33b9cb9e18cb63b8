/* kernels/arm/few_token_attention_neon.c - attention between a few tokens and many rows at this
 * level. */
#include "kernels/arm/vec_neon.h"

#include "kernels/template/few_token_attention_template.h"

void ws_few_token_attention_init_neon(ws_token_kernels *t)
{
    fill_few_token_attention(t);
}
