/* weaksam/detector.h - objects in a picture by a detector that was trained elsewhere: Faster R-CNN
 * and Mask R-CNN of torchvision, detectron2 and mmdetection.
 *
 * A detector's file has the graphs `detector`, `detector_boxes` and, with masks, `detector_masks`;
 * wsam_convert makes it from a checkpoint. Each library resizes, places anchors, pools, suppresses
 * and pastes a little differently; a file runs by the rules of the library that it comes from.
 *
 * Threads: a wsam_detector belongs to one thread at a time (it uses the model's thread count
 * inside); any number of detectors may share a model. Same file, picture and level: the same bytes
 * with any number of threads. */
#ifndef WEAKSAM_DETECTOR_H
#define WEAKSAM_DETECTOR_H

#include "weaksam/masks.h"
#include "weaksam/picture.h"
#include "weaksam/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Working memory for one model, and what it says of itself. */
typedef struct wsam_detector wsam_detector;

/* WSAM_ERR_MISMATCH when the model has no graph `detector`. The caller frees *detector with
 * wsam_detector_free, before the model. */
WSAM_API wsam_status wsam_detector_create(wsam_model *model, wsam_detector **detector,
                                          wsam_error *error);
WSAM_API void wsam_detector_free(wsam_detector *detector); /* NULL is allowed */

/* The number of classes, without the background. */
WSAM_API size_t wsam_detector_class_count(const wsam_detector *detector);
/* The name of a class, from 0; NULL out of range. Classes without a name are called "class N". */
WSAM_API const char *wsam_detector_class_name(const wsam_detector *detector, size_t index);
/* 1 when it gives masks, too. */
WSAM_API int wsam_detector_has_masks(const wsam_detector *detector);

enum { WSAM_DETECTOR_SCALES = 32 };

/* How a picture is run. */
typedef struct wsam_detector_params {
    double min_score;          /* of a class: above it; 0.05 */
    double nms;                /* of a class: boxes above this IoU with a better one go; 0.5 */
    size_t most;               /* the best of all classes that are kept; 100 */
    int masks;                 /* 1: with masks, where the detector has them */
    int short_side, long_side; /* the picture is resized to the first, and at most the second; 0: as
                                  the detector was trained */
    /* Test-time augmentation: the picture is seen at each of these shorter sides, and mirrored, too;
     * all boxes together go through NMS again, masks are the mean of all views. 0: one view */
    int n_scales, scales[WSAM_DETECTOR_SCALES];
    int mirror;                /* 1: each view mirrored, too; 1 */
    int view_long_side;        /* most of a view: 2000 */
    wsam_progress_fn progress; /* of a view, between steps; may cancel; NULL */
    void *progress_user;
    uint64_t reserved[4]; /* zero */
} wsam_detector_params;

/* The defaults; call it before fields are changed. */
WSAM_API void wsam_detector_params_default(wsam_detector_params *params);
/* The scales of WeakSAM's Faster R-CNN for VOC: 480, 576, 688, 864, 1000, 1200. */
WSAM_API void wsam_detector_params_augment(wsam_detector_params *params);

/* One object. */
typedef struct wsam_detection {
    int32_t class_index;
    float score;
    float box[4];  /* x0, y0, x1, y1, exclusive pixels of the picture */
    wsam_rle mask; /* n 0: none */
} wsam_detection;

/* The objects of a picture, best first. */
typedef struct wsam_detections {
    int height, width; /* of the picture */
    size_t n;
    wsam_detection *items;
    double prepare_s, maps_s, boxes_s, masks_s; /* seconds */
} wsam_detections;

/* Finds objects. The caller frees *detections with wsam_detections_free. */
WSAM_API wsam_status wsam_detector_run(wsam_detector *detector, const wsam_picture *picture,
                                       const wsam_detector_params *params,
                                       wsam_detections **detections, wsam_error *error);
WSAM_API void wsam_detections_free(wsam_detections *detections); /* NULL is allowed */

/* The same as boxes of a COCO document (wsam_coco_put), masks as compressed run lengths. The caller
 * clears *instances with wsam_instances_clear. */
WSAM_API wsam_status wsam_detections_instances(const wsam_detections *detections,
                                               wsam_instances *instances, wsam_error *error);

/* What the network computes on the way, as safetensors, maps as [channels][height][width]:
 * image_size [2] of the resized picture, fpn_0 to fpn_3, fpn_pool, rpn_objectness_0 to _4,
 * rpn_deltas_0 to _4, proposals [n][4] in pixels of the resized picture. Of n_rois boxes in those
 * pixels, where there are any: roi_features, class_logits, box_regression and, of a detector with
 * masks, mask_logits. */
WSAM_API wsam_status wsam_detector_dump(wsam_detector *detector, const wsam_picture *picture,
                                        const wsam_detector_params *params, const float (*rois)[4],
                                        size_t n_rois, const char *path, wsam_error *error);

/* The boxes of such a comparison: tensor `rois` [n][4] of a safetensors file. The caller frees
 * *rois with wsam_free. */
WSAM_API wsam_status wsam_rois_load(const char *path, float (**rois)[4], size_t *n,
                                    wsam_error *error);

/* The picture with masks in colours and boxes around them. The caller frees *overlay. */
WSAM_API wsam_status wsam_detections_overlay(const wsam_detections *detections,
                                             const wsam_picture *picture, wsam_picture *overlay,
                                             wsam_error *error);

/* What became of many pictures. */
typedef struct wsam_detector_files_summary {
    size_t images, failed, boxes;
} wsam_detector_files_summary;

/* ---- MIST: boxes that are given, scored -------------------------------------------------------- */

/* MIST is a weakly supervised detector that scores and moves boxes it is given (proposals). */
typedef struct wsam_mist wsam_mist;

/* WSAM_ERR_MISMATCH when the model has no graph `mist_map`. The caller frees *mist with
 * wsam_mist_free, before the model. */
WSAM_API wsam_status wsam_mist_create(wsam_model *model, wsam_mist **mist, wsam_error *error);
WSAM_API void wsam_mist_free(wsam_mist *mist); /* NULL is allowed */
/* The number of classes, without the background. */
WSAM_API size_t wsam_mist_class_count(const wsam_mist *mist);
/* The name of a class, from 0; NULL out of range. Classes without a name are called "class N". */
WSAM_API const char *wsam_mist_class_name(const wsam_mist *mist, size_t index);

enum { WSAM_MIST_SCALES = 16 };

/* How a picture is scored. */
typedef struct wsam_mist_params {
    int n_scales, scales[WSAM_MIST_SCALES]; /* shorter sides of the views; boxes are suppressed in
                                               the frame of the first: 800, 480, 576, 688, 864, 1000,
                                               1200 */
    int mirror;                             /* 1: each view mirrored, too: 14 views */
    int long_side;                          /* most of a view: 2000 */
    int min_side; /* boxes with a smaller side are not scored, pixels; 0: 20, of COCO's classes 2 */
    double min_score, nms; /* 0, 0.3 */
    size_t most;           /* boxes of all classes, more where scores are equal: 100 */
    const char *dump;      /* of wsam_mist_files: file for the views of its first picture; NULL */
    wsam_progress_fn progress; /* of the views; may cancel; NULL */
    void *progress_user;
    uint64_t reserved[4]; /* zero */
} wsam_mist_params;

/* The published defaults; call it before fields are changed. */
WSAM_API void wsam_mist_params_default(wsam_mist_params *params);

/* Scores and moved boxes of the boxes that are kept: no copies, none below min_side. */
typedef struct wsam_mist_views {
    size_t n, n_classes;
    size_t *kept;      /* [n]: indices of the boxes that were given */
    int height, width; /* of the first view */
    float *scores;     /* [n][1 + n_classes], the background first; means of the views */
    float (*boxes)[4]; /* [n][1 + n_classes][4] in pixels of the first view, inclusive corners */
} wsam_mist_views;

/* Boxes: x0, y0, x1, y1, exclusive pixels of the picture. The caller frees *views. */
WSAM_API wsam_status wsam_mist_run(wsam_mist *mist, const wsam_picture *picture, size_t n,
                                   const float (*boxes)[4], const wsam_mist_params *params,
                                   wsam_mist_views **views, wsam_error *error);
WSAM_API void wsam_mist_views_free(wsam_mist_views *views); /* NULL is allowed */

/* The detections among them: NMS per class, the best of all, in exclusive pixels of a picture of
 * height x width; classes in order, best first. The caller clears *out with wsam_instances_clear. */
WSAM_API wsam_status wsam_mist_detect(const wsam_mist_views *views, int height, int width,
                                      const wsam_mist_params *params, wsam_instances *out,
                                      wsam_error *error);

/* Both as safetensors: kept, frame [2], scores, boxes. */
WSAM_API wsam_status wsam_mist_views_save(const wsam_mist_views *views, const char *path,
                                          wsam_error *error);

/* Scores the proposals of a file (weaksam propose) with the pictures of a folder, one picture per
 * thread, and writes a COCO results list. */
WSAM_API wsam_status wsam_mist_files(wsam_model *model, const char *proposals, const char *images,
                                     const wsam_mist_params *params, const char *output,
                                     wsam_detector_files_summary *summary, wsam_error *error);

/* ---- many pictures ---------------------------------------------------------------------------- */

/* Fill with wsam_detector_files_options_default, then change fields. */
typedef struct wsam_detector_files_options {
    const char *const *paths; /* of the pictures, in the order of the document */
    size_t n_paths;
    const char *overlays; /* folder, made when missing, for NAME.png of every picture; NULL: none */
    /* Boxes are prompts for this segmenter's masks, in the place of the detector's own; NULL: none.
     * It must outlive the call. */
    wsam_model *segmenter;
    wsam_picture_limits limits;
    wsam_detector_params params;
    /* Called for a picture that could not be read or run; the others go on. NULL: it is an error
     * like any other. */
    void (*failed)(void *user, const char *path, const wsam_error *error);
    void *failed_user;
    wsam_progress_fn progress; /* of all pictures; may cancel; NULL */
    void *progress_user;
    uint64_t reserved[4]; /* zero */
} wsam_detector_files_options;
/* The defaults; call it before fields are changed. */
WSAM_API void wsam_detector_files_options_default(wsam_detector_files_options *options);

/* Detects in every picture, one picture per thread of the model where there are several, and writes
 * a COCO document: a data set with masks where the detector gives masks, else a results list
 * (stages.h). Names of pictures are the last parts of their paths. `summary` may be NULL. */
WSAM_API wsam_status wsam_detector_files(wsam_model *model,
                                         const wsam_detector_files_options *options,
                                         const char *output, wsam_detector_files_summary *summary,
                                         wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
