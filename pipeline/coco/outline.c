/* pipeline/coco/outline.c - see outline.h. */
#include "pipeline/coco/outline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/stages/stages.h"

enum { MAX_PIXELS = 1 << 28 };

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
}

/* ---- masks to polygons ---- */

static wsam_status trace(const wsam_rle *rle, uint64_t *bits, ws_outline *o, wsam_error *error)
{
    const size_t words = wsam_bits_words(rle->height, rle->width);
    size_t points;
    wsam_rle_to_bits(rle, bits);
    wsam_contours(bits, rle->height, rle->width, bits + words, NULL, 0, &o->n, NULL, 0, &points);
    o->rings = calloc(o->n + 1, sizeof *o->rings);
    o->xy = malloc((points + 1) * 2 * sizeof *o->xy);
    if (!o->rings || !o->xy)
        return no_memory(error);
    return wsam_contours(bits, rle->height, rle->width, bits + words, o->rings, o->n + 1, &o->n,
                         o->xy, points + 1, &points);
}

wsam_status ws_outline_of(const wsam_instance *a, int height, int width, ws_outline *o,
                          wsam_error *error)
{
    wsam_rle rle;
    *o = (ws_outline){0};
    wsam_status status = ws_counts_rle(a->counts, a->counts_length, height, width, &rle, error);
    uint64_t *bits = status ? NULL : malloc(2 * wsam_bits_words(height, width) * sizeof *bits);
    if (!status)
        status = bits ? trace(&rle, bits, o, error) : no_memory(error);
    free(bits);
    free(rle.counts);
    for (size_t i = 0; i < o->n && !status; i++)
        *(o->rings[i].hole ? &o->holes : &o->parts) += 1;
    if (status)
        ws_outline_free(o);
    return status;
}

void ws_outline_free(ws_outline *o)
{
    free(o->rings);
    free(o->xy);
    *o = (ws_outline){0};
}

wsam_status ws_outline_bridged(const ws_outline *o, int32_t **xy, size_t *points, wsam_error *error)
{
    size_t total = 0, n = 0;
    for (size_t r = 0; r < o->n; r++)
        total += o->rings[r].points + 2;
    int32_t *out = malloc((total + 1) * 2 * sizeof *out);
    if (!out)
        return no_memory(error);
    for (size_t r = 0; r < o->n; r++) {
        const wsam_contour *c = &o->rings[r];
        memcpy(out + 2 * n, o->xy + 2 * c->first, 2 * c->points * sizeof *out);
        n += c->points;
        if (o->n == 1)
            break;
        memcpy(out + 2 * n++, o->xy + 2 * c->first, 2 * sizeof *out); /* close the ring */
        if (r > 0)
            memcpy(out + 2 * n++, o->xy + 2 * o->rings[0].first, 2 * sizeof *out); /* go back */
    }
    *xy = out;
    *points = n;
    return WSAM_OK;
}

/* ---- polygons to masks ---- */

void ws_outline_polygons_clear(ws_polygons *p)
{
    p->s.kind = WS_SEG_POLYGONS;
    p->s.n = p->s.n_ends = 0;
}

wsam_status ws_outline_polygons_point(ws_polygons *p, double x, double y, wsam_error *error)
{
    for (int k = 0; k < 2; k++) {
        double *numbers = ws_grow(p->s.numbers, p->s.n, &p->s.capacity, sizeof *numbers);
        if (!numbers)
            return no_memory(error);
        p->s.numbers = numbers;
        numbers[p->s.n++] = k ? y : x;
    }
    return WSAM_OK;
}

wsam_status ws_outline_polygons_end(ws_polygons *p, wsam_error *error)
{
    const size_t begin = p->s.n_ends ? p->s.ends[p->s.n_ends - 1] : 0;
    if (p->s.n - begin < 6)
        return ws_fail(error, WSAM_ERR_FORMAT, "a polygon of %zu points: three are the least",
                       (p->s.n - begin) / 2);
    size_t *ends = ws_grow(p->s.ends, p->s.n_ends, &p->s.end_capacity, sizeof *ends);
    if (!ends)
        return no_memory(error);
    p->s.ends = ends;
    ends[p->s.n_ends++] = p->s.n;
    return WSAM_OK;
}

static void box_of_points(const ws_polygons *p, wsam_instance *a)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < p->s.n; i++) {
        low[i % 2] = fmin(low[i % 2], p->s.numbers[i]);
        high[i % 2] = fmax(high[i % 2], p->s.numbers[i]);
    }
    for (int k = 0; k < 2; k++) {
        a->bbox[k] = low[k];
        a->bbox[2 + k] = high[k] - low[k];
    }
}

/* Counts, area and box of a mask; without a pixel nothing changes. */
static wsam_status take(const wsam_rle *rle, wsam_instance *a, wsam_error *error)
{
    int32_t box[4];
    if (!wsam_rle_box(rle, box))
        return WSAM_OK;
    if (!ws_counts_text(rle, &a->counts, &a->counts_length))
        return no_memory(error);
    a->area = wsam_rle_area(rle);
    a->bbox[0] = box[0];
    a->bbox[1] = box[1];
    a->bbox[2] = box[2] - box[0] + 1;
    a->bbox[3] = box[3] - box[1] + 1;
    return WSAM_OK;
}

wsam_status ws_outline_polygons_mask(ws_polygons *p, int height, int width, wsam_instance *a,
                                     wsam_error *error)
{
    ws_store scratch = {0};
    ws_mask mask;
    p->reader.max_pixels = MAX_PIXELS;
    for (size_t i = 0; i < p->s.n; i++)
        if (!isfinite(p->s.numbers[i]))
            return ws_fail(error, WSAM_ERR_FORMAT, "a polygon with a coordinate that is no number");
    box_of_points(p, a);
    const wsam_status status =
        ws_coco_mask_read(&p->reader, &p->s, height, width, &scratch, &mask, error);
    ws_text_arena_free(&scratch);
    return status ? status : take(&p->reader.rle, a, error);
}

void ws_outline_polygons_free(ws_polygons *p)
{
    free(p->s.numbers);
    free(p->s.ends);
    ws_coco_mask_reader_free(&p->reader);
    *p = (ws_polygons){0};
}

/* ---- rows of bytes ---- */

wsam_status ws_outline_mask_of_bytes(const uint8_t *bytes, int height, int width, wsam_instance *a,
                                     wsam_error *error)
{
    wsam_rle rle = {.height = height, .width = width};
    wsam_rle_encode(bytes, (size_t)width, &rle); /* how many runs there are */
    rle.capacity = rle.n;
    rle.counts = malloc((rle.n + 1) * sizeof *rle.counts);
    if (!rle.counts)
        return no_memory(error);
    wsam_status status = wsam_rle_encode(bytes, (size_t)width, &rle);
    if (!status)
        status = take(&rle, a, error);
    free(rle.counts);
    return status;
}

uint8_t *ws_outline_bytes_of_mask(const wsam_instance *a, int height, int width)
{
    wsam_rle rle;
    const int good = !ws_counts_rle(a->counts, a->counts_length, height, width, &rle, NULL);
    uint8_t *bytes = good ? malloc((size_t)height * (size_t)width) : NULL;
    if (bytes)
        wsam_rle_decode(&rle, 1, bytes, (size_t)width);
    free(rle.counts);
    return bytes;
}
