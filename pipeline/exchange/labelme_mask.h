/* pipeline/exchange/labelme_mask.h - LabelMe's shapes of the kind "mask". */
#ifndef WS_PIPELINE_EXCHANGE_LABELME_MASK_H
#define WS_PIPELINE_EXCHANGE_LABELME_MASK_H

#include <cjson/cJSON.h>

#include "base/text.h"
#include "weaksam/stages.h"

/* "shape_type", "points" (the box, ends included) and "mask". */
wsam_status ws_labelme_mask_put(ws_text *t, const wsam_instance *a, int width, int height,
                                wsam_error *error);
/* The mask of a PNG at the box of n = 4 numbers xy. */
wsam_status ws_labelme_mask_take(const cJSON *mask, const double *xy, size_t n, int width,
                                 int height, wsam_instance *a, wsam_error *error);

#endif
