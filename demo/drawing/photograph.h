/* demo/drawing/photograph.h - what photographs of parts have and plain drawings lack: a tilted
 * ground, glints, long shadows, the shadow of something outside, clutter, depth of field, motion
 * blur, mixed light, sensor noise. All of it comes from a stream of random numbers of its own, so
 * that a seed without it gives the picture that it always gave. */
#ifndef WS_DEMO_DRAWING_PHOTOGRAPH_H
#define WS_DEMO_DRAWING_PHOTOGRAPH_H

#include "demo/drawing/place.h"

/* The ground's tilt, for demo_background. */
demo_tilt demo_photograph_tilt(demo_random *r, int width, int height);

/* Shadows that are longer and darker, less light from everywhere. */
void demo_photograph_light(demo_random *r, demo_light *light);

/* Narrower, brighter highlights, and glints on the rounded edge. */
void demo_photograph_material(demo_random *r, demo_material *material);

/* Things that are no instances, before the first part: cables, chips, crumbs. */
void demo_photograph_clutter(demo_drawing *d);

/* Light and camera, before demo_finish; 0 when memory is short. */
int demo_photograph_expose(demo_canvas *c, demo_random *r);

#endif
