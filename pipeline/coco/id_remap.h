/* pipeline/coco/id_remap.h - what the ids of another file are in the truth. */
#ifndef WS_PIPELINE_COCO_ID_REMAP_H
#define WS_PIPELINE_COCO_ID_REMAP_H

#include "pipeline/coco/dataset.h"

typedef struct ws_names ws_names;

/* Reads `images` and `categories` of a file; *sections tells which lists it has. Free *names also
 * after a failure. */
wsam_status ws_id_remap_read(const wsam_eval_truth *t, const char *path, ws_names **names,
                             unsigned *sections, wsam_error *error);
void ws_id_remap_free(ws_names *names); /* NULL is allowed */

/* Indices in the truth; -1: the file has no such id; -2: the truth does not have what it is. */
int32_t ws_id_remap_image(const ws_names *names, int64_t id);
int32_t ws_id_remap_category(const ws_names *names, int64_t id);

#endif
