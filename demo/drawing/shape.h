/* demo/drawing/shape.h - the outlines of machine parts and of generic shapes as signed distance
 * functions.
 *
 * Every shape lives in the square [-1, 1]^2 with its longest extent about 2. A shape is a kind with
 * proportions drawn once (demo_shape_draw); demo_shape_at evaluates it at a point. */
#ifndef WS_DEMO_DRAWING_SHAPE_H
#define WS_DEMO_DRAWING_SHAPE_H

#include "demo/drawing/random.h"

typedef enum demo_kind {
    DEMO_SCREW,
    DEMO_NUT,
    DEMO_WASHER,
    DEMO_GEAR,
    DEMO_BRACKET,
    DEMO_SPRING,
    DEMO_BEARING,
    DEMO_KEY,
    DEMO_WRENCH,
    DEMO_PLATE,
    DEMO_PARTS,             /* the number of part classes; generic shapes follow */
    DEMO_BLOB = DEMO_PARTS, /* a circle with waves */
    DEMO_POLYGON,           /* three to seven corners */
    DEMO_STAR,              /* star with rounded tips */
    DEMO_CRESCENT,          /* disk less a disk */
    DEMO_BAR,               /* a thick line, straight or bent */
    DEMO_FRAME,             /* a box with a window */
    DEMO_CROSS,             /* two bars */
    DEMO_KINDS
} demo_kind;

typedef struct demo_shape {
    demo_kind kind;
    float p[12]; /* proportions; what each means stands at the kind's function */
    int n;       /* teeth, corners, coils ... */
} demo_shape;

/* What a shape is at a point. */
typedef struct demo_sample {
    float distance; /* to the outline, negative inside; in shape units, close to Euclidean near the
                       outline */
    float tone;     /* 1, less in grooves, more on ridges */
} demo_sample;

/* Names of the part classes, in the order of demo_kind. */
extern const char *const demo_part_names[DEMO_PARTS];

/* Random proportions for a shape of this kind. */
demo_shape demo_shape_draw(demo_kind kind, demo_random *r);

demo_sample demo_shape_at(const demo_shape *s, float x, float y);

#endif
