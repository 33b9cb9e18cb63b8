/* kernels/arm/attention_f32_neon.c - f32 attention at this level. Without bf16 products the bf16
 * kernel is the f32 one: rounding operands would only cost. */
#include "kernels/arm/vec_neon.h"

enum { MQ = 8 };
#define ROW_QUERIES 0
#define BESIDE      0
#define SPANS_ROWS  0

#include "kernels/template/attention_f32_tiles.h"
#include "kernels/template/exp_template.h"

static inline vf exp_weight(vf score, vf shift)
{
    return exp_weight_full(score, shift);
}

#include "kernels/template/attention_template.h"

void ws_attention_init_neon(wsam_kernels *table)
{
    fill(&table->attention_f32, "attention_f32_8x8_neon");
    table->attention_bf16 = table->attention_f32;
}
