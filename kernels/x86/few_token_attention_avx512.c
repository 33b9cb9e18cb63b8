/* kernels/x86/few_token_attention_avx512.c - attention between a few tokens and many rows at this
 * level. */
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/few_token_attention_template.h"

static ws_token_kernels avx2_kernels;

/* Eight heads fill_few_token_attention an AVX2 vector, and half of one here. */
static void softmax_any(size_t m, size_t tokens, size_t heads, float *s, size_t lds)
{
    (heads < WS_VL ? avx2_kernels.softmax_groups_f32 : softmax_groups)(m, tokens, heads, s, lds);
}

void ws_few_token_attention_init_avx512(ws_token_kernels *t)
{
    ws_few_token_attention_init_avx2(&avx2_kernels);
    fill_few_token_attention(t);
    t->softmax_groups_f32 = softmax_any;
}
