/* pipeline/detect/mist.c - MIST's file opened; the views of a picture put together. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/float_scope.h"
#include "pipeline/detect/mist.h"
#include "pipeline/picture/picture.h"
#include "weights/export/safetensors_writer.h"

/* ---- opening ---- */

static wsam_status read_sizes(wsam_mist *m, wsam_error *error)
{
    int64_t bins, slots, side;
    if (!wsam_model_int(m->model, "mist.bins", &bins) || bins < 1 || bins > 32 ||
        !wsam_model_int(m->model, "mist.slots", &slots) || slots < 2 || slots > 65536 ||
        !wsam_model_int(m->model, "mist.min_side", &side) || side < 0 || side > 65536)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "the model's mist.bins, slots or min_side is missing or out of range");
    m->bins = (int)bins;
    m->slots = (size_t)slots;
    m->min_side = (int)side;
    m->names = calloc(m->slots, sizeof *m->names);
    if (!m->names)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for classes");
    for (size_t i = 0; i + 1 < m->slots; i++) {
        const char *name = wsam_model_text(m->model, "classes", i);
        if (name)
            snprintf(m->names[i], sizeof m->names[i], "%s", name);
        else
            snprintf(m->names[i], sizeof m->names[i], "class %zu", i);
    }
    return WSAM_OK;
}

static wsam_status open_graphs(wsam_mist *m, wsam_error *error)
{
    const wsam_dim dims[1] = {{"prompts", WS_MIST_CHUNK}};
    if (!wsam_model_has_graph(m->model, "mist_boxes"))
        return ws_fail(error, WSAM_ERR_FORMAT, "the model has no graph 'mist_boxes'");
    wsam_status status = wsam_session_create(m->model, "mist_map", &m->map, error);
    if (!status)
        status = wsam_session_create(m->model, "mist_boxes", &m->boxes, error);
    if (!status)
        status = wsam_session_reserve(m->boxes, dims, 1, error);
    if (!status)
        status = wsam_image_create(m->model, "mist_boxes", dims, 1, &m->state, error);
    return status ? status : wsam_session_bind(m->boxes, NULL, 0, m->state, error);
}

wsam_status wsam_mist_create(wsam_model *model, wsam_mist **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = NULL;
    if (!wsam_model_has_graph(model, "mist_map"))
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "the model is no MIST (it has no graph 'mist_map')");
    wsam_mist *m = calloc(1, sizeof *m);
    if (!m)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for MIST");
    m->model = model;
    m->threads = wsam_model_threads(model);
    m->kernels = ws_kernels_find(wsam_model_isa(model), error);
    wsam_status status =
        m->kernels ? ws_normalise_table_read(model, &m->table, error) : WSAM_ERR_UNSUPPORTED;
    if (!status)
        status = read_sizes(m, error);
    if (!status)
        status = open_graphs(m, error);
    if (status)
        wsam_mist_free(m);
    else
        *out = m;
    return status;
}

void wsam_mist_free(wsam_mist *m)
{
    if (!m)
        return;
    wsam_image_free(m->state);
    wsam_session_free(m->map);
    wsam_session_free(m->boxes);
    free(m->names);
    free(m);
}

size_t wsam_mist_class_count(const wsam_mist *m)
{
    return m->slots - 1;
}

const char *wsam_mist_class_name(const wsam_mist *m, size_t index)
{
    return index + 1 < m->slots ? m->names[index] : NULL;
}

void wsam_mist_params_default(wsam_mist_params *p)
{
    static const int scales[] = {800, 480, 576, 688, 864, 1000, 1200};
    *p = (wsam_mist_params){.n_scales = sizeof scales / sizeof scales[0],
                            .mirror = 1,
                            .long_side = 2000,
                            .nms = 0.3,
                            .most = 100};
    memcpy(p->scales, scales, sizeof scales);
}

/* ---- which boxes ---- */

/* As the published code tells copies. */
static double hash_of(const float box[4])
{
    return nearbyint((double)box[0]) + 1e3 * nearbyint((double)box[1]) +
           1e6 * nearbyint((double)box[2]) + 1e9 * nearbyint((double)box[3]);
}

typedef struct hashed {
    double hash;
    size_t at;
} hashed;

static int by_hash(const void *x, const void *y)
{
    const hashed *a = x, *b = y;
    if (a->hash < b->hash || a->hash > b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* Marks the first of boxes that round to the same. */
static int mark_first(const float (*boxes)[4], size_t n, unsigned char *first)
{
    hashed *list = malloc((n + 1) * sizeof *list);
    if (!list)
        return 0;
    for (size_t i = 0; i < n; i++)
        list[i] = (hashed){hash_of(boxes[i]), i};
    if (n)
        qsort(list, n, sizeof *list, by_hash);
    for (size_t i = 0; i < n; i++)
        first[list[i].at] = !i || list[i].hash > list[i - 1].hash;
    free(list);
    return 1;
}

/* Inclusive corners within the picture; 0 for a box that is too small. */
static int settle_box(const wsam_picture *picture, int min_side, const float from[4], float box[4])
{
    memcpy(box, from, 4 * sizeof *box);
    for (int k = 0; k < 4; k++) {
        const float most = (float)((k % 2 ? picture->height : picture->width) - 1);
        box[k] = box[k] > 0.0f ? box[k] : 0.0f;
        box[k] = box[k] < most ? box[k] : most;
    }
    return box[2] > box[0] && box[3] > box[1] && box[2] - box[0] + 1.0f >= (float)min_side &&
           box[3] - box[1] + 1.0f >= (float)min_side;
}

/* kept[] and their inclusive corners; SIZE_MAX without memory. */
static size_t choose_boxes(const wsam_mist *m, const wsam_picture *picture,
                           const wsam_mist_params *p, const float (*boxes)[4], size_t n,
                           size_t *kept, float (*corners)[4])
{
    const int side = p->min_side ? p->min_side : m->min_side;
    unsigned char *first = calloc(n + 1, 1);
    float(*given)[4] = malloc((n + 1) * sizeof *given);
    size_t count = 0;
    for (size_t i = 0; given && i < n; i++)
        for (int k = 0; k < 4; k++)
            given[i][k] = boxes[i][k] - (k < 2 ? 0.0f : 1.0f);
    const int ok = first && given && mark_first((const float(*)[4])given, n, first);
    for (size_t i = 0; ok && i < n; i++)
        if (first[i] && settle_box(picture, side, given[i], corners[count]))
            kept[count++] = i;
    free(first);
    free(given);
    return ok ? count : SIZE_MAX;
}

/* ---- views ---- */

/* One view's scores and boxes into the sums; boxes mirrored back and in the frame of the first. */
static void add_view(const ws_mist_view *v, wsam_mist_views *sum, size_t slots, const float *scores,
                     float (*boxes)[4], float weight)
{
    const float x = (float)((double)sum->width / v->width),
                y = (float)((double)sum->height / v->height);
    for (size_t i = 0; i < sum->n * slots; i++) {
        float *b = boxes[i];
        if (v->mirrored) {
            const float left = b[0];
            b[0] = (float)(v->width - 1) - b[2];
            b[2] = (float)(v->width - 1) - left;
        }
        sum->scores[i] += scores[i] * weight;
        for (int k = 0; k < 4; k++)
            sum->boxes[i][k] += b[k] * (k % 2 ? y : x) * weight;
    }
}

static wsam_status run_views(wsam_mist *m, const wsam_picture *picture, const wsam_mist_params *p,
                             const float (*corners)[4], wsam_mist_views *sum, wsam_error *error)
{
    const size_t cells = sum->n * m->slots;
    const int views = p->n_scales * (p->mirror ? 2 : 1);
    float *scores = malloc((cells + 1) * sizeof *scores);
    float(*boxes)[4] = malloc((cells + 1) * sizeof *boxes);
    wsam_status status = scores && boxes
                             ? WSAM_OK
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", sum->n);
    for (int i = 0; i < views && !status; i++) {
        ws_mist_view v = {.mirrored = p->mirror && i % 2};
        ws_mist_view_size(picture->height, picture->width, p->scales[p->mirror ? i / 2 : i],
                          p->long_side, &v);
        if (!i) {
            sum->height = v.height;
            sum->width = v.width;
        }
        if (sum->n)
            status = ws_mist_view_run(m, picture, &v, corners, sum->n, scores, boxes, error);
        if (!status)
            add_view(&v, sum, m->slots, scores, boxes, 1.0f / (float)views);
        if (!status && p->progress && p->progress(p->progress_user, (double)(i + 1) / views))
            status =
                ws_fail(error, WSAM_ERR_CANCELLED, "stopped after %d of %d views", i + 1, views);
    }
    free(scores);
    free(boxes);
    return status;
}

static wsam_status check_params(const wsam_mist_params *p, wsam_error *error)
{
    int good = p->n_scales >= 1 && p->n_scales <= WSAM_MIST_SCALES && p->long_side >= 32 &&
               p->long_side <= 8192 && p->min_side >= 0 && p->nms >= 0.0 && p->nms <= 1.0;
    for (int i = 0; good && i < p->n_scales; i++)
        good = p->scales[i] >= 32 && p->scales[i] <= 8192;
    return good ? WSAM_OK
                : ws_fail(error, WSAM_ERR_ARGUMENT,
                          "MIST needs 1 to %d scales of 32 to 8192 pixels, and an NMS of 0 to 1",
                          WSAM_MIST_SCALES);
}

static wsam_mist_views *new_views(size_t n, size_t slots)
{
    wsam_mist_views *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->n_classes = slots - 1;
    v->kept = calloc(n + 1, sizeof *v->kept);
    v->scores = calloc(n * slots + 1, sizeof *v->scores);
    v->boxes = calloc(n * slots + 1, sizeof *v->boxes);
    if (v->kept && v->scores && v->boxes)
        return v;
    wsam_mist_views_free(v);
    return NULL;
}

wsam_status wsam_mist_run(wsam_mist *m, const wsam_picture *picture, size_t n,
                          const float (*boxes)[4], const wsam_mist_params *params,
                          wsam_mist_views **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_mist_params defaults;
    wsam_mist_params_default(&defaults);
    const wsam_mist_params *p = params ? params : &defaults;
    *out = NULL;
    wsam_status status = ws_picture_valid(picture, error);
    if (!status)
        status = check_params(p, error);
    if (status)
        return status;
    wsam_mist_views *v = new_views(n, m->slots);
    float(*corners)[4] = malloc((n + 1) * sizeof *corners);
    if (v && corners)
        v->n = choose_boxes(m, picture, p, boxes, n, v->kept, corners);
    if (!v || !corners || v->n == SIZE_MAX)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", n);
    if (!status)
        status = run_views(m, picture, p, (const float(*)[4])corners, v, error);
    free(corners);
    if (status)
        wsam_mist_views_free(v);
    else
        *out = v;
    return status;
}

void wsam_mist_views_free(wsam_mist_views *v)
{
    if (!v)
        return;
    free(v->kept);
    free(v->scores);
    free(v->boxes);
    free(v);
}

wsam_status wsam_mist_views_save(const wsam_mist_views *v, const char *path, wsam_error *error)
{
    const int n = (int)v->n, two = 2, slots = (int)v->n_classes + 1;
    const int scores[2] = {n, slots}, boxes[3] = {n, slots, 4};
    const float frame[2] = {(float)v->height, (float)v->width};
    ws_tensors t = {0};
    float *kept = malloc((v->n + 1) * sizeof *kept);
    if (!kept)
        return ws_no_memory(error, path);
    for (size_t i = 0; i < v->n; i++)
        kept[i] = (float)v->kept[i];
    ws_tensors_note(&t, "boxes", "inclusive corners in pixels of the first view");
    ws_tensors_add(&t, "frame", 1, &two, frame);
    ws_tensors_add(&t, "kept", 1, &n, kept);
    ws_tensors_add(&t, "scores", 2, scores, v->scores);
    ws_tensors_add(&t, "boxes", 3, boxes, v->boxes[0]);
    const wsam_status status = ws_tensors_save(&t, path, error);
    free(kept);
    return status;
}
