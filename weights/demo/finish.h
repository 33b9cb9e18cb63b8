/* weights/demo/finish.h - the camera: blur, exposure, noise, JPEG. */
#ifndef DEMO_FINISH_H
#define DEMO_FINISH_H

#include "weights/demo/paint.h"
#include "weights/demo/scene.h"

/* Fills scene->jpeg and scene->rgb (what the JPEG shows) from the canvas; 0 when memory is short.
 */
int demo_finish(demo_canvas *canvas, demo_random *r, demo_scene *scene);

#endif
