/* kernels/arm/vec_neon.h - the vector vocabulary of kernels/template on AArch64's base
 * instructions. */
#ifndef WS_KERNELS_ARM_VEC_NEON_H
#define WS_KERNELS_ARM_VEC_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WS_LEVEL "neon"
enum { WS_VL = 4, WS_VECTOR_REGISTERS = 32 };
typedef float32x4_t vf;
typedef int32x4_t vi;

static inline vf vf_set1(float x)
{
    return vdupq_n_f32(x);
}

static inline vf vf_load(const float *p)
{
    return vld1q_f32(p);
}

static inline void vf_store(float *p, vf v)
{
    vst1q_f32(p, v);
}

/* The first n < WS_VL lanes; the others are zero, or left as they are. */
static inline vf vf_load_n(const float *p, size_t n)
{
    float t[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    memcpy(t, p, n * sizeof *t);
    return vld1q_f32(t);
}

static inline void vf_store_n(float *p, vf v, size_t n)
{
    float t[4];
    vst1q_f32(t, v);
    memcpy(p, t, n * sizeof *t);
}

static inline vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}

/* a*b + c, rounded once */
static inline vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}

/* NaN where either is NaN. */
static inline vf vf_max(vf a, vf b)
{
    return vmaxq_f32(a, b);
}

static inline vf vf_min(vf a, vf b)
{
    return vminq_f32(a, b);
}

/* b where it is larger or NaN, else a. */
static inline vf vf_max_nan(vf a, vf b)
{
    return vbslq_f32(vcgtq_f32(b, a), b, vbslq_f32(vceqq_f32(b, b), a, b));
}

static inline vf vf_abs(vf a)
{
    return vabsq_f32(a);
}

static inline vf vf_round(vf a)
{
    return vrndnq_f32(a);
}

/* v * 2^n for whole n; 0 below -126 (results there are denormal, and flushed) */
static inline vf vf_scale2(vf v, vf n)
{
    const int32x4_t e = vcvtnq_s32_f32(vmaxq_f32(n, vdupq_n_f32(-127.0f)));
    return vmulq_f32(v, vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(e, vdupq_n_s32(127)), 23)));
}

/* t <= 0 as vf_scale2_floor takes it: held at the least exponent. NaN stays NaN. */
static inline vf vf_low_power(vf t)
{
    return vmaxq_f32(t, vdupq_n_f32(-126.0f));
}

/* t - floor(t) */
static inline vf vf_fraction(vf t)
{
    return vsubq_f32(t, vrndmq_f32(t));
}

/* v * 2^floor(t), v in [1, 2] or about it: added to the exponent. */
static inline vf vf_scale2_floor(vf v, vf t)
{
    const int32x4_t e = vshlq_n_s32(vcvtmq_s32_f32(t), 23);
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(v), e));
}

/* Lanes at[0] .. at[WS_VL - 1] of v. */
static inline vf vf_pick(vf v, const int32_t *at)
{
    float lanes[WS_VL];
    vf_store(lanes, v);
    const float picked[WS_VL] = {lanes[at[0]], lanes[at[1]], lanes[at[2]], lanes[at[3]]};
    return vf_load(picked);
}

static inline float vf_sum(vf v)
{
    return vaddvq_f32(v);
}

static inline float vf_top(vf v)
{
    return vmaxvq_f32(v);
}

/* n = WS_VL floats, and their sums, as wider vectors have them for fewer floats than lanes. */
static inline vf vf_repeat(const float *p, size_t n)
{
    (void)n;
    return vld1q_f32(p);
}

static inline void vf_store_folded(float *p, vf v, size_t n)
{
    (void)n;
    vst1q_f32(p, v);
}

/* 4 rows of 4 words of 32 bits as columns, whose stride is in words. */
static inline void ws_turn_rows(const void *const rows[4], void *columns, size_t ld_to)
{
    uint32_t *to = columns;
    const uint32x4_t r0 = vld1q_u32(rows[0]), r1 = vld1q_u32(rows[1]);
    const uint32x4_t r2 = vld1q_u32(rows[2]), r3 = vld1q_u32(rows[3]);
    const uint64x2_t a = vreinterpretq_u64_u32(vtrn1q_u32(r0, r1));
    const uint64x2_t b = vreinterpretq_u64_u32(vtrn2q_u32(r0, r1));
    const uint64x2_t c = vreinterpretq_u64_u32(vtrn1q_u32(r2, r3));
    const uint64x2_t d = vreinterpretq_u64_u32(vtrn2q_u32(r2, r3));
    vst1q_u32(to, vreinterpretq_u32_u64(vtrn1q_u64(a, c)));
    vst1q_u32(to + ld_to, vreinterpretq_u32_u64(vtrn1q_u64(b, d)));
    vst1q_u32(to + 2 * ld_to, vreinterpretq_u32_u64(vtrn2q_u64(a, c)));
    vst1q_u32(to + 3 * ld_to, vreinterpretq_u32_u64(vtrn2q_u64(b, d)));
}

/* The same of rows `ld` words apart. */
static inline void ws_turn_tile(const void *rows, size_t ld, void *columns, size_t ld_to)
{
    const uint32_t *const from = rows;
    ws_turn_rows((const void *const[]){from, from + ld, from + 2 * ld, from + 3 * ld}, columns,
                 ld_to);
}

/* bf16 to f32 and back (nearest even, NaN stays NaN), a vector of values at a time. */
static inline vf vf_from_bf16(const uint16_t *p)
{
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(p)), 16));
}

static inline void vf_to_bf16(uint16_t *p, vf v)
{
    const uint32x4_t u = vreinterpretq_u32_f32(v);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
    const uint32x4_t rounded = vaddq_u32(u, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    const uint32x4_t number = vceqq_f32(v, v);
    const uint32x4_t quiet = vorrq_u32(u, vdupq_n_u32(0x400000));
    vst1_u16(p, vshrn_n_u32(vbslq_u32(number, rounded, quiet), 16));
}

#endif
