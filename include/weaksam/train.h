/* weaksam/train.h - a detection head, learnt on the CPU from image-level labels or pseudo labels.
 *
 *   wsam_features_*   a cache of the frozen networks' maps: reduced by PCA, half precision, mapped
 *   wsam_train        stage 1: multiple-instance learning with refinement; stage 2: retraining on
 *                     pseudo ground truth with RoI drop. Writes the head as a weight file.
 *   wsam_head_*       a trained head on new pictures: scores and boxes per class, no labels needed
 *
 * The networks stay frozen: a head sees, per box, P x P cells pooled from their maps, and has two
 * hidden layers. Method: WSDDN (1511.02853), OICR (1704.00138), MIST (2004.04725) and WeakSAM
 * (2402.14812), reduced to what is trained on fixed features.
 *
 * Equal inputs, options and seed on one instruction-set level give equal bytes, whatever the number
 * of threads and whether a run was interrupted. Functions are thread-safe; an object belongs to one
 * thread at a time and uses its threads inside. */
#ifndef WEAKSAM_TRAIN_H
#define WEAKSAM_TRAIN_H

#include "weaksam/base.h"
#include "weaksam/clues.h"
#include "weaksam/model.h"
#include "weaksam/segment.h"
#include "weaksam/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- features -------------------------------------------------------------------------------- */

enum { WSAM_FEATURE_SOURCES = 4, WSAM_FEATURE_CHANNELS = 1024 };

/* The map of one network: values [height][width][channels], rows `row` floats apart. */
typedef struct wsam_feature_map {
    const char *source; /* "sam", "clues" */
    int height, width, channels;
    size_t row;
    float scale_x, scale_y; /* cells per pixel of the picture */
    const float *values;
} wsam_feature_map;

/* The cells of an embedding that show the picture, without the padding; points into it. */
WSAM_API void wsam_embedding_map(const wsam_embedding *embedding, wsam_feature_map *map);

/* The patches of a clue network (WSAM_CLUES_TOKENS); points into the result. */
WSAM_API void wsam_clues_map(const wsam_clues_result *result, wsam_feature_map *map);

/* How many principal components of a source are kept (all channels when it has no more). */
typedef struct wsam_feature_source {
    const char *name;
    int components;
    int max_side; /* of the images that the network saw, pixels; 0: its own input size */
} wsam_feature_source;

/* Writes a cache. Maps are first kept whole in PATH.raw; finish fits the components on at most 500
 * images (chosen by `seed`), projects all, and renames. No whitening: relative variances stay. */
typedef struct wsam_features_writer wsam_features_writer;
typedef struct wsam_features wsam_features; /* a cache that is open */

/* Begins the cache `path`: its n sources and how wide each is reduced. Maps wait in a temporary file
 * beside it. The caller ends it with wsam_features_finish, also after a failure. */
WSAM_API wsam_status wsam_features_create(const char *path, const wsam_feature_source *sources,
                                          size_t n_sources, wsam_features_writer **writer,
                                          wsam_error *error);
/* The same with the sources and the components of another cache: pictures that a head trained on
 * that one can be used on. `like` may be closed before the end. */
WSAM_API wsam_status wsam_features_create_like(const char *path, const wsam_features *like,
                                               wsam_features_writer **writer, wsam_error *error);
/* Maps in the order of the sources. `image` is the name that proposals and labels use. */
WSAM_API wsam_status wsam_features_add(wsam_features_writer *writer, const char *image, int width,
                                       int height, const wsam_feature_map *maps, wsam_error *error);
/* Maps in any order, found by their sources' names; others are left out. */
WSAM_API wsam_status wsam_features_add_named(wsam_features_writer *writer, const char *image,
                                             int width, int height, const wsam_feature_map *maps,
                                             size_t n, wsam_error *error);
/* Writes the maps of one image to a file of their own, in half precision, for
 * wsam_features_add_saved: for images that several processes work on. */
WSAM_API wsam_status wsam_feature_maps_save(const char *path, int width, int height,
                                            const wsam_feature_map *maps, size_t n,
                                            wsam_error *error);
/* The file of an image in a folder of maps, named by a hash of the image's name, so that it is the
 * same whatever other images there are. malloc'd; NULL: no memory. */
WSAM_API char *wsam_feature_maps_path(const char *folder, const char *image);

/* Maps from a file of wsam_feature_maps_save, found by their sources' names. The file is read again
 * by finish. */
WSAM_API wsam_status wsam_features_add_saved(wsam_features_writer *writer, const char *image,
                                             const char *path, wsam_error *error);
/* Completes the cache when `status` is WSAM_OK, else removes its traces; frees the writer. Returns
 * the final status. */
WSAM_API wsam_status wsam_features_finish(wsam_features_writer *writer, wsam_status status,
                                          uint64_t seed, int threads, wsam_error *error);

/* A cache, mapped: it may not be cut short while it is open. WSAM_ERR_FORMAT: damaged, or no cache.
 * What is open does not change and may be read by any number of threads. The caller closes
 * *features. */
WSAM_API wsam_status wsam_features_open(const char *path, wsam_features **features,
                                        wsam_error *error);
WSAM_API void wsam_features_close(wsam_features *features); /* NULL is allowed */
WSAM_API size_t wsam_features_count(const wsam_features *features);
/* NULL past the end. */
WSAM_API const char *wsam_features_image(const wsam_features *features, size_t index, int *width,
                                         int *height);
/* The index of a picture by its name; SIZE_MAX when it is not there. */
WSAM_API size_t wsam_features_find(const wsam_features *features, const char *image);

/* ---- training -------------------------------------------------------------------------------- */

typedef enum wsam_train_stage { WSAM_TRAIN_MIL = 0, WSAM_TRAIN_RETRAIN = 1 } wsam_train_stage;

typedef enum wsam_train_drop {
    WSAM_TRAIN_DROP_NONE = 0,
    WSAM_TRAIN_DROP_JOINT,    /* foreground with both losses over their thresholds loses both */
    WSAM_TRAIN_DROP_INDEP,    /* foreground loses each loss that is over its threshold */
    WSAM_TRAIN_DROP_INDEP_V1, /* also background over the classification's, and classification where
                                 the regression is over */
    WSAM_TRAIN_DROP_RANGE, /* as INDEP_V1, each loss divided by the range of its losses in the image */
    WSAM_TRAIN_DROP_TOP    /* foreground loses each loss that is among the largest of its image:
                              drop_cls and drop_reg are shares of the image's foreground */
} wsam_train_drop;

/* Which proposals of a positive class are instances for the refinement heads of MIL. */
typedef enum wsam_train_assign {
    WSAM_TRAIN_ASSIGN_MIST = 0, /* the best 15 % that overlap no better one by 0.2; others take the
                                   class of an instance from IoU 0.5 on */
    WSAM_TRAIN_ASSIGN_OICR      /* the best one alone; others take its class above IoU 0.5 */
} wsam_train_assign;

/* One picture of a training set. Boxes are exclusive pixels x0, y0, x1, y1 (inclusive corners plus
 * 1); classes count from 0. */
typedef struct wsam_train_picture {
    const char *image; /* as in the cache */
    size_t n_boxes;
    const float (*boxes)[4]; /* proposals */
    size_t n_labels;
    const int32_t *labels; /* its classes: read by MIL, which leaves pictures of NULL out; none of
                              them but not NULL: the picture is known to show no class */
    size_t n_truth;        /* pseudo ground truth: read by retraining */
    const float (*truth)[4];
    const int32_t *truth_classes;
    const int64_t *truth_ids;
    const uint8_t *truth_trusted; /* 1: by a person; NULL: none of them */
    int complete; /* 1: a person says that all objects are in `truth`: what lies elsewhere is
                     background, also where there are none */
} wsam_train_picture;

typedef struct wsam_train_set {
    size_t n_classes;
    const char *const *classes;
    size_t n;
    const wsam_train_picture *pictures;
} wsam_train_set;

typedef struct wsam_train_progress {
    int fitting; /* 1: two heads are trained on half of the images each, to fit the options */
    uint64_t iteration, iterations, epoch;
    double rate;                             /* of Adam */
    double image_loss, class_loss, box_loss; /* of the last iteration */
    double seconds_left;
} wsam_train_progress;

/* What two heads that saw half of the images each know about the other half. */
typedef struct wsam_train_fit {
    uint64_t iterations; /* that the set was trained for */
    double label_ap;     /* mean AP over classes of image-level labels of images that the head did
                            not see; negative: not measured */
    double chance;       /* what a guess would get: the mean share of images with a class */
    double agreement; /* share of (image, class of it) for which the best boxes of both heads have
                            IoU 0.5 */
    double
        truth_agreement; /* share of those with boxes in `truth` of the set for which the best box
                               of a head has IoU 0.5 with one; negative: there are none */
    uint64_t pairs;      /* of image and class */
} wsam_train_fit;

/* Fill with wsam_train_options_default, then change fields. */
typedef struct wsam_train_options {
    wsam_train_stage stage;
    int hidden;        /* 1024; 512 with few features */
    int bins;          /* cells per axis: 7; 4 */
    int epochs, batch; /* epochs: 0 fits the set, see wsam_train */
    double rate, decay, dropout, cell_drop;
    wsam_train_drop roi_drop;
    double drop_cls, drop_reg; /* thresholds: 4, 4; of RANGE and TOP at most 1 */
    double drop_start;         /* share of the iterations before: 0.22 */
    uint64_t seed;
    int threads; /* 0: what this process may use */
    const char *isa;
    /* Folder of checkpoints (made when missing): last, previous and one per epoch, or, where there
     * are more than 20, per some epochs; a checkpoint there is resumed, one of other options, data or instruction-set level is refused. NULL: none
     * are written. */
    const char *state;
    double checkpoint_seconds; /* 600 */
    wsam_type products;        /* WSAM_F32; WSAM_BF16: operands of products are rounded to it, while
                                  sums, weights and Adam stay f32. Faster where the hardware
                                  multiplies more of it at a time than of f32 */
    int force;                 /* 1: resume whatever its options, data and level were, if it fits */
    /* Called after every iteration. Non-zero: a checkpoint is written and WSAM_ERR_CANCELLED
     * returned. */
    int (*progress)(void *user, const wsam_train_progress *progress);
    void *progress_user;
    uint64_t iterations;      /* in place of epochs; 0: these */
    wsam_train_fit *fit;      /* receives what was found while fitting; NULL: nobody asks */
    wsam_train_assign assign; /* of MIL: MIST */
    int min_side; /* proposals with a side below it, in pixels, are not learnt from: 0; WeakSAM has 20
                     for VOC, 2 for COCO */
    double trust; /* of retraining: weight of proposals at a person's boxes, and of all of complete
                     images, against 1 of others: 3. RoI drop leaves them alone */
    const char *start; /* the .safetensors of a head of this stage to begin with instead of random
                          weights, where its classes and sizes are the same; NULL: none */
    uint64_t reserved[2]; /* zero */
} wsam_train_options;

/* Fills *options with the defaults of a stage. */
WSAM_API void wsam_train_options_default(wsam_train_stage stage, wsam_train_options *options);

/* Sets the sizes of a preset: "base" (7 x 7 cells, 1024 units) or "fast" (4 x 4, 512, meant for the
 * clue network's features alone). WSAM_ERR_ARGUMENT: another name. */
WSAM_API wsam_status wsam_train_options_preset(wsam_train_options *options, const char *name,
                                               wsam_error *error);

/* How long. With `iterations` and `epochs` 0, 12 epochs, but at least 600 iterations of stage 1 and
 * 360 of stage 2. Where stage 1 would need more than 12 epochs for that, a set of 16 images or more
 * is split in halves and a head trained on each, with a steady rate and as many passes as 600, 900
 * and 1200 iterations are for the whole set; the fewest whose image-level AP on the other half is
 * within 0.01 of the best are taken, and no more are tried once it stops growing by 0.01. The state
 * folder keeps the choice (fit.json).
 *
 * Trains a head and writes it to `out` (.wsam, f32) with a checkpoint of the same name ending in
 * .safetensors beside it, from which wsam_convert makes other types; `out`.svg shows the losses.
 * The state folder also gets log.jsonl, a line for every 100 iterations and at the end of an epoch:
 * mean losses of the interval, rate, and what RoI drop did, by class, too. When retraining,
 * epoch-NN.json has the latter of a whole epoch, pgt_uses.json how often each pseudo label was
 * sampled as foreground and dropped, pgt_suspects.json those dropped in more than half of at least
 * 20 uses, most suspect first. A loss that is not a number stops the run; the last checkpoint stays
 * as it is. */
WSAM_API wsam_status wsam_train(const wsam_features *features, const wsam_train_set *set,
                                const wsam_train_options *options, const char *out,
                                wsam_error *error);

/* ---- a trained head -------------------------------------------------------------------------- */

typedef struct wsam_head wsam_head;
/* Opens a head for wsam_head_run, by one thread at a time. WSAM_ERR_MISMATCH when the file is no head.
 * The model outlives the head. */
WSAM_API wsam_status wsam_head_create(wsam_model *model, wsam_head **head, wsam_error *error);
WSAM_API void wsam_head_free(wsam_head *head); /* NULL is allowed */
/* The number of classes. */
WSAM_API size_t wsam_head_class_count(const wsam_head *head);
/* The name of a class; NULL out of range. */
WSAM_API const char *wsam_head_class_name(const wsam_head *head, size_t index);
/* Names of the maps that wsam_head_run wants, in order; NULL past the end. */
WSAM_API const char *wsam_head_source(const wsam_head *head, size_t index);
/* The longest side of the images of map `index` in training; 0: the network's own size, or not known.
 * Other sizes give other features. */
WSAM_API int wsam_head_source_side(const wsam_head *head, size_t index);

/* Scores [n][classes] and refined boxes [n][classes][4] of n boxes (exclusive), cut at the picture
 * of width x height. A head of stage 1 gives the mean of its refinement heads. */
WSAM_API wsam_status wsam_head_run(wsam_head *head, const wsam_feature_map *maps, int width,
                                   int height, size_t n, const float (*boxes)[4], float *scores,
                                   float *out_boxes, wsam_error *error);
/* The same on the reduced maps of a cache. */
WSAM_API wsam_status wsam_head_run_cached(wsam_head *head, const wsam_features *features,
                                          size_t index, size_t n, const float (*boxes)[4],
                                          float *scores, float *out_boxes, wsam_error *error);

/* How scores and boxes of wsam_head_run become detections: per class, scores above `min_score`,
 * then NMS; of all classes the best `most`; bbox is x, y, width, height; best first within a class. */
typedef struct wsam_detect_options {
    double min_score, nms; /* 0.05, 0.5; for pseudo labels 0, 0.3 */
    size_t most;           /* 100 */
    const int32_t *only;   /* classes, n_only of them; NULL: all */
    size_t n_only;
    uint64_t reserved[8]; /* zero */
} wsam_detect_options;
/* Fills *options with the defaults named above. */
WSAM_API void wsam_detect_options_default(wsam_detect_options *options);

/* Makes detections of scores [n][n_classes] and boxes [n][n_classes][4]; the caller clears *out.
 * `options` may be NULL. */
WSAM_API wsam_status wsam_detect(const float *scores, const float *boxes, size_t n,
                                 size_t n_classes, const wsam_detect_options *options,
                                 wsam_instances *out, wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
