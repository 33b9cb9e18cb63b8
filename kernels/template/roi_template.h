/* kernels/template/roi_template.h - features of boxes on the vector vocabulary; included once by
 * each roi_<level>.c. Channels are the vectors: a bin's samples are listed first, then every vector
 * of channels gathers all of them in registers, so that each output is written once. */
#include "kernels/roi.h"

#include <float.h>
#include <string.h>

enum { LISTED = 16 }; /* samples at a time: all of a bin at the usual ratio 2 */

#define ROI_INLINE static inline __attribute__((always_inline))

typedef struct sample {
    size_t at[4]; /* values from the map's first */
    float w[4];
} sample;

/* A map of f32, or of bf16, of which `narrow` is a constant. */
ROI_INLINE vf map_lanes(const int narrow, const void *map, size_t at, size_t lanes)
{
    const float *wide = map;
    if (narrow)
        return vf_from_bf16((const uint16_t *)map + at);
    return lanes == WS_VL ? vf_load(wide + at) : vf_load_n(wide + at, lanes);
}

/* Adds the listed samples to `out`, or starts it. */
ROI_INLINE vf gather(const int narrow, const void *map, const sample *list, int n, size_t c,
                     size_t lanes, vf sum)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 4; k++)
            sum = vf_fma(vf_set1(list[i].w[k]), map_lanes(narrow, map, list[i].at[k] + c, lanes),
                         sum);
    return sum;
}

ROI_INLINE void add_listed(const int narrow, const void *map, const sample *list, int n,
                           size_t channels, int start, float *out)
{
    size_t c = 0;
    for (; c + WS_VL <= channels; c += WS_VL)
        vf_store(out + c,
                 gather(narrow, map, list, n, c, WS_VL, start ? vf_set1(0.0f) : vf_load(out + c)));
    if (c < channels) {
        const size_t rest = channels - c;
        const vf sum = start ? vf_set1(0.0f) : vf_load_n(out + c, rest);
        vf_store_n(out + c, gather(narrow, map, list, n, c, rest, sum), rest);
    }
}

static sample sample_at(const wsam_roi_shape *s, ws_roi_tap y, ws_roi_tap x)
{
    const size_t c = (size_t)s->channels, row = (size_t)s->width * c;
    const size_t top = (size_t)y.low * row, low = (size_t)y.high * row;
    const size_t left = (size_t)x.low * c, right = (size_t)x.high * c;
    return (sample){
        {top + left, top + right, low + left, low + right},
        {y.w_low * x.w_low, y.w_low * x.w_high, y.w_high * x.w_low, y.w_high * x.w_high}};
}

static void scale_row(size_t n, float by, float *x)
{
    size_t i = 0;
    for (; i + WS_VL <= n; i += WS_VL)
        vf_store(x + i, vf_mul(vf_load(x + i), vf_set1(by)));
    if (i < n)
        vf_store_n(x + i, vf_mul(vf_load_n(x + i, n - i), vf_set1(by)), n - i);
}

ROI_INLINE void align_bin(const int narrow, const wsam_roi_shape *s, const void *map,
                          const ws_roi_axis *y, const ws_roi_axis *x, int i, int j, float *out)
{
    sample list[LISTED];
    int n = 0, start = 1;
    for (int a = 0; a < y->samples; a++)
        for (int b = 0; b < x->samples; b++) {
            if (n == LISTED) {
                add_listed(narrow, map, list, n, (size_t)s->channels, start, out);
                n = start = 0;
            }
            list[n++] = sample_at(s, ws_roi_tap_at(s, y, i, a), ws_roi_tap_at(s, x, j, b));
        }
    add_listed(narrow, map, list, n, (size_t)s->channels, start, out);
    const int all = y->samples * x->samples;
    if (all > 1)
        scale_row((size_t)s->channels, 1.0f / (float)all, out);
}

ROI_INLINE void align_map(const int narrow, const wsam_roi_shape *s, const void *map,
                          const float box[4], float *out, size_t ld_out)
{
    const ws_roi_axis y = ws_roi_axis_of(s, box[1], box[3], s->scale_y, s->height);
    const ws_roi_axis x = ws_roi_axis_of(s, box[0], box[2], s->scale_x, s->width);
    for (int i = 0; i < s->bins; i++)
        for (int j = 0; j < s->bins; j++, out += ld_out)
            align_bin(narrow, s, map, &y, &x, i, j, out);
}

static void align(const wsam_roi_shape *s, const float *map, const float box[4], float *out,
                  size_t ld_out)
{
    align_map(0, s, map, box, out, ld_out);
}

static void align_bf16(const wsam_roi_shape *s, const uint16_t *map, const float box[4], float *out,
                       size_t ld_out)
{
    align_map(1, s, map, box, out, ld_out);
}

/* One vector of channels of a bin. */
static inline vf top_of(const wsam_roi_shape *s, const float *map, ws_roi_range y, ws_roi_range x,
                        size_t lanes)
{
    const size_t c = (size_t)s->channels;
    vf top = vf_set1(-FLT_MAX);
    for (int i = y.from; i < y.to; i++)
        for (int j = x.from; j < x.to; j++) {
            const float *p = map + ((size_t)i * (size_t)s->width + (size_t)j) * c;
            top = vf_max(lanes == WS_VL ? vf_load(p) : vf_load_n(p, lanes), top);
        }
    return top;
}

static void max_bin(const wsam_roi_shape *s, const float *map, ws_roi_range y, ws_roi_range x,
                    float *out)
{
    const size_t channels = (size_t)s->channels;
    size_t c = 0;
    if (y.from >= y.to || x.from >= x.to) {
        memset(out, 0, channels * sizeof *out);
        return;
    }
    for (; c + WS_VL <= channels; c += WS_VL)
        vf_store(out + c, top_of(s, map + c, y, x, WS_VL));
    if (c < channels)
        vf_store_n(out + c, top_of(s, map + c, y, x, channels - c), channels - c);
}

static void max_pool(const wsam_roi_shape *s, const float *map, const float box[4], float *out,
                     size_t ld_out)
{
    for (int i = 0; i < s->bins; i++)
        for (int j = 0; j < s->bins; j++, out += ld_out)
            max_bin(
                s, map, ws_roi_bin(box[1] * s->scale_y, box[3] * s->scale_y, s->bins, i, s->height),
                ws_roi_bin(box[0] * s->scale_x, box[2] * s->scale_x, s->bins, j, s->width), out);
}

static void fill(wsam_roi_kernels *k)
{
    k->name = "roi_" WS_LEVEL;
    k->align_f32 = align;
    k->align_bf16 = align_bf16;
    k->max_pool_f32 = max_pool;
}
