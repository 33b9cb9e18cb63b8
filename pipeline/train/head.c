/* pipeline/train/head.c - a trained head on new pictures: its graphs run by the runtime. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/half.h"
#include "kernels/cpu.h"
#include "kernels/float_scope.h"
#include "pipeline/train/features.h"
#include "pipeline/train/losses.h"

/* RoIs per run of the graph: at most ROWS, in steps, as each number of them is a graph's shape. */
enum { ROWS = 256, ROW_STEP = 32, CLASSES = 1000, NAMES = 20000 };

struct wsam_head {
    wsam_model *model;
    const wsam_kernels *kernels;
    wsam_session *session;
    wsam_image *images[ROWS / ROW_STEP]; /* of the graph `head`, made when they are needed */
    int mil, bins;
    size_t n_classes, n_maps, features, outputs;
    char text[NAMES]; /* class names, each ended by a zero byte */
    const char *classes[CLASSES];
    char maps[WSAM_FEATURE_SOURCES][WS_SOURCE_LABEL];
    int sides[WSAM_FEATURE_SOURCES]; /* 0: the network's own, or not known */
    float *rows;                     /* [ROWS][features] */
};

/* ---- opening ---- */

static int split_names(wsam_head *h, const char *text)
{
    if (strlen(text) >= sizeof h->text)
        return 0;
    strcpy(h->text, text);
    for (char *at = h->text; at && h->n_classes < CLASSES;) {
        char *end = strchr(at, '\n');
        h->classes[h->n_classes++] = at;
        if (end)
            *end++ = 0;
        at = end;
    }
    return 1;
}

static int split_maps(wsam_head *h, const char *text)
{
    while (*text) {
        const size_t n = strcspn(text, ",");
        if (h->n_maps == WSAM_FEATURE_SOURCES || !n || n >= WS_SOURCE_LABEL)
            return 0;
        memcpy(h->maps[h->n_maps++], text, n);
        text += n + (text[n] == ',');
    }
    return h->n_maps > 0;
}

/* One number per map; a head without them is of an older version. */
static int split_sides(wsam_head *h, const char *text)
{
    for (size_t i = 0; text && i < h->n_maps; i++) {
        char *end;
        const unsigned long side = strtoul(text, &end, 10);
        if (end == text || side > 65536 || *end != (i + 1 < h->n_maps ? ',' : 0))
            return 0;
        h->sides[i] = (int)side;
        text = end + 1;
    }
    return 1;
}

static wsam_status open_graph(wsam_head *h, wsam_error *error)
{
    const wsam_dim dims[1] = {{"rois", ROWS}};
    wsam_status status = wsam_session_create(h->model, "head", &h->session, error);
    return status ? status : wsam_session_reserve(h->session, dims, 1, error);
}

/* The image state for the next number of RoIs from m on that is a multiple of the step. */
static wsam_status image_for(wsam_head *h, size_t m, wsam_image **image, size_t *rows,
                             wsam_error *error)
{
    const size_t at = (m - 1) / ROW_STEP;
    *rows = (at + 1) * ROW_STEP;
    const wsam_dim dims[1] = {{"rois", (int64_t)*rows}};
    wsam_status status = WSAM_OK;
    if (!h->images[at])
        status = wsam_image_create(h->model, "head", dims, 1, &h->images[at], error);
    *image = h->images[at];
    return status;
}

wsam_status wsam_head_create(wsam_model *model, wsam_head **head, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const char *stage = wsam_model_string(model, "head.stage");
    const char *bins = wsam_model_string(model, "head.bins");
    const char *maps = wsam_model_string(model, "head.maps");
    const char *classes = wsam_model_string(model, "head.classes");
    *head = NULL;
    if (!stage || !bins || !maps || !classes || !wsam_model_has_graph(model, "head"))
        return ws_fail(error, WSAM_ERR_MISMATCH, "the model is no detection head");
    wsam_head *h = calloc(1, sizeof *h);
    if (!h)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a head");
    h->model = model;
    h->kernels = ws_kernels_find(wsam_model_isa(model), error);
    h->mil = strcmp(stage, "mil") == 0;
    h->bins = atoi(bins);
    wsam_status status = h->kernels ? WSAM_OK : WSAM_ERR_UNSUPPORTED;
    if (!status &&
        (h->bins < 1 || h->bins > 14 || !split_names(h, classes) || !split_maps(h, maps) ||
         !split_sides(h, wsam_model_string(model, "head.sides"))))
        status = ws_fail(error, WSAM_ERR_MISMATCH, "bins, maps or classes of the head are absurd");
    h->outputs = (h->mil ? 17 : 5) * (h->n_classes + 1);
    if (!status)
        status = open_graph(h, error);
    if (status) {
        wsam_head_free(h);
        return status;
    }
    *head = h;
    return WSAM_OK;
}

void wsam_head_free(wsam_head *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < ROWS / ROW_STEP; i++)
        wsam_image_free(h->images[i]);
    wsam_session_free(h->session);
    free(h->rows);
    free(h);
}

size_t wsam_head_class_count(const wsam_head *h)
{
    return h->n_classes;
}

const char *wsam_head_class_name(const wsam_head *h, size_t index)
{
    return index < h->n_classes ? h->classes[index] : NULL;
}

const char *wsam_head_source(const wsam_head *h, size_t index)
{
    return index < h->n_maps ? h->maps[index] : NULL;
}

int wsam_head_source_side(const wsam_head *h, size_t index)
{
    return index < h->n_maps ? h->sides[index] : 0;
}

/* ---- scores and boxes of one RoI from its outputs ---- */

static void decode(const wsam_head *h, const float *y, const float box[4], int width, int height,
                   float *scores, float *boxes)
{
    const size_t c = h->n_classes + 1, streams = h->mil ? 3 : 1;
    const size_t first = h->mil ? 2 * c : 0, deltas = h->mil ? 5 * c : c;
    double mean[CLASSES + 1] = {0}, row[CLASSES + 1], from[4], to[4], delta[4];
    for (size_t k = 0; k < streams; k++) {
        for (size_t j = 0; j < c; j++)
            row[j] = (double)y[first + k * c + j];
        ws_losses_softmax_rows(1, c, row, c, row);
        for (size_t j = 0; j < c; j++)
            mean[j] += row[j] / (double)streams;
    }
    for (int i = 0; i < 4; i++)
        from[i] = (double)box[i];
    for (size_t j = 1; j < c; j++) {
        for (size_t i = 0; i < 4; i++) {
            delta[i] = 0.0;
            for (size_t k = 0; k < streams; k++)
                delta[i] += (double)y[deltas + (4 * k) * c + 4 * j + i] / (double)streams;
        }
        ws_losses_box_decode(delta, from, to);
        for (int i = 0; i < 4; i++)
            boxes[4 * (j - 1) + (size_t)i] =
                (float)fmin(fmax(to[i], 0.0), i % 2 ? (double)height : (double)width);
        scores[j - 1] = (float)mean[j];
    }
}

/* Outputs of the first m of h->rows. */
static wsam_status predict(wsam_head *h, size_t m, wsam_tensor *view, wsam_error *error)
{
    size_t rows;
    wsam_image *image;
    wsam_status status = image_for(h, m, &image, &rows, error);
    if (status)
        return status;
    const wsam_tensor input = {.name = "rois",
                               .type = WSAM_F32,
                               .rank = 2,
                               .shape = {(int64_t)rows, (int64_t)h->features},
                               .data = h->rows};
    memset(h->rows + m * h->features, 0, (rows - m) * h->features * sizeof *h->rows);
    status = wsam_session_bind(h->session, &input, 1, image, error);
    if (!status)
        status = wsam_image_output(image, "predictions", view, error);
    if (!status && (size_t)view->shape[1] != h->outputs)
        status = ws_fail(error, WSAM_ERR_MISMATCH, "a head of %lld outputs for %zu classes",
                         (long long)view->shape[1], h->n_classes);
    return status;
}

static wsam_status run_rows(wsam_head *h, const ws_pool_map *maps, int width, int height, size_t n,
                            const float (*boxes)[4], float *scores, float *out, wsam_error *error)
{
    for (size_t at = 0; at < n; at += ROWS) {
        wsam_tensor view;
        const size_t m = n - at < ROWS ? n - at : ROWS;
        ws_features_pool_boxes(h->kernels, maps, h->n_maps, h->bins, m, boxes + at, h->rows);
        const wsam_status status = predict(h, m, &view, error);
        if (status)
            return status;
        for (size_t i = 0; i < m; i++)
            decode(h, (const float *)view.data + i * h->outputs, boxes[at + i], width, height,
                   scores + (at + i) * h->n_classes, out + (at + i) * 4 * h->n_classes);
    }
    return WSAM_OK;
}

static wsam_status run_maps(wsam_head *h, const ws_pool_map *maps, int width, int height, size_t n,
                            const float (*boxes)[4], float *scores, float *out, wsam_error *error)
{
    size_t channels = 0;
    for (size_t s = 0; s < h->n_maps; s++)
        channels += (size_t)maps[s].channels;
    if (!h->rows) {
        h->features = channels * (size_t)(h->bins * h->bins);
        h->rows = ws_alloc64(ROWS * h->features * sizeof *h->rows);
        if (!h->rows)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %d RoIs", ROWS);
    }
    if (h->features != channels * (size_t)(h->bins * h->bins))
        return ws_fail(error, WSAM_ERR_MISMATCH, "the features are not those of the head");
    const uint64_t saved = wsam_float_enter();
    const wsam_status status = run_rows(h, maps, width, height, n, boxes, scores, out, error);
    wsam_float_restore(saved);
    return status;
}

/* ---- from whole maps ---- */

/* Components of a map into *reduced (free), rounded to fp16 as a cache would have them. */
static wsam_status reduce_map(wsam_head *h, size_t s, const wsam_feature_map *m, float **reduced,
                              ws_pool_map *to, wsam_error *error)
{
    char graph[32];
    const size_t row = (size_t)m->width * (size_t)m->channels,
                 cells = (size_t)m->width * (size_t)m->height;
    const wsam_dim dims[1] = {{"cells", (int64_t)cells}};
    wsam_session *session = NULL;
    wsam_image *image = NULL;
    wsam_tensor view,
        input = {
            .name = "map", .type = WSAM_F32, .rank = 2, .shape = {(int64_t)cells, m->channels}};
    float *copy = malloc((size_t)m->height * row * sizeof *copy);
    snprintf(graph, sizeof graph, "reduce_%.15s", h->maps[s]);
    wsam_status status = copy ? wsam_session_create(h->model, graph, &session, error)
                              : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a map");
    for (int y = 0; copy && y < m->height; y++)
        memcpy(copy + (size_t)y * row, m->values + (size_t)y * m->row, row * sizeof *copy);
    input.data = copy;
    if (!status)
        status = wsam_session_reserve(session, dims, 1, error);
    if (!status)
        status = wsam_image_create(h->model, graph, dims, 1, &image, error);
    if (!status)
        status = wsam_session_bind(session, &input, 1, image, error);
    if (!status)
        status = wsam_image_output(image, "reduced", &view, error);
    if (!status) {
        const size_t n = cells * (size_t)view.shape[1];
        *reduced = malloc(n * sizeof **reduced);
        for (size_t i = 0; *reduced && i < n; i++)
            (*reduced)[i] = ws_half_to_float(ws_half_from_float(((const float *)view.data)[i]));
        *to = (ws_pool_map){m->height,  m->width,   (int)view.shape[1],
                            m->scale_x, m->scale_y, *reduced};
        status = *reduced ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a map");
    }
    wsam_image_free(image);
    wsam_session_free(session);
    free(copy);
    return status;
}

wsam_status wsam_head_run(wsam_head *h, const wsam_feature_map *maps, int width, int height,
                          size_t n, const float (*boxes)[4], float *scores, float *out_boxes,
                          wsam_error *error)
{
    WS_FLOAT_SCOPE;
    float *reduced[WSAM_FEATURE_SOURCES] = {NULL};
    ws_pool_map pool[WSAM_FEATURE_SOURCES];
    wsam_status status = WSAM_OK;
    for (size_t s = 0; s < h->n_maps && !status; s++)
        status = reduce_map(h, s, &maps[s], &reduced[s], &pool[s], error);
    if (!status)
        status = run_maps(h, pool, width, height, n, boxes, scores, out_boxes, error);
    for (size_t s = 0; s < WSAM_FEATURE_SOURCES; s++)
        free(reduced[s]);
    return status;
}

wsam_status wsam_head_run_cached(wsam_head *h, const wsam_features *features, size_t index,
                                 size_t n, const float (*boxes)[4], float *scores, float *out_boxes,
                                 wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_pool_map maps[WSAM_FEATURE_SOURCES];
    if (index >= features->n || features->n_sources != h->n_maps)
        return ws_fail(error, WSAM_ERR_MISMATCH, "the cache does not fit the head");
    for (size_t s = 0; s < h->n_maps; s++)
        if (strcmp(features->sources[s].name, h->maps[s]) != 0)
            return ws_fail(error, WSAM_ERR_MISMATCH, "the cache has '%s' where the head has '%s'",
                           features->sources[s].name, h->maps[s]);
    float *values = malloc(ws_features_room(features) * sizeof *values);
    if (!values)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a map");
    ws_features_maps(features, index, values, maps);
    const wsam_status status =
        run_maps(h, maps, (int)features->pictures[index].width,
                 (int)features->pictures[index].height, n, boxes, scores, out_boxes, error);
    free(values);
    return status;
}
