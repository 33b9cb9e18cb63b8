/* pipeline/dataset/shard.h - the process that works on a shard: its lease and its journal.
 *
 * state/I-of-N.lease says who works on the shard; its note is the manifest that it works with ("-"
 * before that is known). A journal has one writer for ever: whoever takes the shard over from a
 * process that may still run begins a journal of its own, I-of-N.1.journal and so on. A process that
 * was taken for dead and wakes up adds to its own: records that are there twice are the same. */
#ifndef WS_PIPELINE_DATASET_SHARD_H
#define WS_PIPELINE_DATASET_SHARD_H

#include "pipeline/dataset/journal.h"
#include "pipeline/dataset/lease.h"

typedef struct ws_shard {
    ws_lease lease;
    char journal[80]; /* its name */
    char *path;
    int fd; /* of the journal; -1: not open */
} ws_shard;

/* The lease; OUTPUT/state is there. Waits where the owner may be gone, and calls options->progress
 * meanwhile. WSAM_ERR_CANCELLED: another process works on the shard. */
wsam_status ws_shard_take(ws_shard *shard, const wsam_run_options *options, wsam_error *error);
/* The journal, for appending. */
wsam_status ws_shard_open_journal(ws_shard *shard, const wsam_run_options *options,
                                  wsam_error *error);
/* Cuts off what a killed process left half written. */
wsam_status ws_shard_cut_journal(const ws_shard *shard, uint64_t end, wsam_error *error);
void ws_shard_release(ws_shard *shard);

/* Whether no process is at work under another manifest than `note` (NULL: under any), but that of
 * `own`: on a shard, or learning from the results. Waits until that is known; *busy is malloc'd, the name of a lease that is in use, or NULL. */
wsam_status ws_shards_idle(const char *output, const char *note, ws_lease *own, char **busy,
                           wsam_error *error);

#endif
