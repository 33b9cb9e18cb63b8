/* weaksam/clues.h - where the classes of a picture show: maps and points of a clue network.
 *
 * A clue network (WeakTr) is a small ViT with one token per class. Its weight file has the graph
 * `clues`; the picture is seen at several scales, each also mirrored, and three kinds of maps come
 * out per class: coarse (class activation), fine (coarse weighted by attention and spread along
 * patch-to-patch attention) and cross (single attention maps of class token to patches). Their
 * peaks are the prompts of wsam_propose_run (stages.h), the fine maps the evidence of
 * wsam_evidence_scorer. Method: WeakTr (arXiv 2304.01184) as WeakSAM (arXiv 2402.14812) uses it.
 *
 * Maps and points are in pixels of the original picture. Everything but a wsam_clues object is
 * thread-safe; that belongs to one thread at a time (it uses the model's threads inside). */
#ifndef WEAKSAM_CLUES_H
#define WEAKSAM_CLUES_H

#include "weaksam/base.h"
#include "weaksam/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WSAM_CLUES_COARSE = 1, /* bits of wsam_clues_params.maps */
    WSAM_CLUES_FINE = 2,
    WSAM_CLUES_CROSS = 4,
    WSAM_CLUES_TOKENS = 8,
    WSAM_CLUES_MAX_SCALES = 8,
    WSAM_CLUES_NAME = 128, /* bytes of a class name */
    WSAM_CLUES_MAX_LAYERS = 28
};

/* Peaks of a normalised map: pixels equal to the maximum of the window around them. */
typedef struct wsam_peak_params {
    int window;       /* odd; 17, cross 129 */
    double threshold; /* 0.9: lower peaks are no points */
    int most;         /* 25 candidates, the highest first, ties in row-major order */
    int spacing;      /* least L1 distance between points; -1: (window - 1) / 2 */
} wsam_peak_params;

/* Fill with wsam_clues_params_default, then change fields. */
typedef struct wsam_clues_params {
    int size; /* limit of the picture's long side at scale 1: 640; 0: as it is */
    int n_scales;
    double scales[WSAM_CLUES_MAX_SCALES]; /* 1.0, 0.8, 1.2 */
    int mirror;                           /* 1: every scale also mirrored */
    double least_logit; /* -0.5: classes above it (at the first view) are taken without labels */
    int n_layers;       /* 0: the model's own choice (layers 8 and 9 of twelve) */
    int layers[WSAM_CLUES_MAX_LAYERS]; /* of the cross maps, from 0 */
    wsam_peak_params coarse, fine, cross;
    int points_per_cluster;    /* 5: k-means of P cross points into max(1, P / 5); 0: leave them as
                                  they are, with their classes */
    uint64_t seed;             /* 0: of the k-means seeding */
    unsigned maps;             /* which maps the result keeps: fine */
    wsam_progress_fn progress; /* asked within and between views; may cancel; NULL: none */
    void *progress_user;
    uint64_t reserved[6]; /* zero */
} wsam_clues_params;

/* Fills *params with the defaults named above. */
WSAM_API void wsam_clues_params_default(wsam_clues_params *params);

typedef struct wsam_clues_result {
    int height, width;        /* of the picture */
    size_t n_classes;         /* of the model */
    float *logits;            /* [n_classes], of the first view */
    size_t n;                 /* classes that the picture is taken to have */
    int32_t *classes;         /* [n], rising; in the model's classes */
    wsam_clue_points *points; /* coarse, fine, cross; `image` NULL; its classes are the n above */
    /* [n] each, values from 0 to 1 of the picture's size; NULL when not asked for. weight: 1 for a
     * given label, the sigmoid of the logit for a predicted class. */
    wsam_clue_map *coarse, *fine;
    size_t n_cross;       /* cross maps per class: layers * heads, head-major */
    wsam_clue_map *cross; /* [n][n_cross], or NULL */
    /* The network's patches after its last block, [token_height][token_width][token_channels], of
     * the first view; NULL when not asked for. token_scale_x, token_scale_y: patches per pixel of
     * the picture (what the last whole patch leaves over has none). */
    float *tokens;
    int token_height, token_width, token_channels;
    float token_scale_x, token_scale_y;
    double encode_s, maps_s, points_s;
    void *memory; /* the maps' values */
} wsam_clues_result;

WSAM_API void wsam_clues_result_free(wsam_clues_result *result); /* NULL is allowed */

/* Working memory for one model. */
typedef struct wsam_clues wsam_clues;

/* The caller frees *clues, before the model. WSAM_ERR_MISMATCH: the model has no clue network. */
WSAM_API wsam_status wsam_clues_create(wsam_model *model, wsam_clues **clues, wsam_error *error);
WSAM_API void wsam_clues_free(wsam_clues *clues); /* NULL is allowed */

/* The number of classes of the model. */
WSAM_API size_t wsam_clues_class_count(const wsam_clues *clues);

/* The name of a class, "class N" (from 0) where the file has none; NULL out of range. */
WSAM_API const char *wsam_clues_class_name(const wsam_clues *clues, size_t index);

/* The index of a class by its name; -1 when there is none. */
WSAM_API int32_t wsam_clues_class_find(const wsam_clues *clues, const char *name);

/* Runs the views and finds the points. `labels`: the picture's classes, n_labels of them, in any
 * order; NULL: those that the first view's logits show. WSAM_ERR_LIMIT when the plan of the largest
 * view exceeds the model's memory limit; WSAM_ERR_UNSUPPORTED when tokens are asked for and the
 * file, an older one, does not give them. `params` may be NULL. The caller frees *result. */
WSAM_API wsam_status wsam_clues_run(wsam_clues *clues, const wsam_picture *picture,
                                    const int32_t *labels, size_t n_labels,
                                    const wsam_clues_params *params, wsam_clues_result **result,
                                    wsam_error *error);

/* ---- results --------------------------------------------------------------------------------- */

/* safetensors: `logits` [classes], `coarse.NAME`, `fine.NAME` [H,W], `cross.NAME` [maps,H,W] for
 * the maps that the result has. Written under a temporary name, then renamed. */
WSAM_API wsam_status wsam_clues_save_tensors(const wsam_clues *clues,
                                             const wsam_clues_result *result, const char *path,
                                             wsam_error *error);

/* The picture in grey with a map laid over it, blue (0) to red (1). The map's size must be the
 * picture's. The caller frees *out. */
WSAM_API wsam_status wsam_clues_heat(const wsam_clue_map *map, const wsam_picture *picture,
                                     wsam_picture *out, wsam_error *error);

/* ---- the parts ------------------------------------------------------------------------------- */

/* Peaks of map [height][width], highest first: *n of them, at most params->most; of points [most]
 * x, y and score are written. WSAM_ERR_MEMORY is the only failure. */
WSAM_API wsam_status wsam_peaks(const float *map, int height, int width,
                                const wsam_peak_params *params, wsam_clue_point *points, int *n);

/* k-means of n points (x, y), k-means++ seeding from `seed`, at most 300 rounds. Writes *found
 * centres to centres [k][2], fewer than k when points coincide. WSAM_ERR_MEMORY is the only
 * failure. */
WSAM_API wsam_status wsam_kmeans(const double *points, size_t n, int k, uint64_t seed,
                                 double *centres, int *found);

#ifdef __cplusplus
}
#endif
#endif
