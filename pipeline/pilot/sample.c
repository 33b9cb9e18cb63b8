/* pipeline/pilot/sample.c - see sample.h. */
#include "pipeline/pilot/sample.h"

#include <stdlib.h>

wsam_status ws_pilot_sample_make(ws_pilot_sample *s, size_t n_pictures, size_t n_classes, size_t n,
                                 wsam_error *error)
{
    size_t cells;
    *s = (ws_pilot_sample){
        .n_pictures = n_pictures, .n_audit = n_pictures, .n_classes = n_classes, .n = n};
    if (ws_mul_size(n_pictures + 1, n_classes + 1, &cells))
        return ws_no_memory(error, "a pilot");
    s->objects = calloc(cells, sizeof *s->objects);
    s->detections = calloc(n + 1, sizeof *s->detections);
    if (!s->objects || !s->detections) {
        ws_pilot_sample_free(s);
        return ws_no_memory(error, "a pilot");
    }
    return WSAM_OK;
}

ws_pilot_sample ws_sample_audit(const ws_pilot_sample *s)
{
    ws_pilot_sample audit = *s;
    audit.n_pictures = s->n_audit;
    while (audit.n && s->detections[audit.n - 1].picture >= s->n_audit)
        audit.n--;
    return audit;
}

void ws_pilot_sample_free(ws_pilot_sample *s)
{
    free(s->objects);
    free(s->detections);
    *s = (ws_pilot_sample){0};
}
