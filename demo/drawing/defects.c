/* demo/drawing/defects.c - see defects.h. */
#include "demo/drawing/defects.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "demo/drawing/primitives.h"

const char *const demo_defect_names[DEMO_DEFECTS] = {"sound", "scratch", "dent",         "stain",
                                                     "crack", "chip",    "missing tooth"};

enum { CORNERS = 9, LEAST_PIXELS = 40 };

/* A defect of the surface, in the part's own square. */
typedef struct mark {
    demo_defect kind;
    float x, y;              /* its middle, or where it begins */
    float size, width, turn; /* half extent, half width of a line, direction */
    float strength;
    float line[CORNERS][2]; /* of a scratch or crack */
    uint32_t seed;
} mark;

/* ---- marks ---- */

/* A scratch is a bow, a crack wanders and is thinner at its end. */
static void draw_line(mark *m, demo_random *r)
{
    const float bend = m->kind == DEMO_SCRATCH ? demo_between(r, -0.12f, 0.12f) : 0;
    const float step = 2 * m->size / (CORNERS - 1);
    float x = m->x, y = m->y, turn = m->turn;
    for (int i = 0; i < CORNERS; i++) {
        m->line[i][0] = x;
        m->line[i][1] = y;
        turn += m->kind == DEMO_SCRATCH ? bend : demo_between(r, -0.7f, 0.7f);
        x += step * cosf(turn);
        y += step * sinf(turn);
    }
}

static mark draw_mark(demo_defect kind, float x, float y, float half, demo_random *r)
{
    mark m = {.kind = kind, .x = x, .y = y, .seed = demo_bits(r)};
    m.turn = demo_between(r, 0, 2 * pi);
    m.strength = demo_between(r, 0.55f, 0.9f);
    m.size = kind == DEMO_STAIN  ? demo_between(r, 0.12f, 0.3f)
             : kind == DEMO_DENT ? demo_between(r, 0.1f, 0.22f)
                                 : demo_between(r, 0.2f, 0.5f);
    m.width = fmaxf(demo_between(r, 0.012f, 0.026f), 1.3f / half);
    if (kind == DEMO_SCRATCH || kind == DEMO_CRACK)
        draw_line(&m, r);
    return m;
}

static float line_cover(const mark *m, float x, float y)
{
    float best = -9;
    for (int i = 0; i + 1 < CORNERS; i++) {
        const float thin = m->kind == DEMO_CRACK ? 1 - 0.6f * (float)i / CORNERS
                                                 : (i == 0 || i + 2 == CORNERS ? 0.7f : 1);
        const float d =
            segment(x, y, m->line[i][0], m->line[i][1], m->line[i + 1][0], m->line[i + 1][1]);
        best = fmaxf(best, 1 - d / (m->width * thin));
    }
    return fminf(fmaxf(0.5f + best, 0), 1);
}

/* How much of the mark is at a point, 0 to 1. */
static float cover_of(const mark *m, float x, float y)
{
    const float u = x - m->x, v = y - m->y;
    if (m->kind == DEMO_SCRATCH || m->kind == DEMO_CRACK)
        return line_cover(m, x, y);
    const float c = cosf(m->turn), s = sinf(m->turn);
    float r = sqrtf((c * u + s * v) * (c * u + s * v) +
                    (m->kind == DEMO_DENT ? 1.6f : 1.2f) * (c * v - s * u) * (c * v - s * u)) /
              m->size;
    if (m->kind == DEMO_STAIN)
        r += 0.28f * demo_noise(5 * u / m->size, 5 * v / m->size, m->seed) +
             0.2f * demo_noise(2 * u / m->size, 2 * v / m->size, m->seed + 1);
    return fminf(fmaxf((1 - r) * 6 + 0.5f, 0), 1);
}

/* A dent's slope towards the lamp is bright, the other side dark. */
static float dent_shade(const mark *m, const demo_light *light, const demo_pose *p, float x,
                        float y)
{
    const float u = (x - m->x) / m->size, v = (y - m->y) / m->size;
    const float px = p->cosine * u - p->sine * v, py = p->sine * u + p->cosine * v;
    const float along = -(px * light->x + py * light->y) / fmaxf(hypotf(light->x, light->y), 0.05f);
    return 1 + m->strength * 0.95f * along - 0.12f;
}

static demo_color marked(const mark *m, const demo_light *light, const demo_pose *p, float x,
                         float y, demo_color c)
{
    const float luminance = 0.3f * c.r + 0.6f * c.g + 0.1f * c.b;
    if (m->kind == DEMO_CRACK)
        return (demo_color){0.04f, 0.035f, 0.03f};
    if (m->kind == DEMO_SCRATCH) {
        /* bare metal shines on dark surfaces, a groove is dark on bright ones */
        const float line =
            luminance < 0.5f ? 0.45f + 0.55f * m->strength : 0.25f * (1 - m->strength);
        return (demo_color){line, line, line};
    }
    if (m->kind == DEMO_DENT) {
        const float shade = fmaxf(dent_shade(m, light, p, x, y), 0.15f);
        return (demo_color){c.r * shade, c.g * shade, c.b * shade};
    }
    /* a stain: rust or oil */
    const float keep = 1 - 0.8f * m->strength, rust = m->seed & 1 ? 0.16f : 0.0f;
    return (demo_color){c.r * keep + rust * 1.6f, c.g * keep + 0.6f * rust,
                        c.b * keep + 0.1f * rust};
}

/* ---- on the part ---- */

/* Paints a mark with an id on what the part shows; 0 and nothing changed where too little of it
 * would be seen. */
static int paint_mark(demo_drawing *d, const demo_pose *p, const demo_cut *t, const mark *m, int id)
{
    for (int painting = 0; painting < 2; painting++) {
        const demo_sample *at = t->samples;
        int seen = 0;
        for (int y = t->y0; y <= t->y1; y++)
            for (int x = t->x0; x <= t->x1; x++, at++) {
                const long k = (long)y * d->canvas.width + x;
                float u, v;
                if (at->distance > -0.015f || (d->canvas.ids[k] && d->canvas.ids[k] != id))
                    continue;
                demo_to_shape(p, (float)x, (float)y, &u, &v);
                const float cover = cover_of(m, u, v);
                seen += cover >= 0.5f;
                if (!painting || cover <= 0)
                    continue;
                demo_color *c = &d->canvas.pixels[k];
                const demo_color to = marked(m, &d->light, p, u, v, *c);
                c->r += (to.r - c->r) * cover;
                c->g += (to.g - c->g) * cover;
                c->b += (to.b - c->b) * cover;
                if (cover >= 0.5f)
                    d->canvas.ids[k] = (unsigned char)id;
            }
        if (seen < LEAST_PIXELS)
            return 0;
    }
    return 1;
}

/* A point of the surface, away from edges and holes; 0 when none is found. */
static int surface_point(const demo_shape *s, demo_random *r, float *x, float *y)
{
    for (int i = 0; i < 60; i++) {
        *x = demo_between(r, -0.95f, 0.95f);
        *y = demo_between(r, -0.95f, 0.95f);
        if (demo_shape_at(s, *x, *y).distance < -0.06f)
            return 1;
    }
    return 0;
}

/* The outermost point of the outline in a direction. */
static void edge_point(const demo_shape *s, float angle, float *x, float *y)
{
    float r = 1.3f;
    while (r > 0.05f && demo_shape_at(s, r * cosf(angle), r * sinf(angle)).distance > 0)
        r -= 0.01f;
    *x = r * cosf(angle);
    *y = r * sinf(angle);
}

/* What is wrong with the outline is part of the shape. */
static void damage_shape(demo_shape *s, demo_defect defect, demo_random *r)
{
    if (defect == DEMO_MISSING_TOOTH) {
        s->missing = 1 + demo_below(r, s->n);
        return;
    }
    edge_point(s, demo_between(r, 0, 2 * pi), &s->bite[0], &s->bite[1]);
    s->bite[2] = demo_between(r, 0.1f, 0.2f);
}

/* Pixels that the whole part would cover and the damaged one does not get the id; how many. */
static int mark_lost(demo_drawing *d, const demo_shape *whole, const demo_pose *p,
                     const demo_cut *t, int id)
{
    const demo_sample *at = t->samples;
    int n = 0;
    for (int y = t->y0; y <= t->y1; y++)
        for (int x = t->x0; x <= t->x1; x++, at++) {
            float u, v;
            if (at->distance * p->half <= 0)
                continue;
            demo_to_shape(p, (float)x, (float)y, &u, &v);
            if (u * u + v * v > 2.2f || demo_shape_at(whole, u, v).distance * p->half > 0)
                continue;
            d->canvas.ids[(long)y * d->canvas.width + x] = (unsigned char)id;
            n++;
        }
    return n;
}

static void add_instance(demo_scene *scene, demo_defect defect)
{
    scene->instances[scene->n].kind = DEMO_DEFECT;
    scene->instances[scene->n++].defect = defect;
}

static demo_pose place_part(demo_drawing *d)
{
    demo_random *r = &d->random;
    const int side = d->canvas.width < d->canvas.height ? d->canvas.width : d->canvas.height;
    const float angle = demo_between(r, 0, 2 * pi);
    demo_pose p = {.half = 0.5f * demo_between(r, 0.62f, 0.88f) * (float)side,
                   .cosine = cosf(angle),
                   .sine = sinf(angle)};
    const float room_x = fmaxf((float)d->canvas.width * 0.5f - p.half, 0),
                room_y = fmaxf((float)d->canvas.height * 0.5f - p.half, 0);
    p.x = 0.5f * (float)d->canvas.width + demo_between(r, -0.7f, 0.7f) * room_x;
    p.y = 0.5f * (float)d->canvas.height + demo_between(r, -0.7f, 0.7f) * room_y;
    return p;
}

/* Marks of the surface until there are `wanted` defects. */
static void add_marks(demo_drawing *d, const demo_shape *s, const demo_pose *p, const demo_cut *t,
                      int wanted, demo_scene *scene)
{
    demo_random *r = &d->random;
    for (int tries = 0; scene->n < wanted && tries < 30; tries++) {
        const demo_defect kind = (demo_defect)((int)DEMO_SCRATCH + demo_below(r, 4));
        float x, y;
        if (kind == DEMO_CRACK)
            edge_point(s, demo_between(r, 0, 2 * pi), &x, &y);
        else if (!surface_point(s, r, &x, &y))
            continue;
        mark m = draw_mark(kind, x, y, p->half, r);
        if (kind == DEMO_CRACK) { /* inwards */
            m.turn = atan2f(-y, -x) + demo_between(r, -0.5f, 0.5f);
            draw_line(&m, r);
        }
        if (paint_mark(d, p, t, &m, scene->n + 1))
            add_instance(scene, kind);
    }
}

void demo_inspected_part(demo_drawing *d, demo_scene *scene)
{
    static const demo_kind parts[] = {DEMO_PLATE, DEMO_GEAR,    DEMO_WASHER,
                                      DEMO_NUT,   DEMO_BRACKET, DEMO_PLATE};
    demo_random *r = &d->random;
    const demo_kind kind = parts[demo_below(r, sizeof parts / sizeof parts[0])];
    const demo_shape whole = demo_shape_draw(kind, r);
    const demo_material m = demo_material_draw(r, 0);
    const demo_pose p = place_part(d);
    const int bad = demo_chance(r, d->options->defects);
    const int wanted = bad ? 1 + demo_below(r, 3) : 0;
    const int outline = bad && demo_chance(r, kind == DEMO_GEAR ? 0.6f : 0.3f);
    demo_shape s = whole;
    const demo_defect lost =
        kind == DEMO_GEAR && demo_chance(r, 0.7f) ? DEMO_MISSING_TOOTH : DEMO_CHIP;
    if (outline)
        damage_shape(&s, lost, r);
    demo_cast_shadow(d, &s, &p);
    const demo_cut t = demo_cut_out(d, &s, &p);
    demo_paint(d, &s, &p, &t, &m, 0);
    if (outline && mark_lost(d, &whole, &p, &t, 1))
        add_instance(scene, lost);
    add_marks(d, &s, &p, &t, wanted, scene);
}
