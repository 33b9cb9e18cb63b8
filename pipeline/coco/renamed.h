/* pipeline/coco/renamed.h - classes that `run --rename` shows under other names: final.json says which, in
 * info.parameters.renamed, a shown name for each label. What people decide is kept under the names of the labels, so
 * that it fits whatever the classes are called later. */
#ifndef WS_PIPELINE_COCO_RENAMED_H
#define WS_PIPELINE_COCO_RENAMED_H

#include <cjson/cJSON.h>

#include "base/error.h"

typedef struct ws_renamed {
    cJSON *root;        /* of all of `info` */
    const cJSON *names; /* label: shown; NULL: nothing is renamed */
} ws_renamed;

/* A file that says nothing renames nothing. Call ws_renamed_free in any case. */
wsam_status ws_renamed_read(const char *path, ws_renamed *renamed, wsam_error *error);
void ws_renamed_free(ws_renamed *renamed);

/* What a label is shown as. */
const char *ws_renamed_shown(const ws_renamed *renamed, const char *label);
/* The label of a shown name. Of several that are shown under one name it is the one that has it itself; where none has,
 * the name stays. */
const char *ws_renamed_label(const ws_renamed *renamed, const char *shown);

#endif
