/* pipeline/regions/region_mask.c - see region_mask.h. */
#include "pipeline/regions/region_mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weaksam/masks.h"

void ws_region_mask_free(ws_region_mask *m)
{
    free(m->inside);
    free(m->outside);
    free(m->stack);
    memset(m, 0, sizeof *m);
}

static int make_room(ws_region_mask *m, size_t pixels)
{
    if (pixels <= m->room)
        return 1;
    free(m->inside);
    free(m->outside);
    free(m->stack);
    m->inside = malloc(pixels);
    m->outside = malloc(pixels);
    m->stack = malloc(pixels * sizeof *m->stack);
    m->room = m->inside && m->outside && m->stack ? pixels : 0;
    return m->room > 0;
}

/* ---- the pixels ---- */

/* Column-major runs, zeros first, into the box's rows. */
static void paint_runs(ws_region_mask *m, const wsam_rle *rle)
{
    uint64_t at = 0;
    const uint64_t rows = (uint64_t)rle->height;
    for (size_t i = 0; i < rle->n; at += rle->counts[i], i++)
        for (uint64_t p = at; i % 2 && p < at + rle->counts[i]; p++) {
            const int x = (int)(p / rows) - m->x0, y = (int)(p % rows) - m->y0;
            m->inside[(size_t)y * (size_t)m->width + (size_t)x] = 1;
        }
}

static int set_box(ws_region_mask *m, int x0, int y0, int x1, int y1, int fill)
{
    m->x0 = x0;
    m->y0 = y0;
    m->width = x1 - x0 + 1;
    m->height = y1 - y0 + 1;
    const size_t pixels = (size_t)m->width * (size_t)m->height;
    if (!make_room(m, pixels))
        return 0;
    memset(m->inside, fill, pixels);
    m->area = fill ? pixels : 0;
    return 1;
}

static int clamp(double v, int low, int high)
{
    return v <= (double)low ? low : v >= (double)high ? high : (int)v;
}

static wsam_status take_runs(ws_region_mask *m, const wsam_proposal *p, int height, int width,
                             int *empty, wsam_error *error)
{
    int32_t box[4];
    wsam_rle rle = {.height = height, .width = width, .capacity = p->counts_length + 1};
    rle.counts = malloc(rle.capacity * sizeof *rle.counts);
    wsam_status status = rle.counts ? wsam_rle_from_string(p->counts, p->counts_length, &rle, error)
                                    : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    *empty = !status && !wsam_rle_box(&rle, box);
    if (!status && !*empty) {
        if (set_box(m, box[0], box[1], box[2], box[3], 0)) {
            paint_runs(m, &rle);
            m->area = (size_t)wsam_rle_area(&rle);
        } else {
            status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
        }
    }
    free(rle.counts);
    return status;
}

/* ---- the frame ---- */

typedef struct moments {
    double n, x, y, xx, xy, yy;
} moments;

static moments sum_moments(const ws_region_mask *m)
{
    moments s = {0};
    for (int y = 0; y < m->height; y++) {
        const uint8_t *row = m->inside + (size_t)y * (size_t)m->width;
        double n = 0, first = 0, second = 0;
        for (int x = 0; x < m->width; x++) {
            n += row[x];
            first += (double)(row[x] * x);
            second += (double)row[x] * (double)x * (double)x;
        }
        s.n += n;
        s.x += first;
        s.xx += second;
        s.y += n * y;
        s.xy += first * y;
        s.yy += n * y * (double)y;
    }
    return s;
}

/* Mean of the cubes along both axes. */
static void third_moments(const ws_region_mask *m, double cube[2])
{
    cube[0] = cube[1] = 0.0;
    for (int y = 0; y < m->height; y++)
        for (int x = 0; x < m->width; x++) {
            if (!m->inside[(size_t)y * (size_t)m->width + (size_t)x])
                continue;
            const double dx = m->x0 + x - m->centre[0], dy = m->y0 + y - m->centre[1];
            for (int a = 0; a < 2; a++) {
                const double along = dx * m->axis[a][0] + dy * m->axis[a][1];
                cube[a] += along * along * along;
            }
        }
}

static void find_frame(ws_region_mask *m)
{
    const moments s = sum_moments(m);
    const double x = s.x / s.n, y = s.y / s.n;
    const double pixel = 1.0 / 12.0; /* the variance of a pixel: no spread is zero */
    const double xx = s.xx / s.n - x * x + pixel, yy = s.yy / s.n - y * y + pixel;
    const double xy = s.xy / s.n - x * y;
    const double half = 0.5 * (xx + yy), off = hypot(0.5 * (xx - yy), xy);
    const double angle = 0.5 * atan2(2.0 * xy, xx - yy);
    double cube[2];
    m->centre[0] = m->x0 + x;
    m->centre[1] = m->y0 + y;
    m->axis[0][0] = cos(angle);
    m->axis[0][1] = sin(angle);
    m->axis[1][0] = -m->axis[0][1];
    m->axis[1][1] = m->axis[0][0];
    m->spread[0] = sqrt(half + off);
    m->spread[1] = sqrt(fmax(half - off, m->spread[0] * m->spread[0] / 16.0));
    third_moments(m, cube);
    for (int a = 0; a < 2; a++)
        for (int i = 0; i < 2 && cube[a] < 0.0; i++)
            m->axis[a][i] = -m->axis[a][i];
}

wsam_status ws_region_mask_take(ws_region_mask *m, const wsam_proposal *p, int height, int width,
                                int *empty, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    *empty = 0;
    if (p->counts) {
        status = take_runs(m, p, height, width, empty, error);
    } else {
        const int x0 = clamp(p->box[0], 0, width - 1), y0 = clamp(p->box[1], 0, height - 1);
        const int x1 = clamp(p->box[2], x0, width - 1), y1 = clamp(p->box[3], y0, height - 1);
        if (!set_box(m, x0, y0, x1, y1, 1))
            status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    }
    if (!status && !*empty)
        find_frame(m);
    return status;
}

/* ---- holes ---- */

static void visit(ws_region_mask *m, int x, int y, size_t *depth)
{
    const size_t at = (size_t)y * (size_t)m->width + (size_t)x;
    if (x < 0 || y < 0 || x >= m->width || y >= m->height || m->inside[at] || m->outside[at])
        return;
    m->outside[at] = 1;
    m->stack[(*depth)++] = (uint32_t)at;
}

size_t ws_region_mask_holes(ws_region_mask *m)
{
    const size_t pixels = (size_t)m->width * (size_t)m->height;
    size_t depth = 0, reached = 0;
    memset(m->outside, 0, pixels);
    for (int x = 0; x < m->width; x++) {
        visit(m, x, 0, &depth);
        visit(m, x, m->height - 1, &depth);
    }
    for (int y = 0; y < m->height; y++) {
        visit(m, 0, y, &depth);
        visit(m, m->width - 1, y, &depth);
    }
    while (depth) {
        const int at = (int)m->stack[--depth], x = at % m->width, y = at / m->width;
        reached++;
        visit(m, x - 1, y, &depth);
        visit(m, x + 1, y, &depth);
        visit(m, x, y - 1, &depth);
        visit(m, x, y + 1, &depth);
    }
    return pixels - m->area - reached;
}
