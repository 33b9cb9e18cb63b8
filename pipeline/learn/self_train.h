/* pipeline/learn/self_train.h - the folder of a self-training, and its steps. */
#ifndef WS_PIPELINE_LEARN_SELF_TRAIN_H
#define WS_PIPELINE_LEARN_SELF_TRAIN_H

#include "pipeline/learn/learn.h"

enum { WS_LEARN_PATH = 4096 };
typedef char ws_path[WS_LEARN_PATH + 64];

typedef struct ws_learning {
    const wsam_self_train_options *o;
    char folder[WS_LEARN_PATH]; /* OUTPUT/learn */
    ws_path reviewed;           /* OUTPUT/reviewed.json; empty: nobody has decided */
    size_t failed;              /* images whose masks failed */
} ws_learning;

/* FOLDER/NAME in `path`, which is returned. */
const char *ws_learn_path(const ws_learning *l, ws_path path, const char *name);

/* Removes the files of a folder, but not hidden ones or folders. */
void ws_remove_files(const char *folder);

/* The cache, written to `output`. */
wsam_status ws_learn_cache(const ws_learning *l, const char *output, wsam_error *error);
void ws_learn_drop_maps(const ws_learning *l);

#endif
