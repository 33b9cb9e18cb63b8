#include "tests/util/util_twin.h"

#include <stdint.h>

static uint64_t fnv1a(const char *s)
{
    uint64_t h = 14695981039346656037u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    return h;
}

static float uniform(uint64_t hash, size_t i)
{
    uint64_t z = hash + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z = z ^ z >> 31;
    return (float)(z >> 40) * 0x1p-23f - 1.0f;
}

void twin_uniform(const char *name, size_t n, float *out)
{
    const uint64_t hash = fnv1a(name);
    for (size_t i = 0; i < n; i++)
        out[i] = uniform(hash, i);
}

void twin_uniform_hwc(const char *name, int c, int h, int w, float *out)
{
    const uint64_t hash = fnv1a(name);
    const size_t pixels = (size_t)h * (size_t)w, channels = (size_t)c;
    for (size_t p = 0; p < pixels; p++)
        for (size_t k = 0; k < channels; k++)
            out[p * channels + k] = uniform(hash, k * pixels + p);
}
