/* pipeline/clues/run.c - wsam_clues_run: views, maps, peaks, points. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernels/float_scope.h"
#include "pipeline/clues/clues.h"
#include "pipeline/picture/picture.h"
#include "pipeline/segment/segmenter.h"

void wsam_clues_params_default(wsam_clues_params *p)
{
    const wsam_peak_params near = {17, 0.9, 25, -1}, wide = {129, 0.9, 25, -1};
    memset(p, 0, sizeof *p);
    p->size = 640;
    p->n_scales = 3;
    p->scales[0] = 1.0;
    p->scales[1] = 0.8;
    p->scales[2] = 1.2;
    p->mirror = 1;
    p->least_logit = -0.5;
    p->coarse = p->fine = near;
    p->cross = wide;
    p->points_per_cluster = 5;
    p->maps = WSAM_CLUES_FINE;
}

/* ---- arguments ---- */

static int peaks_sensible(const wsam_peak_params *p)
{
    return p->window >= 1 && p->window <= 65535 && p->window % 2 && isfinite(p->threshold) &&
           p->most >= 1 && p->most <= 65536 && p->spacing >= -1 && p->spacing <= 1 << 20;
}

static wsam_status check_params(const wsam_clues *c, const wsam_clues_params *p, wsam_error *error)
{
    if (p->size < 0 || p->size > 16384 || p->n_scales < 1 || p->n_scales > WSAM_CLUES_MAX_SCALES)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "clue size %d or %d scales out of range", p->size,
                       p->n_scales);
    for (int i = 0; i < p->n_scales; i++)
        if (!(p->scales[i] >= 0.05 && p->scales[i] <= 16.0))
            return ws_fail(error, WSAM_ERR_ARGUMENT, "a scale of %g; 0.05 to 16 are possible",
                           p->scales[i]);
    if (!peaks_sensible(&p->coarse) || !peaks_sensible(&p->fine) || !peaks_sensible(&p->cross))
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "peaks want an odd window, at least one point and a spacing of at least 0");
    if (isnan(p->least_logit) || p->points_per_cluster < 0 || p->n_layers < 0 ||
        p->n_layers > WSAM_CLUES_MAX_LAYERS)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "least logit, points per cluster or number of layers out of range");
    for (int i = 0; i < p->n_layers; i++)
        if (p->layers[i] < 0 || p->layers[i] >= c->depth)
            return ws_fail(error, WSAM_ERR_ARGUMENT, "layer %d; the model has 0 to %d",
                           p->layers[i], c->depth - 1);
    return WSAM_OK;
}

/* The layers of the cross maps: asked for, or the model's own choice, or the last one. */
static void choose_layers(const wsam_clues *c, const wsam_clues_params *p, ws_views *views)
{
    size_t n;
    const double *own = wsam_model_numbers(c->model, "clues.layers", &n);
    views->n_layers = p->n_layers;
    memcpy(views->layers, p->layers, sizeof p->layers);
    for (size_t i = 0; !p->n_layers && i < n && i < WSAM_CLUES_MAX_LAYERS; i++)
        if (own[i] >= 0.0 && own[i] < c->depth)
            views->layers[views->n_layers++] = (int)own[i];
    if (!views->n_layers && c->depth)
        views->layers[views->n_layers++] = c->depth - 1;
    views->n_cross = (size_t)views->n_layers * (size_t)c->heads;
}

static int by_value(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static wsam_status take_labels(const wsam_clues *c, const int32_t *labels, size_t n,
                               wsam_clues_result *r, wsam_error *error)
{
    if (n > c->n_classes)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%zu labels; the model has %zu classes", n,
                       c->n_classes);
    for (size_t i = 0; i < n; i++) {
        if (labels[i] < 0 || (size_t)labels[i] >= c->n_classes)
            return ws_fail(error, WSAM_ERR_ARGUMENT, "label %d; the model has classes 0 to %zu",
                           (int)labels[i], c->n_classes - 1);
        r->classes[i] = labels[i];
    }
    qsort(r->classes, n, sizeof *r->classes, by_value);
    for (size_t i = 0; i < n; i++)
        if (!r->n || r->classes[r->n - 1] != r->classes[i])
            r->classes[r->n++] = r->classes[i];
    return WSAM_OK;
}

/* ---- points ---- */

typedef struct work {
    const wsam_clues *c;
    const wsam_clues_params *params;
    const ws_views *views;
    wsam_clues_result *r;
    int labelled;
    ws_peak_finder finder;
    float *map;              /* one, where it is not kept */
    wsam_clue_point *found;  /* of one map */
    wsam_clue_point *points; /* all so far */
    size_t n, capacity;
} work;

static wsam_status add_points(work *w, const wsam_clue_point *points, size_t n, int32_t class_index,
                              wsam_source source, wsam_error *error)
{
    if (w->n + n > w->capacity) {
        const size_t capacity = 2 * (w->n + n);
        wsam_clue_point *grown = realloc(w->points, capacity * sizeof *grown);
        if (!grown)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for clue points");
        w->points = grown;
        w->capacity = capacity;
    }
    for (size_t i = 0; i < n; i++) {
        w->points[w->n] = points[i];
        w->points[w->n].class_index = class_index;
        w->points[w->n++].source = source;
    }
    return WSAM_OK;
}

/* Where a map that is kept stands; else the shared one. */
static float *place_of(work *w, wsam_clue_map *kept, size_t k, size_t *next)
{
    const wsam_clues_result *r = w->r;
    const size_t pixels = (size_t)r->height * (size_t)r->width;
    if (!kept)
        return w->map;
    float *values = (float *)r->memory + (*next)++ * pixels;
    const double logit = (double)r->logits[r->classes[k]];
    *kept = (wsam_clue_map){.class_index = r->classes[k],
                            .height = r->height,
                            .width = r->width,
                            .values = values,
                            .weight = w->labelled ? 1.0 : 1.0 / (1.0 + exp(-logit))};
    return values;
}

/* One map of class k: made, kept or not, and its peaks. */
static wsam_status do_map(work *w, size_t k, size_t index, wsam_clue_map *kept, size_t *next,
                          wsam_source source, const wsam_peak_params *peaks, wsam_error *error)
{
    wsam_clues_result *r = w->r;
    const wsam_clues_params *p = w->params;
    if (p->progress && p->progress(p->progress_user, 1.0))
        return ws_fail(error, WSAM_ERR_CANCELLED, "cancelled");
    float *values = place_of(w, kept, k, next);
    double start = ws_clock_ms();
    wsam_status status =
        ws_clue_maps_add_views(w->c, w->views, k, index, r->height, r->width, values, error);
    r->maps_s += (ws_clock_ms() - start) / 1e3;
    if (status)
        return status;
    start = ws_clock_ms();
    const int n = ws_peaks_find(&w->finder, values, peaks, w->found);
    status = n < 0 ? ws_fail(error, WSAM_ERR_MEMORY, "no memory to find peaks")
                   : add_points(w, w->found, (size_t)n, (int32_t)k, source, error);
    r->points_s += (ws_clock_ms() - start) / 1e3;
    return status;
}

/* The cross points from `first` on become centres, in whole pixels. */
static wsam_status cluster(work *w, size_t first, wsam_error *error)
{
    const size_t n = w->n - first, per = (size_t)w->params->points_per_cluster;
    const int k = per && n / per > 1 ? (int)(n / per) : 1;
    if (!n || !per)
        return WSAM_OK;
    double *xy = malloc((2 * n + 2 * (size_t)k) * sizeof *xy), *centres = xy ? xy + 2 * n : NULL;
    for (size_t i = 0; xy && i < n; i++) {
        xy[2 * i] = w->points[first + i].x;
        xy[2 * i + 1] = w->points[first + i].y;
    }
    int got = 0;
    const wsam_status status =
        xy ? wsam_kmeans(xy, n, k, w->params->seed, centres, &got) : WSAM_ERR_MEMORY;
    for (int i = 0; i < got; i++)
        w->points[first + (size_t)i] = (wsam_clue_point){.x = trunc(centres[2 * i]),
                                                         .y = trunc(centres[2 * i + 1]),
                                                         .score = 1.0,
                                                         .class_index = -1,
                                                         .source = WSAM_SOURCE_CROSS};
    free(xy);
    if (status)
        return ws_fail(error, status, "no memory to cluster points");
    w->n = first + (size_t)got;
    return WSAM_OK;
}

/* Coarse of every class, fine of every class, then cross. */
static wsam_status do_maps(work *w, wsam_error *error)
{
    wsam_clues_result *r = w->r;
    const wsam_clues_params *p = w->params;
    wsam_status status = WSAM_OK;
    size_t next = 0;
    for (size_t k = 0; k < r->n && !status; k++)
        status = do_map(w, k, 0, r->coarse ? &r->coarse[k] : NULL, &next, WSAM_SOURCE_COARSE,
                        &p->coarse, error);
    for (size_t k = 0; k < r->n && !status; k++)
        status =
            do_map(w, k, 1, r->fine ? &r->fine[k] : NULL, &next, WSAM_SOURCE_FINE, &p->fine, error);
    const size_t first = w->n;
    for (size_t k = 0; k < r->n && !status; k++)
        for (size_t m = 0; m < r->n_cross && !status; m++)
            status = do_map(w, k, 2 + m, r->cross ? &r->cross[k * r->n_cross + m] : NULL, &next,
                            WSAM_SOURCE_CROSS, &p->cross, error);
    return status ? status : cluster(w, first, error);
}

/* ---- the result ---- */

static wsam_status keep_space(work *w, wsam_error *error)
{
    wsam_clues_result *r = w->r;
    const unsigned want = w->params->maps;
    const size_t pixels = (size_t)r->height * (size_t)r->width, n = r->n + 1;
    const size_t each = (want & WSAM_CLUES_COARSE ? 1 : 0) + (want & WSAM_CLUES_FINE ? 1 : 0) +
                        (want & WSAM_CLUES_CROSS ? r->n_cross : 0);
    int good = 1;
    if (want & WSAM_CLUES_COARSE)
        good &= (r->coarse = calloc(n, sizeof *r->coarse)) != NULL;
    if (want & WSAM_CLUES_FINE)
        good &= (r->fine = calloc(n, sizeof *r->fine)) != NULL;
    if (want & WSAM_CLUES_CROSS)
        good &= (r->cross = calloc(n * r->n_cross + 1, sizeof *r->cross)) != NULL;
    good = good && r->n * each <= SIZE_MAX / sizeof(float) / pixels;
    if (good)
        good = (r->memory = malloc((r->n * each * pixels + 1) * sizeof(float))) != NULL;
    w->map = good ? malloc(pixels * sizeof *w->map) : NULL;
    return w->map ? WSAM_OK
                  : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu clue maps of %d x %d",
                            r->n * each, r->width, r->height);
}

/* The points as a line of a points file has them: with the names of the picture's classes. */
static wsam_status make_points(work *w, wsam_error *error)
{
    wsam_clues_result *r = w->r;
    wsam_clue_points *p = calloc(1, sizeof *p);
    r->points = p;
    int good = p != NULL;
    if (good) {
        p->width = r->width;
        p->height = r->height;
        p->classes = calloc(r->n + 1, sizeof *p->classes);
        p->logits = calloc(r->n + 1, sizeof *p->logits);
        good = p->classes && p->logits;
    }
    for (size_t k = 0; good && k < r->n; k++) {
        p->logits[k] = (double)r->logits[r->classes[k]];
        p->classes[k] = strdup(w->c->names[r->classes[k]]);
        good = p->classes[k] != NULL;
        p->n_classes += (size_t)good;
    }
    if (!good)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for clue points");
    p->n = w->n;
    p->points = w->points;
    w->points = NULL;
    return WSAM_OK;
}

static int most_points(const wsam_clues_params *p)
{
    const int two = p->coarse.most > p->fine.most ? p->coarse.most : p->fine.most;
    return two > p->cross.most ? two : p->cross.most;
}

static wsam_status find_points(work *w, wsam_error *error)
{
    wsam_clues_result *r = w->r;
    const int most = most_points(w->params);
    wsam_status status = keep_space(w, error);
    if (!status)
        status = ws_peaks_create(&w->finder, r->height, r->width, most, w->c->threads, error);
    if (!status) {
        w->found = malloc((size_t)most * sizeof *w->found);
        status = w->found ? do_maps(w, error)
                          : ws_fail(error, WSAM_ERR_MEMORY, "no memory for clue points");
    }
    if (!status)
        status = make_points(w, error);
    ws_peaks_free(&w->finder);
    free(w->map);
    free(w->found);
    free(w->points);
    return status;
}

static wsam_status new_result(const wsam_clues *c, const wsam_picture *picture,
                              wsam_clues_result **out, wsam_error *error)
{
    wsam_clues_result *r = calloc(1, sizeof *r);
    if (r) {
        r->height = picture->height;
        r->width = picture->width;
        r->n_classes = c->n_classes;
        r->logits = calloc(c->n_classes + 1, sizeof *r->logits);
        r->classes = calloc(c->n_classes + 1, sizeof *r->classes);
    }
    *out = r;
    return r && r->logits && r->classes ? WSAM_OK
                                        : ws_fail(error, WSAM_ERR_MEMORY, "no memory for clues");
}

wsam_status wsam_clues_run(wsam_clues *c, const wsam_picture *picture, const int32_t *labels,
                           size_t n_labels, const wsam_clues_params *params,
                           wsam_clues_result **result, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_clues_params defaults;
    wsam_clues_result *r = NULL;
    ws_views views = {0};
    *result = NULL;
    wsam_clues_params_default(&defaults);
    const wsam_clues_params *p = params ? params : &defaults;
    wsam_status status = ws_picture_valid(picture, error);
    if (!status)
        status = check_params(c, p, error);
    if (!status)
        status = new_result(c, picture, &r, error);
    if (!status && labels)
        status = take_labels(c, labels, n_labels, r, error);
    if (!status) {
        const double start = ws_clock_ms();
        choose_layers(c, p, &views);
        r->n_cross = views.n_cross;
        status = ws_clues_run_views(c, picture, labels != NULL, p, r, &views, error);
        r->encode_s = (ws_clock_ms() - start) / 1e3;
    }
    if (!status) {
        work w = {.c = c, .params = p, .views = &views, .r = r, .labelled = labels != NULL};
        status = find_points(&w, error);
    }
    ws_clues_views_free(&views);
    if (status)
        wsam_clues_result_free(r);
    else
        *result = r;
    return status;
}

void wsam_clues_result_free(wsam_clues_result *r)
{
    if (!r)
        return;
    wsam_clue_points_free(r->points);
    free(r->logits);
    free(r->classes);
    free(r->coarse);
    free(r->fine);
    free(r->cross);
    free(r->memory);
    free(r->tokens);
    free(r);
}
