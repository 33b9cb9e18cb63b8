/* demo/drawing/place.c - see place.h. */
#include "demo/drawing/place.h"

#include <math.h>

void demo_to_shape(const demo_pose *p, float x, float y, float *u, float *v)
{
    const float dx = (x - p->x) / p->half, dy = (y - p->y) / p->half;
    *u = p->cosine * dx + p->sine * dy;
    *v = p->cosine * dy - p->sine * dx;
}

static int clip(float v, int n)
{
    return v < 0 ? 0 : v > (float)(n - 1) ? n - 1 : (int)v;
}

demo_cut demo_cut_out(demo_drawing *d, const demo_shape *s, const demo_pose *p)
{
    const float reach = 1.25f * p->half + 2;
    const demo_canvas *c = &d->canvas;
    demo_cut t = {clip(p->x - reach, c->width), clip(p->y - reach, c->height),
                  clip(p->x + reach, c->width), clip(p->y + reach, c->height), d->samples};
    demo_sample *out = t.samples;
    for (int y = t.y0; y <= t.y1; y++)
        for (int x = t.x0; x <= t.x1; x++) {
            float u, v;
            demo_to_shape(p, (float)x, (float)y, &u, &v);
            *out++ = u * u + v * v > 2.2f ? (demo_sample){1, 1} : demo_shape_at(s, u, v);
        }
    return t;
}

void demo_cast_shadow(demo_drawing *d, const demo_shape *s, const demo_pose *p)
{
    demo_pose q = *p;
    const demo_light *l = &d->light;
    q.x += l->shadow_x * p->half;
    q.y += l->shadow_y * p->half;
    const float reach = (1.1f + l->shadow_soft) * q.half + 1;
    const demo_canvas *c = &d->canvas;
    const int x1 = clip(q.x + reach, c->width), y1 = clip(q.y + reach, c->height);
    for (int y = clip(q.y - reach, c->height); y <= y1; y++)
        for (int x = clip(q.x - reach, c->width); x <= x1; x++) {
            float u, v;
            demo_to_shape(&q, (float)x, (float)y, &u, &v);
            const float at = demo_shape_at(s, u, v).distance;
            const float t = fminf(fmaxf(0.5f - at / l->shadow_soft, 0), 1);
            demo_color *pixel = &c->pixels[(long)y * c->width + x];
            const float keep = 1 - l->shadow_depth * t * t;
            *pixel = (demo_color){pixel->r * keep, pixel->g * keep, pixel->b * keep};
        }
}

/* The gradient of the distance in picture axes, for the bevel alone. */
static void slope(const demo_shape *s, const demo_pose *p, float u, float v, float at, float *nx,
                  float *ny)
{
    const float h = 0.02f;
    const float du = demo_shape_at(s, u + h, v).distance - at,
                dv = demo_shape_at(s, u, v + h).distance - at;
    const float length = fmaxf(sqrtf(du * du + dv * dv), 1e-6f);
    *nx = (p->cosine * du - p->sine * dv) / length;
    *ny = (p->sine * du + p->cosine * dv) / length;
}

void demo_paint(demo_drawing *d, const demo_shape *s, const demo_pose *p, const demo_cut *t,
                const demo_material *m, int id)
{
    const demo_sample *at = t->samples;
    for (int y = t->y0; y <= t->y1; y++)
        for (int x = t->x0; x <= t->x1; x++, at++) {
            const float cover = fminf(fmaxf(0.5f - at->distance * p->half, 0), 1);
            if (cover <= 0)
                continue;
            float u, v, nx = 0, ny = 0;
            demo_to_shape(p, (float)x, (float)y, &u, &v);
            if (at->distance > -m->bevel)
                slope(s, p, u, v, at->distance, &nx, &ny);
            const demo_color c = demo_surface(m, &d->light, *at, u, v, nx, ny);
            demo_color *pixel = &d->canvas.pixels[(long)y * d->canvas.width + x];
            pixel->r += (c.r - pixel->r) * cover;
            pixel->g += (c.g - pixel->g) * cover;
            pixel->b += (c.b - pixel->b) * cover;
            if (cover >= 0.5f) {
                d->canvas.ids[(long)y * d->canvas.width + x] = (unsigned char)id;
                d->full[id] += id != 0;
            }
        }
}
