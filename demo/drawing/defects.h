/* demo/drawing/defects.h - one part as a camera above an inspection table sees it, sound or not. */
#ifndef WS_DEMO_DRAWING_DEFECTS_H
#define WS_DEMO_DRAWING_DEFECTS_H

#include "demo/drawing/place.h"

/* Draws a large part; in options->defects of all scenes with one to three defects, the scene's
 * instances. The ids are those of the defects alone. */
void demo_inspected_part(demo_drawing *d, demo_scene *scene);

#endif
