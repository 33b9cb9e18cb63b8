/* tests/util/util_scene.h - a source of logits for the mask generator that is a formula instead of
 * a model. */
#ifndef WS_TESTS_UTIL_UTIL_SCENE_H
#define WS_TESTS_UTIL_UTIL_SCENE_H

#include "pipeline/everything/everything.h"

enum { SCENE_LOW = 64, SCENE_SQUARE = 256, SCENE_MASKS = 3 }; /* sides of logits and square */

typedef struct scene {
    int height, width;
    uint32_t seed;
    int32_t crop[4];
    int batches;
    size_t fail_at; /* decoder call that fails, 0: none */
    int bicubic;    /* straight to the picture, >= 0, and logits that are 0 over wide parts */
} scene;

/* Two numbers to one that looks like chance. */
uint32_t scene_mix(uint32_t a, uint32_t b);

/* Of the scene's current crop. */
void scene_geometry(const scene *s, wsam_mask_geometry *g);

/* Logits of one answer to a point of the current crop; returns its predicted IoU. */
float scene_answer(const scene *s, const double point[2], int mask, float *logits);

ws_logits_source scene_source(scene *s, int threads);

#endif
