/* pipeline/regions/learner.h - the multiple-instance learner of regions: two hidden layers, a class
 * value and an attention value per class, trained on what pictures are said to show.
 *
 * Equal sets, options and seeds give equal bytes with any number of threads. */
#ifndef WS_PIPELINE_REGIONS_LEARNER_H
#define WS_PIPELINE_REGIONS_LEARNER_H

#include "pipeline/regions/region_file.h"
#include "pipeline/train/head.h"
#include "weaksam/dataset.h"

typedef struct ws_learner_options {
    size_t hidden, epochs, batch; /* batch: pictures */
    double rate, decay, dropout, noise, smooth;
    double attended, any; /* weights of the losses of mil_loss.h */
    double refine;        /* share of the epochs before single regions get targets, too; 1: never */
    uint64_t seed;
    int threads;
    /* Asked after every batch with the share that is done; may cancel. NULL: never. */
    wsam_progress_fn progress;
    void *progress_user;
} ws_learner_options;

void ws_learner_defaults(ws_learner_options *options);

/* Which numbers of a region are looked at: the groups of a set that are chosen. */
typedef struct ws_region_columns {
    uint32_t groups; /* bit g: group g of the layout */
    size_t count;
} ws_region_columns;
ws_region_columns ws_learner_columns(const ws_region_layout *layout, uint32_t groups);

typedef struct ws_learner {
    size_t classes;
    ws_region_columns columns;
    ws_head head;        /* of standardised numbers */
    float *mean, *scale; /* [columns.count]: (number - mean) * scale */
} ws_learner;

/* Trains on the pictures `use` (indices into labels and set, n of them). */
wsam_status ws_learner_train(ws_learner *learner, const ws_region_set *set,
                             const wsam_labels *labels, const uint32_t *use, size_t n,
                             uint32_t groups, const ws_learner_options *options,
                             const wsam_kernels *kernels, wsam_error *error);
void ws_learner_free(ws_learner *learner);

/* ---- learner_numbers.c ---- */

/* Mean and deviation of every number over the regions of the training pictures, in their order. */
wsam_status ws_learner_standardise(ws_learner *learner, const ws_region_set *set,
                                   const uint32_t *use, size_t n, wsam_error *error);
/* Standardised numbers of a picture's regions [n][columns.count] from the set's. */
void ws_learner_numbers(const ws_learner *learner, const ws_region_layout *layout,
                        const ws_region_picture *picture, float *rows);

/* What a picture's regions say: probability of every class in every region [n][classes], of the
 * picture [classes], from outputs [n][2 * classes]. */
void ws_learner_probabilities(size_t n, size_t classes, const float *outputs, float *regions,
                              double *picture);

/* Picture probabilities [n][classes] of pictures `use`; regions' (NULL: not wanted) as `visit`
 * gets them, in order. */
typedef void (*ws_region_visit_fn)(void *user, size_t picture, size_t n, const float *regions);
wsam_status ws_learner_apply(const ws_learner *learner, const ws_region_set *set,
                             const uint32_t *use, size_t n, int threads,
                             const wsam_kernels *kernels, double *pictures,
                             ws_region_visit_fn visit, void *user, wsam_error *error);

#endif
