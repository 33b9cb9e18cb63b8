/* tests/kernels/check_mask.c - mask upscaling of every level against a direct version: the whole
 * logit map at every stage, then a threshold. Everything must be equal to the bit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernels/check.h"
#include "weaksam/masks.h"

typedef struct problem {
    wsam_mask_plan plan;
    wsam_mask_rule rule;
    float *logits;
    size_t words;
    uint64_t *bits;
    wsam_mask_stats stats;
} problem;

/* ---- the direct version ---- */

static float source(int n_in, int n_out, int i)
{
    return (float)n_in / (float)n_out * ((float)i + 0.5f) - 0.5f;
}

static int inside(int i, int n)
{
    return i < 0 ? 0 : (i < n ? i : n - 1);
}

/* The top left h x w of `in` (rows of ld) -> out_h x out_w. */
static float *bilinear(const float *in, int ld, int h, int w, int out_h, int out_w)
{
    float *out = malloc((size_t)out_h * (size_t)out_w * sizeof *out);
    for (int y = 0; y < out_h; y++)
        for (int x = 0; x < out_w; x++) {
            const float sy = fmaxf(source(h, out_h, y), 0), sx = fmaxf(source(w, out_w, x), 0);
            const int y0 = inside((int)sy, h), y1 = inside(y0 + 1, h);
            const int x0 = inside((int)sx, w), x1 = inside(x0 + 1, w);
            const float ly1 = sy - (float)y0, ly0 = 1 - ly1, lx1 = sx - (float)x0, lx0 = 1 - lx1;
            const float *a = in + (size_t)y0 * (size_t)ld, *b = in + (size_t)y1 * (size_t)ld;
            out[(size_t)y * (size_t)out_w + (size_t)x] =
                ly0 * (lx0 * a[x0] + lx1 * a[x1]) + ly1 * (lx0 * b[x0] + lx1 * b[x1]);
        }
    return out;
}

static void cubic_weights(float t, float w[4])
{
    const float a = -0.75f, z[4] = {t + 1, t, 1 - t, 2 - t};
    for (int k = 0; k < 4; k++)
        w[k] = k == 0 || k == 3 ? ((a * z[k] - 5 * a) * z[k] + 8 * a) * z[k] - 4 * a
                                : ((a + 2) * z[k] - (a + 3)) * z[k] * z[k] + 1;
}

static float *bicubic(const float *in, int h, int w, int out_h, int out_w)
{
    float *out = malloc((size_t)out_h * (size_t)out_w * sizeof *out);
    for (int y = 0; y < out_h; y++)
        for (int x = 0; x < out_w; x++) {
            const float sy = source(h, out_h, y), sx = source(w, out_w, x);
            float wy[4], wx[4], sum = 0;
            cubic_weights(sy - floorf(sy), wy);
            cubic_weights(sx - floorf(sx), wx);
            for (int r = 0; r < 4; r++) {
                const float *row = in + (size_t)inside((int)floorf(sy) - 1 + r, h) * (size_t)w;
                float line = 0;
                for (int c = 0; c < 4; c++) {
                    const float v = wx[c] * row[inside((int)floorf(sx) - 1 + c, w)];
                    line = c ? line + v : v;
                }
                sum = r ? sum + wy[r] * line : wy[r] * line;
            }
            out[(size_t)y * (size_t)out_w + (size_t)x] = sum;
        }
    return out;
}

static float *direct_logits(const problem *p)
{
    const wsam_mask_geometry *g = &p->plan.geometry;
    if (g->filter == WSAM_UPSCALE_BICUBIC)
        return bicubic(p->logits, g->low_h, g->low_w, g->out_h, g->out_w);
    float *square = bilinear(p->logits, g->low_w, g->low_h, g->low_w, g->square_h, g->square_w);
    float *out = bilinear(square, g->square_w, g->crop_h, g->crop_w, g->out_h, g->out_w);
    free(square);
    return out;
}

static void direct(problem *p)
{
    const wsam_mask_geometry *g = &p->plan.geometry;
    const wsam_mask_rule *r = &p->rule;
    wsam_mask_stats s = {.x0 = g->out_w, .y0 = g->out_h, .x1 = -1, .y1 = -1};
    float *logits = direct_logits(p);
    memset(p->bits, 0, p->words * sizeof *p->bits);
    for (int y = 0; y < g->out_h; y++)
        for (int x = 0; x < g->out_w; x++) {
            const float v = logits[(size_t)y * (size_t)g->out_w + (size_t)x];
            s.above_high += v > r->threshold + r->offset;
            s.above_low += v > r->threshold - r->offset;
            if (!(r->inclusive ? v >= r->threshold : v > r->threshold))
                continue;
            p->bits[(size_t)(y / 64) * (size_t)g->out_w + (size_t)x] |= (uint64_t)1 << (y % 64);
            s.area++;
            s.x0 = x < s.x0 ? x : s.x0, s.x1 = x > s.x1 ? x : s.x1;
            s.y0 = y < s.y0 ? y : s.y0, s.y1 = y > s.y1 ? y : s.y1;
        }
    if (!s.area)
        s.x0 = s.y0 = 0;
    p->stats = s;
    free(logits);
}

/* ---- problems ---- */

/* Noise of every kind, or a disk with a soft edge: most of its tiles need no arithmetic. */
static void fill_logits(check *t, float *x, int h, int w, int kind)
{
    if (kind < CHECK_KINDS) {
        check_floats(t, x, (size_t)h * (size_t)w, (check_kind)kind);
        return;
    }
    for (int i = 0; i < h * w; i++) {
        const float dx = (float)(i % w) / (float)w - 0.5f, dy = (float)(i / w) / (float)h - 0.4f;
        x[i] = (0.25f - sqrtf(dx * dx + dy * dy)) * 60;
        if (kind == CHECK_KINDS + 1 && check_random(t) % 97 == 0)
            x[i] = check_random(t) % 2 ? INFINITY : -INFINITY;
    }
}

static void make_problem(check *t, problem *p, const wsam_mask_geometry *g, int kind)
{
    wsam_mask_plan_init(&p->plan, g, check_alloc(t, wsam_mask_plan_bytes(g)));
    p->logits = check_alloc(t, (size_t)g->low_h * (size_t)g->low_w * sizeof *p->logits);
    fill_logits(t, p->logits, g->low_h, g->low_w, kind);
    p->words = wsam_bits_words(g->out_h, g->out_w);
    p->bits = check_alloc(t, p->words * sizeof *p->bits);
    p->rule = (wsam_mask_rule){.offset = 1, .inclusive = check_int(t, 0, 1)};
}

static wsam_mask_geometry random_geometry(check *t)
{
    wsam_mask_geometry g = {.filter = check_int(t, 0, 2) ? WSAM_UPSCALE_BILINEAR_TWICE
                                                         : WSAM_UPSCALE_BICUBIC,
                            .low_h = check_int(t, 1, 70),
                            .low_w = check_int(t, 1, 70),
                            .square_h = check_int(t, 1, 300),
                            .square_w = check_int(t, 1, 300),
                            .out_h = check_int(t, 1, 400),
                            .out_w = check_int(t, 1, 400)};
    g.crop_h = check_int(t, 1, g.square_h);
    g.crop_w = check_int(t, 1, g.square_w);
    return g;
}

static void compare(check *t, problem *p, const char *what)
{
    const wsam_mask_kernels *k = &t->isa->mask;
    const int h = p->plan.geometry.out_h, cut = check_int(t, 0, h / 64) * 64;
    uint64_t *bits = check_alloc(t, p->words * sizeof *bits);
    void *scratch = check_alloc(t, k->scratch_bytes(&p->plan));
    wsam_mask_stats stats = {.x1 = -1, .y1 = -1}, part;
    /* In two parts, the lower one first: the division must not matter. */
    k->upscale(&p->plan, &p->rule, p->logits, cut, h, scratch, bits, &part);
    wsam_mask_stats_merge(&stats, &part);
    k->upscale(&p->plan, &p->rule, p->logits, 0, cut, scratch, bits, &part);
    wsam_mask_stats_merge(&stats, &part);
    check_equal(t, what, p->bits, bits, p->words * sizeof *bits);
    check_equal(t, what, &p->stats, &stats, sizeof stats);
}

static void check_case(check *t, const wsam_mask_geometry *g, int kind)
{
    problem p;
    char what[160];
    make_problem(t, &p, g, kind);
    if (check_int(t, 0, 2) == 0) {
        p.rule.threshold = (float)check_int(t, -8, 8) / 4;
        p.rule.offset = (float)check_int(t, 0, 8) / 4;
    }
    direct(&p);
    snprintf(what, sizeof what, "filter %d, %dx%d, %dx%d of %dx%d, %dx%d, data %d", g->filter,
             g->low_w, g->low_h, g->crop_w, g->crop_h, g->square_w, g->square_h, g->out_w, g->out_h,
             kind);
    compare(t, &p, what);
    check_done(t, what);
}

/* ---- timing ---- */

typedef struct timing {
    const wsam_mask_kernels *kernel;
    problem *p;
    void *scratch;
} timing;

static void time_upscale(void *arg)
{
    const timing *x = arg;
    x->kernel->upscale(&x->p->plan, &x->p->rule, x->p->logits, 0, x->p->plan.geometry.out_h,
                       x->scratch, x->p->bits, &x->p->stats);
}

static void bench_case(check *t, const wsam_mask_geometry *g, int kind, const char *what)
{
    problem p;
    make_problem(t, &p, g, kind);
    timing x = {.kernel = &t->isa->mask, .p = &p};
    x.scratch = check_alloc(t, x.kernel->scratch_bytes(&p.plan));
    check_bench(t, what, time_upscale, &x, (double)g->out_h * g->out_w, CHECK_BYTES);
    check_done(t, what);
}

void check_mask(check *t)
{
    static const wsam_mask_geometry photo = {.filter = WSAM_UPSCALE_BILINEAR_TWICE,
                                             .low_h = 256,
                                             .low_w = 256,
                                             .square_h = 1024,
                                             .square_w = 1024,
                                             .crop_h = 683,
                                             .crop_w = 1024,
                                             .out_h = 1200,
                                             .out_w = 1800};
    wsam_mask_geometry cubic = photo;
    cubic.filter = WSAM_UPSCALE_BICUBIC;
    if (!check_new(t, "mask", t->isa->mask.name, &t->isa->mask, sizeof t->isa->mask))
        return;
    if (t->bench) { /* one byte of the rate is one pixel */
        bench_case(t, &photo, CHECK_NORMAL, "1800x1200 noise");
        bench_case(t, &photo, CHECK_KINDS, "1800x1200 disk");
        bench_case(t, &cubic, CHECK_NORMAL, "1800x1200 bicubic noise");
        bench_case(t, &cubic, CHECK_KINDS, "1800x1200 bicubic disk");
        return;
    }
    for (int kind = 0; kind < CHECK_KINDS + 2; kind++) {
        check_case(t, &photo, kind);
        check_case(t, &cubic, kind);
        for (int i = 0; i < 20; i++) {
            const wsam_mask_geometry g = random_geometry(t);
            check_case(t, &g, kind);
        }
    }
}
