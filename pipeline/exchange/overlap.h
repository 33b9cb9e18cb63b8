/* pipeline/exchange/overlap.h - whether objects and images of several documents are the same. */
#ifndef WS_PIPELINE_EXCHANGE_OVERLAP_H
#define WS_PIPELINE_EXCHANGE_OVERLAP_H

#include "weaksam/stages.h"

/* IoU of the masks where both have one, else of the boxes. */
double ws_overlap_iou(const wsam_instance *a, const wsam_instance *b, int height, int width);

typedef struct ws_member {
    size_t document, image;
} ws_member;

/* Images of all documents by their names, in the order in which they come first. */
typedef struct ws_image_groups {
    size_t n;
    size_t *first; /* [n + 1] */
    ws_member *members;
} ws_image_groups;

wsam_status ws_overlap_groups_make(const wsam_coco_document *const *documents, size_t n,
                                   ws_image_groups *groups, wsam_error *error);
void ws_overlap_groups_free(ws_image_groups *groups);

#endif
