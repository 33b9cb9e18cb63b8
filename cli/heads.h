/* cli/heads.h - what the commands around detection heads share: proposals as boxes, and a head on
 * them. */
#ifndef WEAKSAM_CLI_HEADS_H
#define WEAKSAM_CLI_HEADS_H

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

/* Scores proposals with a head, on a cache or on pictures that are encoded for it. */
typedef struct cli_head_job {
    const char *command;
    const cli_common *common; /* model: the segmenter whose maps the head knows */
    const char *head, *features, *proposals, *images, *labels;
    wsam_detect_options options;
} cli_head_job;
int cli_head_run(const cli_head_job *job);

#endif
