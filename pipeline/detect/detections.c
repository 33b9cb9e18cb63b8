/* pipeline/detect/detections.c - what a detector found, handed on. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/detect/detector.h"
#include "weaksam/detector.h"

void wsam_detections_free(wsam_detections *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        free(r->items[i].mask.counts);
    free(r->items);
    free(r);
}

static int set_mask(const wsam_rle *mask, wsam_instance *to)
{
    to->counts_length = wsam_rle_to_string(mask, NULL, 0);
    to->counts = malloc(to->counts_length + 1);
    if (!to->counts)
        return 0;
    wsam_rle_to_string(mask, to->counts, to->counts_length);
    to->counts[to->counts_length] = 0;
    to->area = wsam_rle_area(mask);
    return 1;
}

wsam_status wsam_detections_instances(const wsam_detections *r, wsam_instances *out,
                                      wsam_error *error)
{
    int ok = 1;
    *out = (wsam_instances){.items = calloc(r->n + 1, sizeof *out->items)};
    if (!out->items)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu objects", r->n);
    for (size_t i = 0; i < r->n && ok; i++) {
        const wsam_detection *d = &r->items[i];
        const double x = (double)d->box[0], y = (double)d->box[1];
        wsam_instance *to = &out->items[out->n++];
        *to = (wsam_instance){.class_index = d->class_index,
                              .bbox = {x, y, (double)d->box[2] - x, (double)d->box[3] - y},
                              .score = (double)d->score,
                              .confidence = (double)d->score};
        ok = !d->mask.counts || set_mask(&d->mask, to);
    }
    if (ok)
        return WSAM_OK;
    wsam_instances_clear(out);
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu masks", r->n);
}

/* Valid run lengths: they were made here. */
static int get_mask(const wsam_instance *from, int height, int width, wsam_rle *mask)
{
    wsam_rle r = {.height = height, .width = width};
    if (!from->counts)
        return 1;
    (void)wsam_rle_from_string(from->counts, from->counts_length, &r, NULL);
    r.capacity = r.n;
    r.counts = malloc((r.n + 1) * sizeof *r.counts);
    if (!r.counts)
        return 0;
    if (wsam_rle_from_string(from->counts, from->counts_length, &r, NULL)) {
        free(r.counts);
        return 0;
    }
    *mask = r;
    return 1;
}

wsam_status ws_detections_of(const wsam_instances *instances, int height, int width,
                             wsam_detections **out, wsam_error *error)
{
    wsam_detections *r = calloc(1, sizeof *r);
    int ok = r && (r->items = calloc(instances->n + 1, sizeof *r->items));
    for (size_t i = 0; ok && i < instances->n; i++) {
        const wsam_instance *from = &instances->items[i];
        const double *b = from->bbox;
        wsam_detection *to = &r->items[r->n++];
        *to = (wsam_detection){.class_index = from->class_index, .score = (float)from->score};
        for (int k = 0; k < 4; k++)
            to->box[k] = (float)(k < 2 ? b[k] : b[k - 2] + b[k]);
        ok = get_mask(from, height, width, &to->mask);
    }
    if (!ok) {
        wsam_detections_free(r);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu objects", instances->n);
    }
    r->height = height;
    r->width = width;
    *out = r;
    return WSAM_OK;
}
