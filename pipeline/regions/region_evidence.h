/* pipeline/regions/region_evidence.h - clues from learnt regions: which classes a picture has, where, and
 * points inside of them. */
#ifndef WS_PIPELINE_REGIONS_REGION_EVIDENCE_H
#define WS_PIPELINE_REGIONS_REGION_EVIDENCE_H

#include "pipeline/regions/finder.h"
#include "pipeline/regions/network.h"

/* Peaks of painted regions are flat where a network's are sharp: this share of its threshold. */
#define WS_REGION_PEAK_SHARE 0.7

/* Of one picture. Begins as zeros; freed in any case. */
typedef struct ws_region_evidence {
    size_t n_classes; /* of the network */
    float *scores;    /* [proposals][n_classes] */
    double *picture;  /* [n_classes] */
    size_t n;         /* classes that the picture is taken to have, rising */
    int32_t *classes;
    wsam_clue_points *points; /* `fine`, `image` NULL; its classes are the n above */
    wsam_clue_map *maps;      /* [n]: where each class shows, 0 to 1, of the picture's size */
    float *values;            /* of the maps */
} ws_region_evidence;

/* Scores of all regions, classes, and with `with_maps` maps and points. `labels`: the picture's
 * classes in any order; NULL: those more probable than `least`. */
wsam_status ws_region_evidence_find(ws_region_network *net, const ws_regions *regions,
                                    const int32_t *labels, size_t n_labels, double least,
                                    const wsam_peak_params *peaks, int threads,
                                    ws_region_evidence *out, wsam_error *error);
/* Scores of regions that were added since. */
wsam_status ws_region_evidence_more(ws_region_network *net, const ws_regions *regions,
                                    ws_region_evidence *evidence, wsam_error *error);
void ws_region_evidence_free(ws_region_evidence *evidence);

/* The regions' own scores, less where the mask is unstable, for wsam_score_proposals with the maps
 * above. The evidence lives longer. */
void ws_region_evidence_scorer(const ws_region_evidence *evidence, wsam_scorer *scorer);

#endif
