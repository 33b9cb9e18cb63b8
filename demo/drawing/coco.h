/* demo/drawing/coco.h - a folder of scenes: pictures, COCO instances, image-level labels. */
#ifndef WS_DEMO_DRAWING_COCO_H
#define WS_DEMO_DRAWING_COCO_H

#include <stdio.h>

#include "demo/drawing/scene.h"

typedef struct demo_folder {
    char path[4000];
    FILE *images, *annotations, *labels; /* two halves of the JSON, and the CSV */
    long n_images, n_annotations;
    demo_set set; /* which classes it has */
} demo_folder;

/* Makes PATH and PATH/images; 0 and a message on stderr on failure. */
int demo_folder_open(const char *path, demo_set set, demo_folder *folder);
/* Adds a scene under the name images/NUMBER.jpg. */
int demo_folder_add(demo_folder *folder, const demo_scene *scene);
/* Completes instances.json and labels.csv; `good` 0 removes them. Returns whether all is written.
 */
int demo_folder_close(demo_folder *folder, int good);

/* The pixels of instance `index` as COCO run lengths; free with free. NULL when memory is short. */
char *demo_instance_counts(const demo_scene *scene, int index);

#endif
