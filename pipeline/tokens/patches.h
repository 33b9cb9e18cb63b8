/* pipeline/tokens/patches.h - the patches of a clue network alone: its tokens, without maps. */
#ifndef WS_PIPELINE_TOKENS_PATCHES_H
#define WS_PIPELINE_TOKENS_PATCHES_H

#include "pipeline/picture/normalise.h"
#include "weaksam/kernels.h"
#include "weaksam/model.h"
#include "weaksam/picture.h"
#include "weaksam/train.h"

/* Working memory for one model, which lives longer. */
typedef struct ws_patches {
    wsam_model *model;
    const wsam_kernels *kernels;
    int threads, patch;
    wsam_session *session;
    ws_pixel_table table;
} ws_patches;

wsam_status ws_patches_create(wsam_model *model, ws_patches **patches, wsam_error *error);
void ws_patches_free(ws_patches *patches);

/* Of an image whose long side becomes about `side`. `map` points into *state, which the caller
 * frees (wsam_image_free), after a failure, too. */
wsam_status ws_patches_run(ws_patches *patches, const wsam_picture *picture, int side,
                           wsam_progress_fn progress, void *progress_user, wsam_image **state,
                           wsam_feature_map *map, wsam_error *error);

#endif
