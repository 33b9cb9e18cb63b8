/* pipeline/clues/clues.h - what the files of the clue stage share. */
#ifndef WS_PIPELINE_CLUES_CLUES_H
#define WS_PIPELINE_CLUES_CLUES_H

#include "base/error.h"
#include "pipeline/picture/normalise.h"
#include "pipeline/tokens/learnt.h"
#include "weaksam/accuracy.h"
#include "weaksam/clues.h"
#include "weaksam/kernels.h"
#include "weaksam/model.h"
#include "weaksam/picture.h"

struct wsam_clues {
    wsam_model *model;
    const wsam_kernels *kernels;
    int threads;
    wsam_session *session;
    ws_learnt *learnt; /* a head on a frozen network; then there is no session */
    size_t n_classes;
    int patch, depth, heads;
    ws_pixel_table table;
    char (*names)[WSAM_CLUES_NAME];
};

/* Maps of one scale, of the classes that the picture has, each [h][w]: class by class coarse, fine,
 * then the cross maps, head-major. Those of the mirrored picture are mirrored back and added
 * here: what follows is linear. */
typedef struct ws_view {
    int h, w;
    float *maps; /* [n][2 + n_cross][h][w] */
} ws_view;

typedef struct ws_views {
    size_t n_views, n, n_cross;
    ws_view views[WSAM_CLUES_MAX_SCALES];
    int n_layers, layers[WSAM_CLUES_MAX_LAYERS];
} ws_views;

/* Runs the network over all views. After the first one `result` knows logits and classes (those
 * given are sorted and checked already). ws_clues_views_free in any case. */
wsam_status ws_clues_run_views(wsam_clues *c, const wsam_picture *picture, int labelled,
                               const wsam_clues_params *params, wsam_clues_result *result,
                               ws_views *views, wsam_error *error);
void ws_clues_views_free(ws_views *views);

/* The pixels of `picture`, normalised and mirrored where asked for, through the network. */
wsam_status ws_clues_run_view(wsam_clues *c, const wsam_picture *picture, int mirrored,
                              wsam_image *state, wsam_error *error);

/* wsam_verify_against for clue networks: every output of the graph on a drawn picture. Heads are 0
 * for models without one. */
wsam_status ws_clues_compare(wsam_model *model, wsam_model *original, wsam_graph_error *errors,
                             size_t max, size_t *n, wsam_error *error);
int ws_clues_compare_heads(wsam_model *model);

/* Map `index` (0 coarse, 1 fine, 2 + m cross) of class `k`: all views enlarged to [height][width],
 * added up, and brought to 0...1. */
wsam_status ws_clue_maps_add_views(const wsam_clues *c, const ws_views *views, size_t k,
                                   size_t index, int height, int width, float *out,
                                   wsam_error *error);

/* Working memory for the peaks of maps of one size. */
typedef struct ws_peak_finder {
    int height, width, threads;
    float *rows;    /* [height][width]: maxima of the window's rows */
    float *scratch; /* per thread */
    size_t scratch_floats;
    struct ws_peak *best; /* per strip of columns: the highest candidates */
    int strips, most, *found;
} ws_peak_finder;

wsam_status ws_peaks_create(ws_peak_finder *f, int height, int width, int most, int threads,
                            wsam_error *error);
void ws_peaks_free(ws_peak_finder *f);
/* As wsam_peaks; params->most is at most the finder's. */
int ws_peaks_find(ws_peak_finder *f, const float *map, const wsam_peak_params *params,
                  wsam_clue_point *points);

#endif
