/* pipeline/coco/voc_xml.h - one PASCAL VOC annotation. */
#ifndef WS_PIPELINE_COCO_VOC_XML_H
#define WS_PIPELINE_COCO_VOC_XML_H

#include "pipeline/coco/dataset.h"

/* Appends a picture, named by the first `stem` bytes of `name`, and its objects. Classes are
 * numbered as they come: ids follow when all files are read. `path` is for messages. */
wsam_status ws_voc_parse(wsam_eval_truth *t, const char *text, size_t size, const char *path,
                         const char *name, size_t stem, wsam_error *error);

/* The place of a class in t->categories, appended when it is new. */
wsam_status ws_voc_class_index(wsam_eval_truth *t, const char *name, int32_t *index,
                               wsam_error *error);

#endif
