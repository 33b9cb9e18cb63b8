/* kernels/roi.c - features of boxes: C versions and table. */
#include "kernels/roi.h"

#include <float.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/vector.h"

/* A map of f32, or of bf16. */
typedef struct source {
    const void *map;
    int narrow;
} source;

static float value_at(const source *m, size_t i)
{
    return m->narrow ? ws_f32_from_bf16(((const uint16_t *)m->map)[i]) : ((const float *)m->map)[i];
}

/* out[c] += the four neighbours of one sample. */
static void add_sample(const wsam_roi_shape *s, const source *m, ws_roi_tap y, ws_roi_tap x,
                       float *out)
{
    const size_t c = (size_t)s->channels, row = (size_t)s->width * c;
    const size_t top = (size_t)y.low * row, low = (size_t)y.high * row;
    const size_t left = (size_t)x.low * c, right = (size_t)x.high * c;
    const float w[4] = {y.w_low * x.w_low, y.w_low * x.w_high, y.w_high * x.w_low,
                        y.w_high * x.w_high};
    for (size_t i = 0; i < c; i++)
        out[i] += w[0] * value_at(m, top + left + i) + w[1] * value_at(m, top + right + i) +
                  w[2] * value_at(m, low + left + i) + w[3] * value_at(m, low + right + i);
}

static void align_bin(const wsam_roi_shape *s, const source *m, const ws_roi_axis *y,
                      const ws_roi_axis *x, int i, int j, float *out)
{
    const size_t c = (size_t)s->channels;
    const int n = y->samples * x->samples;
    memset(out, 0, c * sizeof *out);
    for (int a = 0; a < y->samples; a++)
        for (int b = 0; b < x->samples; b++)
            add_sample(s, m, ws_roi_tap_at(s, y, i, a), ws_roi_tap_at(s, x, j, b), out);
    const float each = 1.0f / (float)(n > 1 ? n : 1);
    for (size_t k = 0; k < c; k++)
        out[k] *= each;
}

static void align(const wsam_roi_shape *s, const source *m, const float box[4], float *out,
                  size_t ld_out)
{
    const ws_roi_axis y = ws_roi_axis_of(s, box[1], box[3], s->scale_y, s->height);
    const ws_roi_axis x = ws_roi_axis_of(s, box[0], box[2], s->scale_x, s->width);
    for (int i = 0; i < s->bins; i++)
        for (int j = 0; j < s->bins; j++, out += ld_out)
            align_bin(s, m, &y, &x, i, j, out);
}

static void align_c(const wsam_roi_shape *s, const float *map, const float box[4], float *out,
                    size_t ld_out)
{
    const source m = {map, 0};
    align(s, &m, box, out, ld_out);
}

static void align_bf16_c(const wsam_roi_shape *s, const uint16_t *map, const float box[4],
                         float *out, size_t ld_out)
{
    const source m = {map, 1};
    align(s, &m, box, out, ld_out);
}

static void max_bin(const wsam_roi_shape *s, const float *map, ws_roi_range y, ws_roi_range x,
                    float *out)
{
    const size_t c = (size_t)s->channels;
    const int empty = y.from >= y.to || x.from >= x.to;
    for (size_t k = 0; k < c; k++)
        out[k] = empty ? 0.0f : -FLT_MAX;
    for (int i = y.from; i < y.to; i++)
        for (int j = x.from; j < x.to; j++) {
            const float *cell = map + ((size_t)i * (size_t)s->width + (size_t)j) * c;
            for (size_t k = 0; k < c; k++)
                out[k] = cell[k] > out[k] ? cell[k] : out[k];
        }
}

static void max_pool_c(const wsam_roi_shape *s, const float *map, const float box[4], float *out,
                       size_t ld_out)
{
    for (int i = 0; i < s->bins; i++)
        for (int j = 0; j < s->bins; j++, out += ld_out)
            max_bin(
                s, map, ws_roi_bin(box[1] * s->scale_y, box[3] * s->scale_y, s->bins, i, s->height),
                ws_roi_bin(box[0] * s->scale_x, box[2] * s->scale_x, s->bins, j, s->width), out);
}

void ws_roi_init(wsam_kernels *table, unsigned features)
{
    wsam_roi_kernels *k = &table->roi;
    *k = (wsam_roi_kernels){.name = "roi_c",
                            .align_f32 = align_c,
                            .align_bf16 = align_bf16_c,
                            .max_pool_f32 = max_pool_c};
#if defined(__x86_64__)
    if (features & WS_CPU_AVX2)
        ws_roi_init_avx2(k);
    if (features & WS_CPU_AVX512)
        ws_roi_init_avx512(k);
#elif defined(__aarch64__)
    if (features & WS_CPU_NEON)
        ws_roi_init_neon(k);
#endif
    (void)features;
}
