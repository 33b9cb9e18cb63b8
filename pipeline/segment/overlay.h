/* pipeline/segment/overlay.h - masks drawn over a picture. */
#ifndef WS_PIPELINE_SEGMENT_OVERLAY_H
#define WS_PIPELINE_SEGMENT_OVERLAY_H

#include "weaksam/picture.h"

/* Colours that are far apart for neighbouring numbers: the hue turns by the golden ratio. */
void ws_overlay_colour(size_t i, int rgb[3]);
/* The picture as rows of RGB. */
void ws_overlay_begin(const wsam_picture *from, uint8_t *to);
/* A mask of h x w bytes blended into RGB, its edge more than its inside. */
void ws_overlay_mask(const uint8_t *mask, int h, int w, const int rgb[3], uint8_t *pixels);

#endif
