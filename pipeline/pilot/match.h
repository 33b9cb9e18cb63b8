/* pipeline/pilot/match.h - which detections of an image are right, and why the others are not. */
#ifndef WS_PIPELINE_PILOT_MATCH_H
#define WS_PIPELINE_PILOT_MATCH_H

#include <stddef.h>

#include "base/error.h"

typedef enum ws_pilot_cause {
    WS_PILOT_HIT = 0,
    WS_PILOT_TWICE,    /* on an object of its class that a better one has */
    WS_PILOT_CONFUSED, /* on an object of another class */
    WS_PILOT_LOOSE,    /* overlaps an object of its class, IoU 0.1 or more, but not enough */
    WS_PILOT_NOTHING,  /* on no object */
    WS_PILOT_CAUSES
} ws_pilot_cause;

typedef struct ws_pilot_box {
    double box[4]; /* x, y, width, height */
    size_t class_index;
    double score; /* of detections */
    ws_pilot_cause cause;
    size_t other; /* CONFUSED: with which class */
    int found;    /* of objects: a detection hits it */
} ws_pilot_box;

/* Highest score first; each takes the object of its class, not taken yet, with which its IoU is highest and at
 * least `iou` (as COCO evaluates). Equal scores in their order. */
wsam_status ws_pilot_match(ws_pilot_box *detections, size_t n, ws_pilot_box *objects, size_t m,
                           double iou, wsam_error *error);

#endif
