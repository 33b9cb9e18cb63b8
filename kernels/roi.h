/* kernels/roi.h - what the RoI family's files share: where samples and bins lie. Positions are
 * computed here once, in f32 and in the order of the originals, so that levels differ in sums
 * alone. */
#ifndef WS_KERNELS_ROI_H
#define WS_KERNELS_ROI_H

#include <math.h>

#include "weaksam/kernels.h"

enum { WS_ROI_MOST_SAMPLES = 4096 }; /* per bin and axis, of an adaptive grid */

/* One axis of a box on the map: bins of `bin` cells from `start` on, `samples` samples in each. */
typedef struct ws_roi_axis {
    float start, bin;
    int samples, size; /* cells of the map */
} ws_roi_axis;

static inline ws_roi_axis ws_roi_axis_of(const wsam_roi_shape *s, float from, float to, float scale,
                                         int size)
{
    const float off = s->rule == WSAM_ROI_ALIGN ? 0.0f : 0.5f;
    const float start = from * scale - off;
    float length = to * scale - off - start;
    if (s->rule == WSAM_ROI_ALIGN && !(length > 1.0f))
        length = 1.0f;
    ws_roi_axis a = {start, length / (float)s->bins, s->ratio, size};
    if (!s->ratio) {
        const float n = ceilf(length / (float)s->bins);
        a.samples = n >= WS_ROI_MOST_SAMPLES ? WS_ROI_MOST_SAMPLES : (n > 0.0f ? (int)n : 0);
    }
    return a;
}

/* Two neighbours and their weights; both weights 0 outside of the map. */
typedef struct ws_roi_tap {
    int low, high;
    float w_low, w_high;
} ws_roi_tap;

static inline ws_roi_tap ws_roi_tap_at(const wsam_roi_shape *s, const ws_roi_axis *a, int bin,
                                       int sample)
{
    float x = a->start + (float)bin * a->bin + ((float)sample + 0.5f) * a->bin / (float)a->samples;
    if (s->rule != WSAM_ROI_CLAMPED && !(x >= -1.0f && x <= (float)a->size))
        return (ws_roi_tap){0, 0, 0.0f, 0.0f};
    x = x > 0.0f ? x : 0.0f; /* also NaN */
    if (x >= (float)(a->size - 1))
        return (ws_roi_tap){a->size - 1, a->size - 1, 1.0f, 0.0f};
    const int low = (int)x;
    const float part = x - (float)low;
    return (ws_roi_tap){low, low + 1, 1.0f - part, part};
}

/* The cells [from, to) of one axis of a bin of a max-pool. */
typedef struct ws_roi_range {
    int from, to;
} ws_roi_range;

static inline int ws_roi_held(float x, int size)
{
    return x > 0.0f ? (x < (float)size ? (int)x : size) : 0;
}

static inline ws_roi_range ws_roi_bin(float start, float end, int bins, int bin, int size)
{
    const float first = roundf(start), cells = roundf(end) - first + 1.0f;
    const float each = (cells > 1.0f ? cells : 1.0f) / (float)bins;
    return (ws_roi_range){ws_roi_held(floorf((float)bin * each) + first, size),
                          ws_roi_held(ceilf((float)(bin + 1) * each) + first, size)};
}

#if defined(__x86_64__)
void ws_roi_init_avx2(wsam_roi_kernels *k);
void ws_roi_init_avx512(wsam_roi_kernels *k);
#elif defined(__aarch64__)
void ws_roi_init_neon(wsam_roi_kernels *k);
#endif

#endif
