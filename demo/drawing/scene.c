/* demo/drawing/scene.c - places shapes on a background. */
#include "demo/drawing/scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "demo/drawing/finish.h"
#include "demo/drawing/paint.h"

/* A shape on the canvas: centre and half extent in pixels. */
typedef struct pose {
    float x, y, half, cosine, sine;
} pose;

/* The pixels a shape may touch, with the samples found there. */
typedef struct cut {
    int x0, y0, x1, y1; /* inclusive, clipped */
    demo_sample *samples;
} cut;

typedef struct drawing {
    demo_canvas canvas;
    demo_random random;
    demo_light light;
    const demo_options *options;
    pose poses[DEMO_MOST + 4];
    int full[DEMO_MOST + 1]; /* area of each instance when it was drawn */
    demo_sample *samples;    /* room for one cut */
} drawing;

static void to_shape(const pose *p, float x, float y, float *u, float *v)
{
    const float dx = (x - p->x) / p->half, dy = (y - p->y) / p->half;
    *u = p->cosine * dx + p->sine * dy;
    *v = p->cosine * dy - p->sine * dx;
}

static int clip(float v, int n)
{
    return v < 0 ? 0 : v > (float)(n - 1) ? n - 1 : (int)v;
}

static cut sample(drawing *d, const demo_shape *s, const pose *p)
{
    const float reach = 1.25f * p->half + 2;
    const demo_canvas *c = &d->canvas;
    cut t = {clip(p->x - reach, c->width), clip(p->y - reach, c->height),
             clip(p->x + reach, c->width), clip(p->y + reach, c->height), d->samples};
    demo_sample *out = t.samples;
    for (int y = t.y0; y <= t.y1; y++)
        for (int x = t.x0; x <= t.x1; x++) {
            float u, v;
            to_shape(p, (float)x, (float)y, &u, &v);
            *out++ = u * u + v * v > 2.2f ? (demo_sample){1, 1} : demo_shape_at(s, u, v);
        }
    return t;
}

/* At least 60 % of what each instance showed when it was drawn stays in sight, and 24 pixels of the
 * new one. */
static int is_fair(const drawing *d, const cut *t)
{
    int hidden[256] = {0}, seen = 0;
    const demo_sample *s = t->samples;
    for (int y = t->y0; y <= t->y1; y++)
        for (int x = t->x0; x <= t->x1; x++, s++)
            if (s->distance < 0) {
                seen++;
                hidden[d->canvas.ids[(long)y * d->canvas.width + x]]++;
            }
    for (int i = 1; i <= DEMO_MOST; i++)
        if (hidden[i]) {
            int left = -hidden[i];
            const long pixels = (long)d->canvas.width * d->canvas.height;
            for (long k = 0; k < pixels; k++)
                left += d->canvas.ids[k] == i;
            if ((float)left < 0.6f * (float)d->full[i])
                return 0;
        }
    return seen >= 24;
}

static void cast_shadow(drawing *d, const demo_shape *s, const pose *p)
{
    pose q = *p;
    const demo_light *l = &d->light;
    q.x += l->shadow_x * p->half;
    q.y += l->shadow_y * p->half;
    const float reach = (1.1f + l->shadow_soft) * q.half + 1;
    const demo_canvas *c = &d->canvas;
    const int x1 = clip(q.x + reach, c->width), y1 = clip(q.y + reach, c->height);
    for (int y = clip(q.y - reach, c->height); y <= y1; y++)
        for (int x = clip(q.x - reach, c->width); x <= x1; x++) {
            float u, v;
            to_shape(&q, (float)x, (float)y, &u, &v);
            const float at = demo_shape_at(s, u, v).distance;
            const float t = fminf(fmaxf(0.5f - at / l->shadow_soft, 0), 1);
            demo_color *pixel = &c->pixels[(long)y * c->width + x];
            const float keep = 1 - l->shadow_depth * t * t;
            *pixel = (demo_color){pixel->r * keep, pixel->g * keep, pixel->b * keep};
        }
}

/* The gradient of the distance in picture axes, for the bevel alone. */
static void slope(const demo_shape *s, const pose *p, float u, float v, float at, float *nx,
                  float *ny)
{
    const float h = 0.02f;
    const float du = demo_shape_at(s, u + h, v).distance - at,
                dv = demo_shape_at(s, u, v + h).distance - at;
    const float length = fmaxf(sqrtf(du * du + dv * dv), 1e-6f);
    *nx = (p->cosine * du - p->sine * dv) / length;
    *ny = (p->sine * du + p->cosine * dv) / length;
}

static void paint(drawing *d, const demo_shape *s, const pose *p, const cut *t,
                  const demo_material *m, int id)
{
    const demo_sample *at = t->samples;
    for (int y = t->y0; y <= t->y1; y++)
        for (int x = t->x0; x <= t->x1; x++, at++) {
            const float cover = fminf(fmaxf(0.5f - at->distance * p->half, 0), 1);
            if (cover <= 0)
                continue;
            float u, v, nx = 0, ny = 0;
            to_shape(p, (float)x, (float)y, &u, &v);
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

/* Beside an earlier shape in four of ten cases, else anywhere. */
static pose place(drawing *d, int drawn, float size)
{
    demo_random *r = &d->random;
    const float angle = demo_between(r, 0, 6.2831853f);
    pose p = {.half = 0.5f * size, .cosine = cosf(angle), .sine = sinf(angle)};
    if (drawn && demo_chance(r, 0.4f)) {
        const pose *q = &d->poses[demo_below(r, drawn)];
        const float way = demo_between(r, 0, 6.2831853f),
                    far = demo_between(r, 0.6f, 1.15f) * (p.half + q->half);
        p.x = q->x + far * cosf(way);
        p.y = q->y + far * sinf(way);
    } else {
        p.x = demo_between(r, 0, (float)d->canvas.width);
        p.y = demo_between(r, 0, (float)d->canvas.height);
    }
    /* Most stay inside; one in ten may be cut by the border. */
    const float margin = demo_chance(r, 0.1f) ? 0.2f * p.half : 1.05f * p.half;
    p.x = fminf(fmaxf(p.x, margin), (float)d->canvas.width - margin);
    p.y = fminf(fmaxf(p.y, margin), (float)d->canvas.height - margin);
    return p;
}

static float draw_size(drawing *d)
{
    const demo_options *o = d->options;
    const float least = o->least_size > 0 ? o->least_size : 12;
    float largest = o->largest_size > 0 ? o->largest_size : 300;
    const int side = d->canvas.width < d->canvas.height ? d->canvas.width : d->canvas.height;
    largest = fminf(largest, 0.8f * (float)side);
    /* Small and large alike: uniform in the logarithm, with a bend towards the middle. */
    const float t = 0.5f * (demo_unit(&d->random) + sqrtf(demo_unit(&d->random)));
    return least * powf(largest / least, t);
}

static int add_shape(drawing *d, int drawn, demo_kind kind, int id)
{
    const demo_shape s = demo_shape_draw(kind, &d->random);
    const demo_material m = demo_material_draw(&d->random, kind >= DEMO_PARTS);
    for (int attempt = 0; attempt < 8; attempt++) {
        const pose p = place(d, drawn, draw_size(d));
        const cut t = sample(d, &s, &p);
        if (!is_fair(d, &t))
            continue;
        cast_shadow(d, &s, &p);
        paint(d, &s, &p, &t, &m, id);
        d->poses[drawn] = p;
        return 1;
    }
    return 0;
}

/* One to four classes of those allowed. */
static int draw_classes(drawing *d, demo_kind *classes)
{
    const int most = d->options->classes > 0 ? d->options->classes : 4;
    int n = 0, wanted = 1 + demo_below(&d->random, most < 4 ? most : 4);
    for (int tries = 0; n < wanted && tries < 40; tries++) {
        const int k = demo_below(&d->random, DEMO_PARTS);
        int taken = (d->options->without >> k & 1) != 0;
        for (int i = 0; i < n; i++)
            taken |= (int)classes[i] == k;
        if (!taken)
            classes[n++] = (demo_kind)k;
    }
    return n;
}

static demo_kind generic_kind(demo_random *r)
{
    return (demo_kind)((int)DEMO_PARTS + demo_below(r, (int)DEMO_KINDS - (int)DEMO_PARTS));
}

static void fill(drawing *d, demo_scene *scene)
{
    const demo_options *o = d->options;
    demo_kind classes[4];
    const int n_classes = draw_classes(d, classes),
              most = o->most > 0 && o->most <= DEMO_MOST ? o->most : 14;
    /* The square of a uniform number: few instances are common, many are rare. */
    const float t = demo_unit(&d->random);
    const int wanted = 1 + (int)(t * t * (float)most);
    int drawn = 0;
    if (demo_chance(&d->random, o->distractors))
        for (int i = 1 + demo_below(&d->random, 3); i > 0; i--)
            drawn += add_shape(d, drawn, generic_kind(&d->random), 0);
    for (int i = 0; i < wanted && scene->n < DEMO_MOST; i++) {
        const int generic = demo_chance(&d->random, o->generic) || n_classes == 0;
        const demo_kind kind = generic
                                   ? generic_kind(&d->random)
                                   : classes[i < n_classes ? i : demo_below(&d->random, n_classes)];
        if (!add_shape(d, drawn, kind, scene->n + 1))
            continue;
        scene->instances[scene->n++].kind = kind;
        drawn++;
    }
}

static void choose_size(drawing *d, demo_scene *scene)
{
    scene->width = d->options->width;
    scene->height = d->options->height;
    if (scene->width > 0 && scene->height > 0)
        return;
    const int longer = 320 + demo_below(&d->random, 321);
    const int shorter = (int)((float)longer * demo_between(&d->random, 0.6f, 1));
    const int upright = demo_chance(&d->random, 0.3f);
    scene->width = upright ? shorter : longer;
    scene->height = upright ? longer : shorter;
}

int demo_scene_draw(uint64_t seed, const demo_options *options, demo_scene *scene)
{
    drawing d = {.random = demo_random_start(seed, 54), .options = options};
    memset(scene, 0, sizeof *scene);
    choose_size(&d, scene);
    const size_t pixels = (size_t)scene->width * (size_t)scene->height;
    scene->rgb = malloc(3 * pixels);
    scene->ids = calloc(pixels, 1);
    d.canvas =
        (demo_canvas){scene->width, scene->height, malloc(pixels * sizeof(demo_color)), scene->ids};
    d.samples = malloc(pixels * sizeof *d.samples);
    int good = scene->rgb && scene->ids && d.canvas.pixels && d.samples;
    if (good) {
        d.light = demo_light_draw(&d.random);
        demo_background(&d.canvas, &d.random);
        fill(&d, scene);
        good = demo_finish(&d.canvas, &d.random, scene) && demo_scene_measure(scene);
    }
    free(d.canvas.pixels);
    free(d.samples);
    if (!good)
        demo_scene_free(scene);
    return good;
}

void demo_scene_free(demo_scene *scene)
{
    free(scene->rgb);
    free(scene->ids);
    free(scene->jpeg);
    memset(scene, 0, sizeof *scene);
}
