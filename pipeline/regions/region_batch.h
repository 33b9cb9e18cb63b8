/* pipeline/regions/region_batch.h - one step of the learner: regions of a few pictures through the head,
 * their losses, the gradient. */
#ifndef WS_PIPELINE_REGIONS_REGION_BATCH_H
#define WS_PIPELINE_REGIONS_REGION_BATCH_H

#include "pipeline/regions/learner.h"

typedef struct ws_region_batch {
    const ws_region_set *set;
    const wsam_labels *labels;
    const uint32_t *use;
    const ws_learner_options *o;
    ws_head_work work;
    ws_image_rows *rows; /* [o->batch] */
    uint8_t *shown;      /* [o->batch][classes] */
    double *positive;    /* [classes]: how often the loss of a class that is there counts */
    double *losses;      /* [o->batch] */
    double *scratch;     /* per thread */
    size_t scratch_doubles, most;
    const ws_learner *learner;
    const uint32_t *items;
    uint64_t step;
    int refine;
} ws_region_batch;

/* How often the loss of a class counts where it is there, of the n pictures `use`: classes that few
 * of them show count more, but not as much as they are rare. */
void ws_region_batch_weigh_classes(const wsam_labels *labels, const uint32_t *use, size_t n,
                                   double *positive);

/* `use`: the n training pictures. */
wsam_status ws_region_batch_create(ws_region_batch *b, const ws_learner *learner,
                                   const ws_region_set *set, const wsam_labels *labels,
                                   const uint32_t *use, size_t n, const ws_learner_options *o,
                                   const wsam_kernels *kernels, wsam_error *error);
void ws_region_batch_free(ws_region_batch *b);

/* The mean loss of the pictures use[items[...]]; adds to `gradient`. */
double ws_region_batch_run(ws_region_batch *b, const ws_learner *learner, const uint32_t *items,
                           size_t n, uint64_t step, int refine, ws_head *gradient);

#endif
