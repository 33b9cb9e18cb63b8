/* pipeline/tokens/learnt.h - a clue file whose head was trained on a frozen network, as a clue
 * network: maps and logits of one view. */
#ifndef WS_PIPELINE_TOKENS_LEARNT_H
#define WS_PIPELINE_TOKENS_LEARNT_H

#include "pipeline/tokens/clue_loss.h"
#include "pipeline/tokens/frozen.h"
#include "weaksam/kernels.h"

typedef struct ws_learnt {
    wsam_model *model;
    ws_frozen frozen;
    wsam_session *session;
    const wsam_kernels *kernels;
    size_t classes;
} ws_learnt;

int ws_learnt_is_one(const wsam_model *model);
wsam_status ws_learnt_create(wsam_model *model, ws_learnt **learnt, wsam_error *error);
void ws_learnt_free(ws_learnt *learnt);
/* Pixels per cell, about. */
int ws_learnt_patch(const ws_learnt *learnt);

/* Of one view; ws_learnt_view_free in any case. Maps have a plane per class. */
typedef struct ws_learnt_view {
    ws_cell_map tokens;
    float *logits;                /* [classes] */
    float *coarse, *fine, *cross; /* [classes][height][width] */
} ws_learnt_view;

/* coarse: what the map branch takes for the class, 0 to 1; fine: its mean over the 20 cells that
 * look most alike (cosine of centred tokens, as weights); cross: the query's attention. */
wsam_status ws_learnt_run(ws_learnt *learnt, const wsam_picture *picture, double scale,
                          int mirrored, wsam_progress_fn progress, void *progress_user,
                          ws_learnt_view *view, wsam_error *error);
void ws_learnt_view_free(ws_learnt_view *view);

#endif
