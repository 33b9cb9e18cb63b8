/* weaksam/evaluate.h - how good are boxes and masks: COCO AP, VOC AP, CorLoc, proposal recall.
 *
 *   wsam_eval_truth    ground truth: pictures, classes, objects. Immutable once read.
 *   wsam_eval_results  detections or proposals for the pictures of a truth. Immutable once read;
 *                      the truth must live longer.
 *
 * Boxes are x,y,width,height in pixels of the picture, (0,0) its top-left corner, as in COCO files.
 * Files are untrusted and read as streams: memory grows with the records that are kept, never with
 * the text around them. Figures are the same for any number of threads. A truth and its results may
 * be evaluated from several threads at once. */
#ifndef WEAKSAM_EVALUATE_H
#define WEAKSAM_EVALUATE_H

#include "weaksam/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wsam_eval_truth wsam_eval_truth;
typedef struct wsam_eval_results wsam_eval_results;

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct wsam_eval_read_options {
    int masks;          /* 1: keep segmentations (0: boxes alone) */
    int mask_area;      /* results: 1: a mask counts as small, medium or large by its own pixels, as
                           detectron2 and mmdetection do; 0: by its box where the first result has
                           one, as pycocotools does */
    const char *list;   /* truth: a text file with one picture per line (name, with or without
                           folder and ending; what follows a space is ignored); others are left
                           out. NULL: all */
    const char *images; /* results: a file with `images` and `categories` that say what the ids of
                           a results list mean; NULL: they are the truth's ids */
    uint64_t max_pixels;  /* refuse larger pictures when masks are read (2^28) */
    uint64_t reserved[8]; /* zero */
} wsam_eval_read_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_eval_read_options_default(wsam_eval_read_options *options);

/* Ground truth from a COCO data set (a file) or VOC annotations (a folder of .xml files, or one
 * with a subfolder Annotations). `options` may be NULL.
 *
 * COCO: segmentations are polygons, run lengths, or compressed run lengths. Missing ids, duplicate
 * ids or class names, and ids of pictures and classes that the file does not have are errors.
 * VOC: boxes are 1-based with inclusive ends; document types and entities are refused. When all
 * classes are among the 20 of PASCAL VOC, these 20 are the classes, numbered from 1 by alphabet;
 * else those found are. A picture's id is the digits of its name (2007_000027: 2007000027), or,
 * where names are something else or ids would repeat, its place in the alphabet from 1. */
WSAM_API wsam_status wsam_eval_read_truth(const char *path, const wsam_eval_read_options *options,
                                          wsam_eval_truth **truth, wsam_error *error);
WSAM_API void wsam_eval_truth_free(wsam_eval_truth *truth); /* NULL is allowed */

/* Detections or proposals, recognised by their content:
 *   a COCO results list: `image_id` and `category_id` are ids of the truth (or of options->images),
 *     or strings: a picture's file name, a class name;
 *   a COCO data set whose annotations have a `score`: its pictures and classes are found in the
 *     truth by file name (the whole name, else without folder and ending) and class name;
 *   proposals as JSON lines: `image` is a file name, `box` has inclusive ends.
 * A record without a box has that of its mask; where the first one has none, all boxes count as
 * small or large by their masks, as in pycocotools. Records of pictures that options->list of the
 * truth left out are dropped; ids and names that the truth does not have are errors, and so is a
 * mask whose size is not the picture's. */
WSAM_API wsam_status wsam_eval_read_results(const wsam_eval_truth *truth, const char *path,
                                            const wsam_eval_read_options *options,
                                            wsam_eval_results **results, wsam_error *error);
WSAM_API void wsam_eval_results_free(wsam_eval_results *results); /* NULL is allowed */

/* Images of the truth (of its list, where there is one). */
WSAM_API size_t wsam_eval_image_count(const wsam_eval_truth *truth);

/* Objects of these images, difficult ones and crowds included. */
WSAM_API size_t wsam_eval_object_count(const wsam_eval_truth *truth);

/* The number of classes. */
WSAM_API size_t wsam_eval_category_count(const wsam_eval_truth *truth);

/* The name of a class, by ascending id; lives as long as the truth. NULL out of range. */
WSAM_API const char *wsam_eval_category_name(const wsam_eval_truth *truth, size_t index);

/* Records that were kept. */
WSAM_API size_t wsam_eval_result_count(const wsam_eval_results *results);

/* Records that were dropped: of images outside the truth's list. */
WSAM_API size_t wsam_eval_result_dropped(const wsam_eval_results *results);

/* ---- figures --------------------------------------------------------------------------------- */

typedef enum wsam_eval_kind {
    WSAM_EVAL_BBOX = 0,   /* COCO AP and AR of boxes */
    WSAM_EVAL_SEGM = 1,   /* the same of masks */
    WSAM_EVAL_VOC = 2,    /* VOC AP of boxes */
    WSAM_EVAL_CORLOC = 3, /* correct localisation */
    WSAM_EVAL_RECALL = 4  /* recall of class-agnostic proposals */
} wsam_eval_kind;

typedef enum wsam_eval_metric {
    WSAM_EVAL_AREA = 0,   /* VOC 2010 and later: area under the interpolated curve */
    WSAM_EVAL_11POINT = 1 /* VOC 2007 */
} wsam_eval_metric;

typedef struct wsam_eval_options {
    int threads;             /* 0: what this process may use */
    wsam_eval_metric metric; /* of VOC AP */
    const double *ious;      /* further IoU thresholds in (0,1), for figures of their own */
    size_t n_ious;           /* at most WSAM_EVAL_MAX_IOUS; 0: recall takes 0.5, 0.6, 0.7, 0.75,
                                0.8, 0.9, the others none */
    uint64_t reserved[8];    /* zero */
} wsam_eval_options;

enum { WSAM_EVAL_MAX_IOUS = 6 };

/* Fills *options with the defaults named above. */
WSAM_API void wsam_eval_options_default(wsam_eval_options *options);

/* The twelve figures of COCO, in pycocotools' order. AP is the mean over IoU 0.50 to 0.95; small
 * and large are below 32^2 and above 96^2 pixels; AR1 to AR100 allow so many each. */
typedef enum wsam_eval_figure {
    WSAM_EVAL_AP = 0,
    WSAM_EVAL_AP50,
    WSAM_EVAL_AP75,
    WSAM_EVAL_APS,
    WSAM_EVAL_APM,
    WSAM_EVAL_APL,
    WSAM_EVAL_AR1,
    WSAM_EVAL_AR10,
    WSAM_EVAL_AR100,
    WSAM_EVAL_ARS,
    WSAM_EVAL_ARM,
    WSAM_EVAL_ARL,
    WSAM_EVAL_FIGURES
} wsam_eval_figure;

/* What an evaluation found. A figure that is not defined (no object of that class or size) is -1
 * and does not enter means. */
typedef struct wsam_eval_figures {
    wsam_eval_kind kind;
    double coco[WSAM_EVAL_FIGURES]; /* bbox, segm */
    double mean;                    /* voc: mean AP at IoU > 0.5; corloc: mean over classes */
    size_t n_classes;
    double *per_class; /* bbox, segm: AP; voc: AP at 0.5; corloc: share; not for recall */
    size_t n_ious;
    double *ious;     /* thresholds: of the options, or of recall */
    double *per_iou;  /* mean AP, mean CorLoc or recall at each of them */
    uint64_t *found;  /* recall: objects found at each */
    uint64_t objects; /* recall: of how many; others: objects that count */
    uint64_t images, results;
    double results_per_image;
} wsam_eval_figures;

/* Evaluates; free with wsam_eval_figures_free. `options` may be NULL.
 *
 *   bbox, segm  equal to pycocotools (COCOeval, useCats 1, maxDets 1, 10, 100). Needs `area` in
 *               COCO truths and annotation ids other than 0. VOC: difficult objects are ignored.
 *   voc         a hit when the best object of the class has IoU > 0.5 and is not taken; difficult
 *               objects (COCO: `difficult`, `ignore` or `iscrowd`) neither help nor harm. Equal
 *               scores in the order of image ids, then of the file.
 *   corloc      share of the images with a class (a non-difficult object of it) whose best-scored
 *               box of the class has IoU > 0.5 with an object of it, difficult ones included.
 *   recall      per image the pair of object and proposal with the highest IoU is taken and both
 *               removed, until none is left; an object is found at t when its IoU >= t. Crowds are
 *               left out, difficult objects are not. */
WSAM_API wsam_status wsam_eval(const wsam_eval_truth *truth, const wsam_eval_results *results,
                               wsam_eval_kind kind, const wsam_eval_options *options,
                               wsam_eval_figures **figures, wsam_error *error);
WSAM_API void wsam_eval_figures_free(wsam_eval_figures *figures); /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
