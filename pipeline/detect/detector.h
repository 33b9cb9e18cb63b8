/* pipeline/detect/detector.h - the steps of a detector between its graphs. */
#ifndef WS_PIPELINE_DETECT_DETECTOR_H
#define WS_PIPELINE_DETECT_DETECTOR_H

#include "base/error.h"
#include "kernels/boxes.h"
#include "pipeline/picture/normalise.h"
#include "weaksam/detector.h"
#include "weaksam/kernels.h"

typedef enum ws_detector_rules {
    WS_DETECTOR_TORCHVISION,
    WS_DETECTOR_DETECTRON2,
    WS_DETECTOR_MMDETECTION
} ws_detector_rules;

enum {
    WS_DETECTOR_LEVELS = 5, /* of the RPN */
    WS_DETECTOR_MAPS = 4,   /* that boxes are pooled from */
    WS_DETECTOR_PROPOSALS = 1000,
    WS_DETECTOR_MOST_ROIS = 4096, /* of a file */
    WS_DETECTOR_CHUNK = 250,      /* boxes that the box head takes at a time: 12 MB of features */
    WS_DETECTOR_MASK_CHUNK = 16   /* and the mask head */
};

/* A head on pooled boxes: its session, and the state that its prompts are run with. */
typedef struct ws_detector_head {
    wsam_session *session;
    wsam_image *state;
    size_t chunk;
} ws_detector_head;

struct wsam_detector {
    wsam_model *model;
    const wsam_kernels *kernels;
    int threads;
    wsam_session *maps;
    wsam_image *state; /* of the last size */
    int state_height, state_width;
    void *room; /* ws_detector_room */
    size_t room_bytes;
    ws_detector_head boxes, masks;
    ws_detector_rules rules;
    int short_side, long_side;
    int bins, mask_bins; /* mask_bins 0: no masks */
    size_t slots, deltas, mask_classes, n_classes;
    char (*names)[128];
    ws_pixel_table table;
};

/* A picture as the network sees it. */
typedef struct ws_detector_input {
    int height, width; /* of the picture */
    int resized_height, resized_width;
    int padded_height, padded_width; /* multiples of 32 */
    float *pixels;                   /* [padded_height][padded_width][3], in the detector's room */
} ws_detector_input;

/* What the graph `detector` gave; the maps point into `state`. */
typedef struct ws_detector_maps {
    wsam_image *state;
    wsam_tensor fpn[WS_DETECTOR_LEVELS], objectness[WS_DETECTOR_LEVELS], deltas[WS_DETECTOR_LEVELS];
} ws_detector_maps;

/* prepare.c. Sizes of a resized picture: height, width. */
void ws_detector_prepare_size(const wsam_detector *d, int height, int width, int short_side,
                              int long_side, int size[2]);
/* room.c. Memory of the detector for what one stage hands to the next: an image's pixels until its maps are
 * there, then the features of boxes. It stays, as 13 MB of fresh pages take 5 ms. */
void *ws_detector_room(wsam_detector *d, size_t bytes, wsam_error *error);

/* prepare.c. Resized, normalised, padded. */
wsam_status ws_detector_prepare(wsam_detector *d, const wsam_picture *picture,
                                const wsam_detector_params *params, ws_detector_input *in,
                                wsam_error *error);

/* proposals.c: boxes in pixels of the resized picture, best first. */
wsam_status ws_detector_proposals(const wsam_detector *d, const ws_detector_input *in,
                                  const ws_detector_maps *maps,
                                  float boxes[WS_DETECTOR_PROPOSALS][4], size_t *n,
                                  wsam_error *error);

/* pool.c: features [n][bins][bins][channels] of boxes on the level that fits each. */
void ws_detector_pool(const wsam_detector *d, const ws_detector_maps *maps, const float (*boxes)[4],
                      size_t n, int bins, float *out);

/* heads.c: logits [n][slots] and deltas [n][4 * deltas]; logits of masks of one class each,
 * [n][side][side], or of all classes, [n][classes][side][side], where `slots` is NULL. */
wsam_status ws_detector_box_head(wsam_detector *d, const ws_detector_maps *maps,
                                 const float (*boxes)[4], size_t n, float *logits, float *deltas,
                                 wsam_error *error);
wsam_status ws_detector_mask_head(wsam_detector *d, const ws_detector_maps *maps,
                                  const float (*boxes)[4], const size_t *classes, size_t n,
                                  float *logits, wsam_error *error);

/* keep.c: a box that is kept, in both frames. */
typedef struct ws_detector_box {
    float score, resized[4], box[4];
    int32_t class_index;
} ws_detector_box;

/* Scores, boxes and NMS of every class; *kept is malloc'd. */
wsam_status ws_detector_keep(const wsam_detector *d, const ws_detector_input *in,
                             const wsam_detector_params *params, const float (*proposals)[4],
                             size_t n, const float *logits, const float *deltas,
                             ws_detector_box **kept, size_t *n_kept, wsam_error *error);

/* masks.c: probabilities [n][side][side] of boxes with their classes; the masks of detections, which
 * have their boxes, drawn from them. */
wsam_status ws_detector_mask_values(wsam_detector *d, const ws_detector_maps *maps,
                                    const ws_detector_box *kept, size_t n, float *values,
                                    wsam_error *error);
wsam_status ws_detector_draw_masks(const wsam_detector *d, float *values, wsam_detections *out,
                                   wsam_error *error);
/* Both, for one view. */
wsam_status ws_detector_masks(wsam_detector *d, const ws_detector_maps *maps,
                              const ws_detector_box *kept, wsam_detections *out, wsam_error *error);

/* views.c: a picture seen several times (params->n_scales). */
wsam_status ws_detector_views(wsam_detector *d, const wsam_picture *picture,
                              const wsam_detector_params *params, wsam_detections **out,
                              wsam_error *error);

/* detections.c: the boxes of a document, with their masks, as detections of a picture. */
wsam_status ws_detections_of(const wsam_instances *instances, int height, int width,
                             wsam_detections **out, wsam_error *error);

/* detector.c: the graph `detector` on a prepared picture (its maps stay until the next), the boxes
 * that are kept (free), and detections without masks. */
wsam_status ws_detector_find_boxes(wsam_detector *d, const ws_detector_input *in,
                                   const ws_detector_maps *maps, const wsam_detector_params *params,
                                   ws_detector_box **kept, size_t *n, wsam_error *error);
wsam_status ws_detector_result(const wsam_picture *picture, const ws_detector_box *kept, size_t n,
                               wsam_detections **out, wsam_error *error);
wsam_status ws_detector_run_maps(wsam_detector *d, const ws_detector_input *in,
                                 const wsam_detector_params *params, ws_detector_maps *maps,
                                 wsam_error *error);

#endif
