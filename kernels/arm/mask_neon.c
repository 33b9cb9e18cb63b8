/* kernels/arm/mask_neon.c - mask upscaling for AArch64. */
#include "kernels/mask.h"

#include <arm_neon.h>

/* Values row[first[i] + t] of 4 outputs by byte tables: `index` holds the float numbers relative to
 * `from`. Eight floats are enough when enlarging, sixteen down to about half size. */
static inline float32x4_t tap(const int wide, const float *from, uint32x4_t index)
{
    /* Float i starts at byte 4i. */
    const uint32x4_t bytes = vmlaq_n_u32(vdupq_n_u32(0x03020100u), index, 0x04040404u);
    const uint8x16_t at = vreinterpretq_u8_u32(bytes);
    if (!wide) {
        const uint8x16x2_t t = {
            {vreinterpretq_u8_f32(vld1q_f32(from)), vreinterpretq_u8_f32(vld1q_f32(from + 4))}};
        return vreinterpretq_f32_u8(vqtbl2q_u8(t, at));
    }
    const uint8x16x4_t t = {
        {vreinterpretq_u8_f32(vld1q_f32(from)), vreinterpretq_u8_f32(vld1q_f32(from + 4)),
         vreinterpretq_u8_f32(vld1q_f32(from + 8)), vreinterpretq_u8_f32(vld1q_f32(from + 12))}};
    return vreinterpretq_f32_u8(vqtbl4q_u8(t, at));
}

static inline void columns(const int wide, const int n_taps, const wsam_taps *taps, int x0, int x1,
                           const float *row, float *out)
{
    const size_t s = (size_t)taps->stride;
    int i = x0;
    for (; i < x1; i += 4) {
        const int32_t *first = taps->first + i;
        const float *weight = taps->weight + i, *from = row + first[0];
        uint32x4_t at = vreinterpretq_u32_s32(vsubq_s32(vld1q_s32(first), vdupq_n_s32(first[0])));
        float32x4_t sum = vmulq_f32(vld1q_f32(weight), tap(wide, from, at));
        for (int t = 1; t < n_taps; t++) {
            at = vaddq_u32(at, vdupq_n_u32(1));
            const float32x4_t w = vld1q_f32(weight + (size_t)t * s);
            sum = vaddq_f32(sum, vmulq_f32(w, tap(wide, from, at)));
        }
        vst1q_f32(out + i, sum);
    }
    for (; i & 63; i += 4)
        vst1q_f32(out + i, vdupq_n_f32(0));
}

static void columns_neon(const wsam_taps *taps, int x0, int x1, const float *row, float *out)
{
    if (taps->taps == 2 && taps->reach8 <= 8)
        columns(0, 2, taps, x0, x1, row, out);
    else if (taps->reach8 <= 8)
        columns(0, taps->taps, taps, x0, x1, row, out);
    else if (taps->reach8 <= 16)
        columns(1, taps->taps, taps, x0, x1, row, out);
    else
        ws_mask_ops_c.columns(taps, x0, x1, row, out);
}

static void blend_neon(const float *const *rows, const float *w, int x0, int x1, float *out)
{
    for (int i = x0; i < x1; i += 4) {
        const float32x4_t a = vmulq_n_f32(vld1q_f32(rows[0] + i), w[0]);
        const float32x4_t b = vmulq_n_f32(vld1q_f32(rows[1] + i), w[1]);
        vst1q_f32(out + i, vaddq_f32(a, b));
    }
}

/* 16 comparisons to 16 bits. */
static inline uint64_t narrow(const uint32x4_t c[4])
{
    static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint16x8_t a = vcombine_u16(vmovn_u32(c[0]), vmovn_u32(c[1]));
    const uint16x8_t b = vcombine_u16(vmovn_u32(c[2]), vmovn_u32(c[3]));
    const uint8x16_t bits = vandq_u8(vcombine_u8(vmovn_u16(a), vmovn_u16(b)), vld1q_u8(weights));
    return (uint64_t)vaddv_u8(vget_low_u8(bits)) | (uint64_t)vaddv_u8(vget_high_u8(bits)) << 8;
}

static inline void threshold(const int taps, const int inclusive, const float *const *rows,
                             const float *w, const wsam_mask_rule *rule, int words, uint64_t last,
                             uint64_t *bits, uint64_t counts[3])
{
    const float32x4_t at = vdupq_n_f32(rule->threshold);
    const float32x4_t high = vdupq_n_f32(rule->threshold + rule->offset);
    const float32x4_t low = vdupq_n_f32(rule->threshold - rule->offset);
    for (int j = 0; j < words; j++) {
        const uint64_t valid = j == words - 1 ? last : ~(uint64_t)0;
        uint64_t set = 0, above_high = 0, above_low = 0;
        for (int q = 0; q < 4; q++) {
            uint32x4_t is_set[4], is_high[4], is_low[4];
            for (int k = 0; k < 4; k++) {
                const size_t i = 64 * (size_t)j + 16 * (size_t)q + 4 * (size_t)k;
                float32x4_t v = vmulq_n_f32(vld1q_f32(rows[0] + i), w[0]);
                for (int t = 1; t < taps; t++)
                    v = vaddq_f32(v, vmulq_n_f32(vld1q_f32(rows[t] + i), w[t]));
                is_set[k] = inclusive ? vcgeq_f32(v, at) : vcgtq_f32(v, at);
                is_high[k] = vcgtq_f32(v, high);
                is_low[k] = vcgtq_f32(v, low);
            }
            set |= narrow(is_set) << (16 * q);
            above_high |= narrow(is_high) << (16 * q);
            above_low |= narrow(is_low) << (16 * q);
        }
        bits[64 * j] = set & valid;
        counts[0] += (uint64_t)__builtin_popcountll(set & valid);
        counts[1] += (uint64_t)__builtin_popcountll(above_high & valid);
        counts[2] += (uint64_t)__builtin_popcountll(above_low & valid);
    }
}

static void threshold_neon(int taps, const float *const *rows, const float *w,
                           const wsam_mask_rule *rule, int finite, int words, uint64_t last,
                           uint64_t *bits, uint64_t counts[3])
{
    (void)finite;
    if (taps == 2 && !rule->inclusive)
        threshold(2, 0, rows, w, rule, words, last, bits, counts);
    else if (taps == 2)
        threshold(2, 1, rows, w, rule, words, last, bits, counts);
    else if (!rule->inclusive)
        threshold(4, 0, rows, w, rule, words, last, bits, counts);
    else
        threshold(4, 1, rows, w, rule, words, last, bits, counts);
}

static void transpose_neon(const uint64_t in[64], uint64_t out[64])
{
    ws_mask_ops_c.transpose(in, out); /* 0.1 operations per pixel: not worth more code */
}

const ws_mask_ops ws_mask_ops_neon = {.name = "mask_neon",
                                      .columns = columns_neon,
                                      .blend = blend_neon,
                                      .threshold = threshold_neon,
                                      .transpose = transpose_neon};
