/* pipeline/everything/everything.h - the mask generator behind a source of logits. */
#ifndef WS_PIPELINE_EVERYTHING_EVERYTHING_H
#define WS_PIPELINE_EVERYTHING_EVERYTHING_H

#include "weaksam/everything.h"
#include "weaksam/kernels.h"

/* Where the answers come from: a model on a picture, or a test's formula. Called from one thread.
 */
typedef struct ws_logits_source {
    void *user;
    const wsam_kernels *kernels;
    int threads;
    int masks;           /* answers per point */
    wsam_mask_rule rule; /* threshold and inclusive; the offset is an option */
    /* Makes crop x0,y0,x1,y1 (exclusive ends) current; out_h and out_w of *geometry are its size.
     * Calls progress (may be NULL) where that takes long. */
    wsam_status (*begin_crop)(void *user, const int32_t crop[4], wsam_mask_geometry *geometry,
                              wsam_progress_fn progress, void *progress_user, wsam_error *error);
    /* n points x,y in pixels of the crop -> iou [n][masks], logits [n][masks][low_h][low_w]. Logits
     * of masks whose IoU is not above min_iou may be left unwritten. */
    wsam_status (*decode)(void *user, size_t n, const double *points, float min_iou, float *iou,
                          float *logits, wsam_error *error);
} ws_logits_source;

wsam_status ws_everything(const ws_logits_source *source, int height, int width,
                          const wsam_everything_options *options, wsam_everything_fn fn, void *user,
                          wsam_everything_stats *stats, wsam_error *error);

/* ---- everything_grid.c ---- */

enum { WS_MAX_CROP_LAYERS = 4, WS_MAX_CROPS = 1 + 4 + 16 + 64 + 256 };

typedef struct ws_crop {
    int32_t box[4]; /* x0, y0, x1, y1, ends exclusive */
    int layer;
} ws_crop;

/* Crops of a picture, the whole first; returns their number, 0 when one would be empty. */
int ws_everything_grid_crops(int height, int width, int layers, double overlap,
                             ws_crop crops[WS_MAX_CROPS]);

/* Points per side of a layer's grid, without lists of points. */
size_t ws_everything_grid_side(const wsam_everything_options *o, int layer);

/* Points of a layer's grid, 0 when there is none; and point i in pixels of a crop. */
size_t ws_everything_grid_size(const wsam_everything_options *o, int layer);
void ws_everything_grid_point(const wsam_everything_options *o, const ws_crop *crop, size_t i,
                              double point[2]);

/* Whether a box (of the crop's frame) is cut by an edge of the crop that is no edge of the picture.
 */
int ws_everything_grid_near_edge(const int32_t box[4], const int32_t crop[4], int height,
                                 int width);

#endif
