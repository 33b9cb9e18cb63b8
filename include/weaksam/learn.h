/* weaksam/learn.h - learning a detector from files, step by step or in one call.
 *
 *   wsam_features_build   images and proposals -> a feature cache (train.h)
 *   wsam_train_files      a cache, proposals and labels or pseudo labels -> a head
 *   wsam_pgt_document     scored boxes -> pseudo labels; wsam_masks_document: boxes -> masks
 *   wsam_detect_files     a head and proposals -> detections, with masks if wanted
 *   wsam_self_train       what wsam_run wrote -> a head, its labels and masks, and a page to review
 *
 * Files are those of the stages (stages.h) and of the run (dataset.h). Results appear when they are
 * complete. Functions are thread-safe as long as they write different files. */
#ifndef WEAKSAM_LEARN_H
#define WEAKSAM_LEARN_H

#include "weaksam/base.h"
#include "weaksam/dataset.h"
#include "weaksam/model.h"
#include "weaksam/picture.h"
#include "weaksam/rules.h"
#include "weaksam/segment.h"
#include "weaksam/stages.h"
#include "weaksam/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The models that give features, and how they look at an image. Paths of weight files; at least one
 * of them. A clue network tells classes best, a segmenter's embedding edges. */
typedef struct wsam_feature_models {
    const char *model, *clue_model; /* NULL: not used */
    int clue_size; /* limit of the long side for the clue network: 640; 0: as it is; -1 for a head: that
                      of its training */
    wsam_options runtime;
    wsam_picture_limits limits;
    uint64_t reserved[4]; /* zero */
} wsam_feature_models;

/* Fills *models with defaults: no models, 640, wsam_options_default. */
WSAM_API void wsam_feature_models_default(wsam_feature_models *models);

/* ---- the cache ------------------------------------------------------------------------------- */

/* Fill with wsam_features_build_options_default, then change fields. */
typedef struct wsam_features_build_options {
    wsam_feature_models models;
    const char *proposals; /* whose images are seen: JSON lines (wsam_proposals_json) */
    const char *images;    /* their folder */
    const char *output;    /* the cache */
    const char *like;      /* a cache whose sources and components are taken; NULL: own ones */
    int components;        /* kept of each source's channels; 0: 128 of clues, 64 of the model's */
    uint64_t seed;         /* 1 */
    wsam_progress_fn progress; /* after every image; may cancel, then nothing is kept */
    void *progress_user;
    uint64_t reserved[8]; /* zero */
} wsam_features_build_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_features_build_options_default(wsam_features_build_options *options);

/* Encodes the images of all proposals and writes their features. An image that fails ends it. */
WSAM_API wsam_status wsam_features_build(const wsam_features_build_options *options,
                                         wsam_error *error);

/* ---- training -------------------------------------------------------------------------------- */

/* What a head learns from. MIL reads labels and images, retraining pgt. */
typedef struct wsam_train_input {
    const char *features;        /* the cache */
    const char *proposals;       /* JSON lines */
    const char *labels;          /* as wsam_labels_load takes them */
    const char *images;          /* the folder that they describe */
    const char *pgt;             /* a COCO data set of pseudo labels */
    const wsam_classes *classes; /* of the labels: their order, and no others; NULL: by alphabet */
    uint64_t reserved[4];        /* zero */
} wsam_train_input;

typedef struct wsam_train_summary {
    size_t images, unlabelled; /* in the proposals; of them without labels: left out by MIL */
} wsam_train_summary;

/* wsam_train on files: reads cache, proposals and labels that `input` names, and writes the head to
 * `output`; where the options name a folder of checkpoints, a stopped training goes on. `summary` may be NULL.
 * Errors name the file. */
WSAM_API wsam_status wsam_train_files(const wsam_train_input *input,
                                      const wsam_train_options *options, const char *output,
                                      wsam_train_summary *summary, wsam_error *error);

/* ---- detection ------------------------------------------------------------------------------- */

/* Fill with wsam_detect_files_options_default, then change fields. */
typedef struct wsam_detect_files_options {
    const char *head;           /* a head's weight file */
    const char *proposals;      /* JSON lines */
    const char *features;       /* a cache that has their images; NULL: they are encoded */
    wsam_feature_models models; /* for images that are encoded, and the segmenter for masks */
    const char *images;         /* their folder */
    const char *labels; /* keep only classes that an image has: as wsam_labels_load; NULL: all */
    int masks;          /* 1: a data set with masks instead of a results list */
    wsam_detect_options detect;
    wsam_progress_fn progress; /* after every image; may cancel */
    void *progress_user;
    uint64_t reserved[8]; /* zero */
} wsam_detect_files_options;

typedef struct wsam_detect_summary {
    size_t images, boxes;
    size_t empty;                     /* left out: their masks have no pixel */
    int clue_size, trained_clue_size; /* used, and of the head's training; 0: no clue network */
} wsam_detect_summary;

/* Fills *options with defaults: those of wsam_feature_models_default and wsam_detect_options. */
WSAM_API void wsam_detect_files_options_default(wsam_detect_files_options *options);

/* Scores all proposals and writes what is kept to `output`: a COCO results list with images.json
 * beside it, or a data set with masks. `summary` may be NULL. An image that fails ends it. */
WSAM_API wsam_status wsam_detect_files(const wsam_detect_files_options *options, const char *output,
                                       wsam_detect_summary *summary, wsam_error *error);

/* ---- pseudo labels and masks of a document --------------------------------------------------- */

/* Which classes the images of a document have, in the document's classes: those of image i are
 * classes[first[i]] .. classes[first[i] + count[i] - 1]. An image with known[i] 0 has no labels:
 * its boxes are left out. */
typedef struct wsam_document_labels {
    const int32_t *classes;
    const size_t *first, *count;
    const uint8_t *known;
} wsam_document_labels;

/* What became of the boxes of a document: those that are not in `written` were of classes that the
 * image does not have, not chosen by the method, or gave way to what people decided (`truth`). */
typedef struct wsam_pgt_summary {
    size_t written, other_class, not_chosen;
    wsam_truth_counts truth;
} wsam_pgt_summary;

/* wsam_pgt on every image of a document; writes a data set of boxes to `output`. `labels` NULL: any
 * class. `summary` may be NULL. */
WSAM_API wsam_status wsam_pgt_document(const wsam_coco_document *document,
                                       const wsam_document_labels *labels,
                                       const wsam_pgt_options *options, const char *output,
                                       wsam_pgt_summary *summary, wsam_error *error);

/* Zeros, then `images`: all else has 0 for its default. */
typedef struct wsam_masks_document_options {
    const char *images;         /* folder */
    int polygons;               /* 1: outlines instead of run lengths */
    int redraw;                 /* 1: masks that are there are made again, but decided ones */
    double min_confidence;      /* masks below are left out, but decided ones */
    const wsam_review *review;  /* its marks are taken over; NULL: none */
    wsam_picture_limits limits; /* of the images */
    wsam_progress_fn progress;  /* after every image; may cancel */
    void *progress_user;
    void (*failed)(void *user, const wsam_error *error); /* an image that failed; others go on */
    void *failed_user;
    const wsam_rules *rules; /* masks that break them are left out, but decided ones; NULL: none */
    uint64_t reserved[7];    /* zero */
} wsam_masks_document_options;

/* What became of the boxes of a document. */
typedef struct wsam_masks_summary {
    size_t images, failed, boxes;
    size_t written, as_they_were; /* masks; of them those that were there before */
    size_t empty, unsure;         /* left out: without a pixel; below min_confidence */
    wsam_truth_counts truth;
    wsam_rules_counts rules; /* left out for them */
} wsam_masks_summary;

/* Whether wsam_masks_document needs a segmenter for this document: 1 when an annotation has to get
 * a mask, or an image does not say its size. */
WSAM_API int wsam_masks_document_needs_model(const wsam_coco_document *document,
                                             const wsam_masks_document_options *options);

/* Masks of the boxes of a document (read by wsam_coco_load_masks); writes a data set to `output`. A
 * mask that is there stays as it is. Takes the annotations out of the document, which can only be
 * freed afterwards. `segmenter` may be NULL where none is needed. Where an id is below 1, all grow
 * by the same number. `summary` may be NULL. */
WSAM_API wsam_status wsam_masks_document(wsam_segmenter *segmenter, wsam_coco_document *document,
                                         const wsam_masks_document_options *options,
                                         const char *output, wsam_masks_summary *summary,
                                         wsam_error *error);

/* ---- all steps in one call ------------------------------------------------------------------- */

/* The steps of wsam_self_train, each named by the file that it writes. */
typedef enum wsam_self_train_step {
    WSAM_SELF_TRAIN_FEATURES = 0, /* features: the cache */
    WSAM_SELF_TRAIN_MIL,          /* mil.wsam: a head learnt from the images' labels */
    WSAM_SELF_TRAIN_SCORES,       /* scores.json: what it says of the proposals */
    WSAM_SELF_TRAIN_PGT,          /* pgt.json: pseudo labels of that */
    WSAM_SELF_TRAIN_RETRAIN,      /* head.wsam: a head learnt from those */
    WSAM_SELF_TRAIN_DETECTIONS,   /* detections.json: what it says of the proposals */
    WSAM_SELF_TRAIN_BOXES,        /* boxes.json: pseudo labels of that */
    WSAM_SELF_TRAIN_JUDGED,       /* judged.json: with ten images or more that people completed, the
                                     AP of the labels of the stages and of both heads on them, of
                                     heads that did not see them; held_out.json: what these say */
    WSAM_SELF_TRAIN_MASKS,        /* masks.json: masks of the labels that are taken: those of
                                     boxes.json or pgt.json, or the run's own masks.json where
                                     nothing better was learnt; by judged.json, or where that is
                                     silent by signs (image labels, agreement, counts) */
    WSAM_SELF_TRAIN_REVIEW,       /* review.html: a page to look them through */
    WSAM_SELF_TRAIN_STEPS
} wsam_self_train_step;

/* The name of the file that a step writes; NULL out of range. */
WSAM_API const char *wsam_self_train_step_name(wsam_self_train_step step);

/* What the call tells while it works, from the calling thread. All may be NULL. */
typedef struct wsam_self_train_events {
    void (*step)(void *user, wsam_self_train_step step); /* it begins */
    wsam_progress_fn progress; /* of the step: after every image, or iteration; may cancel */
    int (*training)(void *user, const wsam_train_progress *progress); /* may cancel, too */
    void (*failed)(void *user, const wsam_error *error); /* an image without masks; others go on */
    void (*remark)(void *user, const char *line); /* what a step did with its boxes, in words */
    void *user;
} wsam_self_train_events;

/* Fill with wsam_self_train_options_default, then change fields. */
typedef struct wsam_self_train_options {
    /* Folder of a run that is complete; results go to OUTPUT/learn. Where it has reviewed.json, what
     * people decided there is kept in all of them. */
    const char *output;
    const char *images; /* folder of its images */
    const char *labels; /* their classes: as wsam_labels_load */
    /* The run's list of images and their classes; NULL: its maps are not used, images are encoded
     * again. */
    const wsam_labels *list;
    /* Text that names everything which changes features and the first head. With another one, or a
     * class that was not there, all that OUTPUT/learn has is made again. With other images alone
     * heads and principal components stay, and the rest follows from them. */
    const char *config;
    /* Text that names what changes pseudo labels alone (NULL: nothing does). With another one, and
     * after other decisions of people, the second head is trained anew. */
    const char *late;
    int relearn;                /* 1: heads are trained again, whatever is there */
    wsam_feature_models models; /* both are needed; the segmenter also makes the masks */
    int patches_alone;          /* 1: features of the clue network alone (preset fast) */
    wsam_train_options mil,
        retrain;                /* their state, threads, isa and progress are set by the call */
    uint64_t feature_seed;      /* 1 */
    wsam_detect_options detect; /* scores from 0, NMS 0.3, 100 per image */
    wsam_pgt_options pgt;
    wsam_self_train_events events;
    double lease_seconds;  /* another process that learns from this run is taken for gone when it
                                   was silent for so long; 0: 120 */
    uint64_t reserved[15]; /* zero */
} wsam_self_train_options;

/* Fills *options with the defaults of all steps. */
WSAM_API void wsam_self_train_options_default(wsam_self_train_options *options);

typedef struct wsam_self_train_summary {
    unsigned ran;  /* bits 1 << step: what was not there yet */
    size_t failed; /* images whose masks failed */
} wsam_self_train_summary;

/* The folder that wsam_stage_options.maps wants, without making it; wsam_free. */
WSAM_API wsam_status wsam_self_train_maps(const char *output, char **path, wsam_error *error);

/* Makes OUTPUT/learn/maps, with the folders above it, for wsam_stage_options.maps of the run: with
 * the maps there no image is encoded twice. *path is the caller's (wsam_free). */
WSAM_API wsam_status wsam_self_train_prepare(const char *output, char **path, wsam_error *error);

/* Runs every step whose file is not there yet, so that a call that was cancelled or killed is
 * resumed by the next one. WSAM_ERR_CANCELLED: a callback asked to stop, or another process works in
 * this folder; try again later. `summary` may be NULL. */
WSAM_API wsam_status wsam_self_train(const wsam_self_train_options *options,
                                     wsam_self_train_summary *summary, wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
