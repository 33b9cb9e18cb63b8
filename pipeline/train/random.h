/* pipeline/train/random.h - counter-based random numbers: draw i of a key is a function of both, so
 * that results depend neither on threads nor on where a run was resumed. */
#ifndef WS_PIPELINE_TRAIN_RANDOM_H
#define WS_PIPELINE_TRAIN_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What a key is for; each stream says what its counters a and b are. */
enum {
    WS_STREAM_WEIGHTS = 1,    /* a: layer */
    WS_STREAM_ORDER = 2,      /* a: epoch */
    WS_STREAM_DROPOUT = 3,    /* a: iteration, b: image */
    WS_STREAM_FOREGROUND = 4, /* a: iteration, b: image */
    WS_STREAM_BACKGROUND = 5, /* a: iteration, b: image */
    WS_STREAM_CELLS = 6,      /* a: iteration, b: image */
    WS_STREAM_PCA = 7,
    WS_STREAM_FIT = 8
};

/* The finaliser of splitmix64. */
static inline uint64_t ws_mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline uint64_t ws_fold(uint64_t h, uint64_t v)
{
    return ws_mix((h ^ v) + 0x9E3779B97F4A7C15u);
}

static inline uint64_t ws_key(uint64_t seed, uint64_t stream, uint64_t a, uint64_t b)
{
    return ws_fold(ws_fold(ws_fold(ws_fold(0, seed), stream), a), b);
}

static inline uint64_t ws_draw(uint64_t key, uint64_t i)
{
    return ws_mix(key + (i + 1) * 0x9E3779B97F4A7C15u);
}

/* In [0, 1), a multiple of 2^-24. */
static inline float ws_uniform(uint64_t key, uint64_t i)
{
    return (float)(ws_draw(key, i) >> 40) * 0x1p-24f;
}

/* A permutation of 0..n-1 (n below 2^31), from the last place to the first. */
static inline void ws_permute(uint64_t key, uint32_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint32_t)i;
    for (size_t i = n; i-- > 1;) {
        const size_t j = (size_t)(((ws_draw(key, n - 1 - i) >> 32) * (i + 1)) >> 32);
        const uint32_t held = p[i];
        p[i] = p[j];
        p[j] = held;
    }
}

#endif
