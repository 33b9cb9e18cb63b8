/* pipeline/clues/peaks.c - local maxima of a map by a running maximum.
 *
 * The maximum of a window is taken along rows, then along columns. Each pass cuts its line into
 * blocks of the window's length; prefix maxima of a block and suffix maxima of the one before give
 * any window with one comparison (van Herk 1992, Gil and Werman 1993), whatever its size. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/clues/clues.h"
#include "runtime/run/threads.h"

typedef struct ws_peak {
    float value;
    int x, y;
} ws_peak;

enum { STRIP = 32 }; /* columns of a task of the second pass */

static size_t padded(int n, int window)
{
    return ((size_t)n + 2 * (size_t)(window - 1)) / (size_t)window * (size_t)window +
           (size_t)window;
}

wsam_status ws_peaks_create(ws_peak_finder *f, int height, int width, int most, int threads,
                            wsam_error *error)
{
    const int longest = height > width ? height : width;
    memset(f, 0, sizeof *f);
    f->height = height;
    f->width = width;
    f->threads = threads;
    f->most = most;
    f->strips = (width + STRIP - 1) / STRIP;
    /* Windows are cut to 2 n + 1 (reach), their padded lines are then at most 7 n + 1 long. */
    f->scratch_floats = 2 * (7 * (size_t)longest + 2) * STRIP;
    f->rows = malloc((size_t)height * (size_t)width * sizeof *f->rows);
    f->scratch = malloc((size_t)threads * f->scratch_floats * sizeof *f->scratch);
    f->best = malloc((size_t)f->strips * (size_t)most * sizeof *f->best);
    f->found = malloc((size_t)f->strips * sizeof *f->found);
    if (f->rows && f->scratch && f->best && f->found)
        return WSAM_OK;
    ws_peaks_free(f);
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory to find peaks");
}

void ws_peaks_free(ws_peak_finder *f)
{
    free(f->rows);
    free(f->scratch);
    free(f->best);
    free(f->found);
    memset(f, 0, sizeof *f);
}

static float larger(float a, float b)
{
    return b > a ? b : a;
}

/* out[i][c] = max over |j - i| <= r of in[j][c], i and j < n, for `lanes` columns; in and out have
 * ld floats from i to i + 1. `prefix`, `suffix`: [padded][lanes]. */
static void running_max(const float *in, size_t ld, int n, int r, int lanes, float *prefix,
                        float *suffix, float *out, size_t ld_out)
{
    const int window = 2 * r + 1, all = (int)padded(n, window);
    /* Position p of the padded line is index p - r; outside of the line nothing wins. */
    for (int p = 0; p < all; p++)
        for (int c = 0; c < lanes; c++) {
            const int i = p - r;
            const float v = i >= 0 && i < n ? in[(size_t)i * ld + (size_t)c] : -FLT_MAX;
            const size_t at = (size_t)p * (size_t)lanes + (size_t)c;
            suffix[at] = v;
            prefix[at] = p % window ? larger(prefix[at - (size_t)lanes], v) : v;
        }
    for (int p = all - 2; p >= 0; p--)
        if ((p + 1) % window)
            for (int c = 0; c < lanes; c++) {
                const size_t at = (size_t)p * (size_t)lanes + (size_t)c;
                suffix[at] = larger(suffix[at], suffix[at + (size_t)lanes]);
            }
    for (int i = 0; i < n; i++)
        for (int c = 0; c < lanes; c++)
            out[(size_t)i * ld_out + (size_t)c] =
                larger(suffix[(size_t)i * (size_t)lanes + (size_t)c],
                       prefix[(size_t)(i + window - 1) * (size_t)lanes + (size_t)c]);
}

typedef struct search {
    ws_peak_finder *f;
    const float *map;
    int r_x, r_y, most;
    double threshold;
} search;

static void row_task(void *arg, int y, int worker)
{
    const search *s = arg;
    const ws_peak_finder *f = s->f;
    float *prefix = f->scratch + (size_t)worker * f->scratch_floats;
    running_max(s->map + (size_t)y * (size_t)f->width, 1, f->width, s->r_x, 1, prefix,
                prefix + padded(f->width, 2 * s->r_x + 1), f->rows + (size_t)y * (size_t)f->width,
                1);
}

/* Higher first, then row-major. */
static int before(const ws_peak *a, const ws_peak *b)
{
    if (a->value > b->value || a->value < b->value)
        return a->value > b->value;
    return a->y != b->y ? a->y < b->y : a->x < b->x;
}

static void insert(ws_peak *best, int *n, int most, const ws_peak *p)
{
    if (*n == most && !before(p, &best[most - 1]))
        return;
    int i = *n < most ? (*n)++ : most - 1;
    for (; i > 0 && before(p, &best[i - 1]); i--)
        best[i] = best[i - 1];
    best[i] = *p;
}

/* Candidates of a strip of columns. Lower ones than the threshold never become points, nor do they
 * keep others from it: they are behind all that do. */
static void strip_task(void *arg, int strip, int worker)
{
    const search *s = arg;
    const ws_peak_finder *f = s->f;
    const int x0 = strip * STRIP, lanes = f->width - x0 < STRIP ? f->width - x0 : STRIP;
    const size_t half = padded(f->height, 2 * s->r_y + 1) * (size_t)lanes;
    float *prefix = f->scratch + (size_t)worker * f->scratch_floats, *column = f->rows + x0;
    ws_peak *best = f->best + (size_t)strip * (size_t)f->most;
    int n = 0;
    running_max(column, (size_t)f->width, f->height, s->r_y, lanes, prefix, prefix + half, column,
                (size_t)f->width);
    for (int y = 0; y < f->height; y++)
        for (int x = x0; x < x0 + lanes; x++) {
            const size_t at = (size_t)y * (size_t)f->width + (size_t)x;
            const ws_peak p = {s->map[at], x, y};
            if ((double)p.value >= s->threshold && p.value >= f->rows[at])
                insert(best, &n, s->most, &p);
        }
    f->found[strip] = n;
}

static int too_near(const wsam_clue_point *points, int n, const ws_peak *p, int spacing)
{
    for (int i = 0; i < n; i++)
        if (abs(p->x - (int)points[i].x) + abs(p->y - (int)points[i].y) < spacing)
            return 1;
    return 0;
}

/* A window's half, cut where more would change nothing. */
static int reach(int window, int n)
{
    const int r = (window - 1) / 2;
    return r < n ? r : n;
}

int ws_peaks_find(ws_peak_finder *f, const float *map, const wsam_peak_params *params,
                  wsam_clue_point *points)
{
    search s = {f,
                map,
                reach(params->window, f->width),
                reach(params->window, f->height),
                params->most,
                params->threshold};
    const int spacing = params->spacing < 0 ? (params->window - 1) / 2 : params->spacing;
    int n = 0, total = 0;
    ws_parallel_for(f->threads, f->height, row_task, &s);
    ws_parallel_for(f->threads, f->strips, strip_task, &s);
    ws_peak *best = malloc((size_t)params->most * sizeof *best);
    if (!best)
        return -1;
    for (int i = 0; i < f->strips; i++)
        for (int j = 0; j < f->found[i]; j++)
            insert(best, &total, params->most, &f->best[(size_t)i * (size_t)f->most + (size_t)j]);
    for (int i = 0; i < total; i++) {
        if (too_near(points, n, &best[i], spacing))
            continue;
        points[n] = (wsam_clue_point){
            .x = best[i].x, .y = best[i].y, .score = (double)best[i].value, .class_index = -1};
        n++;
    }
    free(best);
    return n;
}

wsam_status wsam_peaks(const float *map, int height, int width, const wsam_peak_params *params,
                       wsam_clue_point *points, int *n)
{
    WS_FLOAT_SCOPE;
    ws_peak_finder f;
    *n = 0;
    if (params->most < 1)
        return WSAM_OK;
    const wsam_status status = ws_peaks_create(&f, height, width, params->most, 1, NULL);
    if (status)
        return status;
    *n = ws_peaks_find(&f, map, params, points);
    ws_peaks_free(&f);
    return WSAM_OK;
}
