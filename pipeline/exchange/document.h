/* pipeline/exchange/document.h - a COCO document built image by image, and facts about it. */
#ifndef WS_PIPELINE_EXCHANGE_DOCUMENT_H
#define WS_PIPELINE_EXCHANGE_DOCUMENT_H

#include "base/error.h"
#include "weaksam/stages.h"

typedef struct ws_builder {
    wsam_coco_document *d;
    size_t image_capacity, class_capacity, object_capacity;
    int64_t next_id; /* of objects without one */
} ws_builder;

wsam_status ws_document_start(ws_builder *b, wsam_error *error);
/* Objects that follow belong to this image. */
wsam_status ws_document_add_image(ws_builder *b, const char *name, int width, int height,
                                  wsam_error *error);
/* How far a person is with the image begun last (wsam_review_state). */
void ws_document_add_review(ws_builder *b, wsam_review_state review);
/* The place of a class, appended when it is new. */
wsam_status ws_document_add_class(ws_builder *b, const char *name, int32_t *index,
                                  wsam_error *error);
/* Takes over what `a` owns, also on failure. */
wsam_status ws_document_add_object(ws_builder *b, wsam_instance *a, wsam_error *error);
/* Frees what an instance owns. */
void ws_document_clear_instance(wsam_instance *a);
/* The finished document, or NULL after a failure; the builder is empty afterwards. */
wsam_coco_document *ws_document_finish(ws_builder *b, wsam_status status);

/* Image i for a writer, and whether a person is done with it. */
wsam_coco_image ws_document_image(const wsam_coco_document *d, size_t i);
int ws_document_complete(const wsam_coco_document *d, size_t i);

/* "accepted", "drawn", "rejected", or NULL; and the reverse. */
const char *ws_document_reviewed_name(wsam_reviewed reviewed);
wsam_reviewed ws_document_reviewed_of(const char *name);

#endif
