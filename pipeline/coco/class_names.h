/* pipeline/coco/class_names.h - the classes of a document by their names. */
#ifndef WS_PIPELINE_COCO_CLASS_NAMES_H
#define WS_PIPELINE_COCO_CLASS_NAMES_H

#include "weaksam/stages.h"

/* The place of the class called `name` (NULL: of none); n_classes: there is none. */
size_t ws_class_names_find(const wsam_coco_document *d, const char *name);

#endif
