/* pipeline/learn/self_train_path.c - files of a learning run. */
#include <stdio.h>

#include "pipeline/learn/self_train.h"

const char *ws_learn_path(const ws_learning *l, ws_path path, const char *name)
{
    snprintf(path, sizeof(ws_path), "%s/%s", l->folder, name);
    return path;
}
