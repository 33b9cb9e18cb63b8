/* pipeline/coco/outline.h - masks as polygons along pixel edges, and back. */
#ifndef WS_PIPELINE_COCO_OUTLINE_H
#define WS_PIPELINE_COCO_OUTLINE_H

#include "pipeline/coco/coco_mask.h"
#include "weaksam/stages.h"

/* Closed rings of one mask: outer ones and holes (weaksam/masks.h). Free with ws_outline_free. */
typedef struct ws_outline {
    size_t n;
    wsam_contour *rings;
    int32_t *xy; /* vertices: x, y pairs */
    size_t holes, parts;
} ws_outline;

wsam_status ws_outline_of(const wsam_instance *a, int height, int width, ws_outline *o,
                          wsam_error *error);
void ws_outline_free(ws_outline *o);

/* All rings as one polygon for formats that have one polygon an object: after every ring the pen
 * returns to the first vertex of the first ring, so that the bridges are drawn twice and cancel
 * under the even-odd rule: the mask comes back exactly. *xy: x, y pairs, free(). */
wsam_status ws_outline_bridged(const ws_outline *o, int32_t **xy, size_t *points,
                               wsam_error *error);

/* Polygons of one object in a file: numbers, and where each polygon ends. Start from zeros. */
typedef struct ws_polygons {
    ws_segmentation s;
    ws_mask_reader reader;
} ws_polygons;

void ws_outline_polygons_clear(ws_polygons *p); /* the next object */
wsam_status ws_outline_polygons_point(ws_polygons *p, double x, double y, wsam_error *error);
wsam_status ws_outline_polygons_end(ws_polygons *p, wsam_error *error);
/* The union of the polygons as the mask, area and box of `a`, by the rules of pycocotools. A union
 * that holds no pixel leaves `a` with the box of its vertices and no mask. */
wsam_status ws_outline_polygons_mask(ws_polygons *p, int height, int width, wsam_instance *a,
                                     wsam_error *error);
void ws_outline_polygons_free(ws_polygons *p);

/* The mask of rows of bytes (not 0: set): counts, area and box of `a`; an empty one leaves `a`
 * as it is. */
wsam_status ws_outline_mask_of_bytes(const uint8_t *bytes, int height, int width, wsam_instance *a,
                                     wsam_error *error);
/* The reverse: rows of 0 and 1; free(). NULL when there is no memory or the text is damaged. */
uint8_t *ws_outline_bytes_of_mask(const wsam_instance *a, int height, int width);

#endif
