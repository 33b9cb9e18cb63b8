/* pipeline/tokens/frozen.h - token maps of images from a frozen network, whatever it is: a backbone,
 * a clue network's patches, a segmenter's embedding. */
#ifndef WS_PIPELINE_TOKENS_FROZEN_H
#define WS_PIPELINE_TOKENS_FROZEN_H

#include "pipeline/tokens/patches.h"
#include "weaksam/backbone.h"
#include "weaksam/model.h"
#include "weaksam/train.h"

/* Cells that a head looks at, at most; larger maps are pooled to it. */
enum { WS_MOST_CELLS = 576, WS_CELLS_PER_SIDE = 24 };

/* Working memory for one model, which lives longer. */
typedef struct ws_frozen {
    wsam_backbone *backbone;
    ws_patches *patches;
    wsam_segmenter *segmenter;
    int side; /* long side of the images that it looks at; a segmenter has its own */
} ws_frozen;

/* `side` 0: such that there are 24 cells. WSAM_ERR_MISMATCH where the model is none of them. */
wsam_status ws_frozen_create(ws_frozen *frozen, wsam_model *model, int side, wsam_error *error);
void ws_frozen_free(ws_frozen *frozen);
/* "backbone", "clues", "sam" */
const char *ws_frozen_name(const ws_frozen *frozen);

typedef struct ws_cell_map {
    size_t height, width, channels;
    float *values; /* [height][width][channels]; free() */
} ws_cell_map;

/* Tokens of an image at `scale` times the side, pooled. Those of the mirrored image are put back
 * into the cells that they show. */
wsam_status ws_frozen_run(ws_frozen *frozen, const wsam_picture *picture, double scale,
                          int mirrored, wsam_progress_fn progress, void *progress_user,
                          ws_cell_map *map, wsam_error *error);

/* Cells of an image and of its mirrored view as the file of its regions (clue_head.h). */
wsam_status ws_frozen_save(ws_frozen *frozen, const wsam_picture *picture,
                           wsam_progress_fn progress, void *progress_user, const char *path,
                           wsam_error *error);

#endif
