/* pipeline/everything/everything_options.c - options of the mask generator that make sense. */
#include "base/error.h"
#include "pipeline/everything/everything_run.h"

#include <math.h>
#include <stdint.h>

/* Lists of points in [0,1]; a list of none needs no memory. */
static int good_grids(const wsam_everything_options *o)
{
    for (int layer = 0; layer <= o->crop_n_layers; layer++) {
        const size_t n = o->point_grid_sizes ? o->point_grid_sizes[layer] : 0;
        const double *grid = o->point_grids[layer];
        if (!o->point_grid_sizes || (n && !grid) || n > SIZE_MAX / 2 / sizeof *grid)
            return 0;
        for (size_t i = 0; i < 2 * n; i++)
            if (!(grid[i] >= 0 && grid[i] <= 1))
                return 0;
    }
    return 1;
}

wsam_status ws_everything_check_options(const wsam_everything_options *o, wsam_error *error)
{
    const char *bad = NULL;
    if (!o->point_grids && (o->points_per_side < 1 || o->points_per_side > 1024))
        bad = "points_per_side";
    else if (o->points_per_batch < 1 || o->points_per_batch > 65536)
        bad = "points_per_batch";
    else if (o->crop_n_layers < 0 || o->crop_n_layers > WS_MAX_CROP_LAYERS)
        bad = "crop_n_layers";
    else if (!(o->crop_overlap_ratio >= 0 && o->crop_overlap_ratio <= 1))
        bad = "crop_overlap_ratio";
    else if (o->crop_n_points_downscale_factor < 1)
        bad = "crop_n_points_downscale_factor";
    else if (o->min_mask_region_area < 0)
        bad = "min_mask_region_area";
    else if (!(o->stability_score_offset >= 0 && o->stability_score_offset < 1e30))
        bad = "stability_score_offset";
    else if (isnan(o->pred_iou_thresh) || isnan(o->stability_score_thresh))
        bad = isnan(o->pred_iou_thresh) ? "pred_iou_thresh" : "stability_score_thresh";
    else if (isnan(o->box_nms_thresh) || isnan(o->crop_nms_thresh))
        bad = isnan(o->box_nms_thresh) ? "box_nms_thresh" : "crop_nms_thresh";
    else if (o->hierarchical && (o->point_grids || isnan(o->confident_logit)))
        bad = o->point_grids ? "hierarchical (with lists of points)" : "confident_logit";
    else if (o->point_grids && !good_grids(o))
        bad = "point_grids";
    if (bad)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "everything: option %s is out of range", bad);
    return WSAM_OK;
}
