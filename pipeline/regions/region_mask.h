/* pipeline/regions/region_mask.h - the mask of one proposal, cut to its box, and the frame of its
 * principal axes. */
#ifndef WS_PIPELINE_REGIONS_REGION_MASK_H
#define WS_PIPELINE_REGIONS_REGION_MASK_H

#include "base/error.h"
#include "weaksam/pipeline.h"
#include "weaksam/stages.h"

/* Working memory for the masks of one picture, one after another. Begins as zeros. */
typedef struct ws_region_mask {
    int x0, y0, width, height; /* of the box, in the picture */
    size_t area;
    uint8_t *inside; /* [height][width]: 0 or 1 */
    /* The frame: centre of gravity (in the picture), unit vectors of the larger and the smaller
     * spread (standard deviation, the smaller one at least a quarter of the larger), each turned so
     * that the third moment along it is not negative. */
    double centre[2], axis[2][2], spread[2];
    size_t room; /* of inside and of stack */
    uint8_t *outside;
    uint32_t *stack;
} ws_region_mask;

/* The mask of a proposal in a picture of height x width: its run lengths, or its box where it has
 * none. 0 where it is empty. */
wsam_status ws_region_mask_take(ws_region_mask *mask, const wsam_proposal *proposal, int height,
                                int width, int *empty, wsam_error *error);
void ws_region_mask_free(ws_region_mask *mask);

/* Pixels that the mask surrounds without having them. */
size_t ws_region_mask_holes(ws_region_mask *mask);

static inline int ws_region_inside(const ws_region_mask *m, int x, int y)
{
    x -= m->x0;
    y -= m->y0;
    return x >= 0 && y >= 0 && x < m->width && y < m->height &&
           m->inside[(size_t)y * (size_t)m->width + (size_t)x];
}

#endif
