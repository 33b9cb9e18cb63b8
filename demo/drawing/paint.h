/* demo/drawing/paint.h - surfaces, light and backgrounds of drawn pictures. */
#ifndef WS_DEMO_DRAWING_PAINT_H
#define WS_DEMO_DRAWING_PAINT_H

#include "demo/drawing/random.h"
#include "demo/drawing/shape.h"

typedef struct demo_color {
    float r, g, b; /* 0 to 1 */
} demo_color;

/* The picture while it is drawn: linear rows of colours, and which instance each pixel shows. */
typedef struct demo_canvas {
    int width, height;
    demo_color *pixels;
    unsigned char *ids; /* 0: background */
} demo_canvas;

typedef struct demo_light {
    float x, y, z; /* towards the lamp, length 1 */
    float ambient; /* 0 to 1 */
    float shadow_x, shadow_y,
        shadow_soft;    /* offset and softness in pixels per pixel of half extent */
    float shadow_depth; /* 0 to 1 */
} demo_light;

typedef struct demo_material {
    demo_color color;
    float gloss; /* strength of the highlight band */
    float band_angle, band_at, band_width;
    float grain;       /* noise on the surface */
    float bevel;       /* width of the rounded edge, shape units */
    float glint;       /* strength of the lamp's mirror image on the rounded edge; 0: none */
    float pattern;     /* stripes: period in shape units; 0: none */
    demo_color second; /* colour of the stripes */
    uint32_t seed;
} demo_material;

/* Smooth noise in [-1, 1] with features of about one unit. */
float demo_noise(float x, float y, uint32_t seed);

demo_light demo_light_draw(demo_random *r);

/* Steel, brass, copper, black oxide or plastic; `generic` also gives printed patterns. */
demo_material demo_material_draw(demo_random *r, int generic);

/* The colour of a shape's surface at a point of the shape; (nx, ny): gradient of the distance in
 * picture axes. */
demo_color demo_surface(const demo_material *m, const demo_light *light, demo_sample at, float x,
                        float y, float nx, float ny);

/* Perspective of the ground: its texture is larger or smaller by 1 / (1 + x * column + y * row). */
typedef struct demo_tilt {
    float x, y;
} demo_tilt;

/* Fills the canvas with one of: brushed metal, conveyor, cardboard, clutter, gradient, noise,
 * tiles; `tilt` 0, 0: seen from above. */
void demo_background(demo_canvas *c, demo_random *r, demo_tilt tilt);

#endif
