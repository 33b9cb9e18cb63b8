/* demo/drawing/new_parts.c - outlines of parts that no shipped network was trained with. */
#include "demo/drawing/new_parts.h"

#include "demo/drawing/primitives.h"

/* Two leaves on a barrel. p: 0 half height, 1 barrel's half width, 2 what the pin sticks out, 3 holes'
 * radius, 4 corner radius; n: knuckles */
demo_sample demo_hinge(const demo_shape *s, float x, float y)
{
    const float h = s->p[0], w = s->p[1], ax = fabsf(x), ay = fabsf(y);
    float d = round_box(x, y, 1, h, s->p[4]);
    const float knuckle = (y + h) / (2 * h) * (float)s->n, at = floorf(knuckle);
    const float side = (int)at & 1 ? 1.0f : -1.0f; /* the leaf that does not reach this knuckle */
    const float slot = box(x - side * (w + 0.03f), y - (at + 0.5f) / (float)s->n * 2 * h + h, 0.03f,
                           h / (float)s->n);
    d = fmaxf(d, -slot);
    d = fminf(d, box(x, y, w, h));
    d = fminf(d, round_box(x, y, 0.55f * w, h + s->p[2], 0.3f * w));
    d = fmaxf(d, -disk(ax - 0.66f, ay - 0.6f * h, s->p[3]));
    if (h > 0.65f)
        d = fmaxf(d, -disk(ax - 0.5f, y, s->p[3]));
    demo_sample out = {d, 1};
    if (ax < w) {
        const float seam = fabsf(knuckle - floorf(knuckle + 0.5f));
        out.tone = seam < 0.06f && ay < h ? 0.5f : 1.2f - 0.5f * ax / w;
    }
    return out;
}

/* An arc of radius R round the origin, from -pi/2 over 0 to `end`, as a distance to its middle line. */
static float arc(float x, float y, float radius, float end)
{
    const float angle = atan2f(y, x);
    if (angle >= -0.5f * pi && angle <= end)
        return fabsf(sqrtf(x * x + y * y) - radius);
    return fminf(disk(x, y + radius, 0), disk(x - radius * cosf(end), y - radius * sinf(end), 0));
}

/* Eye, shank and bend. p: 0 half thickness, 1 bend's radius, 2 its end, 3 eye's radius, 4 how far it
 * tapers */
demo_sample demo_hook(const demo_shape *s, float x, float y)
{
    const float t = s->p[0], radius = s->p[1], eye = s->p[3];
    const float cx = 0.95f - radius - t, u = x - cx;
    const float turn = fmaxf(atan2f(y, u), 0) / s->p[2];
    const float bend = arc(u, y, radius, s->p[2]) - t * (1 - s->p[4] * fminf(turn, 1) * 0.8f);
    const float shank = segment(x, y, -1 + eye, -radius, cx, -radius) - t;
    const float ring = disk(x + 1 - eye, y + radius, eye);
    float d = fminf(fminf(bend, shank), ring);
    d = fmaxf(d, -disk(x + 1 - eye, y + radius, 0.5f * eye));
    demo_sample out = {d, 1};
    out.tone = ring < 0 ? 0.92f : 1.1f - 0.35f * fminf(1, fmaxf(0, 1 + d / t));
    return out;
}

/* Seen along its axle. p: 0 hub's radius, 1 inner radius of the rim, 2 half width of a spoke, 3 bore,
 * 4 radius of the groove; n: spokes */
demo_sample demo_pulley(const demo_shape *s, float x, float y)
{
    const float r = sqrtf(x * x + y * y), step = 2 * pi / (float)s->n;
    float a = atan2f(y, x);
    a -= step * floorf(a / step + 0.5f);
    const float spoke = fabsf(r * sinf(a)) - s->p[2];
    const float window = fmaxf(fmaxf(s->p[0] - r, r - s->p[1]), -spoke);
    float d = fmaxf(r - 1, -window);
    d = fmaxf(d, s->p[3] - r);
    demo_sample out = {d, 1};
    if (fabsf(r - s->p[4]) < 0.045f)
        out.tone = 0.55f;
    else
        out.tone = r > s->p[1] ? 1.08f : r < s->p[0] ? 1.0f : 0.88f;
    return out;
}

/* A C-shaped frame and its screw. p: 0 thickness, 1 half height, 2 screw's half width, 3 how far it
 * is turned in, 4 half length of the handle, 5 where it stands */
demo_sample demo_clamp(const demo_shape *s, float x, float y)
{
    const float t = s->p[0], h = s->p[1] * 0.75f, at = s->p[5];
    const float top = -0.2f - h, bottom = -0.2f + h;
    float d = round_box(x + 0.1f, y + 0.2f, 0.9f, h, 0.5f * t);
    d = fmaxf(d, -box(x - 0.5f * (0.2f + t), y + 0.2f, 0.5f * (2.2f - t), h - t));
    const float pad = top + t + 0.12f + (1 - s->p[3]) * 0.5f * (h - t);
    const float screw = box(x - at, y - 0.5f * (pad + 0.95f), s->p[2], 0.5f * (0.95f - pad));
    const float foot = round_box(x - at, y - pad, 0.17f, 0.06f, 0.03f);
    const float handle = round_box(x - at, y - 0.93f, s->p[4], 0.05f, 0.04f);
    demo_sample out = {fminf(d, fminf(screw, fminf(foot, handle))), 1};
    if (screw < 0 && y > bottom - t)
        out.tone = 0.85f + 0.2f * zigzag(y * 9);
    else if (d < 0)
        out.tone = 0.95f;
    return out;
}

/* Seen from the side. p: 0 head's radius, 1 half width of the shank, 2 how much of a ball the head is,
 * 3 > 0.5: blind, with a mandrel of half width 4 */
demo_sample demo_rivet(const demo_shape *s, float x, float y)
{
    const float radius = s->p[0], height = radius * s->p[2];
    const float left = s->p[3] > 0.5f ? -0.45f : -1.0f, neck = left + height;
    /* a ball that is cut at the neck: its flat side has the head's radius */
    const float ball = (radius * radius + height * height) / (2 * height);
    const float head = fmaxf(disk(x - left - ball, y, ball), x - neck);
    const float shank =
        round_box(x - 0.5f * (neck + 1), y, 0.5f * (1 - neck) + 0.03f, s->p[1], 0.5f * s->p[1]);
    demo_sample out = {fminf(head, shank), 1};
    if (s->p[3] > 0.5f) {
        const float mandrel = round_box(x + 0.6f, y, 0.4f, s->p[4], 0.02f);
        if (mandrel < out.distance)
            out.distance = mandrel;
    }
    out.tone = x < neck ? 1.1f - 0.3f * fabsf(y) / radius : 1.15f - 0.45f * fabsf(y) / s->p[1];
    return out;
}

/* A split pin. p: 0 eye's radius, 1 half thickness of the wire, 2 how far the legs are spread, 3 where
 * the shorter leg ends, 4 bend of the longer one */
demo_sample demo_cotter_pin(const demo_shape *s, float x, float y)
{
    const float eye = s->p[0], t = s->p[1], cx = -1 + eye;
    const float ring = fabsf(disk(x - cx, y, eye - t)) - t;
    const float from = cx + 0.8f * eye;
    const float upper =
        fminf(segment(x, y, from, -t, 0.3f, -t - 0.4f * s->p[2]),
              segment(x, y, 0.3f, -t - 0.4f * s->p[2], 1 - t, -t - s->p[2] - s->p[4])) -
        t;
    const float lower = segment(x, y, from, t, s->p[3] - t, t + s->p[2]) - t;
    demo_sample out = {fminf(ring, fminf(upper, lower)), 1};
    out.tone = upper < 0 && upper < lower ? 1.08f : 0.92f;
    if (fabsf(upper - lower) < 0.02f && ring > 0)
        out.tone = 0.6f;
    return out;
}
