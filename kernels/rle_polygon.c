/* kernels/rle_polygon.c - polygons to run lengths by the rules of pycocotools.
 *
 * The outline is walked on a grid five times finer than the pixels. Wherever it passes a pixel
 * column's centre line the pixel row there is noted as a change of value in that column; the sorted
 * changes are the runs. Which of two rows counts, and the rounding of every step, are part of the
 * rule. */
#include "base/error.h"
#include "kernels/rle.h"
#include "kernels/sort.h"

#include <math.h>

static const double fine = 5; /* steps per pixel */

typedef struct point {
    int x, y;
} point;

typedef struct outline {
    int height, width;
    int started;
    point at; /* the last fine point */
    uint64_t *changes;
    size_t n, capacity;
} outline;

static point fine_point(const double *xy)
{
    return (point){(int)(fine * xy[0] + .5), (int)(fine * xy[1] + .5)};
}

static void step_to(outline *o, point p)
{
    const point before = o->at;
    o->at = p;
    if (!o->started || p.x == before.x) {
        o->started = 1;
        return;
    }
    const double x = ((double)(p.x < before.x ? p.x : p.x - 1) + .5) / fine - .5;
    if (x < 0 || x > o->width - 1 || floor(x) < x)
        return;
    double y = ((double)(p.y < before.y ? p.y : before.y) + .5) / fine - .5;
    y = ceil(y < 0 ? 0 : (y > o->height ? o->height : y));
    if (o->n < o->capacity)
        o->changes[o->n] = (uint64_t)x * (uint64_t)o->height + (uint64_t)y;
    o->n++;
}

/* From a to b along the longer axis. Rounding is done in the direction of growing coordinates, so
 * that an edge shared by two polygons gives the same points both ways. */
static void walk_edge(outline *o, point a, point b)
{
    const int dx = b.x > a.x ? b.x - a.x : a.x - b.x, dy = b.y > a.y ? b.y - a.y : a.y - b.y;
    const int n = dx >= dy ? dx : dy;
    if (!n)
        return;
    const int backwards = dx >= dy ? a.x > b.x : a.y > b.y;
    const point from = backwards ? b : a, to = backwards ? a : b;
    const double slope = dx >= dy ? (double)(to.y - from.y) / dx : (double)(to.x - from.x) / dy;
    for (int i = 0; i <= n; i++) {
        const int t = backwards ? n - i : i;
        if (dx >= dy)
            step_to(o, (point){from.x + t, (int)(from.y + slope * t + .5)});
        else
            step_to(o, (point){(int)(from.x + slope * t + .5), from.y + t});
    }
}

wsam_status wsam_rle_from_polygon(const double *xy, size_t points, uint64_t *scratch,
                                  size_t scratch_capacity, size_t *scratch_needed, wsam_rle *rle,
                                  wsam_error *error)
{
    if (rle->height < 1 || rle->width < 1 || ws_rle_pixels(rle) > UINT32_MAX)
        return ws_fail(error, WSAM_ERR_LIMIT, "polygon: size %d x %d is out of range", rle->width,
                       rle->height);
    for (size_t i = 0; i < 2 * points; i++)
        if (!(fabs(xy[i]) <= 131072))
            return ws_fail(error, WSAM_ERR_FORMAT, "polygon: coordinate %zu is out of range", i);
    outline o = {.height = rle->height,
                 .width = rle->width,
                 .changes = scratch,
                 .capacity = scratch_capacity};
    for (size_t i = 0; i < points; i++)
        walk_edge(&o, fine_point(xy + 2 * i), fine_point(xy + 2 * ((i + 1) % points)));
    *scratch_needed = o.n;
    if (o.n > scratch_capacity)
        return ws_fail(error, WSAM_ERR_LIMIT, "polygon: scratch for %zu of %zu crossings",
                       scratch_capacity, o.n);
    ws_sort_u64(o.changes, o.n);
    ws_run_writer w = ws_runs_begin(rle);
    uint64_t at = 0;
    for (size_t i = 0; i < o.n; at = o.changes[i++])
        ws_runs_put(&w, (int)(i % 2), o.changes[i] - at);
    ws_runs_put(&w, (int)(o.n % 2), ws_rle_pixels(rle) - at);
    if (ws_runs_end(&w))
        return ws_fail(error, WSAM_ERR_LIMIT, "polygon: %zu runs, room for %zu", rle->n,
                       rle->capacity);
    return WSAM_OK;
}
