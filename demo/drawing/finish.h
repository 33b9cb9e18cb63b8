/* demo/drawing/finish.h - the camera: blur, exposure, noise, JPEG. */
#ifndef WS_DEMO_DRAWING_FINISH_H
#define WS_DEMO_DRAWING_FINISH_H

#include "demo/drawing/paint.h"
#include "demo/drawing/scene.h"

/* A binomial blur; its sigma is sqrt(passes / 2) pixels. */
void demo_blur(demo_canvas *c, int passes);

/* Fills scene->jpeg and scene->rgb (what the JPEG shows) from the canvas; 0 when memory is short.
 */
int demo_finish(demo_canvas *canvas, demo_random *r, demo_scene *scene);

#endif
