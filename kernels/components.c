/* kernels/components.c - 8-connected components of masks given as run lengths.
 *
 * Runs are cut at column ends into segments; a segment joins the segments of the column before
 * whose rows it overlaps or touches by a corner. Union-find over segments: a 2-megapixel mask has a
 * few thousand of them, so pixels are never visited. */
#include "base/error.h"
#include "kernels/rle.h"
#include "kernels/sort.h"

typedef struct segment {
    uint32_t x, y0, y1; /* rows [y0, y1) of column x */
    uint32_t parent;
    uint64_t area;  /* of the component, valid for roots */
    uint64_t first; /* its smallest row and the segment that has it: the row-major first pixel */
    uint32_t x1, y_end;
    uint32_t x0, keep;
} segment;

typedef struct forest {
    segment *segments;
    size_t n;
} forest;

/* Every run gives a segment, and every column end cuts at most one. */
static size_t max_segments(const wsam_rle *rle)
{
    return rle->n / 2 + 1 + (size_t)rle->width;
}

size_t wsam_components_scratch(const wsam_rle *rle)
{
    return max_segments(rle) * (sizeof(segment) + sizeof(uint64_t));
}

/* Halves the path as it goes: nearly constant time, and no recursion. */
static uint32_t find_root(segment *s, uint32_t i)
{
    while (s[i].parent != i) {
        s[i].parent = s[s[i].parent].parent;
        i = s[i].parent;
    }
    return i;
}

static void join(segment *s, uint32_t a, uint32_t b)
{
    a = find_root(s, a);
    b = find_root(s, b);
    if (a < b)
        s[b].parent = a;
    else
        s[a].parent = b;
}

static void cut_runs(const wsam_rle *rle, int value, forest *f)
{
    const uint64_t h = (uint64_t)rle->height;
    uint64_t at = 0;
    f->n = 0;
    for (size_t i = 0; i < rle->n; i++) {
        const uint64_t end = at + rle->counts[i];
        while ((int)(i % 2) == value && at < end) {
            const uint64_t x = at / h, stop = end < (x + 1) * h ? end : (x + 1) * h;
            segment *last = f->n ? &f->segments[f->n - 1] : NULL;
            /* Runs of length 0 between two of ours: one segment, not two that touch. */
            if (last && last->x == x && last->y1 == at - x * h) {
                last->y1 = (uint32_t)(stop - x * h);
            } else {
                f->segments[f->n] = (segment){.x = (uint32_t)x,
                                              .y0 = (uint32_t)(at - x * h),
                                              .y1 = (uint32_t)(stop - x * h),
                                              .parent = (uint32_t)f->n};
                f->n++;
            }
            at = stop;
        }
        at = end;
    }
}

static void connect(forest *f)
{
    segment *s = f->segments;
    size_t before = 0, column = 0; /* first segments of the column before and of this column */
    for (size_t i = 0; i < f->n; i++) {
        if (i && s[i].x != s[i - 1].x) {
            before = column;
            column = i;
        }
        if (column == before || s[before].x + 1 != s[i].x)
            continue; /* the column before has no segment */
        while (before < column && s[before].y1 < s[i].y0)
            before++;
        for (size_t k = before; k < column && s[k].y0 <= s[i].y1; k++)
            join(s, (uint32_t)k, (uint32_t)i);
    }
}

static void sum_up(forest *f)
{
    segment *s = f->segments;
    for (uint32_t i = 0; i < f->n; i++) {
        segment *r = &s[find_root(s, i)];
        const uint64_t first = (uint64_t)s[i].y0 << 32 | i;
        if (r == &s[i]) {
            r->first = first;
            r->x0 = s[i].x;
        }
        r->first = first < r->first ? first : r->first;
        r->area += s[i].y1 - s[i].y0;
        r->x1 = s[i].x;
        r->y_end = s[i].y1 > r->y_end ? s[i].y1 : r->y_end;
    }
}

static forest build(const wsam_rle *rle, wsam_region kind, void *scratch)
{
    forest f = {.segments = scratch};
    cut_runs(rle, kind == WSAM_REGION_ISLANDS, &f);
    connect(&f);
    sum_up(&f);
    return f;
}

size_t wsam_components(const wsam_rle *rle, wsam_region kind, void *scratch, wsam_component *out,
                       size_t capacity)
{
    forest f = build(rle, kind, scratch);
    const segment *s = f.segments;
    uint64_t *order = (void *)((char *)scratch + max_segments(rle) * sizeof(segment));
    size_t n = 0;
    for (size_t i = 0; i < f.n; i++)
        if (s[i].parent == i)
            order[n++] = s[i].first;
    ws_sort_u64(order, n);
    for (size_t i = 0; i < n && i < capacity; i++) {
        const segment *r = &s[find_root(f.segments, (uint32_t)order[i])];
        out[i] = (wsam_component){.area = r->area,
                                  .x0 = (int32_t)r->x0,
                                  .y0 = (int32_t)(r->first >> 32),
                                  .x1 = (int32_t)r->x1,
                                  .y1 = (int32_t)r->y_end - 1};
    }
    return n;
}

/* Marks the roots that stay; returns whether a small one was found. */
static int mark(forest *f, wsam_region kind, uint64_t min_area)
{
    segment *s = f->segments, *largest = NULL;
    int small = 0, large = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (s[i].parent != i)
            continue;
        s[i].keep = s[i].area >= min_area;
        *(s[i].keep ? &large : &small) = 1;
        if (!largest || s[i].area > largest->area ||
            (s[i].area == largest->area && s[i].first < largest->first))
            largest = &s[i];
    }
    if (kind == WSAM_REGION_ISLANDS && largest && !large)
        largest->keep = 1;
    return small;
}

wsam_status wsam_remove_small_regions(const wsam_rle *rle, wsam_region kind, uint64_t min_area,
                                      void *scratch, wsam_rle *out, int *changed)
{
    forest f = build(rle, kind, scratch);
    const int value = kind == WSAM_REGION_ISLANDS;
    const uint64_t h = (uint64_t)rle->height;
    uint64_t at = 0;
    *changed = mark(&f, kind, min_area);
    out->height = rle->height;
    out->width = rle->width;
    ws_run_writer w = ws_runs_begin(out);
    for (uint32_t i = 0; i < f.n; i++) {
        const segment *s = &f.segments[i];
        const uint64_t start = s->x * h + s->y0, length = s->y1 - s->y0;
        const uint32_t keep = f.segments[find_root(f.segments, i)].keep;
        ws_runs_put(&w, !value, start - at);
        ws_runs_put(&w, keep ? value : !value, length);
        at = start + length;
    }
    ws_runs_put(&w, !value, ws_rle_pixels(rle) - at);
    return ws_runs_end(&w);
}
