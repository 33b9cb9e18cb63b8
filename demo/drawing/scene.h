/* demo/drawing/scene.h - pictures of machine parts with everything that is known of them.
 *
 * A scene depends on its seed and options alone. One to fourteen instances of one to four part
 * classes lie on a background, may touch and overlap (at least 60 % of each stays visible); light,
 * shadow, blur, noise and JPEG artefacts vary. Of the set DEMO_INSPECTED a scene is one large part
 * instead, sound or with one to three defects, which are its instances. */
#ifndef WS_DEMO_DRAWING_SCENE_H
#define WS_DEMO_DRAWING_SCENE_H

#include <stddef.h>
#include <stdint.h>

#include "demo/drawing/shape.h"

enum { DEMO_MOST = 24 }; /* instances of a scene */

typedef struct demo_options {
    int width, height;  /* 0: drawn, the longer side 320 to 640 */
    unsigned without;   /* bit k: no part of class k */
    float generic;      /* share of instances that are generic shapes; they count as instances */
    float distractors;  /* probability of a few generic shapes that are not instances */
    int most;           /* instances at most; 0: 14 */
    float least_size;   /* of an instance, pixels; 0: 12 */
    float largest_size; /* 0: 300 */
    int classes;        /* part classes of a scene at most; 0: 4 */
    demo_set set;       /* which parts; `without` counts from its first one */
    float defects;      /* DEMO_INSPECTED: share of pictures that show defects */
    float photographic; /* share of pictures that look like photographs (photograph.h) */
} demo_options;

/* What is wrong with an inspected part. */
typedef enum demo_defect {
    DEMO_SOUND,
    DEMO_SCRATCH,
    DEMO_DENT,
    DEMO_STAIN,
    DEMO_CRACK,
    DEMO_CHIP,          /* out of the edge */
    DEMO_MISSING_TOOTH, /* of a gear */
    DEMO_DEFECTS
} demo_defect;
extern const char *const demo_defect_names[DEMO_DEFECTS];

typedef struct demo_instance {
    demo_kind kind;
    demo_defect defect; /* with the kind DEMO_DEFECT */
    int box[4];         /* x0, y0, x1, y1 of its visible pixels, inclusive */
    int64_t area;       /* visible pixels */
    int inner[2];       /* its most interior visible pixel */
} demo_instance;

typedef struct demo_scene {
    int width, height;
    uint8_t *rgb;  /* [height][width][3] */
    uint8_t *ids;  /* [height][width]: 0, or 1 + index of the instance that is seen */
    uint8_t *jpeg; /* the picture as a JPEG file: decoded it gives rgb */
    size_t jpeg_bytes;
    int n;
    demo_instance instances[DEMO_MOST];
} demo_scene;

/* Draws; 0 when memory is short. Free with demo_scene_free. */
int demo_scene_draw(uint64_t seed, const demo_options *options, demo_scene *scene);
void demo_scene_free(demo_scene *scene);

/* Measures boxes, areas and inner points of the instances from the id map; those of under 16 pixels
 * are taken out. */
int demo_scene_measure(demo_scene *scene);

#endif
