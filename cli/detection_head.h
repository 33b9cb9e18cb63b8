/* cli/detection_head.h - what the commands around detection heads share: proposals as boxes, and a
 * head on them. */
#ifndef WEAKSAM_CLI_DETECTION_HEAD_H
#define WEAKSAM_CLI_DETECTION_HEAD_H

#include "cli/stages.h"
#include "weaksam/dataset.h"
#include "weaksam/train.h"

/* The boxes of one picture, exclusive, at least 2 pixels a side. */
typedef struct cli_boxes {
    char *image;
    int width, height;
    size_t n;
    float (*boxes)[4];
} cli_boxes;

typedef struct cli_box_list {
    size_t n, capacity;
    cli_boxes *items;
} cli_box_list;

wsam_status cli_boxes_read(const char *path, cli_box_list *list, wsam_error *error);
void cli_boxes_free(cli_box_list *list);

/* The maps of pictures: "clues" first, then "sam", of the models that were given. */
typedef struct cli_maps {
    cli_loaded loaded; /* the segmenter, where common->model is given */
    wsam_model *clue_model;
    wsam_clues *clues;
    wsam_clues_params params;
    wsam_embedding *embedding; /* of the last picture, with its maps */
    wsam_clues_result *result;
    size_t n;
    wsam_feature_map maps[2];
} cli_maps;

enum { CLI_CLUE_SIZE = 640, CLI_CLUE_COMPONENTS = 128, CLI_SAM_COMPONENTS = 64 };
wsam_status cli_maps_open(const cli_common *common, const char *clue_model, int clue_size,
                          cli_maps *maps, wsam_error *error);
void cli_maps_close(cli_maps *maps);
wsam_status cli_maps_read(cli_maps *maps, const char *path, wsam_error *error);
/* NULL: there is none. */
const wsam_feature_map *cli_maps_find(const cli_maps *maps, const char *source);
int cli_take_clue_size(const char *command, const char *value, int *size);

/* Scores proposals with a head, on a cache or on pictures that are encoded for it. */
typedef struct cli_head_job {
    const char *command;
    const cli_common *common; /* model: the segmenter whose maps the head knows, or NULL */
    const char *clue_model;   /* the clue network, or NULL */
    int clue_size; /* -1: that of the head's training */
    const char *head, *features, *proposals, *images, *labels;
    wsam_detect_options options;
    const char *reviewed; /* a data set with decisions of people, or NULL */
    int masks;            /* instance masks of what was found, by the segmenter: a data set */
} cli_head_job;
int cli_head_run(const cli_head_job *job);

#endif
