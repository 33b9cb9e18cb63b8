/* pipeline/regions/network.h - a learnt judge of regions in a weight file: written, opened, used.
 */
#ifndef WS_PIPELINE_REGIONS_NETWORK_H
#define WS_PIPELINE_REGIONS_NETWORK_H

#include "pipeline/regions/learner.h"

/* OUT.wsam and its checkpoint OUT.safetensors, of n learners of the same numbers whose outputs are
 * averaged. `parts`: classes that show by their parts (wholes.h). `segmenter` and `network` are the
 * ids of the models whose regions they were learnt on (network: "" for none). */
enum { WS_REGION_MEMBERS = 5 }; /* learners at most */
wsam_status ws_region_network_save(const ws_learner *learners, size_t n,
                                   const ws_region_layout *layout, const char *const *classes,
                                   const char *parts, const char *segmenter, const char *network,
                                   const char *out, wsam_error *error);

/* Working memory for one model, which lives longer. */
typedef struct ws_region_network {
    wsam_model *model;
    wsam_session *session;
    size_t n_classes;
    char **names;
    const char *groups; /* "shape,look,sam" */
    const char *parts;  /* [n_classes], as in wholes.h; NULL in files of before */
    float *outputs;     /* of the last run */
    size_t room;
} ws_region_network;

int ws_is_region_network(const wsam_model *model);
/* WSAM_ERR_MISMATCH when it was learnt on regions of other models. `network` may be NULL. */
wsam_status ws_region_network_create(ws_region_network *net, wsam_model *model,
                                     const wsam_model *segmenter, const wsam_model *network,
                                     wsam_error *error);
void ws_region_network_free(ws_region_network *net);

/* Probabilities of n regions with all numbers of `layout` [n][layout->count]: regions
 * [n][n_classes], picture [n_classes]. */
wsam_status ws_region_network_run(ws_region_network *net, const ws_region_layout *layout, size_t n,
                                  const float *rows, float *regions, double *picture,
                                  wsam_error *error);

#endif
