/* pipeline/regions/region_shape.c - numbers of a mask's outline, holes and axes. */
#include <math.h>
#include <string.h>

#include "pipeline/regions/region_describe.h"

enum { ANGLES = 64, SAMPLES = 4 };

static const double pi = 3.14159265358979323846;

/* The share of the mask in every cell of the square around its box. */
static float *square_cells(const ws_region_mask *m, float *out)
{
    const int side = m->width > m->height ? m->width : m->height;
    const double step = (double)side / (WS_SQUARE_CELLS * SAMPLES);
    const double left = m->x0 + 0.5 * (m->width - side), top = m->y0 + 0.5 * (m->height - side);
    memset(out, 0, WS_SQUARE_CELLS * WS_SQUARE_CELLS * sizeof *out);
    for (int i = 0; i < WS_SQUARE_CELLS * SAMPLES; i++)
        for (int j = 0; j < WS_SQUARE_CELLS * SAMPLES; j++) {
            const int x = (int)floor(left + (j + 0.5) * step),
                      y = (int)floor(top + (i + 0.5) * step);
            out[i / SAMPLES * WS_SQUARE_CELLS + j / SAMPLES] +=
                (float)ws_region_inside(m, x, y) / (SAMPLES * SAMPLES);
        }
    return out + WS_SQUARE_CELLS * WS_SQUARE_CELLS;
}

static float *axes_cells(const ws_region_mask *m, float *out)
{
    const int side = WS_AXES_CELLS * SAMPLES;
    const double step = 2.0 * WS_REGION_REACH / side;
    memset(out, 0, WS_AXES_CELLS * WS_AXES_CELLS * sizeof *out);
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            int x, y;
            ws_region_point(m, (j + 0.5) * step - WS_REGION_REACH,
                            (i + 0.5) * step - WS_REGION_REACH, &x, &y);
            out[i / SAMPLES * WS_AXES_CELLS + j / SAMPLES] +=
                (float)ws_region_inside(m, x, y) / (SAMPLES * SAMPLES);
        }
    return out + WS_AXES_CELLS * WS_AXES_CELLS;
}

/* Distances from the centre, and the farthest pixel in every direction, both in units of the root
 * of the mean square. */
static void measure(const ws_region_mask *m, double shares[WS_DISTANCE_BINS], double radius[ANGLES])
{
    const double unit = hypot(m->spread[0], m->spread[1]), reach = 2.5;
    memset(shares, 0, WS_DISTANCE_BINS * sizeof *shares);
    memset(radius, 0, ANGLES * sizeof *radius);
    for (int y = 0; y < m->height; y++)
        for (int x = 0; x < m->width; x++) {
            if (!m->inside[(size_t)y * (size_t)m->width + (size_t)x])
                continue;
            const double dx = m->x0 + x - m->centre[0], dy = m->y0 + y - m->centre[1];
            const double r = hypot(dx, dy) / unit;
            const int bin = (int)(r * WS_DISTANCE_BINS / reach);
            const int angle = (int)((atan2(dy, dx) + pi) * (ANGLES / (2.0 * pi))) % ANGLES;
            shares[bin < WS_DISTANCE_BINS ? bin : WS_DISTANCE_BINS - 1] += 1.0 / (double)m->area;
            radius[angle] = fmax(radius[angle], r);
        }
}

/* Directions that no pixel lies in take the mean of their neighbours' as far as those have one. */
static void close_gaps(double radius[ANGLES])
{
    for (int i = 0; i < ANGLES; i++) {
        const double before = radius[(i + ANGLES - 1) % ANGLES], after = radius[(i + 1) % ANGLES];
        if (!(radius[i] > 0.0))
            radius[i] = after > 0.0 ? 0.5 * (before + after) : before;
    }
}

/* Magnitudes of the Fourier series of the radius: what is left of an outline that may be turned. */
static float *outline_terms(const double radius[ANGLES], float *out)
{
    double mean = 1e-6;
    for (int i = 0; i < ANGLES; i++)
        mean += radius[i];
    for (int k = 1; k <= WS_OUTLINE_TERMS; k++) {
        double re = 0.0, im = 0.0;
        for (int i = 0; i < ANGLES; i++) {
            const double phase = 2.0 * pi * ((i * k) % ANGLES) / ANGLES;
            re += radius[i] * cos(phase);
            im += radius[i] * sin(phase);
        }
        *out++ = (float)(hypot(re, im) / mean);
    }
    return out;
}

void ws_region_shape(ws_region_mask *m, const wsam_picture *picture, float *out)
{
    double shares[WS_DISTANCE_BINS], radius[ANGLES];
    const double area = (double)m->area, holes = (double)ws_region_mask_holes(m);
    const double pixels = (double)picture->width * (double)picture->height;
    out = square_cells(m, out);
    out = axes_cells(m, out);
    measure(m, shares, radius);
    for (int i = 0; i < WS_DISTANCE_BINS; i++)
        *out++ = (float)shares[i];
    close_gaps(radius);
    out = outline_terms(radius, out);
    *out++ = (float)log(area / pixels);
    *out++ = (float)log((double)m->width / (double)m->height);
    *out++ = (float)(area / ((double)m->width * (double)m->height));
    *out++ = (float)(m->spread[1] / m->spread[0]);
    *out = (float)(holes / (area + holes));
}
