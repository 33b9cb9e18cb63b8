/* kernels/x86/few_token_attention_avx2.c - attention between a few tokens and many rows at this
 * level. */
#include "kernels/x86/vec_avx2.h"

#include "kernels/template/few_token_attention_template.h"

void ws_few_token_attention_init_avx2(ws_token_kernels *t)
{
    fill_few_token_attention(t);
}
