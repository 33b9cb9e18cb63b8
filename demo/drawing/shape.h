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
    DEMO_PARTS,             /* the number of these part classes; generic shapes follow */
    DEMO_BLOB = DEMO_PARTS, /* a circle with waves */
    DEMO_POLYGON,           /* three to seven corners */
    DEMO_STAR,              /* star with rounded tips */
    DEMO_CRESCENT,          /* disk less a disk */
    DEMO_BAR,               /* a thick line, straight or bent */
    DEMO_FRAME,             /* a box with a window */
    DEMO_CROSS,             /* two bars */
    DEMO_GENERIC_END,       /* parts that no shipped network was trained with follow */
    DEMO_HINGE = DEMO_GENERIC_END,
    DEMO_HOOK,
    DEMO_PULLEY,
    DEMO_CLAMP,
    DEMO_RIVET,
    DEMO_COTTER_PIN,
    DEMO_KINDS,
    DEMO_NEW_PARTS = DEMO_KINDS - DEMO_HINGE,
    DEMO_DEFECT = DEMO_KINDS /* an instance that is a defect of a part */
} demo_kind;

typedef struct demo_shape {
    demo_kind kind;
    float p[12];   /* proportions; what each means stands at the kind's function */
    int n;         /* teeth, corners, coils ... */
    int missing;   /* a gear's tooth that is broken off, from 1; 0: none */
    float bite[3]; /* centre and radius of what is chipped off the edge; radius 0: nothing */
} demo_shape;

/* What a shape is at a point. */
typedef struct demo_sample {
    float distance; /* to the outline, negative inside; in shape units, close to Euclidean near the
                       outline */
    float tone;     /* 1, less in grooves, more on ridges */
} demo_sample;

/* Which classes the instances of a scene have. */
typedef enum demo_set {
    DEMO_OLD,       /* the ten parts that the shipped networks know */
    DEMO_NEW,       /* six that they have never seen */
    DEMO_INSPECTED, /* NG: defects of one part; OK has no instances */
    DEMO_SETS
} demo_set;

typedef struct demo_classes {
    const char *const *names; /* [n], from kind `first` on */
    int n;
    demo_kind first;
} demo_classes;
extern const demo_classes demo_class_sets[DEMO_SETS];

/* Shapes that are no part: they have printed patterns, and are distractors. */
static inline int demo_is_generic(demo_kind kind)
{
    return kind >= DEMO_PARTS && kind < DEMO_GENERIC_END;
}

/* Random proportions for a shape of this kind. */
demo_shape demo_shape_draw(demo_kind kind, demo_random *r);

demo_sample demo_shape_at(const demo_shape *s, float x, float y);

#endif
