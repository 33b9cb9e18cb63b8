/* pipeline/regions/region_describe.h - what a mask says without any pretraining, and what the maps of
 * frozen networks say inside of it.
 *
 * A region's numbers come in groups: `shape` (outline, holes, axes), `look` (colours, gradients,
 * the grey picture in the frame of the axes), and one group per feature map: its mean and its
 * spread inside the mask. A learner names the groups that it uses. */
#ifndef WS_PIPELINE_REGIONS_REGION_DESCRIBE_H
#define WS_PIPELINE_REGIONS_REGION_DESCRIBE_H

#include "pipeline/regions/region_mask.h"
#include "weaksam/train.h"

enum {
    WS_SQUARE_CELLS = 16, /* the mask in the square around its box */
    WS_AXES_CELLS = 12,   /* mask and picture in the frame of the axes */
    WS_GRADIENT_CELLS = 4,
    WS_GRADIENT_BINS = 6,
    WS_COLOUR_BINS = 8,
    WS_DISTANCE_BINS = 8,
    WS_OUTLINE_TERMS = 20,
    WS_DIRECTIONS = 9,

    WS_SHAPE_NUMBERS = WS_SQUARE_CELLS * WS_SQUARE_CELLS + WS_AXES_CELLS * WS_AXES_CELLS +
                       WS_DISTANCE_BINS + WS_OUTLINE_TERMS + 5,
    WS_LOOK_NUMBERS = WS_AXES_CELLS * WS_AXES_CELLS +
                      WS_GRADIENT_CELLS * WS_GRADIENT_CELLS * WS_GRADIENT_BINS +
                      3 * WS_COLOUR_BINS + 11 + WS_DIRECTIONS,
    WS_REGION_GROUPS = 2 + WSAM_FEATURE_SOURCES
};

typedef struct ws_region_group {
    char name[16]; /* "shape", "look", or a map's source */
    uint32_t first, count;
} ws_region_group;

typedef struct ws_region_layout {
    size_t n_groups, count; /* count: numbers of one region */
    ws_region_group groups[WS_REGION_GROUPS];
} ws_region_layout;

void ws_regions_describe_layout(const wsam_feature_map *maps, size_t n_maps,
                                ws_region_layout *layout);

/* Rows [proposals->n][layout->count] of all proposals of a picture; an empty mask has zeros. */
wsam_status ws_regions_describe(const wsam_picture *picture, const wsam_proposals *proposals,
                                const wsam_feature_map *maps, size_t n_maps, float *rows,
                                wsam_error *error);

/* ---- region_shape.c, region_look.c, region_pool.c ---- */

void ws_region_shape(ws_region_mask *mask, const wsam_picture *picture, float *out);
void ws_region_look(const ws_region_mask *mask, const wsam_picture *picture, float *out);
/* Mean and spread of every channel, [2][channels]. `weights` holds height * width of the map. */
void ws_region_pool(const ws_region_mask *mask, const wsam_feature_map *map, float *weights,
                    float *out);

/* A point of the axes' frame, in units of the spreads, as a pixel. */
static inline void ws_region_point(const ws_region_mask *m, double u, double v, int *x, int *y)
{
    const double a = u * m->spread[0], b = v * m->spread[1];
    *x = (int)(m->centre[0] + a * m->axis[0][0] + b * m->axis[1][0] + 16384.5) - 16384;
    *y = (int)(m->centre[1] + a * m->axis[0][1] + b * m->axis[1][1] + 16384.5) - 16384;
}

/* A disk reaches to 2 spreads, a square to 1.73. */
#define WS_REGION_REACH 2.2

#endif
