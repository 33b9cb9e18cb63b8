/* pipeline/coco/box_overlap.h - boxes [x, y, width, height] of records against each other. */
#ifndef WS_PIPELINE_COCO_BOX_OVERLAP_H
#define WS_PIPELINE_COCO_BOX_OVERLAP_H

/* The area that both cover. */
double ws_box_overlap(const double a[4], const double b[4]);

/* Its share of the area that either covers, 0 to 1. */
double ws_box_overlap_iou(const double a[4], const double b[4]);

#endif
