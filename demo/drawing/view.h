/* demo/drawing/view.h - scenes for training: the picture and the instances as a model of a given
 * input size sees them. */
#ifndef WS_DEMO_DRAWING_VIEW_H
#define WS_DEMO_DRAWING_VIEW_H

#include <stdint.h>

#include "demo/drawing/scene.h"

/* Draws scene `seed` and resizes it as the runtime does (longest side to `side`, Pillow's
 * bilinear): `rgb` [side][side][3] and `ids` [side][side] (the instance seen by most of a pixel),
 * zero where the picture does not reach; `content` gets width and height of the part that it
 * covers, `kinds` [DEMO_MOST] the kind of each instance. Gives the number of instances, -1 when
 * memory is short. */
__attribute__((visibility("default"))) int demo_view(uint64_t seed, const demo_options *options,
                                                     int side, uint8_t *rgb, uint8_t *ids,
                                                     int *content, int *kinds);

#endif
