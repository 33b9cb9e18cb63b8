/* kernels/paste.c - the masks of a detector drawn into their boxes (ws_paste_mask), as detectron2
 * (layers/mask_ops.py) and torchvision (models/detection/roi_heads.py) do it. */
#include <math.h>
#include <string.h>

#include "kernels/boxes.h"
#include "weaksam/masks.h"

/* Where a column or row of the image lies on the mask: two cells and their weights; a cell outside
 * has weight 0. */
typedef struct tap {
    int low, high;
    float w_low, w_high;
} tap;

/* The columns (or rows) of the image that a mask reaches. */
typedef struct span {
    int from, to;
} span;

static int held(float x, int most)
{
    return x > 0.0f ? (x < (float)most ? (int)x : most) : 0;
}

/* ---- sampled ---- */

static span sampled_span(float from, float to, int size)
{
    const float last = ceilf(to) + 1.0f;
    return (span){held(floorf(from) - 1.0f, size), held(last, size)};
}

static tap sampled_tap(float from, float to, int at, int side)
{
    const float x = ((float)at + 0.5f - from) / (to - from) * (float)side - 0.5f;
    if (!(x > -1.0f && x < (float)side))
        return (tap){0, 0, 0.0f, 0.0f};
    const float floor = floorf(x), part = x - floor;
    tap t = {(int)floor, (int)floor + 1, 1.0f - part, part};
    if (t.low < 0) {
        t.low = 0;
        t.w_low = 0.0f;
    }
    if (t.high >= side) {
        t.high = side - 1;
        t.w_high = 0.0f;
    }
    return t;
}

/* ---- resized ---- */

/* The axis of a box grown for the ring around a mask and cut to integers. */
static void grown(float from, float to, int side, int *first, int *n)
{
    const float half = (to - from) * 0.5f * ((float)(side + 2) / (float)side);
    const float middle = (to + from) * 0.5f;
    const int low = (int)(middle - half), high = (int)(middle + half);
    *first = low;
    *n = high - low + 1 > 1 ? high - low + 1 : 1;
}

static span resized_span(int first, int n, int size)
{
    const int end = first + n;
    return (span){first > 0 ? first : 0, end < size ? end : size};
}

/* PyTorch's bilinear, align_corners false, of the mask with its ring to n pixels; cells without the
 * ring, which is 0. */
static tap resized_tap(int first, int n, int at, int side)
{
    const int ringed = side + 2;
    float x = ((float)(at - first) + 0.5f) * ((float)ringed / (float)n) - 0.5f;
    x = x > 0.0f ? x : 0.0f;
    int low = (int)x;
    low = low < ringed - 1 ? low : ringed - 1;
    const int high = low + (low < ringed - 1);
    const float part = x - (float)low;
    tap t = {low - 1, high - 1, 1.0f - part, part};
    if (t.low < 0 || t.low >= side) {
        t.low = 0;
        t.w_low = 0.0f;
    }
    if (t.high < 0 || t.high >= side) {
        t.high = 0;
        t.w_high = 0.0f;
    }
    return t;
}

/* ---- both ---- */

size_t ws_paste_scratch(int side, int height, int width)
{
    (void)side;
    return ((size_t)height + (size_t)width) * sizeof(tap);
}

static span axis_of(ws_paste_rule rule, float from, float to, int side, int size, tap *taps)
{
    int first = 0, n = 1;
    span s;
    if (rule == WS_PASTE_SAMPLED) {
        s = sampled_span(from, to, size);
    } else {
        grown(from, to, side, &first, &n);
        s = resized_span(first, n, size);
    }
    for (int i = s.from; i < s.to; i++)
        taps[i] = rule == WS_PASTE_SAMPLED ? sampled_tap(from, to, i, side)
                                           : resized_tap(first, n, i, side);
    return s;
}

void ws_paste_mask(ws_paste_rule rule, const float *mask, int side, const float box[4], int height,
                   int width, void *scratch, uint64_t *bits)
{
    tap *rows = scratch, *columns = rows + height;
    memset(bits, 0, wsam_bits_words(height, width) * sizeof *bits);
    for (int k = 0; k < 4; k++) /* nothing of it fits an int or the image */
        if (!(fabsf(box[k]) < 1e6f))
            return;
    const span y = axis_of(rule, box[1], box[3], side, height, rows);
    const span x = axis_of(rule, box[0], box[2], side, width, columns);
    for (int i = y.from; i < y.to; i++) {
        const tap *r = &rows[i];
        const float *top = mask + (size_t)r->low * (size_t)side,
                    *low = mask + (size_t)r->high * (size_t)side;
        for (int j = x.from; j < x.to; j++) {
            const tap *c = &columns[j];
            const float v = r->w_low * (c->w_low * top[c->low] + c->w_high * top[c->high]) +
                            r->w_high * (c->w_low * low[c->low] + c->w_high * low[c->high]);
            if (v >= 0.5f)
                bits[(size_t)(i / 64) * (size_t)width + (size_t)j] |= (uint64_t)1 << (i % 64);
        }
    }
}
