/* demo/drawing/scene.c - places shapes on a background. */
#include "demo/drawing/scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "demo/drawing/defects.h"
#include "demo/drawing/finish.h"
#include "demo/drawing/photograph.h"
#include "demo/drawing/place.h"

/* At least 60 % of what each instance showed when it was drawn stays in sight, and 24 pixels of the
 * new one. */
static int is_fair(const demo_drawing *d, const demo_cut *t)
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

/* Beside an earlier shape in four of ten cases, else anywhere. */
static demo_pose place(demo_drawing *d, int drawn, float size)
{
    demo_random *r = &d->random;
    const float angle = demo_between(r, 0, 6.2831853f);
    demo_pose p = {.half = 0.5f * size, .cosine = cosf(angle), .sine = sinf(angle)};
    if (drawn && demo_chance(r, 0.4f)) {
        const demo_pose *q = &d->poses[demo_below(r, drawn)];
        const float way = demo_between(r, 0, 6.2831853f),
                    far = demo_between(r, 0.6f, 1.15f) * (p.half + q->half);
        p.x = q->x + far * cosf(way);
        p.y = q->y + far * sinf(way);
    } else {
        p.x = demo_between(r, 0, (float)d->canvas.width);
        p.y = demo_between(r, 0, (float)d->canvas.height);
    }
    /* Most stay inside; one in ten may be cut by the border, one in three of a photograph. */
    const float cut = d->photographic ? 0.35f : 0.1f;
    const float margin = demo_chance(r, cut) ? 0.2f * p.half : 1.05f * p.half;
    p.x = fminf(fmaxf(p.x, margin), (float)d->canvas.width - margin);
    p.y = fminf(fmaxf(p.y, margin), (float)d->canvas.height - margin);
    return p;
}

static float draw_size(demo_drawing *d)
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

static int add_shape(demo_drawing *d, int drawn, demo_kind kind, int id)
{
    const demo_shape s = demo_shape_draw(kind, &d->random);
    demo_material m = demo_material_draw(&d->random, demo_is_generic(kind));
    if (d->photographic)
        demo_photograph_material(&d->own, &m);
    for (int attempt = 0; attempt < 8; attempt++) {
        const demo_pose p = place(d, drawn, draw_size(d));
        const demo_cut t = demo_cut_out(d, &s, &p);
        if (!is_fair(d, &t))
            continue;
        demo_cast_shadow(d, &s, &p);
        demo_paint(d, &s, &p, &t, &m, id);
        d->poses[drawn] = p;
        return 1;
    }
    return 0;
}

/* One to four classes of those allowed. */
static int draw_classes(demo_drawing *d, demo_kind *classes)
{
    const demo_classes *set = &demo_class_sets[d->options->set];
    const int most = d->options->classes > 0 ? d->options->classes : 4;
    int n = 0, wanted = 1 + demo_below(&d->random, most < 4 ? most : 4);
    for (int tries = 0; n < wanted && tries < 40; tries++) {
        const int k = demo_below(&d->random, set->n);
        int taken = (d->options->without >> k & 1) != 0;
        for (int i = 0; i < n; i++)
            taken |= classes[i] == set->first + (unsigned)k;
        if (!taken)
            classes[n++] = set->first + (demo_kind)k;
    }
    return n;
}

static demo_kind generic_kind(demo_random *r)
{
    return (demo_kind)((int)DEMO_PARTS + demo_below(r, (int)DEMO_GENERIC_END - (int)DEMO_PARTS));
}

static void fill(demo_drawing *d, demo_scene *scene)
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

static void choose_size(demo_drawing *d, demo_scene *scene)
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
    demo_drawing d = {.random = demo_random_start(seed, 54),
                      .own = demo_random_start(seed, 55),
                      .options = options};
    d.photographic = demo_chance(&d.own, options->photographic);
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
        demo_tilt tilt = {0, 0};
        d.light = demo_light_draw(&d.random);
        if (d.photographic) {
            demo_photograph_light(&d.own, &d.light);
            tilt = demo_photograph_tilt(&d.own, scene->width, scene->height);
        }
        demo_background(&d.canvas, &d.random, tilt);
        if (d.photographic)
            demo_photograph_clutter(&d);
        if (options->set == DEMO_INSPECTED)
            demo_inspected_part(&d, scene);
        else
            fill(&d, scene);
        if (d.photographic)
            good = demo_photograph_expose(&d.canvas, &d.own);
        good = good && demo_finish(&d.canvas, &d.random, scene) && demo_scene_measure(scene);
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
