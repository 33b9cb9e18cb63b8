/* pipeline/learn/self_train.h - the folder of a self-training, and its steps. */
#ifndef WS_PIPELINE_LEARN_SELF_TRAIN_H
#define WS_PIPELINE_LEARN_SELF_TRAIN_H

#include "pipeline/dataset/lease.h"
#include "pipeline/learn/learn.h"

enum { WS_LEARN_PATH = 4096 };
typedef char ws_path[WS_LEARN_PATH + 64];

/* What may end a step: a process that is asked to stop, or another that learns now. */
typedef struct ws_learning_watch {
    const wsam_self_train_events *events;
    ws_lease_keeper keeper;
} ws_learning_watch;

typedef struct ws_learning {
    const wsam_self_train_options *o;
    char folder[WS_LEARN_PATH]; /* OUTPUT/learn */
    ws_path reviewed;           /* OUTPUT/reviewed.json; empty: nobody has decided */
    size_t failed;              /* images whose masks failed */
    ws_learning_watch *watch;
} ws_learning;

/* Of each step. */
extern const char *const ws_learn_files[WSAM_SELF_TRAIN_STEPS];

/* FOLDER/NAME in `path`, which is returned. */
const char *ws_self_train_path(const ws_learning *l, ws_path path, const char *name);

/* The cache of fewer images to grow from. */
#define WS_LEARN_BEFORE "features.before"

/* ---- self_train_watch.c ---- */

/* For whatever reports progress with a ws_learning_watch as its user. */
int ws_self_train_progress(void *watch, double fraction);
int ws_self_train_training(void *watch, const wsam_train_progress *progress);

/* ---- self_train_key.c ---- */

/* Removes what does not follow from the options, classes, decisions and images of now. */
wsam_status ws_self_train_key_drop_stale(const ws_learning *l, wsam_error *error);

/* ---- self_train_steps.c ---- */

void ws_self_train_remark(const ws_learning *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* `labels` NULL: the first head, of image-level labels. */
wsam_status ws_self_train_train(const ws_learning *l, const char *labels, const char *state_folder,
                                const char *output, wsam_error *error);
/* What a head says of the proposals. */
wsam_status ws_self_train_score(const ws_learning *l, const char *head, const char *output,
                                wsam_error *error);

/* What a head said of the proposals, with what the stages say (blend.h). */
wsam_status ws_self_train_load_scores(const ws_learning *l, const char *scores,
                                      wsam_coco_document **d, wsam_error *error);
/* Pseudo labels of scored boxes, and what people decided. */
wsam_status ws_self_train_choose(const ws_learning *l, const char *scores, const char *output,
                                 wsam_error *error);
/* They take ten times the head's room. Logs and suspects stay. */
void ws_self_train_drop_checkpoints(const ws_learning *l, const char *state);

/* ---- self_train_retrain.c ---- */

/* The second head. After a review it is trained twice: on the first head's labels, then on those that it chose itself. */
wsam_status ws_self_train_retrain(const ws_learning *l, const char *output, wsam_error *error);
/* What the second head no longer needs when it is there. */
wsam_status ws_self_train_retrain_clear(const ws_learning *l, wsam_error *error);
/* All that a half-trained second head has left. */
wsam_status ws_self_train_retrain_drop(const ws_learning *l, wsam_error *error);

/* Removes the files of a folder, but not hidden ones or folders. */
wsam_status ws_self_train_cache_remove(const char *folder, wsam_error *error);

/* The cache, written to `output`. */
wsam_status ws_self_train_cache(const ws_learning *l, const char *output, wsam_error *error);
void ws_self_train_cache_drop_maps(const ws_learning *l);

#endif
