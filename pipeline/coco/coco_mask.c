/* pipeline/coco/coco_mask.c - see coco_mask.h. */
#include "pipeline/coco/coco_mask.h"

#include <math.h>
#include <stdlib.h>

/* ---- buffers ---- */

/* Room for n runs; what is there is lost. */
static int room(wsam_rle *rle, size_t n)
{
    size_t bytes;
    if (n <= rle->capacity)
        return 1;
    if (ws_mul_size(n, 2 * sizeof *rle->counts, &bytes))
        return 0;
    free(rle->counts);
    rle->counts = malloc(bytes);
    rle->capacity = rle->counts ? 2 * n : 0;
    return rle->counts != NULL;
}

void ws_coco_mask_reader_free(ws_mask_reader *m)
{
    free(m->rle.counts);
    free(m->part.counts);
    free(m->both.counts);
    free(m->crossings);
    free(m->text.text);
}

int ws_coco_mask_decode(const ws_mask *mask, wsam_rle *rle)
{
    rle->height = mask->height;
    rle->width = mask->width;
    return room(rle, mask->length) &&
           wsam_rle_from_string(mask->text, mask->length, rle, NULL) == WSAM_OK;
}

/* ---- run lengths ---- */

static int whole(double v, double high)
{
    return v >= 0 && v <= high && !(floor(v) < v);
}

/* The size that comes with run lengths has to be the picture's. */
static wsam_status check_size(ws_mask_reader *m, const ws_segmentation *s, int32_t height,
                              int32_t width, wsam_error *error)
{
    if (s->n_size != 2 || !whole(s->size[0], INT32_MAX) || !whole(s->size[1], INT32_MAX) ||
        s->size[0] < 1 || s->size[1] < 1)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "the segmentation's 'size' is not [height,width] in whole numbers");
    m->rle.height = (int32_t)s->size[0];
    m->rle.width = (int32_t)s->size[1];
    if (height && (m->rle.height != height || m->rle.width != width))
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "the segmentation's size is %d x %d, the image's %d x %d", m->rle.width,
                       m->rle.height, width, height);
    return WSAM_OK;
}

static wsam_status check_pixels(const ws_mask_reader *m, const wsam_rle *rle, wsam_error *error)
{
    const uint64_t limit = m->max_pixels < UINT32_MAX ? m->max_pixels : UINT32_MAX;
    if ((uint64_t)rle->height * (uint64_t)rle->width > limit)
        return ws_fail(error, WSAM_ERR_LIMIT, "a mask of %d x %d pixels; the limit is %llu pixels",
                       rle->width, rle->height, (unsigned long long)limit);
    return WSAM_OK;
}

static wsam_status read_counts(ws_mask_reader *m, const ws_segmentation *s, wsam_error *error)
{
    if (!room(&m->rle, s->n + 1))
        return ws_no_memory(error, "a mask");
    for (size_t i = 0; i < s->n; i++) {
        if (!whole(s->numbers[i], UINT32_MAX))
            return ws_fail(error, WSAM_ERR_FORMAT, "run length %zu is not a whole number", i);
        m->rle.counts[i] = (uint32_t)s->numbers[i];
    }
    m->rle.n = s->n;
    return wsam_rle_validate(&m->rle, error);
}

static wsam_status read_runs(ws_mask_reader *m, const ws_segmentation *s, int32_t height,
                             int32_t width, wsam_error *error)
{
    wsam_status status = check_size(m, s, height, width, error);
    if (!status)
        status = check_pixels(m, &m->rle, error);
    if (status)
        return status;
    if (s->kind == WS_SEG_COUNTS)
        return read_counts(m, s, error);
    if (!room(&m->rle, s->text.n + 1))
        return ws_no_memory(error, "a mask");
    return wsam_rle_from_string(s->text.n ? s->text.text : "", s->text.n, &m->rle, error);
}

/* ---- polygons ---- */

static wsam_status check_polygon(const wsam_rle *rle, const double *xy, size_t n, wsam_error *error)
{
    if (n == 4)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "a polygon of four numbers: pycocotools takes it for a box");
    if (n < 6 || n % 2)
        return ws_fail(error, WSAM_ERR_FORMAT, "a polygon of %zu numbers", n);
    for (size_t i = 0; i < n; i++) { /* also bounds the time that an outline takes */
        const double side = i % 2 ? rle->height : rle->width;
        if (xy[i] < -side - 16 || xy[i] > 2 * side + 16)
            return ws_fail(error, WSAM_ERR_FORMAT,
                           "a polygon's coordinate %g is far outside of the image", xy[i]);
    }
    return WSAM_OK;
}

/* One polygon into m->part. */
static wsam_status rasterise(ws_mask_reader *m, const double *xy, size_t n, wsam_error *error)
{
    size_t needed = 0;
    wsam_status status = check_polygon(&m->part, xy, n, error);
    if (status)
        return status;
    status =
        wsam_rle_from_polygon(xy, n / 2, m->crossings, m->n_crossings, &needed, &m->part, error);
    if (status != WSAM_ERR_LIMIT)
        return status;
    if (needed > m->n_crossings) {
        free(m->crossings);
        m->n_crossings = 0;
        m->crossings = malloc(2 * needed * sizeof *m->crossings);
        if (!m->crossings)
            return ws_no_memory(error, "a mask");
        m->n_crossings = 2 * needed;
    }
    if (!room(&m->part, needed + 1))
        return ws_no_memory(error, "a mask");
    return wsam_rle_from_polygon(xy, n / 2, m->crossings, m->n_crossings, &needed, &m->part, error);
}

static wsam_status add_part(ws_mask_reader *m, wsam_error *error)
{
    if (!room(&m->both, m->rle.n + m->part.n + 1))
        return ws_no_memory(error, "a mask");
    const wsam_status status = wsam_rle_merge(&m->rle, &m->part, WSAM_MERGE_UNION, &m->both);
    if (status)
        return ws_fail(error, status, "the polygons of a mask cannot be merged");
    const wsam_rle old = m->rle;
    m->rle = m->both;
    m->both = old;
    return WSAM_OK;
}

static wsam_status read_polygons(ws_mask_reader *m, const ws_segmentation *s, int32_t height,
                                 int32_t width, wsam_error *error)
{
    if (!s->n_ends)
        return ws_fail(error, WSAM_ERR_FORMAT, "an empty segmentation");
    if (!height)
        return ws_fail(error, WSAM_ERR_FORMAT, "polygons of an image without height and width");
    m->rle.height = m->part.height = height;
    m->rle.width = m->part.width = width;
    wsam_status status = check_pixels(m, &m->rle, error);
    if (!status && !room(&m->rle, 1))
        status = ws_no_memory(error, "a mask");
    if (status)
        return status;
    m->rle.n = 1;
    m->rle.counts[0] = (uint32_t)height * (uint32_t)width;
    for (size_t i = 0, from = 0; i < s->n_ends && !status; from = s->ends[i++]) {
        status = rasterise(m, s->numbers + from, s->ends[i] - from, error);
        if (!status)
            status = add_part(m, error);
    }
    return status;
}

/* ---- any ---- */

static wsam_status keep(ws_mask_reader *m, const ws_segmentation *s, ws_store *store, ws_mask *mask,
                        wsam_error *error)
{
    const ws_text *text = &s->text;
    if (s->kind != WS_SEG_TEXT) {
        text = &m->text;
        m->text.n = 0;
        const size_t n = wsam_rle_to_string(&m->rle, NULL, 0);
        char *to = ws_text_room(&m->text, n);
        if (!to)
            return ws_no_memory(error, "a mask");
        m->text.n = wsam_rle_to_string(&m->rle, to, n);
    }
    if (text->n > UINT32_MAX)
        return ws_fail(error, WSAM_ERR_LIMIT, "a mask of more than 4 GiB");
    *mask = (ws_mask){.length = (uint32_t)text->n, .height = m->rle.height, .width = m->rle.width};
    mask->text = ws_text_arena_put(store, text->n ? text->text : "", text->n);
    return mask->text ? WSAM_OK : ws_no_memory(error, "a mask");
}

wsam_status ws_coco_mask_read(ws_mask_reader *m, const ws_segmentation *s, int32_t height,
                              int32_t width, ws_store *store, ws_mask *mask, wsam_error *error)
{
    wsam_status status;
    if (s->kind == WS_SEG_NONE)
        return ws_fail(error, WSAM_ERR_FORMAT, "the segmentation has no 'counts'");
    if (s->kind == WS_SEG_POLYGONS)
        status = read_polygons(m, s, height, width, error);
    else
        status = read_runs(m, s, height, width, error);
    return status ? status : keep(m, s, store, mask, error);
}
