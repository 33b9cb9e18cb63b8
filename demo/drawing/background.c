/* demo/drawing/background.c - what the parts lie on. */
#include <math.h>

#include "demo/drawing/paint.h"

typedef struct ground {
    demo_color a, b;
    float cosine, sine; /* of the texture's direction */
    float period, strength, fine;
    float sweep_x, sweep_y; /* a slow change of light over the picture */
    uint32_t seed;
} ground;

static demo_color mix(demo_color a, demo_color b, float t)
{
    return (demo_color){a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

static demo_color scaled(demo_color c, float f)
{
    return (demo_color){c.r * f, c.g * f, c.b * f};
}

/* Each gives the colour at (u, v), pixels along and across the texture. */
static demo_color metal(const ground *g, float u, float v)
{
    const float brush = demo_noise(u * 0.02f, v * 0.9f, g->seed) +
                        0.5f * demo_noise(u * 0.1f, v * 2.1f, g->seed + 1);
    return scaled(g->a,
                  1 + g->strength * brush + 0.15f * demo_noise(u * 0.01f, v * 0.01f, g->seed + 2));
}

static demo_color conveyor(const ground *g, float u, float v)
{
    const float t = u / g->period - floorf(u / g->period);
    const float seam = t < 0.06f ? 0.55f : t < 0.1f ? 1.3f : 1;
    return scaled(g->a, seam * (1 + g->fine * demo_noise(u * 0.8f, v * 0.8f, g->seed)));
}

static demo_color cardboard(const ground *g, float u, float v)
{
    const float ribs = sinf(6.28f * u / g->period),
                fibre = demo_noise(u * 0.5f, v * 0.12f, g->seed);
    return scaled(g->a, 1 + 0.5f * g->strength * ribs + g->fine * fibre +
                            0.1f * demo_noise(u * 0.02f, v * 0.02f, g->seed));
}

static demo_color clutter(const ground *g, float u, float v)
{
    const float warp = 30 * demo_noise(u * 0.013f, v * 0.013f, g->seed);
    const float cells = demo_noise((u + warp) / g->period, (v - warp) / g->period, g->seed + 1);
    const float t = cells > 0.1f ? 1.0f : cells > -0.3f ? 0.45f : 0;
    return scaled(mix(g->a, g->b, t * g->strength * 2),
                  1 + g->fine * demo_noise(u * 0.3f, v * 0.3f, g->seed + 2));
}

static demo_color gradient(const ground *g, float u, float v)
{
    return mix(g->a, g->b, 0.5f + 0.5f * sinf(u / (3 * g->period) + 0.002f * v));
}

static demo_color noise(const ground *g, float u, float v)
{
    float sum = 0, weight = 0.5f, scale = 1 / g->period;
    for (uint32_t i = 0; i < 4; i++, weight *= 0.6f, scale *= 2.3f)
        sum += weight * demo_noise(u * scale, v * scale, g->seed + i);
    return mix(g->a, g->b, fminf(fmaxf(0.5f + g->strength * 2 * sum, 0), 1));
}

static demo_color tiles(const ground *g, float u, float v)
{
    const int odd = ((int)floorf(u / g->period) + (int)floorf(v / g->period)) & 1;
    return scaled(mix(g->a, g->b, odd ? 0.5f : 0),
                  1 + g->fine * demo_noise(u * 0.4f, v * 0.4f, g->seed));
}

typedef demo_color ground_function(const ground *g, float u, float v);
static ground_function *const kinds[] = {metal,    conveyor, cardboard, clutter,
                                         gradient, noise,    tiles};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static demo_color any_color(demo_random *r)
{
    const float value = demo_between(r, 0.12f, 0.92f), tint = demo_chance(r, 0.5f) ? 0.06f : 0.3f;
    return (demo_color){value * (1 + demo_between(r, -tint, tint)),
                        value * (1 + demo_between(r, -tint, tint)),
                        value * (1 + demo_between(r, -tint, tint))};
}

void demo_background(demo_canvas *c, demo_random *r, demo_tilt tilt)
{
    const int kind = demo_below(r, KINDS);
    const float angle = demo_between(r, 0, 3.14159f);
    ground g = {.cosine = cosf(angle), .sine = sinf(angle), .seed = demo_bits(r)};
    g.a = any_color(r);
    g.b = any_color(r);
    if (kinds[kind] == cardboard)
        g.a = (demo_color){demo_between(r, .55f, .75f), demo_between(r, .42f, .55f),
                           demo_between(r, .27f, .38f)};
    g.period =
        demo_between(r, kinds[kind] == cardboard ? 4 : 12, kinds[kind] == cardboard ? 14 : 90);
    g.strength = demo_between(r, 0.05f, 0.35f);
    g.fine = demo_between(r, 0.02f, 0.18f);
    g.sweep_x = demo_between(r, -0.4f, 0.4f) / (float)c->width;
    g.sweep_y = demo_between(r, -0.4f, 0.4f) / (float)c->height;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            const float fx = (float)x, fy = (float)y;
            const float far = 1 / (1 + tilt.x * fx + tilt.y * fy), tx = fx * far, ty = fy * far;
            const demo_color at =
                kinds[kind](&g, g.cosine * tx + g.sine * ty, g.cosine * ty - g.sine * tx);
            c->pixels[(long)y * c->width + x] = scaled(at, 1 + g.sweep_x * fx + g.sweep_y * fy);
        }
}
