/* pipeline/train/log.h - `folder`/log.jsonl: a line per interval of a run, for whoever looks at it
 * meanwhile or afterwards.
 *
 * Intervals are counted in iterations, and what a line says follows from the trainer's state alone:
 * a run that was stopped and resumed leaves the bytes of one that nobody disturbed. */
#ifndef WS_PIPELINE_TRAIN_LOG_H
#define WS_PIPELINE_TRAIN_LOG_H

#include "pipeline/train/trainer.h"
#include "weaksam/train.h"

/* Whether an interval ends with the iteration that was the last: every hundredth, and the last of
 * an epoch. */
int ws_log_due(const ws_trainer *t);
/* Adds the line of that interval, and flushes it to the disk: a checkpoint that follows counts on
 * it. */
wsam_status ws_log_append(const ws_trainer *t, const wsam_train_set *set, const char *folder,
                          wsam_error *error);
/* Cuts off the lines behind iteration `last`, which a resumed run writes again. */
wsam_status ws_log_cut(const char *folder, uint64_t last, wsam_error *error);

#endif
