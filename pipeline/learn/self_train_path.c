/* pipeline/learn/self_train_path.c - files of a learning run. */
#include <stdio.h>

#include "pipeline/learn/self_train.h"

const char *const ws_learn_files[WSAM_SELF_TRAIN_STEPS] = {
    "features",        "mil.wsam",   "scores.json", "pgt.json",   "head.wsam",
    "detections.json", "boxes.json", "judged.json", "masks.json", "review.html"};

const char *wsam_self_train_step_name(wsam_self_train_step step)
{
    return (unsigned)step < WSAM_SELF_TRAIN_STEPS ? ws_learn_files[step] : NULL;
}

const char *ws_self_train_path(const ws_learning *l, ws_path path, const char *name)
{
    snprintf(path, sizeof(ws_path), "%s/%s", l->folder, name);
    return path;
}
