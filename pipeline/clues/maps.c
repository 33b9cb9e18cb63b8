/* pipeline/clues/maps.c - the views' maps become one map of the picture's size. */
#include <float.h>
#include <stdlib.h>

#include "pipeline/clues/clues.h"
#include "runtime/threads.h"

typedef struct job {
    const wsam_clues *c;
    const ws_views *views;
    size_t map; /* among all of a view's */
    int height, width;
    float *out, *rows; /* rows [threads][width] */
    float *low, *high; /* per row */
    float least, range;
} job;

/* One row: every view's, enlarged, mirrored back, added in the order of the views. */
static void add_row(void *arg, int y, int worker)
{
    const job *j = arg;
    const int width = j->width;
    float *row = j->rows + (size_t)worker * (size_t)width;
    float *out = j->out + (size_t)y * (size_t)width;
    for (int x = 0; x < width; x++)
        out[x] = 0.0f;
    for (size_t i = 0; i < j->views->n_views; i++) {
        const ws_view *v = &j->views->views[i];
        const float *map = v->maps + j->map * (size_t)v->h * (size_t)v->w;
        j->c->kernels->resize.bilinear_row_f32(v->h, v->w, 1, map, j->height, width, y, row);
        if (v->mirrored)
            for (int x = 0; x < width; x++)
                out[x] += row[width - 1 - x];
        else
            for (int x = 0; x < width; x++)
                out[x] += row[x];
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

wsam_status ws_add_views(const wsam_clues *c, const ws_views *views, size_t k, size_t index,
                         int height, int width, float *out, wsam_error *error)
{
    job j = {.c = c, .views = views, .height = height, .width = width, .out = out};
    float highest = -FLT_MAX;
    j.map = k * (2 + views->n_cross) + index;
    j.rows = malloc((size_t)c->threads * (size_t)width * sizeof *j.rows);
    j.low = malloc(2 * (size_t)height * sizeof *j.low);
    if (!j.rows || !j.low) {
        free(j.rows);
        free(j.low);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for clue maps");
    }
    j.high = j.low + height;
    ws_parallel_for(c->threads, height, add_row, &j);
    j.least = FLT_MAX;
    for (int y = 0; y < height; y++) {
        j.least = j.low[y] < j.least ? j.low[y] : j.least;
        highest = j.high[y] > highest ? j.high[y] : highest;
    }
    j.range = highest - j.least + 1e-8f;
    ws_parallel_for(c->threads, height, normalise_row, &j);
    free(j.rows);
    free(j.low);
    return WSAM_OK;
}
