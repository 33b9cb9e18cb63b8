/* pipeline/detect/mist_stage.h - MIST as the scores of a run. */
#ifndef WS_PIPELINE_DETECT_MIST_STAGE_H
#define WS_PIPELINE_DETECT_MIST_STAGE_H

#include "weaksam/detector.h"

typedef struct ws_mist_stage {
    wsam_mist *mist;
    int32_t *class_of; /* the run's class of each of MIST's; -1: the run has no such class */
} ws_mist_stage;

/* Classes are found by their names; WSAM_ERR_MISMATCH when a class of the run is unknown. */
wsam_status ws_mist_stage_open(wsam_model *model, const char *const *names, size_t n,
                               ws_mist_stage *stage, wsam_error *error);
void ws_mist_stage_close(ws_mist_stage *stage);

/* Scored boxes of the proposals of a picture, in the classes of the run. */
wsam_status ws_mist_stage_score(const ws_mist_stage *stage, const wsam_picture *picture,
                                const wsam_proposals *proposals, const wsam_mist_params *params,
                                wsam_instances *out, wsam_error *error);

#endif
