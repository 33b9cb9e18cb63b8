/* pipeline/detect/mist.h - MIST between its graphs. */
#ifndef WS_PIPELINE_DETECT_MIST_H
#define WS_PIPELINE_DETECT_MIST_H

#include "base/error.h"
#include "pipeline/picture/normalise.h"
#include "weaksam/detector.h"
#include "weaksam/kernels.h"

enum { WS_MIST_HEADS = 3, WS_MIST_CHUNK = 256 /* boxes of 25,088 numbers at a time: 25 MB */ };

struct wsam_mist {
    wsam_model *model;
    const wsam_kernels *kernels;
    int threads;
    wsam_session *map, *boxes;
    wsam_image *state; /* of the boxes' graph: it has no values of the image */
    int bins, min_side;
    size_t slots;
    char (*names)[128];
    ws_pixel_table table;
};

/* A picture at one scale. */
typedef struct ws_mist_view {
    int height, width; /* of the resized picture */
    int mirrored;
} ws_mist_view;

/* mist_view.c: scores [n][slots] and boxes [n][slots][4] of one view, in its own frame, not mirrored
 * back. `boxes` are inclusive pixels of the picture. */
wsam_status ws_mist_view_run(wsam_mist *m, const wsam_picture *picture, const ws_mist_view *view,
                             const float (*boxes)[4], size_t n, float *scores, float (*out)[4],
                             wsam_error *error);
/* The size of a view. */
void ws_mist_view_size(int height, int width, int shorter, int longer, ws_mist_view *view);

#endif
