/* demo/drawing/paint.c - surfaces and light. */
#include "demo/drawing/paint.h"

#include <math.h>

static const float pi = 3.14159265f;

static float lattice(int x, int y, uint32_t seed)
{
    uint32_t h = (uint32_t)x * 0x8da6b343u ^ (uint32_t)y * 0xd8163841u ^ seed * 0xcb1ab31fu;
    h = (h ^ h >> 15) * 0x2c1b3c6du;
    h = (h ^ h >> 12) * 0x297a2d39u;
    return (float)((h ^ h >> 15) >> 8) * (2.0f / 16777216.0f) - 1;
}

float demo_noise(float x, float y, uint32_t seed)
{
    const float fx = floorf(x), fy = floorf(y);
    const int ix = (int)fx, iy = (int)fy;
    float tx = x - fx, ty = y - fy;
    tx *= tx * (3 - 2 * tx);
    ty *= ty * (3 - 2 * ty);
    const float a = lattice(ix, iy, seed), b = lattice(ix + 1, iy, seed);
    const float c = lattice(ix, iy + 1, seed), d = lattice(ix + 1, iy + 1, seed);
    return a + (b - a) * tx + (c - a) * ty + (a - b - c + d) * tx * ty;
}

demo_light demo_light_draw(demo_random *r)
{
    const float angle = demo_between(r, 0, 2 * pi), height = demo_between(r, 0.5f, 1.2f);
    demo_light l = {
        .x = cosf(angle) * cosf(height), .y = sinf(angle) * cosf(height), .z = sinf(height)};
    const float reach = demo_between(r, 0, 0.16f);
    l.ambient = demo_between(r, 0.35f, 0.7f);
    l.shadow_x = -cosf(angle) * reach;
    l.shadow_y = -sinf(angle) * reach;
    l.shadow_soft = demo_between(r, 0.04f, 0.35f);
    l.shadow_depth = demo_between(r, 0.1f, 0.65f);
    return l;
}

static demo_color hue(float h, float saturation, float value)
{
    const float r = fabsf(6 * h - 3) - 1, g = 2 - fabsf(6 * h - 2), b = 2 - fabsf(6 * h - 4);
    demo_color c = {fminf(fmaxf(r, 0), 1), fminf(fmaxf(g, 0), 1), fminf(fmaxf(b, 0), 1)};
    c.r = value * (1 + saturation * (c.r - 1));
    c.g = value * (1 + saturation * (c.g - 1));
    c.b = value * (1 + saturation * (c.b - 1));
    return c;
}

static const demo_color metals[] = {
    {.66f, .67f, .69f}, {.75f, .75f, .74f}, {.52f, .54f, .57f}, /* steels, zinc */
    {.76f, .62f, .30f}, {.72f, .45f, .32f},                     /* brass, copper */
    {.16f, .16f, .18f}, {.27f, .26f, .26f},                     /* black oxide, cast iron */
};

demo_material demo_material_draw(demo_random *r, int generic)
{
    demo_material m = {.seed = demo_bits(r)};
    const float shade = demo_between(r, 0.75f, 1.2f);
    if (demo_chance(r, generic ? 0.3f : 0.75f)) {
        const demo_color c = metals[demo_below(r, sizeof metals / sizeof metals[0])];
        m.color = (demo_color){c.r * shade, c.g * shade, c.b * shade};
        m.gloss = demo_between(r, 0.05f, 0.6f);
    } else {
        m.color = hue(demo_unit(r), demo_between(r, 0.2f, 0.95f), demo_between(r, 0.2f, 0.95f));
        m.gloss = demo_between(r, 0, 0.25f);
    }
    m.band_angle = demo_between(r, 0, 2 * pi);
    m.band_at = demo_between(r, -0.8f, 0.8f);
    m.band_width = demo_between(r, 0.08f, 0.6f);
    m.grain = demo_between(r, 0, 0.09f);
    m.bevel = demo_between(r, 0.02f, 0.14f);
    if (generic && demo_chance(r, 0.35f)) {
        m.pattern = demo_between(r, 0.12f, 0.5f);
        m.second = hue(demo_unit(r), demo_unit(r), demo_between(r, 0.1f, 0.95f));
    }
    return m;
}

/* How near a normal is to the one that mirrors the lamp into a camera above (Blinn 1977). */
static float mirror(const demo_light *light, float nx, float ny, float nz)
{
    const float hz = light->z + 1;
    const float length = sqrtf(light->x * light->x + light->y * light->y + hz * hz);
    const float c = fmaxf((nx * light->x + ny * light->y + nz * hz) / length, 0), c8 = powf(c, 8);
    return c8 * c8 * c8 * c8;
}

demo_color demo_surface(const demo_material *m, const demo_light *light, demo_sample at, float x,
                        float y, float nx, float ny)
{
    const float edge = fminf(fmaxf(1 + at.distance / m->bevel, 0), 1);
    const float tilt = 0.9f * edge, up = sqrtf(1 - tilt * tilt);
    const float diffuse = fmaxf(tilt * (nx * light->x + ny * light->y) + up * light->z, 0);
    const float along = x * cosf(m->band_angle) + y * sinf(m->band_angle) - m->band_at;
    const float band = m->gloss * expf(-along * along / (m->band_width * m->band_width));
    const float grain =
        m->grain * (demo_noise(14 * x, 14 * y, m->seed) + demo_noise(47 * x, 5 * y, m->seed + 1));
    const float glint = m->glint > 0 ? m->glint * mirror(light, tilt * nx, tilt * ny, up) : 0;
    const float shade =
        (light->ambient + (1.1f - light->ambient) * diffuse) * at.tone * (1 + grain);
    const float phase = m->pattern > 0 ? x / m->pattern : 0;
    const demo_color c = phase - floorf(phase) > 0.5f ? m->second : m->color;
    const float shine = band * 0.6f + glint;
    return (demo_color){c.r * shade + shine, c.g * shade + shine, c.b * shade + shine};
}
