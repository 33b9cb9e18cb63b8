/* pipeline/dataset/picker.h - the next picture of a shard; when it is through and may help, of
 * others. */
#ifndef WS_PIPELINE_DATASET_PICKER_H
#define WS_PIPELINE_DATASET_PICKER_H

#include <pthread.h>

#include "pipeline/dataset/claims.h"

typedef struct ws_picker {
    const wsam_run_options *o;
    const ws_manifest *manifest;
    const ws_journals *journals; /* as they were at the start */
    ws_journals fresh;           /* as they were when an abandoned block was found; empty before */
    ws_claims claims;
    int steals;
    pthread_mutex_t lock;
    size_t next;             /* own picture to look at */
    size_t block_end;        /* own pictures below it, counted within the shard, are claimed */
    size_t theft, theft_end; /* of another shard's block: the next, and the end */
    size_t given;            /* own pictures that are in the hands of others */
} ws_picker;

wsam_status ws_picker_open(ws_picker *picker, const wsam_run_options *options,
                           const ws_manifest *manifest, const ws_journals *journals,
                           wsam_error *error);
void ws_picker_close(ws_picker *picker);

/* What there was of a picture at the start; `failed` may be asked for again. */
ws_progress ws_picker_progress(const ws_picker *picker, size_t i, int *failed);
/* 0: there is none. From any thread. *error is left alone unless *status is. */
int ws_picker_next(ws_picker *picker, size_t *i, wsam_status *status, wsam_error *error);
int ws_picker_is_own(const ws_picker *picker, size_t i);

#endif
