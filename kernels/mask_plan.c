/* kernels/mask_plan.c - interpolation tables of a mask geometry, and arithmetic on mask statistics.
 */
#include "base/error.h"
#include "kernels/mask.h"

#include <math.h>

/* Tables reach up to a multiple of 64 outputs; the surplus has weight 0, so that vectors may
 * overrun. */
static int padded_count(int n)
{
    return (n + 63) & ~63;
}

/* The taps of an axis: where each output begins, then the weights, tap by tap. */
static size_t axis_bytes(int n, int taps)
{
    return ws_align64((size_t)padded_count(n) * (sizeof(int32_t) + (size_t)taps * sizeof(float)));
}

static int side_ok(int n)
{
    return n >= 1 && n <= WS_MASK_MAX_SIDE;
}

/* The crop lies inside of the square: what is beyond it is padding of the encoder's input. */
static int geometry_ok(const wsam_mask_geometry *g)
{
    if (!side_ok(g->low_h) || !side_ok(g->low_w) || !side_ok(g->out_h) || !side_ok(g->out_w))
        return 0;
    if (g->filter == WSAM_UPSCALE_BICUBIC)
        return 1;
    return g->filter == WSAM_UPSCALE_BILINEAR_TWICE && side_ok(g->square_h) &&
           side_ok(g->square_w) && g->crop_h >= 1 && g->crop_h <= g->square_h && g->crop_w >= 1 &&
           g->crop_w <= g->square_w;
}

size_t wsam_mask_plan_bytes(const wsam_mask_geometry *g)
{
    if (!geometry_ok(g))
        return 0;
    if (g->filter == WSAM_UPSCALE_BICUBIC)
        return axis_bytes(g->out_w, 4) + axis_bytes(g->out_h, 4);
    return axis_bytes(g->square_w, 2) + axis_bytes(g->square_h, 2) + axis_bytes(g->out_w, 2) +
           axis_bytes(g->out_h, 2);
}

/* Everything in f32, as in PyTorch: the index arithmetic is part of the result. */
static void bilinear_tap(int n_in, int n_out, int i, int32_t *first, float *weight, int stride)
{
    const float scale = (float)n_in / (float)n_out;
    float s = scale * ((float)i + 0.5f) - 0.5f;
    if (s < 0)
        s = 0;
    int at = (int)s;
    if (at > n_in - 1)
        at = n_in - 1;
    *first = at;
    weight[stride] = s - (float)at;
    weight[0] = 1.0f - weight[stride];
}

/* Keys' cubic within one cell, as PyTorch writes it. */
static float cubic_near(float z)
{
    const float a = -0.75f;
    return ((a + 2) * z - (a + 3)) * z * z + 1;
}

/* And between one cell and two. */
static float cubic_far(float z)
{
    const float a = -0.75f;
    return ((a * z - 5 * a) * z + 8 * a) * z - 4 * a;
}

/* The taps are floor(s)-1 .. floor(s)+2 of an input with 2 copies of its first value in front,
 * hence `first` = floor(s) + 1. */
static void bicubic_tap(int n_in, int n_out, int i, int32_t *first, float *weight, int stride)
{
    const float scale = (float)n_in / (float)n_out;
    const float s = scale * ((float)i + 0.5f) - 0.5f;
    const float at = floorf(s), t = s - at;
    *first = (int)at + 1;
    weight[0] = cubic_far(t + 1);
    weight[stride] = cubic_near(t);
    weight[2 * stride] = cubic_near(1 - t);
    weight[3 * stride] = cubic_far(2 - t);
}

/* How many inputs a group of aligned outputs spans: where they fit into one vector, a permutation
 * of registers takes the place of gathers. */
static int reach(const int32_t *first, int padded, int group, int taps)
{
    int most = 0;
    for (int i = 0; i < padded; i += group) {
        const int n = first[i + group - 1] - first[i] + taps;
        most = n > most ? n : most;
    }
    return most;
}

static wsam_taps make_axis(int n_in, int n_out, int taps, char **memory)
{
    const int padded = padded_count(n_out);
    int32_t *first = (int32_t *)(void *)*memory;
    float *weight = (float *)(void *)(*memory + (size_t)padded * sizeof *first);
    *memory += axis_bytes(n_out, taps);
    for (int i = 0; i < n_out; i++) {
        if (taps == 4)
            bicubic_tap(n_in, n_out, i, &first[i], &weight[i], padded);
        else
            bilinear_tap(n_in, n_out, i, &first[i], &weight[i], padded);
    }
    /* Surplus outputs read where the last one reads: inside of the row. */
    for (int i = n_out; i < padded; i++) {
        first[i] = first[n_out - 1];
        for (int t = 0; t < taps; t++)
            weight[t * padded + i] = 0;
    }
    return (wsam_taps){.count = n_out,
                       .stride = padded,
                       .taps = taps,
                       .reach8 = reach(first, padded, 8, taps),
                       .reach16 = reach(first, padded, 16, taps),
                       .first = first,
                       .weight = weight};
}

void wsam_mask_plan_init(wsam_mask_plan *plan, const wsam_mask_geometry *g, void *memory)
{
    char *at = memory;
    *plan = (wsam_mask_plan){.geometry = *g};
    if (g->filter == WSAM_UPSCALE_BICUBIC) {
        plan->x2 = make_axis(g->low_w, g->out_w, 4, &at);
        plan->y2 = make_axis(g->low_h, g->out_h, 4, &at);
        return;
    }
    /* The whole square sets the scale; only the part inside the crop is ever computed. */
    plan->x1 = make_axis(g->low_w, g->square_w, 2, &at);
    plan->y1 = make_axis(g->low_h, g->square_h, 2, &at);
    plan->x2 = make_axis(g->crop_w, g->out_w, 2, &at);
    plan->y2 = make_axis(g->crop_h, g->out_h, 2, &at);
}

void wsam_mask_stats_merge(wsam_mask_stats *into, const wsam_mask_stats *from)
{
    into->above_high += from->above_high;
    into->above_low += from->above_low;
    /* Only counts of an empty part are added: its box says nothing. */
    if (!from->area)
        return;
    if (!into->area) {
        into->x0 = from->x0;
        into->y0 = from->y0;
        into->x1 = from->x1;
        into->y1 = from->y1;
    } else {
        into->x0 = into->x0 < from->x0 ? into->x0 : from->x0;
        into->y0 = into->y0 < from->y0 ? into->y0 : from->y0;
        into->x1 = into->x1 > from->x1 ? into->x1 : from->x1;
        into->y1 = into->y1 > from->y1 ? into->y1 : from->y1;
    }
    into->area += from->area;
}

float wsam_mask_stability(const wsam_mask_stats *stats)
{
    return (float)stats->above_high / (float)stats->above_low;
}
