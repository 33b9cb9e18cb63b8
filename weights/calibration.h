/* weights/calibration.h - what was measured of the rows behind a checkpoint's LayerNorms. */
#ifndef WS_WEIGHTS_CALIBRATION_H
#define WS_WEIGHTS_CALIBRATION_H

#include "weaksam/convert.h"
#include "weights/format.h"

/* The channels of one norm's output. */
typedef struct ws_channel_range {
    char norm[WS_CAP_NAME + 1]; /* the norm weight's name */
    size_t channels;
    uint64_t rows;
    float *largest; /* [channels] max |value| */
    double *square; /* [channels] sum of squares over the rows */
} ws_channel_range;

struct wsam_calibration {
    size_t n, capacity;
    ws_channel_range *norms;
};

/* NULL when this norm was not seen, or has another width. */
const ws_channel_range *ws_calibration_find(const wsam_calibration *c, const char *norm,
                                            size_t channels);
/* Takes `rows` more rows of a norm's output into account. */
wsam_status ws_calibration_add(wsam_calibration *c, const char *norm, const float *values,
                               size_t rows, size_t channels, wsam_error *error);

#endif
