/* kernels/x86/tokens_avx512.c - the tokens family at this level. */
#include "kernels/x86/vec_avx512.h"

#include "kernels/template/tokens_template.h"

static wsam_token_kernels narrow;

/* Eight heads fill an AVX2 vector, and half of one here. */
static void softmax_any(size_t m, size_t tokens, size_t heads, float *s, size_t lds)
{
    (heads < WS_VL ? narrow.softmax_groups_f32 : softmax_groups)(m, tokens, heads, s, lds);
}

void ws_tokens_init_avx512(wsam_token_kernels *t)
{
    ws_tokens_init_avx2(&narrow);
    fill(t);
    t->softmax_groups_f32 = softmax_any;
}
