/* pipeline/tokens/clue_train.h - training of a clue head on the cells of images.
 *
 * Everything a step does follows from options, seed and the step's number: a training that was
 * stopped and resumed gives the bytes of one that nobody disturbed, with any number of threads. */
#ifndef WS_PIPELINE_TOKENS_CLUE_TRAIN_H
#define WS_PIPELINE_TOKENS_CLUE_TRAIN_H

#include "pipeline/tokens/clue_head.h"
#include "weaksam/base.h"

typedef struct ws_clue_train_options {
    size_t hidden, epochs, batch; /* batch: images */
    double rate, decay, smooth;
    double token_drop; /* share of the tokens that are zeroed */
    double noise;      /* deviation of what is added to every number */
    double mix; /* share of the images that get a rectangle of the next one, and its labels */
    uint64_t seed;
    uint64_t data; /* of the cells: what a state belongs to */
    int threads;
    const char *state; /* a file: resumed from, and written after epochs; NULL: none */
    float *losses;     /* [epochs]: gets the mean loss of every epoch */
    wsam_progress_fn progress;
    void *progress_user;
} ws_clue_train_options;

void ws_clue_train_defaults(ws_clue_train_options *options);

/* Trains on the images `use` (indices into labels and set, n of them). */
wsam_status ws_clue_train(ws_clue_head *head, const ws_region_set *set, const wsam_labels *labels,
                          const uint32_t *use, size_t n, const ws_clue_train_options *options,
                          const wsam_kernels *kernels, wsam_error *error);

/* Probabilities [n][classes] of the images `use`. */
wsam_status ws_clue_train_apply(const ws_clue_head *head, const ws_region_set *set, size_t classes,
                                const uint32_t *use, size_t n, int threads,
                                const wsam_kernels *kernels, double *probabilities,
                                wsam_error *error);

#endif
