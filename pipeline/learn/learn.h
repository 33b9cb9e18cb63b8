/* pipeline/learn/learn.h - what the steps of learning share: proposals as boxes, maps of images. */
#ifndef WS_PIPELINE_LEARN_LEARN_H
#define WS_PIPELINE_LEARN_LEARN_H

#include <stdio.h>

#include "base/error.h"
#include "weaksam/clues.h"
#include "weaksam/learn.h"

enum { WS_CLUE_SIZE = 640, WS_CLUE_COMPONENTS = 128, WS_SAM_COMPONENTS = 64 };

/* Puts "PATH: " before the message. */
wsam_status ws_boxes_about(const char *path, wsam_error *error);

/* ---- proposals ---- */

/* The boxes of one image, exclusive, at least 2 pixels a side. */
typedef struct ws_boxes {
    char *image;
    int width, height;
    size_t n;
    float (*boxes)[4];
} ws_boxes;

typedef struct ws_box_list {
    size_t n, capacity;
    ws_boxes *items;
} ws_box_list;

wsam_status ws_boxes_read(const char *path, ws_box_list *list, wsam_error *error);
void ws_boxes_free(ws_box_list *list);

/* ---- maps ---- */

/* The maps of an image: "clues" first, then "sam", of the models that were given. */
typedef struct ws_image_maps {
    wsam_picture_limits limits;
    wsam_model *model, *clue_model;
    wsam_segmenter *segmenter;
    wsam_clues *clues;
    wsam_clues_params params;
    wsam_embedding *embedding; /* of the last image, with its maps */
    wsam_clues_result *result;
    size_t n;
    wsam_feature_map maps[2];
} ws_image_maps;

/* `clues` 0: the segmenter alone. ws_image_maps_close frees them, also after a failure. */
wsam_status ws_image_maps_open(const wsam_feature_models *models, int clues, ws_image_maps *maps,
                               wsam_error *error);
void ws_image_maps_close(ws_image_maps *maps);
wsam_status ws_image_maps_read(ws_image_maps *maps, const char *path, wsam_error *error);
/* The segmenter's embedding of an image; messages name the file. */
wsam_status ws_image_maps_encode(ws_image_maps *maps, const char *path, wsam_embedding **embedding,
                                 wsam_error *error);
/* NULL: there is none. */
const wsam_feature_map *ws_image_maps_find(const ws_image_maps *maps, const char *source);

/* The sources of a cache, and how many components are kept of each (0: the defaults). */
size_t ws_image_maps_sources(const wsam_feature_models *models, int components,
                             wsam_feature_source sources[2]);

#endif
