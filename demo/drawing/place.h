/* demo/drawing/place.h - shapes on the canvas: where they lie, their shadow, their surface. */
#ifndef WS_DEMO_DRAWING_PLACE_H
#define WS_DEMO_DRAWING_PLACE_H

#include "demo/drawing/paint.h"
#include "demo/drawing/scene.h"

/* A shape on the canvas: centre and half extent in pixels. */
typedef struct demo_pose {
    float x, y, half, cosine, sine;
} demo_pose;

/* The pixels a shape may touch, with the samples found there. */
typedef struct demo_cut {
    int x0, y0, x1, y1; /* inclusive, clipped */
    demo_sample *samples;
} demo_cut;

typedef struct demo_drawing {
    demo_canvas canvas;
    demo_random random;
    demo_light light;
    const demo_options *options;
    int photographic; /* this scene is */
    demo_random own;  /* of what photographs have more */
    demo_pose poses[DEMO_MOST + 4];
    int full[DEMO_MOST + 1]; /* area of each instance when it was drawn */
    demo_sample *samples;    /* room for one cut */
} demo_drawing;

/* A pixel in the shape's own square. */
void demo_to_shape(const demo_pose *p, float x, float y, float *u, float *v);

/* The shape at every pixel that it may touch; in d->samples. */
demo_cut demo_cut_out(demo_drawing *d, const demo_shape *s, const demo_pose *p);

void demo_cast_shadow(demo_drawing *d, const demo_shape *s, const demo_pose *p);

/* Paints a cut with a material; pixels that it covers at least half get the id. */
void demo_paint(demo_drawing *d, const demo_shape *s, const demo_pose *p, const demo_cut *t,
                const demo_material *m, int id);

#endif
