/* pipeline/detect/detections.c - what a detector found, handed on. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
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
