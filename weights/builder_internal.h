/* weights/builder_internal.h - the builder's state, shared by builder.c and builder_graph.c. */
#ifndef WS_WEIGHTS_BUILDER_INTERNAL_H
#define WS_WEIGHTS_BUILDER_INTERNAL_H

#include "weights/builder.h"

struct ws_builder {
    const ws_source *source; /* NULL when only the needs are wanted */
    wsam_convert_options options;
    wsam_status status; /* the first failure; later calls do nothing */
    wsam_error error;

    ws_need *needs;
    size_t n_needs, needs_capacity;

    ws_tensor_def *tensors;
    ws_recipe *recipes; /* beside tensors */
    size_t n_tensors, tensors_capacity;

    ws_graph_def graphs[WS_CAP_GRAPHS];
    size_t n_graphs, ops_capacity;

    float *smooth; /* factors of the last smoothed pair, whose linear is this need (smooth.c) */
    int smooth_linear;

    ws_meta_def *meta;
    size_t n_meta, meta_capacity;
};

/* `array` with room for one more item after `count`; NULL (status set) without memory or past
 * `cap`. */
void *ws_builder_grow(ws_builder *b, void *array, size_t count, size_t *capacity, size_t item,
                      size_t cap);

#endif
