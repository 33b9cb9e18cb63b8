/* pipeline/train/features.h - the cache of reduced maps, and the pooling of boxes from it.
 *
 * The file: a header of 64 bytes; the maps of every picture, fp16 [height][width][components]; the
 * index (per picture its name, size, and per source offset, height, width, scales); the sources
 * (name, channels, components, longest side, projection and bias, f32). Little-endian; 64-bit offsets. */
#ifndef WS_PIPELINE_TRAIN_FEATURES_H
#define WS_PIPELINE_TRAIN_FEATURES_H

#include "weaksam/kernels.h"
#include "weaksam/train.h"

/* The first version had no longest sides. */
#define WS_FEATURES_MAGIC   "WSFEAT2\n"
#define WS_FEATURES_MAGIC_1 "WSFEAT1\n"
enum { WS_SOURCE_LABEL = 16, WS_MOST_CELLS = 1 << 20, WS_MOST_SIDE = 4096 };

typedef struct ws_features_header {
    char magic[8];
    uint32_t n_sources, zero;
    uint64_t n_images, index_offset, index_size, sources_offset, sources_size, hash;
} ws_features_header;

typedef struct ws_reduction {
    char name[WS_SOURCE_LABEL];
    uint32_t channels, components;
    uint32_t max_side;    /* 0: the network's own */
    float *weight, *bias; /* [components][channels], [components] */
} ws_reduction;

typedef struct ws_cached_map {
    uint64_t offset;
    uint32_t height, width;
    float scale_x, scale_y;
} ws_cached_map;

typedef struct ws_cached_picture {
    char *name;
    uint32_t width, height;
    ws_cached_map maps[WSAM_FEATURE_SOURCES];
} ws_cached_picture;

struct wsam_features {
    void *bytes; /* mapped */
    size_t size;
    uint64_t hash; /* of index and sources */
    size_t n_sources, n, components, most_cells;
    ws_reduction sources[WSAM_FEATURE_SOURCES];
    ws_cached_picture *pictures;
    const ws_cached_picture **by_name; /* [n], sorted */
};

/* A map whose values are there, or (NULL) lie in a file from `offset` on, fp16. */
typedef struct ws_stored_map {
    wsam_feature_map map;
    uint64_t offset;
} ws_stored_map;

/* As wsam_features_add_named, with maps in the file `path`, which has to stay until finish. */
wsam_status ws_features_add_stored(wsam_features_writer *writer, const char *image, int width,
                                   int height, const ws_stored_map *maps, size_t n,
                                   const char *path, wsam_error *error);

/* A picture of `like`, reduced as it is: for a writer of wsam_features_create_like, before whose
 * finish the cache is not closed. */
wsam_status ws_features_add_cached(wsam_features_writer *writer, const wsam_features *like,
                                   size_t index, wsam_error *error);

/* Reduced maps in f32, for pooling. */
typedef struct ws_pool_map {
    int height, width, channels;
    float scale_x, scale_y;
    const float *values;
} ws_pool_map;

/* Maps of a picture widened into `values` (room for ws_features_room floats). */
size_t ws_features_room(const wsam_features *features);
void ws_features_maps(const wsam_features *features, size_t index, float *values,
                      ws_pool_map maps[WSAM_FEATURE_SOURCES]);

/* rows [n][bins*bins][all channels] */
void ws_features_pool_boxes(const wsam_kernels *kernels, const ws_pool_map *maps, size_t n_maps,
                            int bins, size_t n, const float (*boxes)[4], float *rows);

#endif
