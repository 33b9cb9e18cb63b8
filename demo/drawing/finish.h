/* demo/drawing/finish.h - the camera: blur, exposure, noise, JPEG. */
#ifndef WS_DEMO_DRAWING_FINISH_H
#define WS_DEMO_DRAWING_FINISH_H

#include "demo/drawing/paint.h"
#include "demo/drawing/scene.h"

/* Fills scene->jpeg and scene->rgb (what the JPEG shows) from the canvas; 0 when memory is short.
 */
int demo_finish(demo_canvas *canvas, demo_random *r, demo_scene *scene);

#endif
