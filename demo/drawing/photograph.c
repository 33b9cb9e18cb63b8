/* demo/drawing/photograph.c - see photograph.h. */
#include "demo/drawing/photograph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "demo/drawing/finish.h"

static const float pi = 3.14159265f;

demo_tilt demo_photograph_tilt(demo_random *r, int width, int height)
{
    return (demo_tilt){demo_between(r, -0.35f, 0.35f) / (float)width,
                       demo_between(r, -0.45f, 0.9f) / (float)height};
}

void demo_photograph_light(demo_random *r, demo_light *l)
{
    const float angle = atan2f(l->y, l->x), reach = demo_between(r, 0.08f, 0.5f);
    l->shadow_x = -cosf(angle) * reach;
    l->shadow_y = -sinf(angle) * reach;
    l->shadow_soft = demo_between(r, 0.05f, 0.15f) + 0.5f * reach;
    l->shadow_depth = demo_between(r, 0.3f, 0.8f);
    l->ambient = demo_between(r, 0.25f, 0.6f);
}

void demo_photograph_material(demo_random *r, demo_material *m)
{
    if (demo_chance(r, 0.6f)) {
        m->gloss *= demo_between(r, 1, 2.5f);
        m->band_width *= demo_between(r, 0.25f, 1);
    }
    m->glint = demo_chance(r, 0.6f) ? demo_between(r, 0.2f, 1.2f) : 0;
}

/* ---- clutter ---- */

static float line_distance(float x, float y, const float a[2], const float b[2])
{
    const float dx = b[0] - a[0], dy = b[1] - a[1];
    const float t = ((x - a[0]) * dx + (y - a[1]) * dy) / fmaxf(dx * dx + dy * dy, 1e-6f);
    const float s = fminf(fmaxf(t, 0), 1);
    return hypotf(x - a[0] - s * dx, y - a[1] - s * dy);
}

/* Puts the distance to the line from a to b where it is less than what is there. */
static void reach_line(demo_drawing *d, const float a[2], const float b[2], float radius)
{
    const demo_canvas *c = &d->canvas;
    const int x0 = (int)fmaxf(fminf(a[0], b[0]) - radius - 1, 0),
              x1 = (int)fminf(fmaxf(a[0], b[0]) + radius + 1, (float)(c->width - 1)),
              y0 = (int)fmaxf(fminf(a[1], b[1]) - radius - 1, 0),
              y1 = (int)fminf(fmaxf(a[1], b[1]) + radius + 1, (float)(c->height - 1));
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++) {
            float *at = &d->samples[(long)y * c->width + x].distance;
            *at = fminf(*at, line_distance((float)x, (float)y, a, b));
        }
}

/* A cable or a curled chip: a wandering round line. */
static void draw_thread(demo_drawing *d, demo_random *r, float length, float radius, float bend)
{
    enum { PIECES = 24 };
    demo_canvas *c = &d->canvas;
    const long pixels = (long)c->width * c->height;
    float at[2] = {demo_between(r, 0, (float)c->width), demo_between(r, 0, (float)c->height)};
    float way = demo_between(r, 0, 2 * pi), turn = demo_between(r, -bend, bend);
    const float value = demo_between(r, 0.05f, 0.85f), red = demo_between(r, 0.6f, 1.1f),
                green = demo_between(r, 0.6f, 1.1f), blue = demo_between(r, 0.6f, 1.1f);
    for (long k = 0; k < pixels; k++)
        d->samples[k].distance = 2 * radius + 1;
    for (int i = 0; i < PIECES; i++) {
        const float next[2] = {at[0] + length / PIECES * cosf(way),
                               at[1] + length / PIECES * sinf(way)};
        reach_line(d, at, next, radius);
        memcpy(at, next, sizeof at);
        turn += demo_between(r, -0.3f, 0.3f) * bend;
        way += turn;
    }
    for (long k = 0; k < pixels; k++) {
        const float far = d->samples[k].distance, cover = fminf(fmaxf(radius + 0.5f - far, 0), 1),
                    shade = value * (1.1f - 0.7f * (far / radius) * (far / radius));
        demo_color *p = &c->pixels[k];
        p->r += (red * shade - p->r) * cover;
        p->g += (green * shade - p->g) * cover;
        p->b += (blue * shade - p->b) * cover;
    }
}

static void draw_crumb(demo_drawing *d, demo_random *r)
{
    const int kind = (int)DEMO_PARTS + demo_below(r, (int)DEMO_GENERIC_END - (int)DEMO_PARTS);
    const demo_shape s = demo_shape_draw((demo_kind)kind, r);
    const demo_material m = demo_material_draw(r, 1);
    const float angle = demo_between(r, 0, 2 * pi);
    const demo_pose p = {demo_between(r, 0, (float)d->canvas.width),
                         demo_between(r, 0, (float)d->canvas.height), demo_between(r, 1.5f, 6),
                         cosf(angle), sinf(angle)};
    const demo_cut cut = demo_cut_out(d, &s, &p);
    demo_cast_shadow(d, &s, &p);
    demo_paint(d, &s, &p, &cut, &m, 0);
}

void demo_photograph_clutter(demo_drawing *d)
{
    demo_random *r = &d->own;
    const float longer =
        (float)(d->canvas.width > d->canvas.height ? d->canvas.width : d->canvas.height);
    for (int i = demo_chance(r, 0.4f) ? 1 + demo_below(r, 2) : 0; i > 0; i--)
        draw_thread(d, r, longer * demo_between(r, 0.7f, 1.6f),
                    longer * demo_between(r, 0.004f, 0.014f), 0.12f);
    for (int i = demo_chance(r, 0.4f) ? 1 + demo_below(r, 8) : 0; i > 0; i--)
        draw_thread(d, r, longer * demo_between(r, 0.04f, 0.2f), demo_between(r, 0.7f, 2), 0.6f);
    for (int i = demo_chance(r, 0.5f) ? 1 + demo_below(r, 30) : 0; i > 0; i--)
        draw_crumb(d, r);
}

/* ---- light ---- */

/* What stands outside throws a soft-edged shadow over a side or a stripe of the picture. */
static void outside_shadow(demo_canvas *c, demo_random *r)
{
    const float angle = demo_between(r, 0, 2 * pi), cosine = cosf(angle), sine = sinf(angle);
    const float longer = (float)(c->width > c->height ? c->width : c->height);
    const float at = demo_between(r, -0.35f, 0.35f) * longer,
                width = demo_chance(r, 0.5f) ? 2 * longer : demo_between(r, 0.08f, 0.3f) * longer,
                soft = demo_between(r, 0.01f, 0.12f) * longer, depth = demo_between(r, 0.2f, 0.55f);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            const float s = cosine * ((float)x - 0.5f * (float)c->width) +
                            sine * ((float)y - 0.5f * (float)c->height) - at;
            const float inside = fminf(s, width - s) / soft;
            const float t = fminf(fmaxf(0.5f + inside, 0), 1);
            const float keep = 1 - depth * t * t * (3 - 2 * t);
            demo_color *p = &c->pixels[(long)y * c->width + x];
            *p = (demo_color){p->r * keep, p->g * keep, p->b * keep};
        }
}

/* Daylight on one side, a lamp on the other; the camera has balanced neither. */
static void cast_colors(demo_canvas *c, demo_random *r)
{
    const float warm = demo_between(r, -0.18f, 0.22f), change = demo_between(r, -0.2f, 0.2f),
                green = demo_between(r, -0.06f, 0.06f);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            const float w = warm + change * ((float)x / (float)c->width - 0.5f);
            demo_color *p = &c->pixels[(long)y * c->width + x];
            *p = (demo_color){p->r * (1 + w), p->g * (1 + green), p->b * (1 - w)};
        }
}

/* ---- camera ---- */

/* In focus along a line of the tilted ground, blurred before and behind it. Masks stay where they
 * are: the edge is in the middle of its blur. */
static int depth_of_field(demo_canvas *c, demo_random *r)
{
    const size_t pixels = (size_t)c->width * (size_t)c->height;
    demo_canvas soft = *c;
    soft.pixels = malloc(pixels * sizeof *soft.pixels);
    if (!soft.pixels)
        return 0;
    memcpy(soft.pixels, c->pixels, pixels * sizeof *soft.pixels);
    demo_blur(&soft, 4 + demo_below(r, 9)); /* sigma 1.4 to 2.4 pixels */
    const float focus = demo_between(r, 0, 1), sharp = demo_between(r, 0.1f, 0.35f);
    for (int y = 0; y < c->height; y++) {
        const float off = fabsf((float)y / (float)c->height - focus) - sharp;
        const float t = fminf(fmaxf(off / 0.3f, 0), 1);
        for (long k = (long)y * c->width, end = k + c->width; k < end; k++) {
            demo_color *p = &c->pixels[k];
            const demo_color *q = &soft.pixels[k];
            *p = (demo_color){p->r + (q->r - p->r) * t, p->g + (q->g - p->g) * t,
                              p->b + (q->b - p->b) * t};
        }
    }
    free(soft.pixels);
    return 1;
}

/* The mean along a short line through each pixel, two to five pixels long. */
static int motion_blur(demo_canvas *c, demo_random *r)
{
    enum { TAPS = 7 };
    const size_t pixels = (size_t)c->width * (size_t)c->height;
    demo_color *still = malloc(pixels * sizeof *still);
    if (!still)
        return 0;
    memcpy(still, c->pixels, pixels * sizeof *still);
    const float angle = demo_between(r, 0, pi), length = demo_between(r, 2, 5);
    int dx[TAPS], dy[TAPS];
    for (int k = 0; k < TAPS; k++) {
        const float way = length * ((float)k / (TAPS - 1) - 0.5f);
        dx[k] = (int)lroundf(way * cosf(angle));
        dy[k] = (int)lroundf(way * sinf(angle));
    }
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            demo_color sum = {0, 0, 0};
            for (int k = 0; k < TAPS; k++) {
                const int u = x + dx[k], v = y + dy[k];
                const int ix = u < 0          ? 0
                               : u < c->width ? u
                                              : c->width - 1,
                          iy = v < 0           ? 0
                               : v < c->height ? v
                                               : c->height - 1;
                const demo_color *p = &still[(long)iy * c->width + ix];
                sum = (demo_color){sum.r + p->r, sum.g + p->g, sum.b + p->b};
            }
            c->pixels[(long)y * c->width + x] =
                (demo_color){sum.r / TAPS, sum.g / TAPS, sum.b / TAPS};
        }
    free(still);
    return 1;
}

/* Shot noise grows with the root of the light; colour noise covers two pixels; rows have an offset
 * of their own. */
static void sensor_noise(demo_canvas *c, demo_random *r)
{
    const float shot = demo_between(r, 0, 0.06f), chroma = demo_between(r, 0, 0.05f),
                rows = demo_chance(r, 0.3f) ? demo_between(r, 0, 0.012f) : 0;
    const uint32_t seed = demo_bits(r);
    for (int y = 0; y < c->height; y++) {
        const float row = rows * (2 * demo_unit(r) - 1);
        for (int x = 0; x < c->width; x++) {
            demo_color *p = &c->pixels[(long)y * c->width + x];
            const float light = fminf(fmaxf(0.333f * (p->r + p->g + p->b), 0), 1);
            const float grain = shot * sqrtf(light) * 2.449f * (demo_unit(r) + demo_unit(r) - 1);
            const float u = 0.5f * (float)x, v = 0.5f * (float)y;
            p->r += row + grain + chroma * demo_noise(u, v, seed);
            p->g += row + grain;
            p->b += row + grain + chroma * demo_noise(u, v, seed + 1);
        }
    }
}

int demo_photograph_expose(demo_canvas *c, demo_random *r)
{
    if (demo_chance(r, 0.4f))
        outside_shadow(c, r);
    if (demo_chance(r, 0.7f))
        cast_colors(c, r);
    if (demo_chance(r, 0.4f) && !depth_of_field(c, r))
        return 0;
    if (demo_chance(r, 0.2f) && !motion_blur(c, r))
        return 0;
    sensor_noise(c, r);
    return 1;
}
