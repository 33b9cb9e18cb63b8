/* kernels/x86/attention_f32_avx2.c - f32 attention at this level. Without bf16 products the bf16
 * kernel is the f32 one: rounding operands would only cost. */
#include "kernels/x86/vec_avx2.h"

enum { MQ = 6 };
#define ROW_QUERIES 1
#define BESIDE      0
#define SPANS_ROWS  0

#include "kernels/template/attention_f32_tiles.h"
#include "kernels/template/exp_template.h"

static inline vf exp_weight(vf score, vf shift)
{
    return exp_weight_full(score, shift);
}

#include "kernels/template/attention_template.h"

void ws_attention_init_avx2(wsam_kernels *table)
{
    fill(&table->attention_f32, "attention_f32_6x16_avx2");
    table->attention_bf16 = table->attention_f32;
}
