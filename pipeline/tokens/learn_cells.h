/* pipeline/tokens/learn_cells.h - what wsam_regions_learn does with cells in place of regions. */
#ifndef WS_PIPELINE_TOKENS_LEARN_CELLS_H
#define WS_PIPELINE_TOKENS_LEARN_CELLS_H

#include "pipeline/regions/learner.h"
#include "weaksam/regions.h"

typedef struct ws_cells_job {
    const ws_region_set *set;
    const wsam_labels *labels;
    const wsam_regions_learn_options *o;
    const ws_learner_options *learner; /* threads, progress */
    const wsam_kernels *kernels;
    uint64_t data; /* of the set's bytes */
} ws_cells_job;

void ws_learn_cells_begin(ws_cells_job *job, const ws_region_set *set, const wsam_labels *labels,
                          const wsam_regions_learn_options *o, const ws_learner_options *learner,
                          const wsam_kernels *kernels);
/* Trains on `use` and gives probabilities [held][classes] of `judged`. */
wsam_status ws_learn_cells_judge(const ws_cells_job *job, int training, const uint32_t *use,
                                 size_t n, const uint32_t *judged, size_t held,
                                 double *probabilities, wsam_error *error);
/* The last training; `out` with the network, its curves, and no states any more. */
wsam_status ws_learn_cells_train(const ws_cells_job *job, int training, const uint32_t *use,
                                 size_t n, const char *out, wsam_error *error);

#endif
