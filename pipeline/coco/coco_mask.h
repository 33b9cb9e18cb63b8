/* pipeline/coco/coco_mask.h - segmentations of files to masks, and masks to run lengths. */
#ifndef WS_PIPELINE_COCO_COCO_MASK_H
#define WS_PIPELINE_COCO_COCO_MASK_H

#include "pipeline/coco/dataset.h"
#include "pipeline/coco/records.h"

/* Working memory; start from zeros. */
typedef struct ws_mask_reader {
    uint64_t max_pixels;
    wsam_rle rle, part, both; /* rle: the mask that was read last */
    uint64_t *crossings;
    size_t n_crossings;
    ws_text text;
} ws_mask_reader;

/* Checks a segmentation of a picture of height x width (0: not known) and keeps it as text. */
wsam_status ws_coco_mask_read(ws_mask_reader *m, const ws_segmentation *s, int32_t height,
                              int32_t width, ws_store *store, ws_mask *mask, wsam_error *error);
/* An empty list, which some programs write for boxes without a mask. */
static inline int ws_mask_empty(const ws_segmentation *s)
{
    return s->kind == WS_SEG_POLYGONS && !s->n_ends;
}
void ws_coco_mask_reader_free(ws_mask_reader *m);

/* The run lengths of a kept mask; rle->counts grows. 0 when there is no memory. */
int ws_coco_mask_decode(const ws_mask *mask, wsam_rle *rle);

#endif
