/* demo/drawing/random.h - the picture maker's random numbers: PCG32 (O'Neill 2014), so that a
 * picture depends on its seed alone, on every machine. */
#ifndef WS_DEMO_DRAWING_RANDOM_H
#define WS_DEMO_DRAWING_RANDOM_H

#include <stdint.h>

typedef struct demo_random {
    uint64_t state, stream;
} demo_random;

static inline uint32_t demo_bits(demo_random *r)
{
    const uint64_t old = r->state;
    r->state = old * 6364136223846793005u + (r->stream | 1);
    const uint32_t x = (uint32_t)(((old >> 18) ^ old) >> 27), turn = (uint32_t)(old >> 59);
    return x >> turn | x << (-turn & 31);
}

static inline demo_random demo_random_start(uint64_t seed, uint64_t stream)
{
    demo_random r = {0, stream << 1 | 1};
    demo_bits(&r);
    r.state += seed;
    demo_bits(&r);
    return r;
}

/* [0, 1) */
static inline float demo_unit(demo_random *r)
{
    return (float)(demo_bits(r) >> 8) * (1.0f / 16777216.0f);
}

/* [low, high) */
static inline float demo_between(demo_random *r, float low, float high)
{
    return low + (high - low) * demo_unit(r);
}

/* 0 .. n - 1 */
static inline int demo_below(demo_random *r, int n)
{
    return (int)((uint64_t)demo_bits(r) * (uint64_t)n >> 32);
}

static inline int demo_chance(demo_random *r, float p)
{
    return demo_unit(r) < p;
}

#endif
