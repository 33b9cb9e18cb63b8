/* pipeline/regions/paint.h - scores of regions painted through their masks. */
#ifndef WS_PIPELINE_REGIONS_PAINT_H
#define WS_PIPELINE_REGIONS_PAINT_H

#include "base/error.h"
#include "weaksam/stages.h"

/* Of every class `classes[k]`: maps[k] is the sum over regions of score * mask, depths[k] the same
 * with masks that fall from 1 at their deepest pixel to 0 outside; both [height][width], zero
 * before, divided by their largest value. Regions below half of a class's best score are left out:
 * many weak ones would hide a strong one. */
wsam_status ws_paint_regions(const wsam_proposals *proposals, const float *scores, size_t n_classes,
                             const int32_t *classes, size_t n, float *maps, float *depths,
                             wsam_error *error);

#endif
