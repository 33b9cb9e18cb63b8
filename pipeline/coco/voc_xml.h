/* pipeline/coco/voc_xml.h - one PASCAL VOC annotation. */
#ifndef WS_PIPELINE_COCO_VOC_XML_H
#define WS_PIPELINE_COCO_VOC_XML_H

#include <expat.h>

#include "pipeline/coco/dataset.h"

/* The status of a parse that expat has given up. */
static inline wsam_status ws_xml_status(XML_Parser parser)
{
    return XML_GetErrorCode(parser) == XML_ERROR_NO_MEMORY ? WSAM_ERR_MEMORY : WSAM_ERR_FORMAT;
}

/* Appends a picture, named by the first `stem` bytes of `name`, and its objects. Classes are
 * numbered as they come: ids follow when all files are read. `path` is for messages. */
wsam_status ws_voc_xml_parse(wsam_eval_truth *t, const char *text, size_t size, const char *path,
                             const char *name, size_t stem, wsam_error *error);

/* The place of a class in t->categories, appended when it is new. */
wsam_status ws_voc_xml_class(wsam_eval_truth *t, const char *name, int32_t *index,
                             wsam_error *error);

#endif
