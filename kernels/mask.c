/* kernels/mask.c - which mask kernel runs on which level. */
#include "kernels/mask.h"

#include "kernels/cpu.h"

/* One entry point per level over the shared driver. */
static void upscale_c(const wsam_mask_plan *plan, const wsam_mask_rule *rule, const float *logits,
                      int y0, int y1, void *scratch, uint64_t *bits, wsam_mask_stats *stats)
{
    ws_mask_upscale(&ws_mask_ops_c, plan, rule, logits, y0, y1, scratch, bits, stats);
}

#if defined(__x86_64__)
static void upscale_avx2(const wsam_mask_plan *plan, const wsam_mask_rule *rule,
                         const float *logits, int y0, int y1, void *scratch, uint64_t *bits,
                         wsam_mask_stats *stats)
{
    ws_mask_upscale(&ws_mask_ops_avx2, plan, rule, logits, y0, y1, scratch, bits, stats);
}

static void upscale_avx512(const wsam_mask_plan *plan, const wsam_mask_rule *rule,
                           const float *logits, int y0, int y1, void *scratch, uint64_t *bits,
                           wsam_mask_stats *stats)
{
    ws_mask_upscale(&ws_mask_ops_avx512, plan, rule, logits, y0, y1, scratch, bits, stats);
}
#elif defined(__aarch64__)
static void upscale_neon(const wsam_mask_plan *plan, const wsam_mask_rule *rule,
                         const float *logits, int y0, int y1, void *scratch, uint64_t *bits,
                         wsam_mask_stats *stats)
{
    ws_mask_upscale(&ws_mask_ops_neon, plan, rule, logits, y0, y1, scratch, bits, stats);
}
#endif

void ws_mask_init(wsam_kernels *table, unsigned features)
{
    wsam_mask_kernels *k = &table->mask;
    /* The driver is the same on all levels: so is its scratch. */
    k->scratch_bytes = ws_mask_scratch_bytes;
    k->name = ws_mask_ops_c.name;
    k->upscale = upscale_c;
#if defined(__x86_64__)
    if (features & WS_CPU_AVX2) {
        k->name = ws_mask_ops_avx2.name;
        k->upscale = upscale_avx2;
    }
    if (features & WS_CPU_AVX512) {
        k->name = ws_mask_ops_avx512.name;
        k->upscale = upscale_avx512;
    }
#elif defined(__aarch64__)
    if (features & WS_CPU_NEON) {
        k->name = ws_mask_ops_neon.name;
        k->upscale = upscale_neon;
    }
#else
    (void)features;
#endif
}
