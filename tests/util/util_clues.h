/* tests/util/util_clues.h - a clue network and its peaks computed the direct way, in double
 * precision.
 */
#ifndef WS_TESTS_UTIL_UTIL_CLUES_H
#define WS_TESTS_UTIL_UTIL_CLUES_H

#include "tests/util/util_safetensors.h"
#include "weaksam/clues.h"

typedef enum direct_fusion { DIRECT_ALIKE, DIRECT_BY_TOKENS, DIRECT_BY_FEATURES } direct_fusion;

/* Of one view; maps are [h][w][classes]. */
typedef struct direct_maps {
    int h, w, classes;
    double *logits, *coarse, *fused, *fine;
} direct_maps;

/* The whole network on an image [height][width][3], every attention map stored. Only
 * a checkpoint of published names. */
direct_maps *direct_network(st_file *checkpoint, int heads, direct_fusion fusion,
                            const float *image, int height, int width);
void direct_free(direct_maps *maps);
/* Heads of the small families. */
int family_heads(const char *family);

/* As wsam_peaks, every window searched whole. */
int direct_peaks(const float *map, int height, int width, const wsam_peak_params *params,
                 wsam_clue_point *points);

#endif
