/* kernels/mask_ops_c.c - the C version of the operations of mask.h: their specification. */
#include "kernels/mask.h"

/* Along x. The weights of tap t stand `stride` apart, so that a vector of neighbouring outputs
 * loads them as they lie; the first tap begins the sum, so that there is no addition to 0. */
static void columns_c(const wsam_taps *taps, int x0, int x1, const float *row, float *out)
{
    const int s = taps->stride;
    for (int i = x0; i < x1; i++) {
        const float *in = row + taps->first[i], *w = taps->weight + i;
        float sum = w[0] * in[0];
        for (int t = 1; t < taps->taps; t++)
            sum += w[t * s] * in[t];
        out[i] = sum;
    }
    /* Up to the end of the block: `threshold` reads whole words. */
    for (int i = x1; i < ((x1 + 63) & ~63); i++)
        out[i] = 0;
}

/* Along y, where there are two taps: the first of two resamplings, square from low. */
static void blend_c(const float *const *rows, const float *w, int x0, int x1, float *out)
{
    const float *a = rows[0], *b = rows[1], wa = w[0], wb = w[1];
    for (int i = x0; i < x1; i++)
        out[i] = wa * a[i] + wb * b[i];
}

/* The last resampling, along y, and the comparison in one: the enlarged logits (4 bytes per pixel)
 * are never written, only their bits. Both stability counts fall off on the way. `last` has the
 * bits of the last word that lie inside the image. */
static void threshold_c(int taps, const float *const *rows, const float *w,
                        const wsam_mask_rule *rule, int finite, int words, uint64_t last,
                        uint64_t *bits, uint64_t counts[3])
{
    (void)finite;
    const float at = rule->threshold, high = at + rule->offset, low = at - rule->offset;
    for (int j = 0; j < words; j++) {
        const uint64_t valid = j == words - 1 ? last : ~(uint64_t)0;
        uint64_t set = 0, above_high = 0, above_low = 0;
        for (int i = 0; i < 64; i++) {
            float v = w[0] * rows[0][64 * j + i];
            for (int t = 1; t < taps; t++)
                v += w[t] * rows[t][64 * j + i];
            set |= (uint64_t)(rule->inclusive ? v >= at : v > at) << i;
            above_high |= (uint64_t)(v > high) << i;
            above_low |= (uint64_t)(v > low) << i;
        }
        bits[64 * j] = set & valid;
        counts[0] += (uint64_t)__builtin_popcountll(set & valid);
        counts[1] += (uint64_t)__builtin_popcountll(above_high & valid);
        counts[2] += (uint64_t)__builtin_popcountll(above_low & valid);
    }
}

/* Six rounds, each swapping the off-diagonal blocks of half the size. */
static void transpose_c(const uint64_t in[64], uint64_t out[64])
{
    for (int i = 0; i < 64; i++)
        out[i] = in[i];
    uint64_t mask = 0x00000000ffffffffu;
    for (int half = 32; half; half >>= 1, mask ^= mask << half)
        for (int i = 0; i < 64; i = ((i | half) + 1) & ~half) {
            const uint64_t t = ((out[i] >> half) ^ out[i | half]) & mask;
            out[i] ^= t << half;
            out[i | half] ^= t;
        }
}

const ws_mask_ops ws_mask_ops_c = {.name = "mask_c",
                                   .columns = columns_c,
                                   .blend = blend_c,
                                   .threshold = threshold_c,
                                   .transpose = transpose_c};
