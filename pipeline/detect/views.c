/* pipeline/detect/views.c - test-time augmentation: a picture at several sizes, and mirrored (detectron2
 * modeling/test_time_augmentation.py).
 *
 * Each view gives its boxes as a picture alone would; all of them go through NMS together. Masks come
 * from the final boxes in every view: the views are computed a second time for them, as the maps of
 * twelve views would take 2 GB. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "kernels/sort.h"
#include "pipeline/detect/detector.h"
#include "pipeline/picture/picture.h"
#include "weaksam/masks.h"

typedef struct viewer {
    wsam_detector *d;
    const wsam_picture *picture;
    wsam_picture base; /* what is resized for a view */
    const wsam_detector_params *p;
    int views;
    ws_detector_box *boxes; /* in pixels of the picture */
    size_t n, capacity;
    double prepare_s, maps_s, boxes_s, masks_s;
} viewer;

/* A view that is computed. */
typedef struct view {
    ws_detector_input in;
    ws_detector_maps maps;
    int mirrored;
} view;

/* detectron2's loader resizes the picture to the size of tests before the views are made of it. */
static wsam_status make_base(viewer *v, wsam_error *error)
{
    const wsam_detector *d = v->d;
    const int own = v->p->short_side > 0;
    int size[2];
    v->base = *v->picture;
    v->base.memory = NULL;
    if (d->rules != WS_DETECTOR_DETECTRON2)
        return WSAM_OK;
    ws_detector_prepare_size(d, v->picture->height, v->picture->width,
                             own ? v->p->short_side : d->short_side,
                             own ? v->p->long_side : d->long_side, size);
    return ws_resize(d->kernels, d->threads, v->picture, size[0], size[1], WSAM_FILTER_BILINEAR,
                     &v->base, error);
}

/* ---- a view ---- */

/* Columns in the other order, the padding where it was. */
static void mirror(const ws_detector_input *in)
{
    for (int y = 0; y < in->resized_height; y++) {
        float *row = in->pixels + (size_t)y * (size_t)in->padded_width * 3;
        for (int a = 0, b = in->resized_width - 1; a < b; a++, b--)
            for (int c = 0; c < 3; c++) {
                const float left = row[3 * a + c];
                row[3 * a + c] = row[3 * b + c];
                row[3 * b + c] = left;
            }
    }
}

static wsam_status open_view(viewer *v, int index, view *w, wsam_error *error)
{
    wsam_detector_params p = *v->p;
    const int each = p.mirror ? 2 : 1;
    const double start = ws_clock();
    *w = (view){.mirrored = index % each};
    p.short_side = p.scales[index / each];
    p.long_side = p.view_long_side;
    wsam_status status = ws_detector_prepare(v->d, &v->base, &p, &w->in, error);
    if (!status && w->mirrored)
        mirror(&w->in);
    const double ready = ws_clock();
    if (!status)
        status = ws_detector_run_maps(v->d, &w->in, &p, &w->maps, error);
    v->prepare_s += ready - start;
    v->maps_s += ws_clock() - ready;
    return status;
}

/* A box from one frame into the other, left and right exchanged where one of them is mirrored. */
static void move_box(const float from[4], const float by[2], int mirrored, float width, float to[4])
{
    for (int k = 0; k < 4; k++)
        to[k] = from[k] * by[k % 2];
    if (mirrored) {
        const float left = width - to[2];
        to[2] = width - to[0];
        to[0] = left;
    }
}

/* ---- boxes ---- */

static wsam_status add_boxes(viewer *v, const view *w, const ws_detector_box *kept, size_t n,
                             wsam_error *error)
{
    const float by[2] = {(float)v->picture->width / (float)v->base.width,
                         (float)v->picture->height / (float)v->base.height};
    for (size_t i = 0; i < n; i++) {
        ws_detector_box *all = ws_grow(v->boxes, v->n, &v->capacity, sizeof *all);
        if (!all)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", v->n + 1);
        v->boxes = all;
        all[v->n] = kept[i];
        move_box(kept[i].box, by, w->mirrored, (float)v->picture->width, all[v->n].box);
        ws_box_clip((float)v->picture->width, (float)v->picture->height, all[v->n].box);
        v->n++;
    }
    return WSAM_OK;
}

static wsam_status collect(viewer *v, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (int i = 0; i < v->views && !status; i++) {
        view w;
        ws_detector_box *kept = NULL;
        size_t n = 0;
        status = open_view(v, i, &w, error);
        const double start = ws_clock();
        if (!status)
            status = ws_detector_find_boxes(v->d, &w.in, &w.maps, v->p, &kept, &n, error);
        if (!status)
            status = add_boxes(v, &w, kept, n, error);
        v->boxes_s += ws_clock() - start;
        free(kept);
    }
    return status;
}

/* What NMS of one class leaves, behind those of the classes before; `order` has room for all. */
static size_t suppress(const viewer *v, int32_t class_index, float (*boxes)[4], float *scores,
                       uint64_t *scratch, uint32_t *indices, uint32_t *where, uint32_t *order)
{
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (v->boxes[i].class_index != class_index)
            continue;
        memcpy(boxes[n], v->boxes[i].box, sizeof boxes[n]);
        scores[n] = v->boxes[i].score;
        where[n++] = (uint32_t)i;
    }
    const size_t kept = wsam_box_nms(boxes[0], scores, n, v->p->nms, scratch, indices);
    for (size_t i = 0; i < kept; i++)
        order[i] = where[indices[i]];
    return kept;
}

/* The boxes that are left of all views, best first. */
static wsam_status merge(viewer *v, wsam_error *error)
{
    const size_t room = v->n + 1;
    float(*boxes)[4] = malloc(room * sizeof *boxes), *scores = malloc(room * sizeof *scores);
    uint64_t *scratch = malloc(room * sizeof *scratch);
    uint32_t *lists = malloc(3 * room * sizeof *lists);
    ws_detector_box *best = malloc(room * sizeof *best);
    const int good = boxes && scores && scratch && lists && best;
    uint32_t *order = good ? lists + 2 * room : NULL;
    size_t left = 0, n = 0;
    for (size_t c = 0; good && c < v->d->n_classes; c++)
        left += suppress(v, (int32_t)c, boxes, scores, scratch, lists, lists + room, order + left);
    for (size_t i = 0; i < left; i++)
        scores[i] = v->boxes[order[i]].score;
    if (good)
        n = ws_sort_top_k(scores, left, v->p->most ? v->p->most : left, scratch, lists);
    for (size_t i = 0; i < n; i++)
        best[i] = v->boxes[order[lists[i]]];
    free(boxes);
    free(scores);
    free(scratch);
    free(lists);
    if (!good) {
        free(best);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", v->n);
    }
    free(v->boxes);
    v->boxes = best;
    v->n = n;
    return WSAM_OK;
}

/* ---- masks ---- */

/* Probabilities of one view, left and right as in the picture, onto the sum. */
static void add_values(const float *from, size_t n, int side, int mirrored, float *sum)
{
    for (size_t row = 0; row < n * (size_t)side; row++)
        for (int x = 0; x < side; x++)
            sum[row * (size_t)side + (size_t)x] +=
                from[row * (size_t)side + (size_t)(mirrored ? side - 1 - x : x)];
}

static wsam_status view_values(viewer *v, int index, float *values, float *sum, wsam_error *error)
{
    view w;
    wsam_status status = open_view(v, index, &w, error);
    const double start = ws_clock();
    if (!status) {
        const float by[2] = {(float)w.in.resized_width / (float)v->picture->width,
                             (float)w.in.resized_height / (float)v->picture->height};
        for (size_t i = 0; i < v->n; i++)
            move_box(v->boxes[i].box, by, w.mirrored, (float)w.in.resized_width,
                     v->boxes[i].resized);
        status = ws_detector_mask_values(v->d, &w.maps, v->boxes, v->n, values, error);
    }
    if (!status)
        add_values(values, v->n, 2 * v->d->mask_bins, w.mirrored, sum);
    v->masks_s += ws_clock() - start;
    return status;
}

static wsam_status draw(viewer *v, wsam_detections *out, wsam_error *error)
{
    const size_t n = v->n * (size_t)(4 * v->d->mask_bins * v->d->mask_bins);
    float *values = malloc((n + 1) * sizeof *values), *sum = calloc(n + 1, sizeof *sum);
    wsam_status status =
        values && sum ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for masks");
    for (int i = 0; i < v->views && v->n && !status; i++)
        status = view_values(v, i, values, sum, error);
    for (size_t k = 0; k < n && !status; k++)
        sum[k] /= (float)v->views;
    if (!status)
        status = ws_detector_draw_masks(v->d, sum, out, error);
    free(values);
    free(sum);
    return status;
}

wsam_status ws_detector_views(wsam_detector *d, const wsam_picture *picture,
                              const wsam_detector_params *params, wsam_detections **out,
                              wsam_error *error)
{
    viewer v = {.d = d,
                .picture = picture,
                .p = params,
                .views = params->n_scales * (params->mirror ? 2 : 1)};
    wsam_status status = make_base(&v, error);
    if (!status)
        status = collect(&v, error);
    if (!status)
        status = merge(&v, error);
    if (!status)
        status = ws_detector_result(picture, v.boxes, v.n, out, error);
    if (!status && d->mask_bins && params->masks)
        status = draw(&v, *out, error);
    if (!status) {
        (*out)->prepare_s = v.prepare_s;
        (*out)->maps_s = v.maps_s;
        (*out)->boxes_s = v.boxes_s;
        (*out)->masks_s = v.masks_s;
    }
    free(v.boxes);
    wsam_picture_free(&v.base);
    return status;
}
