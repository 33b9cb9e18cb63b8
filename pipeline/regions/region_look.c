/* pipeline/regions/region_look.c - numbers of what a picture shows inside a mask: colours,
 * gradients, the grey values in the frame of the axes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/regions/region_describe.h"

enum {
    SAMPLES = 4,
    SIDE = WS_AXES_CELLS * SAMPLES,
    CELL = SIDE / WS_GRADIENT_CELLS,
    GREY = WS_AXES_CELLS * WS_AXES_CELLS
};

static const double pi = 3.14159265358979323846;

static const uint8_t *pixel(const wsam_picture *p, int x, int y)
{
    x = x < 0 ? 0 : x >= p->width ? p->width - 1 : x;
    y = y < 0 ? 0 : y >= p->height ? p->height - 1 : y;
    return p->pixels + (size_t)y * p->stride + (size_t)x * (size_t)p->channels;
}

static double grey(const wsam_picture *p, int x, int y)
{
    const uint8_t *c = pixel(p, x, y);
    const int last = p->channels - 1;
    return (0.299 * c[0] + 0.587 * c[last / 2] + 0.114 * c[last]) / 255.0;
}

/* ---- in the frame of the axes ---- */

typedef struct samples {
    float grey[SIDE][SIDE];
    uint8_t inside[SIDE][SIDE];
} samples;

static void take_samples(const ws_region_mask *m, const wsam_picture *p, samples *s)
{
    const double step = 2.0 * WS_REGION_REACH / SIDE;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int x, y;
            ws_region_point(m, (j + 0.5) * step - WS_REGION_REACH,
                            (i + 0.5) * step - WS_REGION_REACH, &x, &y);
            s->grey[i][j] = (float)grey(p, x, y);
            s->inside[i][j] = (uint8_t)ws_region_inside(m, x, y);
        }
}

/* Cell means of the grey values inside, as deviations from the region's mean in units of its
 * spread; outside 0. */
static float *grey_cells(const samples *s, float *out)
{
    double n = 0.0, sum = 0.0, squares = 0.0;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            const double g = s->inside[i][j] ? (double)s->grey[i][j] : 0.0;
            n += s->inside[i][j];
            sum += g;
            squares += g * g;
        }
    n = n > 0.0 ? n : 1.0;
    const double mean = sum / n, spread = sqrt(fmax(squares / n - mean * mean, 0.0)) + 0.02;
    memset(out, 0, GREY * sizeof *out);
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            if (s->inside[i][j])
                out[i / SAMPLES * WS_AXES_CELLS + j / SAMPLES] +=
                    (float)(((double)s->grey[i][j] - mean) / spread / (SAMPLES * SAMPLES));
    return out + GREY;
}

/* A histogram of oriented gradients, of length 1. */
static float *oriented_gradients(const samples *s, float *out)
{
    const int numbers = WS_GRADIENT_CELLS * WS_GRADIENT_CELLS * WS_GRADIENT_BINS;
    double squares = 1e-6;
    memset(out, 0, (size_t)numbers * sizeof *out);
    for (int i = 1; i < SIDE - 1; i++)
        for (int j = 1; j < SIDE - 1; j++) {
            if (!s->inside[i][j])
                continue;
            const double gx = (double)(s->grey[i][j + 1] - s->grey[i][j - 1]);
            const double gy = (double)(s->grey[i + 1][j] - s->grey[i - 1][j]);
            const int bin =
                (int)((atan2(gy, gx) + pi) * (WS_GRADIENT_BINS / pi)) % WS_GRADIENT_BINS;
            out[(i / CELL * WS_GRADIENT_CELLS + j / CELL) * WS_GRADIENT_BINS + bin] +=
                (float)hypot(gx, gy);
        }
    for (int i = 0; i < numbers; i++)
        squares += (double)out[i] * (double)out[i];
    for (int i = 0; i < numbers; i++)
        out[i] *= (float)(1.0 / sqrt(squares));
    return out + numbers;
}

/* ---- over the pixels ---- */

typedef struct sums {
    double n, colour[3], squares[3];
    double bins[3][WS_COLOUR_BINS]; /* lightness, red-green, blue-yellow */
    double gradient, gradient_squares, directions[WS_DIRECTIONS];
    double around, surround[3]; /* pixels near the mask, outside of it */
} sums;

static void add_colour(sums *s, const uint8_t *c, int last)
{
    const double rgb[3] = {c[0] / 255.0, c[last / 2] / 255.0, c[last] / 255.0};
    const double seen[3] = {(rgb[0] + rgb[1] + rgb[2]) / 3.0, 0.5 + 0.5 * (rgb[0] - rgb[1]),
                            0.5 + 0.25 * (2.0 * rgb[2] - rgb[0] - rgb[1])};
    for (int k = 0; k < 3; k++) {
        const int bin = (int)(seen[k] * WS_COLOUR_BINS);
        s->colour[k] += rgb[k];
        s->squares[k] += rgb[k] * rgb[k];
        s->bins[k][bin < WS_COLOUR_BINS ? bin : WS_COLOUR_BINS - 1] += 1.0;
    }
    s->n += 1.0;
}

static void add_gradient(sums *s, const wsam_picture *p, int x, int y)
{
    const double gx = grey(p, x + 1, y) - grey(p, x - 1, y);
    const double gy = grey(p, x, y + 1) - grey(p, x, y - 1), size = hypot(gx, gy);
    const int bin = (int)((atan2(gy, gx) + pi) * (WS_DIRECTIONS / pi)) % WS_DIRECTIONS;
    s->gradient += size;
    s->gradient_squares += size * size;
    s->directions[bin] += size;
}

/* Of the mask, and of what lies around it within a quarter of its box. */
static void add_pixels(const ws_region_mask *m, const wsam_picture *p, sums *s)
{
    const int mx = m->width / 4 + 1, my = m->height / 4 + 1, last = p->channels - 1;
    for (int y = m->y0 - my; y < m->y0 + m->height + my; y++) {
        if (y < 0 || y >= p->height)
            continue;
        for (int x = m->x0 - mx; x < m->x0 + m->width + mx; x++) {
            if (x < 0 || x >= p->width)
                continue;
            const uint8_t *c = pixel(p, x, y);
            if (ws_region_inside(m, x, y)) {
                add_colour(s, c, last);
                add_gradient(s, p, x, y);
                continue;
            }
            s->around += 1.0;
            for (int k = 0; k < 3; k++)
                s->surround[k] += c[k < last ? k : last] / 255.0;
        }
    }
}

static int larger_first(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static void put_sums(sums *s, float *out)
{
    const double around = s->around > 0.0 ? s->around : 1.0, gradient = s->gradient / s->n;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < WS_COLOUR_BINS; i++)
            *out++ = (float)(s->bins[k][i] / s->n);
    for (int k = 0; k < 3; k++) {
        const double mean = s->colour[k] / s->n;
        *out++ = (float)mean;
        *out++ = (float)sqrt(fmax(s->squares[k] / s->n - mean * mean, 0.0));
        *out++ = (float)(s->around > 0.0 ? mean - s->surround[k] / around : 0.0);
    }
    *out++ = (float)gradient;
    *out++ = (float)sqrt(fmax(s->gradient_squares / s->n - gradient * gradient, 0.0));
    qsort(s->directions, WS_DIRECTIONS, sizeof *s->directions, larger_first);
    for (int i = 0; i < WS_DIRECTIONS; i++)
        *out++ = (float)(s->directions[i] / (s->gradient + 1e-9));
}

void ws_region_look(const ws_region_mask *m, const wsam_picture *picture, float *out)
{
    samples s;
    sums all = {0};
    take_samples(m, picture, &s);
    out = grey_cells(&s, out);
    out = oriented_gradients(&s, out);
    add_pixels(m, picture, &all);
    put_sums(&all, out);
}
