/* pipeline/train/train_report.h - what a run leaves for people: loss curves, RoI drop, suspects. */
#ifndef WS_PIPELINE_TRAIN_TRAIN_REPORT_H
#define WS_PIPELINE_TRAIN_TRAIN_REPORT_H

#include "base/json_writer.h"
#include "pipeline/train/trainer.h"
#include "weaksam/train.h"

/* Members of an object: what RoI drop did in a span, over all classes and by class. */
void ws_train_report_counts(const ws_trainer *t, int span, const wsam_train_set *set, ws_text *j);
/* `folder`/epoch-NN.json: counters of RoI drop since the last epoch's end. */
wsam_status ws_train_report_epoch(const ws_trainer *t, const wsam_train_set *set,
                                  const char *folder, wsam_error *error);
/* `folder`/pgt_suspects.json: pseudo labels dropped in more than half of at least 20 uses, most
 * suspect first; `folder`/pgt_uses.json: all of them, in their order. */
wsam_status ws_train_report_suspects(const ws_trainer *t, const char *const *names,
                                     const int64_t *ids, const wsam_train_set *set,
                                     const char *folder, wsam_error *error);
/* `out`.svg */
wsam_status ws_train_report_curves(const ws_trainer *t, const char *out, wsam_error *error);

#endif
