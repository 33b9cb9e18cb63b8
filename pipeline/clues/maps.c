/* pipeline/clues/maps.c - the views' maps become one map of the picture's size. */
#include <float.h>
#include <stdlib.h>

#include "kernels/resize.h"
#include "pipeline/clues/clues.h"
#include "runtime/run/threads.h"

typedef struct job {
    const ws_views *views;
    size_t map; /* among all of a view's */
    int height, width, row_floats;
    float *out, *rows;   /* rows [threads][row_floats]: a view's row, enlarged downwards alone */
    ws_linear_tap *taps; /* [views][width] */
    float *low, *high;   /* per row */
    float least, range;
} job;

/* One row: every view's, bilinear (half-pixel centres, clamped edges), in the order of the views. A
 * view's row is mixed of two before it is enlarged: a few dozen values instead of a few hundred. */
static void add_row(void *arg, int y, int worker)
{
    const job *j = arg;
    const int width = j->width;
    float *row = j->rows + (size_t)worker * (size_t)j->row_floats;
    float *out = j->out + (size_t)y * (size_t)width;
    for (int x = 0; x < width; x++)
        out[x] = 0.0f;
    for (size_t i = 0; i < j->views->n_views; i++) {
        const ws_view *v = &j->views->views[i];
        const ws_linear_tap d = ws_linear_tap_at(v->h, j->height, y),
                            *taps = j->taps + i * (size_t)width;
        const float *map = v->maps + j->map * (size_t)v->h * (size_t)v->w;
        const float *above = map + (size_t)d.i0 * (size_t)v->w,
                    *below = map + (size_t)d.i1 * (size_t)v->w;
        for (int x = 0; x < v->w; x++)
            row[x] = d.l0 * above[x] + d.l1 * below[x];
        for (int x = 0; x < width; x++)
            out[x] += taps[x].l0 * row[taps[x].i0] + taps[x].l1 * row[taps[x].i1];
    }
    j->low[y] = FLT_MAX;
    j->high[y] = -FLT_MAX;
    for (int x = 0; x < width; x++) {
        j->low[y] = out[x] < j->low[y] ? out[x] : j->low[y];
        j->high[y] = out[x] > j->high[y] ? out[x] : j->high[y];
    }
}

static void normalise_row(void *arg, int y, int worker)
{
    const job *j = arg;
    float *out = j->out + (size_t)y * (size_t)j->width;
    (void)worker;
    for (int x = 0; x < j->width; x++)
        out[x] = (out[x] - j->least) / j->range;
}

static void add_all(job *j, int threads)
{
    float highest = -FLT_MAX;
    for (size_t i = 0; i < j->views->n_views; i++)
        for (int x = 0; x < j->width; x++)
            j->taps[i * (size_t)j->width + (size_t)x] =
                ws_linear_tap_at(j->views->views[i].w, j->width, x);
    ws_parallel_for(threads, j->height, add_row, j);
    j->least = FLT_MAX;
    for (int y = 0; y < j->height; y++) {
        j->least = j->low[y] < j->least ? j->low[y] : j->least;
        highest = j->high[y] > highest ? j->high[y] : highest;
    }
    j->range = highest - j->least + 1e-8f;
    ws_parallel_for(threads, j->height, normalise_row, j);
}

wsam_status ws_clue_maps_add_views(const wsam_clues *c, const ws_views *views, size_t k,
                                   size_t index, int height, int width, float *out,
                                   wsam_error *error)
{
    job j = {.views = views, .height = height, .width = width, .out = out};
    for (size_t i = 0; i < views->n_views; i++)
        j.row_floats = views->views[i].w > j.row_floats ? views->views[i].w : j.row_floats;
    j.map = k * (2 + views->n_cross) + index;
    j.rows = malloc((size_t)c->threads * (size_t)j.row_floats * sizeof *j.rows);
    j.taps = malloc(views->n_views * (size_t)width * sizeof *j.taps);
    j.low = malloc(2 * (size_t)height * sizeof *j.low);
    const int good = j.rows && j.taps && j.low;
    if (good) {
        j.high = j.low + height;
        add_all(&j, c->threads);
    }
    free(j.rows);
    free(j.taps);
    free(j.low);
    return good ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for clue maps");
}
