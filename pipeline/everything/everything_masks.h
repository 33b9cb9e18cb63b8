/* pipeline/everything/everything_masks.h - from logits to candidates: the part that runs on many
 * threads. */
#ifndef WS_PIPELINE_EVERYTHING_EVERYTHING_MASKS_H
#define WS_PIPELINE_EVERYTHING_EVERYTHING_MASKS_H

#include "pipeline/everything/everything.h"
#include "weaksam/masks.h"

/* A mask that passed the filters. Its run lengths are COCO text of the whole picture, or NULL as
 * long as they are not needed or were dropped. */
typedef struct ws_candidate {
    char *text;
    size_t length;
    uint64_t area;
    int32_t box[4]; /* inclusive; in the crop's frame until the crop is done */
    float iou, stability;
    double point[2]; /* of the crop */
    int crop, mask;
    int changed; /* by the clean-up */
    int leading; /* not suppressed so far */
} ws_candidate;

/* Working memory of one thread. */
typedef struct ws_mask_worker {
    void *scratch;
    uint64_t *bits;
    uint32_t *counts[2];
    size_t capacity[2];
    char *text;
    size_t text_capacity;
    void *regions;
    size_t regions_bytes;
} ws_mask_worker;

typedef struct ws_masks {
    const ws_logits_source *source;
    const wsam_everything_options *options;
    int height, width; /* of the picture */
    ws_crop crop;
    wsam_mask_plan plan;
    void *plan_memory;
    wsam_mask_rule rule;
    ws_mask_worker *workers;
    size_t plan_bytes, bits_bytes, scratch_bytes; /* the latter two of each worker */
} ws_masks;

/* Prepares for crops up to the picture's size. */
wsam_status ws_everything_masks_create(ws_masks *m, const ws_logits_source *source,
                                       const wsam_everything_options *options, int height,
                                       int width, wsam_error *error);
void ws_everything_masks_free(ws_masks *m);
wsam_status ws_everything_masks_begin(ws_masks *m, const ws_crop *crop,
                                      const wsam_mask_geometry *geometry, wsam_error *error);

/* Allocated here, candidates' texts not included. No task may run meanwhile. */
uint64_t ws_everything_masks_bytes(const ws_masks *m);

/* How far a mask came. */
typedef enum ws_fate {
    WS_FATE_LOW_IOU,
    WS_FATE_UNSTABLE,
    WS_FATE_AT_EDGE,
    WS_FATE_CANDIDATE,
    WS_FATE_NO_MEMORY
} ws_fate;

/* Measures one mask; fills c (point, crop, mask and iou are the caller's) up to where it failed.
 * The bits stay in the worker's memory for ws_everything_masks_text. */
ws_fate ws_everything_masks_measure(ws_masks *m, int worker, const float *logits, ws_candidate *c);

/* The text of the bits of the last ws_everything_masks_measure of this worker. 0 when there is no memory. */
int ws_everything_masks_text(ws_masks *m, int worker, ws_candidate *c);

/* Fills small holes and removes small islands of a candidate with text. 0 when there is no memory.
 */
int ws_everything_masks_clean(ws_masks *m, int worker, ws_candidate *c);

#endif
