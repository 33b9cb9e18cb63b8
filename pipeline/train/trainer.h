/* pipeline/train/trainer.h - the loop of both stages over images in memory.
 *
 * Everything a step does follows from the configuration, the seed and the iteration's number; a
 * checkpoint therefore holds parameters, moments and counters, and a resumed run writes the bytes
 * that an uninterrupted one does. */
#ifndef WS_PIPELINE_TRAIN_TRAINER_H
#define WS_PIPELINE_TRAIN_TRAINER_H

#include "pipeline/train/head.h"
#include "pipeline/train/losses.h"

typedef enum ws_stage { WS_STAGE_MIL, WS_STAGE_RETRAIN } ws_stage;

/* One image. Boxes are exclusive pixels x0, y0, x1, y1; classes count from 1. */
typedef struct ws_train_image {
    size_t n_boxes, n_labels, n_truth;
    float (*boxes)[4];
    int *labels;       /* image-level classes (MIL) */
    float (*truth)[4]; /* pseudo ground truth (retraining) */
    int *truth_class;
    const uint8_t *trusted; /* [n_truth]: by a person; NULL: none */
    int complete;           /* nothing else is there, a person says */
    size_t first_truth;     /* of this image among all */
} ws_train_image;

/* Features of n boxes of an image into rows [n][features]; called from several threads, each with
 * its own `worker`. */
typedef void (*ws_pool_fn)(void *user, int worker, size_t image, size_t n, const float (*boxes)[4],
                           float *rows);

typedef struct ws_train_data {
    size_t n_images, n_truth;
    const ws_train_image *images;
    size_t classes;  /* without background */
    size_t features; /* per RoI: cells x channels */
    size_t cells;    /* for dropping of cells; 1: none */
    ws_pool_fn pool;
    void *user;
    int trusts;    /* 1: some of it is a person's */
    uint64_t hash; /* of images, proposals, labels and features: what a checkpoint belongs to */
} ws_train_data;

typedef struct ws_train_config {
    ws_stage stage;
    size_t hidden, batch, epochs;
    uint64_t iterations; /* 0: of the epochs */
    int steady;          /* 1: the rate does not fall towards the end */
    double rate, decay, dropout, cell_drop;
    double warm_from;
    size_t warm_steps;
    ws_drop_rule drop;
    int oicr;           /* 1: its rule of instances in MIL */
    double drop_start;  /* share of the iterations before RoI drop begins */
    double trust;       /* weight of what a person decided */
    wsam_type products; /* f32, or bf16: what the products of the passes multiply */
    uint64_t seed;
} ws_train_config;

/* The values of the specification for a stage. */
void ws_trainer_defaults(ws_stage stage, ws_train_config *config);

/* Counters of RoI drop, for all classes (row 0) and each class. */
enum {
    WS_COUNT_ROIS,
    WS_COUNT_FOREGROUND,
    WS_COUNT_OVER_CLS, /* foreground over the classification's threshold only */
    WS_COUNT_OVER_REG,
    WS_COUNT_OVER_BOTH,
    WS_COUNT_DROPPED_CLS,
    WS_COUNT_DROPPED_REG,
    WS_COUNT_BACKGROUND_OVER,
    WS_COUNT_SUM_CLS,
    WS_COUNT_SUM_REG,
    WS_COUNT_SUM_CLS_KEPT,
    WS_COUNT_SUM_REG_KEPT,
    WS_COUNTS
};
enum { WS_LOSS_BINS = 400, WS_BINS_PER_UNIT = 20 }; /* losses of the foreground up to 20 */

/* What counters are of: since the last line of the log, since the last end of an epoch. */
enum { WS_SPAN_INTERVAL, WS_SPAN_EPOCH, WS_SPANS };

enum { WS_LOSS_IMAGE, WS_LOSS_CLS, WS_LOSS_REG, WS_LOSSES };

typedef struct ws_batch_item {
    size_t image, first, n; /* its rows in the batch */
    double loss[WS_LOSSES];
} ws_batch_item;

typedef struct ws_trainer {
    const ws_train_data *data;
    ws_train_config config;
    const wsam_kernels *kernels;
    int threads;
    ws_head head, gradient, m, v;
    ws_head_work work;
    uint64_t iteration, iterations, per_epoch;
    float (*history)[WS_LOSSES]; /* [iterations] */
    double *counts;           /* [WS_SPANS] of [classes + 1][WS_COUNTS] and two histograms each */
    size_t n_counts;          /* of one span */
    uint32_t (*truth_use)[2]; /* [n_truth]: times sampled as foreground, times dropped */

    /* the batch */
    uint32_t *order; /* of the images, in the current epoch */
    uint64_t order_epoch;
    size_t max_rows, n_items;
    ws_batch_item *items;
    float (*boxes)[4];
    int *label;
    double (*target)[4];
    size_t *truth;              /* index among all, of foreground rows */
    double *weight;             /* of retraining */
    double total, total_weight; /* RoIs of the batch, and the sum of their weights */
    uint32_t *sample;
    ws_detect_roi *rois;
    double *scratch; /* per thread */
    size_t scratch_doubles;
} ws_trainer;

wsam_status ws_trainer_create(ws_trainer *t, const ws_train_data *data,
                              const ws_train_config *config, const wsam_kernels *kernels,
                              int threads, wsam_error *error);
void ws_trainer_free(ws_trainer *t);

/* One iteration. A loss that is not finite is an error, and changes nothing. */
wsam_status ws_trainer_step(ws_trainer *t, wsam_error *error);
double ws_trainer_rate_at(const ws_trainer *t, uint64_t iteration);
void ws_trainer_counts_clear(ws_trainer *t, int span);

/* Iterations of the default: 12 epochs, and for small sets so many that the warm-up is a small part
 * of them. */
uint64_t ws_trainer_iterations(ws_stage stage, size_t n_images, size_t batch);

/* Outputs [n][outputs] of the head for boxes of one image, without dropout, into t->work.y; n at
 * most t->work.rows. */
void ws_trainer_infer(ws_trainer *t, size_t image, size_t n, const float (*boxes)[4]);

/* ---- batch.c ---- */

/* The images and rows of the current iteration. */
void ws_batch_choose(ws_trainer *t);
/* Features of the rows of items [first, last) into t->work.x. */
void ws_batch_pool(ws_trainer *t, size_t first, size_t last);

/* ---- image_loss.c ---- */

/* Losses of one item of a group whose rows begin at item `first`; the gradient into t->work.dy. */
void ws_image_loss_item(ws_trainer *t, ws_batch_item *item, size_t row, double *scratch);
/* After the batch: counters in the order of the items. */
void ws_image_loss_count_drops(ws_trainer *t);

#endif
