/* pipeline/regions/finder.h - the regions of a picture and their numbers: grid proposals of the
 * segmenter, described with the maps of all frozen networks that there are. */
#ifndef WS_PIPELINE_REGIONS_FINDER_H
#define WS_PIPELINE_REGIONS_FINDER_H

#include "pipeline/regions/region_describe.h"
#include "weaksam/backbone.h"
#include "weaksam/clues.h"
#include "weaksam/model.h"

/* Working memory of one worker. The models live longer. */
typedef struct ws_region_finder {
    wsam_proposer *proposer;
    wsam_clues *clues; /* NULL: no clue network's patches */
    wsam_clues_params params;
    wsam_backbone *backbone; /* NULL: no backbone's */
    wsam_backbone_params backbone_params;
    const char *kept;          /* a folder, or NULL */
    wsam_segmenter *segmenter; /* the caller's, to encode pictures whose regions were kept */
} ws_region_finder;

/* `network`: a backbone or a clue network whose patches are one more source, or NULL; `clue_size`
 * limits the long side of a clue network's view. */
wsam_status ws_region_finder_create(ws_region_finder *finder, wsam_model *model,
                                    wsam_model *network, int clue_size, wsam_error *error);
void ws_region_finder_free(ws_region_finder *finder);

/* What was found in one picture. Begins as zeros; freed in any case. */
typedef struct ws_regions {
    wsam_proposals *proposals; /* with masks */
    wsam_embedding *embedding;
    wsam_clues_result *tokens;
    wsam_backbone_result *patches;
    wsam_feature_map maps[WSAM_FEATURE_SOURCES];
    size_t n_maps;
    ws_region_layout layout;
    float *rows; /* [proposals->n][layout.count] */
} ws_regions;

/* Regions of the grid alone. Masks are kept whatever the options say. `image`: the name of the
 * picture, whose regions are read where they were kept in `finder->kept`; NULL: they are found. */
wsam_status ws_regions_find(ws_region_finder *finder, const wsam_picture *picture,
                            const char *image, const wsam_propose_options *options, ws_regions *out,
                            wsam_propose_stats *stats, wsam_error *error);
/* Proposals of these points behind the others, with their numbers. */
wsam_status ws_finder_add_region(ws_region_finder *finder, const wsam_picture *picture,
                                 const wsam_clue_points *points,
                                 const wsam_propose_options *options, ws_regions *regions,
                                 wsam_propose_stats *stats, wsam_error *error);
void ws_finder_free_regions(ws_regions *regions);

/* ---- kept.c: regions of the grid as files of a folder ---- */

/* HASH.regions (region_file.h) and, with their masks, HASH.proposals. */
wsam_status ws_kept_regions_store(const char *folder, const char *image, const ws_regions *regions,
                                  wsam_error *error);
/* Proposals and rows; *found = 0 where there are none that fit the picture and the layout. */
wsam_status ws_kept_regions_recall(const char *folder, const char *image,
                                   const wsam_picture *picture, ws_regions *regions, int *found,
                                   wsam_error *error);

#endif
