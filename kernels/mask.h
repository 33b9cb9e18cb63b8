/* kernels/mask.h - the parts of mask upscaling that differ between levels, and the driver they
 * share.
 *
 * The driver (mask_upscale.c) decides which rows and columns are computed; the operations below do
 * the arithmetic. All of them are element-wise with one order of separate multiplications and
 * additions, so every level gives the same bits. */
#ifndef WS_KERNELS_MASK_H
#define WS_KERNELS_MASK_H

#include "weaksam/kernels.h"

enum {
    WS_MASK_MAX_SIDE = 65536,
    WS_MASK_SLACK = 64 /* readable floats behind every scratch row */
};

typedef struct ws_mask_ops {
    const char *name;
    /* out[i] = sum_t weight[t][i] * row[first[i] + t] for x0 <= i < x1, from t = 0 on. x0 is a
     * multiple of 16, `out` and the tables may be written and read up to the next multiple of 64
     * above x1, `row` has WS_MASK_SLACK floats behind its last tap. */
    void (*columns)(const wsam_taps *taps, int x0, int x1, const float *row, float *out);
    /* out[i] = w[0]*rows[0][i] + w[1]*rows[1][i] for x0 <= i < x1 (x0 a multiple of 16; out may be
     * written up to the next multiple of 64). */
    void (*blend)(const float *const *rows, const float *w, int x0, int x1, float *out);
    /* v[i] = sum_t w[t] * rows[t][i] over `words` words of 64 columns: bit i%64 of bits[i/64*64] is
     * set where v[i] passes the rule; counts[0..2] grow by the number of set bits and the numbers
     * above threshold + offset and threshold - offset. Columns outside `last` in the last word
     * count nothing and stay 0. `finite`: no value and no threshold is NaN or infinite. */
    void (*threshold)(int taps, const float *const *rows, const float *w,
                      const wsam_mask_rule *rule, int finite, int words, uint64_t last,
                      uint64_t *bits, uint64_t counts[3]);
    /* out[x] bit y = in[y] bit x for a block of 64 x 64. */
    void (*transpose)(const uint64_t in[64], uint64_t out[64]);
} ws_mask_ops;

extern const ws_mask_ops ws_mask_ops_c, ws_mask_ops_avx2, ws_mask_ops_avx512, ws_mask_ops_neon;

size_t ws_mask_scratch_bytes(const wsam_mask_plan *plan);

/* wsam_mask_kernels.upscale with the operations of one level. */
void ws_mask_upscale(const ws_mask_ops *ops, const wsam_mask_plan *plan, const wsam_mask_rule *rule,
                     const float *logits, int y0, int y1, void *scratch, uint64_t *bits,
                     wsam_mask_stats *stats);

#endif
