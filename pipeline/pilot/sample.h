/* pipeline/pilot/sample.h - reviewed images as figures see them: what the machine found on each, whether
 * it was right, and how many objects there are. */
#ifndef WS_PIPELINE_PILOT_SAMPLE_H
#define WS_PIPELINE_PILOT_SAMPLE_H

#include "base/error.h"

typedef struct ws_pilot_detection {
    size_t picture;
    size_t class_index;
    double score; /* 0 to 1 as the machine said it; not yet a probability */
    int hit;      /* it is an object of its class, which no better one is */
} ws_pilot_detection;

/* Images of the random sample come first, up to n_audit. Rates are counted on them alone; the others, which were
 * ranked, help to calibrate. */
typedef struct ws_pilot_sample {
    size_t n_pictures, n_audit, n_classes, n;
    ws_pilot_detection *detections; /* [n], by ascending picture */
    uint32_t *objects;              /* [n_pictures][n_classes] */
} ws_pilot_sample;

/* Zeros in `objects`, room for n detections; n_audit is n_pictures. */
wsam_status ws_pilot_sample_make(ws_pilot_sample *s, size_t n_pictures, size_t n_classes, size_t n,
                                 wsam_error *error);
void ws_pilot_sample_free(ws_pilot_sample *s);

/* The random sample of s, which keeps the memory. */
ws_pilot_sample ws_sample_audit(const ws_pilot_sample *s);

#endif
