/* base/half.h - IEEE half precision to and from f32, nearest even. */
#ifndef WS_BASE_HALF_H
#define WS_BASE_HALF_H

#include <stdint.h>
#include <string.h>

/* Without a branch, so that loops over it become vectors. */
static inline float ws_half_to_float(uint16_t h)
{
    /* exponent and mantissa in f32's places, where the exponent is 112 too small; a denormal as a
     * number, since denormal f32 may be flushed; infinite and NaN */
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = (uint32_t)(h & 0x7fff) << 13;
    const float denormal = (float)(int32_t)(h & 0x3ff) * 0x1p-24f;
    uint32_t small;
    float f;
    memcpy(&small, &denormal, sizeof small);
    const uint32_t is_small = 0u - (rest < 0x00800000), is_special = 0u - (rest >= 0x0f800000);
    uint32_t bits = rest + (112u << 23);
    bits = (small & is_small) | (bits & ~is_small) | (is_special & 0x7f800000) | sign;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint16_t ws_half_from_float(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000)
        return sign | 0x7e00;
    if (bits >= 0x477ff000) /* rounds to 65520 or more */
        return sign | 0x7c00;
    if (bits < 0x38800000) { /* below 2^-14: whole multiples of 2^-24 */
        float size;
        memcpy(&size, &bits, sizeof size);
        const float scaled = size * 0x1p24f;
        uint32_t whole = (uint32_t)scaled;
        const float part = scaled - (float)whole;
        whole += part > 0.5f || (part >= 0.5f && (whole & 1));
        return (uint16_t)(sign | whole);
    }
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | ((bits - (112u << 23)) >> 13));
}

#endif
