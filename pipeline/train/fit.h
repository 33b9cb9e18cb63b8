/* pipeline/train/fit.h - how long to train, and what the labels say of it. */
#ifndef WS_PIPELINE_TRAIN_FIT_H
#define WS_PIPELINE_TRAIN_FIT_H

#include "pipeline/train/trainer.h"
#include "weaksam/train.h"

/* Non-zero stops. */
typedef int (*ws_fit_progress)(void *user, const ws_trainer *t, uint64_t iteration,
                               uint64_t iterations);

/* Trains two heads of stage 1 on half of the images each, as described at wsam_train. The images'
 * `truth` boxes, where they have some, are compared with the heads' own. */
wsam_status ws_fit(const ws_train_data *data, const ws_train_config *config,
                   const wsam_kernels *kernels, int threads, ws_fit_progress progress, void *user,
                   wsam_train_fit *fit, wsam_error *error);

/* `folder`/fit.json, and back: *found 0 where it is not there, is damaged, or is of other data or options. */
wsam_status ws_fit_save(const char *folder, uint64_t hash, const wsam_train_fit *fit,
                        wsam_error *error);
wsam_status ws_fit_load(const char *folder, uint64_t hash, wsam_train_fit *fit, int *found,
                        wsam_error *error);
/* Whatever it is of. */
wsam_status ws_fit_read(const char *path, wsam_train_fit *fit, int *found, wsam_error *error);

#endif
