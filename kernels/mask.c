/* kernels/mask.c - which mask kernel runs on which level. */
#include "kernels/mask.h"

#include "kernels/cpu.h"

static void upscale_c(const wsam_mask_plan *plan, const wsam_mask_rule *rule, const float *logits,
                      int y0, int y1, void *scratch, uint64_t *bits, wsam_mask_stats *stats)
{
    ws_mask_upscale(&ws_mask_ops_c, plan, rule, logits, y0, y1, scratch, bits, stats);
}

void ws_mask_init(wsam_kernels *table, unsigned features)
{
    (void)features;
    table->mask = (wsam_mask_kernels){
        .name = ws_mask_ops_c.name, .scratch_bytes = ws_mask_scratch_bytes, .upscale = upscale_c};
}
