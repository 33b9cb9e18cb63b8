/* demo/drawing/new_parts.h - outlines of parts that no shipped network was trained with. */
#ifndef WS_DEMO_DRAWING_NEW_PARTS_H
#define WS_DEMO_DRAWING_NEW_PARTS_H

#include "demo/drawing/shape.h"

demo_sample demo_hinge(const demo_shape *s, float x, float y);
demo_sample demo_hook(const demo_shape *s, float x, float y);
demo_sample demo_pulley(const demo_shape *s, float x, float y);
demo_sample demo_clamp(const demo_shape *s, float x, float y);
demo_sample demo_rivet(const demo_shape *s, float x, float y);
demo_sample demo_cotter_pin(const demo_shape *s, float x, float y);

#endif
