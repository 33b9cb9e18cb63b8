/* pipeline/coco/list_names.h - images.json beside results lists: what their ids mean.
 *
 * It begins with the lists that it is about, {"results":"scores.json" or {"results":["detections.json","scores.json"], so that readers know
 * that ids of these are meant. */
#ifndef WS_PIPELINE_COCO_LIST_NAMES_H
#define WS_PIPELINE_COCO_LIST_NAMES_H

#include <stdio.h>

#include "base/outputs.h"

typedef enum ws_list_owner { WS_LIST_NOBODY, WS_LIST_THIS, WS_LIST_OTHERS } ws_list_owner;

/* Whose names the images.json beside `list` has, whose path is *path (free() it): nobody's where it is not there or does
 * not say. */
wsam_status ws_list_names_owner(const char *list, char **path, ws_list_owner *owner,
                                wsam_error *error);

/* Writes images.json beside `list`. `classes` is its line before the images, "categories":[...] and a comma. A file that is there and says the
 * same of other lists, which are still there, becomes one of all of them, even if one of both has more classes behind the common
 * ones; any other is replaced. */
wsam_status ws_list_names_write(ws_outputs *out, const char *list, const char *classes,
                                FILE *images, wsam_error *error);

/* "images":[...] with the records of `images`; `path` is for messages. */
wsam_status ws_list_names_copy(FILE *images, const char *path, FILE *to, wsam_error *error);

#endif
