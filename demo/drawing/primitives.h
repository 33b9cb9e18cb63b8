/* demo/drawing/primitives.h - signed distances of the usual 2D primitives. */
#ifndef WS_DEMO_DRAWING_PRIMITIVES_H
#define WS_DEMO_DRAWING_PRIMITIVES_H

#include <math.h>

static const float pi = 3.14159265f;

static inline float disk(float x, float y, float radius)
{
    return sqrtf(x * x + y * y) - radius;
}

static inline float box(float x, float y, float half_width, float half_height)
{
    const float dx = fabsf(x) - half_width, dy = fabsf(y) - half_height;
    const float ox = fmaxf(dx, 0), oy = fmaxf(dy, 0);
    return sqrtf(ox * ox + oy * oy) + fminf(fmaxf(dx, dy), 0);
}

static inline float round_box(float x, float y, float half_width, float half_height, float radius)
{
    return box(x, y, half_width - radius, half_height - radius) - radius;
}

/* A regular polygon with its apothem (centre to side) given. */
static inline float regular(float x, float y, int sides, float apothem)
{
    const float step = 2 * pi / (float)sides;
    float angle = atan2f(y, x);
    angle -= step * floorf(angle / step + 0.5f);
    return sqrtf(x * x + y * y) * cosf(angle) - apothem;
}

static inline float segment(float x, float y, float x0, float y0, float x1, float y1)
{
    const float dx = x1 - x0, dy = y1 - y0;
    float t = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy);
    t = fminf(fmaxf(t, 0), 1);
    return disk(x - x0 - t * dx, y - y0 - t * dy, 0);
}

/* A wave between -1 and 1 with straight flanks. */
static inline float zigzag(float t)
{
    return 4 * fabsf(t - floorf(t) - 0.5f) - 1;
}

#endif
