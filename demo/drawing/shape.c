/* demo/drawing/shape.c - outlines as signed distance functions (the usual 2D primitives, joined by
 * min and max). */
#include "demo/drawing/shape.h"

#include <math.h>

#include "demo/drawing/new_parts.h"
#include "demo/drawing/primitives.h"

static const char *const old_names[] = {"screw",  "nut",     "washer", "gear",   "bracket",
                                        "spring", "bearing", "key",    "wrench", "plate"};
static const char *const new_names[] = {"hinge", "hook", "pulley", "clamp", "rivet", "cotter pin"};
static const char *const verdicts[] = {"NG", "OK"};

const demo_classes demo_class_sets[DEMO_SETS] = {
    [DEMO_OLD] = {old_names, DEMO_PARTS, DEMO_SCREW},
    [DEMO_NEW] = {new_names, DEMO_NEW_PARTS, DEMO_HINGE},
    [DEMO_INSPECTED] = {verdicts, 2, DEMO_DEFECT},
};

/* ---- parts ----------------------------------------------------------------------------------- */

/* p: 0 half length of the head, 1 half width of the head, 2 of the shaft, 3 depth of the thread, 4
 * where it starts; n: threads; p[5] > 0: countersunk head */
static demo_sample screw(const demo_shape *s, float x, float y)
{
    const float neck = -1 + 2 * s->p[0];
    float head = round_box(x + 1 - s->p[0], y, s->p[0], s->p[1], 0.3f * s->p[0]);
    if (s->p[5] > 0.5f) {
        const float t = fminf(fmaxf((x + 1) / (2 * s->p[0]), 0), 1);
        head = box(x + 1 - s->p[0], y, s->p[0], s->p[1] + (s->p[2] - s->p[1]) * t) * 0.8f;
    }
    const float phase = (x - s->p[4]) * (float)s->n * 0.5f + (y > 0 ? 0.5f : 0);
    const float depth = x > s->p[4] ? s->p[3] * (0.5f + 0.5f * zigzag(phase)) : 0;
    const float taper = fminf(1, fmaxf(0.05f, (1 - x) / s->p[6]));
    const float shaft =
        fmaxf(fabsf(y) - (s->p[2] - depth) * taper, fmaxf(neck - 0.05f - x, x - 1)) * 0.85f;
    demo_sample out = {fminf(head, shaft), 1};
    if (x > s->p[4])
        out.tone = 0.8f + 0.25f * zigzag((x - s->p[4]) * (float)s->n * 0.5f + 0.25f * y / s->p[2]);
    else if (x < neck)
        out.tone = 1.1f - 0.2f * fabsf(y) / s->p[1];
    return out;
}

/* p: 0 apothem, 1 hole; n: threads seen in the hole's rim */
static demo_sample nut(const demo_shape *s, float x, float y)
{
    const float r = sqrtf(x * x + y * y);
    demo_sample out = {fmaxf(regular(x, y, 6, s->p[0]), s->p[1] - r), 1};
    out.tone = r < s->p[1] + 0.12f ? 0.7f : r > s->p[0] ? 0.85f : 1.05f;
    return out;
}

/* p: 1 hole */
static demo_sample washer(const demo_shape *s, float x, float y)
{
    const float r = sqrtf(x * x + y * y);
    demo_sample out = {fmaxf(r - 1, s->p[1] - r), 1};
    if (s->p[2] > 0.5f && fabsf(y - 0.15f * x) < 0.05f && x > 0)
        out.distance =
            fmaxf(out.distance, 0.05f - fabsf(y - 0.15f * x)); /* a spring washer's cut */
    return out;
}

/* p: 0 root radius, 1 bore, 2 radius of the lightening holes (0: none), 3 their distance, 4 tooth
 * flank; n: teeth */
static demo_sample gear(const demo_shape *s, float x, float y)
{
    const float r = sqrtf(x * x + y * y), angle = atan2f(y, x);
    const float wave = zigzag(angle * (float)s->n / (2 * pi));
    float rim = s->p[0] + (1 - s->p[0]) * fminf(fmaxf(0.5f + s->p[4] * wave, 0), 1);
    if (s->missing &&
        (int)floorf(angle * (float)s->n / (2 * pi) + (float)s->n + 0.5f) % s->n + 1 == s->missing)
        rim = s->p[0];
    demo_sample out = {(r - rim) * 0.75f, 1};
    out.distance = fmaxf(out.distance, s->p[1] - r);
    if (s->p[2] > 0) {
        const float step = 2 * pi / 5;
        const float a = angle - step * floorf(angle / step + 0.5f);
        out.distance = fmaxf(out.distance, -disk(r * cosf(a) - s->p[3], r * sinf(a), s->p[2]));
    }
    out.tone = r < s->p[1] + 0.13f ? 1.15f : r > s->p[0] - 0.1f ? 0.85f : 1;
    return out;
}

/* An angle of two legs. p: 0 thickness, 1 length of the second leg, 2 holes' radius, 3 corner
 * radius */
static demo_sample bracket(const demo_shape *s, float x, float y)
{
    const float t = s->p[0], reach = s->p[1];
    const float lower = round_box(x, y - 0.9f * reach + t, 1, t, 0.5f * t);
    const float upper = round_box(x + 1 - t, y + 0.1f * reach, t, reach, 0.5f * t);
    float d = fminf(lower, upper);
    const float web = fmaxf(fmaxf(-1 + t - x, y - 0.9f * reach + t),
                            (x + 1 - t) * 0.7f - (y + reach - 0.4f) * 0.7f - s->p[3]);
    d = fminf(d, s->p[4] > 0.5f ? web : d);
    const float h = s->p[2] * t;
    d = fmaxf(d, -disk(x - 0.6f, y - 0.9f * reach + t, h));
    d = fmaxf(d, -disk(x - 0.05f, y - 0.9f * reach + t, h));
    d = fmaxf(d, -disk(x + 1 - t, y + 0.75f * reach, h));
    demo_sample out = {d, 1};
    if (lower > -0.02f && upper < 0)
        out.tone = 0.85f;
    return out;
}

/* Seen from the side. p: 0 half width, 1 half thickness of the wire; n: coils */
static demo_sample spring(const demo_shape *s, float x, float y)
{
    const float pitch = 2.0f / (float)s->n, slope = s->p[2] * pitch;
    float best = 9, tone = 1;
    const float k = floorf((x + 1) / pitch);
    for (int i = -1; i <= 1; i++) {
        const float at = -1 + (k + (float)i + 0.5f) * pitch;
        if (at < -1 || at > 1)
            continue;
        const float d = segment(x, y, at - slope, -s->p[0], at + slope, s->p[0]) - s->p[1] * pitch;
        if (d < best) {
            best = d;
            tone = 0.75f + 0.4f * fminf(1, -d / (s->p[1] * pitch));
        }
    }
    return (demo_sample){best, tone};
}

/* p: 0 bore, 1 inner race, 2 outer race; n: balls */
static demo_sample bearing(const demo_shape *s, float x, float y)
{
    const float r = sqrtf(x * x + y * y);
    demo_sample out = {fmaxf(r - 1, s->p[0] - r), 1};
    if (r > s->p[1] && r < s->p[2]) {
        const float step = 2 * pi / (float)s->n, middle = 0.5f * (s->p[1] + s->p[2]);
        float a = atan2f(y, x);
        a -= step * floorf(a / step + 0.5f);
        const float ball = disk(r * cosf(a) - middle, r * sinf(a), 0.5f * (s->p[2] - s->p[1]));
        out.tone = ball < 0 ? 0.9f + 0.4f * fminf(1, -8 * ball) : 0.45f;
    } else
        out.tone = r < s->p[1] ? 0.95f : 1.05f;
    return out;
}

/* p: 0 bow's radius, 1 hole, 2 half width of the blade, 3 depth of the bits; n: bits */
static demo_sample key(const demo_shape *s, float x, float y)
{
    const float centre = -1 + s->p[0];
    float bow = s->p[4] > 0.5f ? round_box(x - centre, y, s->p[0], 0.85f * s->p[0], 0.3f * s->p[0])
                               : disk(x - centre, y, s->p[0]);
    bow = fmaxf(bow, -disk(x - centre + 0.25f * s->p[0], y, s->p[1]));
    const float from = centre + 0.6f * s->p[0];
    const float cell = floorf((x - 0.0f) * (float)s->n);
    const float bit = x > 0 ? s->p[3] * (0.5f + 0.5f * sinf(12.9898f * cell + 3 * s->p[5])) : 0;
    const float blade = fmaxf(fmaxf(-s->p[2] - y, y - s->p[2] + bit), fmaxf(from - x, x - 1));
    demo_sample out = {fminf(bow, blade), 1};
    if (blade < 0 && fabsf(y + 0.3f * s->p[2]) < 0.25f * s->p[2])
        out.tone = 0.75f;
    return out;
}

/* Open at one end, ring at the other. p: 0 half width of the shaft, 1 jaw's radius, 2 mouth's half
 * width, 3 ring */
static demo_sample wrench(const demo_shape *s, float x, float y)
{
    const float jaw_x = -1 + s->p[1], ring_x = 1 - s->p[3];
    float d = box(x, y, 0.8f, s->p[0]);
    float jaw = disk(x - jaw_x, y, s->p[1]);
    const float c = 0.966f, t = 0.259f; /* the mouth is turned by 15 degrees */
    const float u = c * (x - jaw_x) + t * y, v = -t * (x - jaw_x) + c * y;
    jaw = fmaxf(jaw, -fmaxf(fabsf(v) - s->p[2], u - 0.25f * s->p[1]));
    d = fmaxf(d, -fmaxf(fabsf(v) - s->p[2], u - 0.25f * s->p[1]));
    float ring = disk(x - ring_x, y, s->p[3]);
    d = fminf(d, fminf(jaw, ring));
    d = fmaxf(d, -regular(x - ring_x, y, 6, 0.55f * s->p[3]));
    demo_sample out = {d, 1};
    if (fabsf(x) < 0.45f && fabsf(y) < 0.45f * s->p[0])
        out.tone = 0.82f;
    return out;
}

/* p: 0 half height, 1 corner radius, 2 holes' radius, 3 inset; n: holes (0, 2, 4) */
static demo_sample plate(const demo_shape *s, float x, float y)
{
    float d = round_box(x, y, 1, s->p[0], s->p[1]);
    const float hx = 1 - s->p[3], hy = s->n == 4 ? s->p[0] - s->p[3] : 0;
    if (s->n)
        d = fmaxf(d, -disk(fabsf(x) - hx, (s->n == 4 ? fabsf(y) : y) - hy, s->p[2]));
    if (s->p[4] > 0.5f)
        d = fmaxf(d, -round_box(x, y, 0.35f, 0.25f * s->p[0], 0.1f * s->p[0]));
    return (demo_sample){d, 1};
}

/* ---- generic shapes -------------------------------------------------------------------------- */

/* p: 0..4 amplitudes of waves 2..6, 5..9 their phases, 10 flattening */
static demo_sample blob(const demo_shape *s, float x, float y)
{
    y *= s->p[10];
    const float angle = atan2f(y, x);
    float radius = 0.75f;
    for (int i = 0; i < 5; i++)
        radius += s->p[i] * sinf((float)(i + 2) * angle + s->p[5 + i]);
    return (demo_sample){disk(x, y, radius) * 0.7f, 1};
}

static demo_sample polygon(const demo_shape *s, float x, float y)
{
    return (demo_sample){regular(x, y * s->p[0], s->n, 0.8f) - s->p[1], 1};
}

static demo_sample star(const demo_shape *s, float x, float y)
{
    const float wave = zigzag(atan2f(y, x) * (float)s->n / (2 * pi));
    return (demo_sample){disk(x, y, 0.5f * (1 + s->p[0]) + 0.5f * (1 - s->p[0]) * wave) * 0.6f, 1};
}

static demo_sample crescent(const demo_shape *s, float x, float y)
{
    return (demo_sample){fmaxf(disk(x, y, 1), -disk(x - s->p[0], y, s->p[1])), 1};
}

static demo_sample bar(const demo_shape *s, float x, float y)
{
    const float d =
        fminf(segment(x, y, -0.85f, s->p[1], 0, 0), segment(x, y, 0, 0, 0.85f, s->p[2]));
    return (demo_sample){d - s->p[0], 1};
}

static demo_sample frame(const demo_shape *s, float x, float y)
{
    const float d = round_box(x, y, 1, s->p[0], s->p[1]);
    return (demo_sample){fmaxf(d, -box(x, y, 1 - s->p[2], s->p[0] - s->p[2])), 1};
}

static demo_sample cross(const demo_shape *s, float x, float y)
{
    return (demo_sample){fminf(box(x, y, 1, s->p[0]), box(x - s->p[2], y, s->p[1], 0.9f)), 1};
}

typedef demo_sample at_function(const demo_shape *s, float x, float y);
static at_function *const functions[DEMO_KINDS] = {
    screw,     nut,         washer,     gear,       bracket,        spring,
    bearing,   key,         wrench,     plate,      blob,           polygon,
    star,      crescent,    bar,        frame,      cross,          demo_hinge,
    demo_hook, demo_pulley, demo_clamp, demo_rivet, demo_cotter_pin};

demo_sample demo_shape_at(const demo_shape *s, float x, float y)
{
    demo_sample out = functions[s->kind](s, x, y);
    if (s->bite[2] > 0) { /* a chipped edge: a ragged disk is missing */
        const float angle = atan2f(y - s->bite[1], x - s->bite[0]);
        const float ragged = s->bite[2] * (1 + 0.22f * zigzag(angle * 0.95f + 7 * s->bite[0]));
        out.distance = fmaxf(out.distance, -disk(x - s->bite[0], y - s->bite[1], ragged));
    }
    return out;
}

/* ---- proportions ----------------------------------------------------------------------------- */

typedef struct range {
    float low, high;
} range;

typedef struct proportions {
    range p[12];
    int least, most; /* n */
} proportions;

static const proportions table[DEMO_KINDS] = {
    [DEMO_SCREW] =
        {{{.12f, .2f}, {.3f, .48f}, {.14f, .24f}, {.03f, .06f}, {-.5f, .1f}, {0, 1}, {.2f, .45f}},
         9,
         18},
    [DEMO_NUT] = {{{.8f, .87f}, {.38f, .55f}}, 1, 1},
    [DEMO_WASHER] = {{{0, 1}, {.35f, .66f}, {0, .62f}}, 1, 1},
    [DEMO_GEAR] = {{{.74f, .86f}, {.15f, .32f}, {-.12f, .14f}, {.5f, .56f}, {.8f, 2}}, 9, 24},
    [DEMO_BRACKET] = {{{.16f, .28f}, {.6f, .95f}, {.35f, .6f}, {.0f, .25f}, {0, .8f}}, 1, 1},
    [DEMO_SPRING] = {{{.26f, .45f}, {.3f, .44f}, {.1f, .5f}}, 5, 11},
    [DEMO_BEARING] = {{{.3f, .45f}, {.52f, .6f}, {.76f, .84f}}, 7, 14},
    [DEMO_KEY] = {{{.3f, .42f}, {.1f, .17f}, {.13f, .2f}, {.08f, .15f}, {0, 1}, {0, 9}}, 4, 9},
    [DEMO_WRENCH] = {{{.1f, .16f}, {.3f, .4f}, {.11f, .17f}, {.24f, .32f}}, 1, 1},
    [DEMO_PLATE] = {{{.35f, .8f}, {.02f, .2f}, {.07f, .13f}, {.2f, .28f}, {0, .8f}}, 0, 4},
    [DEMO_BLOB] = {{{0, .16f},
                    {0, .1f},
                    {0, .08f},
                    {0, .05f},
                    {0, .04f},
                    {0, 6},
                    {0, 6},
                    {0, 6},
                    {0, 6},
                    {0, 6},
                    {1, 2.2f}},
                   1,
                   1},
    [DEMO_POLYGON] = {{{1, 2}, {0, .15f}}, 3, 7},
    [DEMO_STAR] = {{{.3f, .7f}}, 4, 9},
    [DEMO_CRESCENT] = {{{.35f, .8f}, {.5f, .85f}}, 1, 1},
    [DEMO_BAR] = {{{.09f, .25f}, {-.7f, .7f}, {-.7f, .7f}}, 1, 1},
    [DEMO_FRAME] = {{{.5f, 1}, {0, .2f}, {.14f, .35f}}, 1, 1},
    [DEMO_CROSS] = {{{.12f, .35f}, {.12f, .35f}, {-.5f, .5f}}, 1, 1},
    [DEMO_HINGE] = {{{.5f, .85f}, {.09f, .15f}, {.04f, .12f}, {.07f, .11f}, {.02f, .18f}}, 3, 5},
    [DEMO_HOOK] = {{{.09f, .16f}, {.36f, .46f}, {1.9f, 2.9f}, {.17f, .26f}, {.3f, .8f}}, 1, 1},
    [DEMO_PULLEY] = {{{.3f, .42f}, {.68f, .8f}, {.06f, .13f}, {.1f, .18f}, {.84f, .92f}}, 3, 6},
    [DEMO_CLAMP] = {{{.16f, .26f}, {.6f, .85f}, {.06f, .1f}, {.0f, .35f}, {.14f, .3f}, {.3f, .7f}},
                    1,
                    1},
    [DEMO_RIVET] = {{{.42f, .62f}, {.16f, .25f}, {.55f, .85f}, {0, 1}, {.05f, .08f}}, 1, 1},
    [DEMO_COTTER_PIN] = {{{.22f, .32f}, {.06f, .1f}, {.02f, .3f}, {.7f, .98f}, {-.1f, .25f}}, 1, 1},
};

demo_shape demo_shape_draw(demo_kind kind, demo_random *r)
{
    const proportions *t = &table[kind];
    demo_shape s = {.kind = kind};
    for (int i = 0; i < 12; i++)
        s.p[i] = demo_between(r, t->p[i].low, t->p[i].high);
    s.n = t->least + demo_below(r, t->most - t->least + 1);
    if (kind == DEMO_PLATE)
        s.n &= ~1; /* no hole, two or four */
    if (kind == DEMO_HINGE)
        s.n |= 1; /* one leaf has a knuckle more */
    return s;
}
