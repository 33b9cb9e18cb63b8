/* tests/util/util_backbone.h - a frozen backbone computed the direct way, in double precision. */
#ifndef WS_TESTS_UTIL_UTIL_BACKBONE_H
#define WS_TESTS_UTIL_UTIL_BACKBONE_H

#include "tests/util/util_safetensors.h"

typedef struct direct_backbone {
    int h, w, width, heads;
    double *patch_tokens; /* [h][w][width] */
    double *class_token;  /* [width] */
    double *attention;    /* [heads][h][w] */
} direct_backbone;

/* The network of a checkpoint with published names on an image [height][width][3]. `mode`: offset,
 * size or antialias. Free it with direct_backbone_free. */
direct_backbone *direct_backbone_run(st_file *checkpoint, const char *mode, int patch,
                                     const float *image, int height, int width);
void direct_backbone_free(direct_backbone *backbone);

#endif
