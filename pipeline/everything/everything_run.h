/* pipeline/everything/everything_run.h - one call of the mask generator: what its files share. */
#ifndef WS_PIPELINE_EVERYTHING_EVERYTHING_RUN_H
#define WS_PIPELINE_EVERYTHING_EVERYTHING_RUN_H

#include "pipeline/everything/everything_masks.h"

typedef struct ws_candidate_list {
    ws_candidate *items;
    size_t n, capacity;
} ws_candidate_list;

typedef struct ws_generator_run {
    const ws_logits_source *source;
    const wsam_everything_options *options;
    wsam_everything_stats *stats;
    wsam_error *error;
    int height, width;
    ws_masks masks;
    ws_crop crops[WS_MAX_CROPS];
    int n_crops;
    ws_candidate_list found; /* of this crop */
    ws_candidate_list kept;  /* of the crops before, boxes in the picture's frame */
    /* One decoder call. */
    size_t batch; /* prompts */
    size_t logits_of_mask;
    double *points; /* [batch][2] */
    float *iou, *logits;
    ws_candidate *answers; /* [batch][masks] */
    ws_fate *fates;
    /* A hierarchical grid: the points of this pass (NULL: all, in order), and whether a confident
     * mask of the first pass covers a point. */
    uint32_t *selected;
    uint8_t *covered;
    size_t grid_capacity;
    /* Scratch of NMS, and its result. */
    float *boxes, *scores;
    uint64_t *order;
    uint32_t *keep;
    size_t n_keep, nms_capacity;
    uint64_t text_bytes;
    size_t points_total;
    double work_done, work_total; /* in prompts */
    double encoding;              /* work of the crop that is being encoded */
} ws_generator_run;

/* ---- everything_options.c ---- */

wsam_status ws_everything_check_options(const wsam_everything_options *o, wsam_error *error);

/* ---- everything_progress.c ---- */

/* Work beside the prompts, as parts of theirs. Rough: models differ in it. */
#define WS_ENCODE_WORK 0.25
#define WS_CLEAN_WORK  0.1
#define WS_EMIT_WORK   0.05

/* Counts the points of all crops, and the work that they are. */
void ws_everything_progress_plan(ws_generator_run *r);
/* The encoder's own fraction; user: the run. */
int ws_everything_progress_encode(void *user, double fraction);
/* So much more is done; WSAM_ERR_CANCELLED where the progress function says so. */
wsam_status ws_everything_progress_advance(ws_generator_run *r, double work);

/* ---- everything_decode.c ---- */

wsam_status ws_everything_decode_reserve(ws_generator_run *r, const wsam_mask_geometry *g);
void ws_everything_decode_free(ws_generator_run *r);

/* Decodes points [first, first + n) of this pass over a crop, n at most r->batch; those that pass the
 * filters are in r->found then. */
wsam_status ws_everything_decode(ws_generator_run *r, size_t first, size_t n, int crop);

/* Makes the run lengths that are missing among n candidates of the current crop, as long as all of
 * them together stay below `limit` bytes. */
wsam_status ws_everything_decode_texts(ws_generator_run *r, ws_candidate *items, size_t n,
                                       uint64_t limit);

/* ---- everything_hierarchy.c ---- */

/* Every fourth point of every fourth row of a crop's grid becomes this pass; *n is their number. */
wsam_status ws_hierarchy_begin(ws_generator_run *r, int crop, size_t *n);
/* A mask of the first pass that passed the filters, and its logits. */
void ws_hierarchy_cover(ws_generator_run *r, const ws_candidate *c, const float *logits);
/* The points that are left become this pass; returns their number. */
size_t ws_hierarchy_rest(ws_generator_run *r, int crop);
void ws_hierarchy_end(ws_generator_run *r);

/* ---- everything_nms.c ---- */

typedef float (*ws_score_fn)(const ws_generator_run *r, const ws_candidate *c);

wsam_status ws_everything_nms_append(ws_generator_run *r, ws_candidate_list *list,
                                     const ws_candidate *c);
void ws_everything_nms_free_list(ws_candidate_list *list);
void ws_everything_nms_drop_text(ws_generator_run *r, ws_candidate *c);

/* The places in the list of those that stay, best first, in r->keep[0..n_keep). */
wsam_status ws_everything_nms(ws_generator_run *r, const ws_candidate_list *list, ws_score_fn score,
                              double threshold);
/* Reorders a list to the result of NMS; the others go. */
wsam_status ws_everything_nms_apply(ws_generator_run *r, ws_candidate_list *list);
/* Whether one that is kept so far suppresses c, which would come last among equals. */
int ws_everything_nms_suppressed(const ws_generator_run *r, const ws_candidate *c);

/* Drops run lengths beyond the options' mask_memory. */
void ws_everything_nms_save_memory(ws_generator_run *r);
/* Writes the peak of what this call holds, with another list (or NULL), into the statistics. */
void ws_everything_nms_note_memory(const ws_generator_run *r, const ws_candidate_list *other);

#endif
