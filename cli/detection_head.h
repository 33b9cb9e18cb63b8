/* cli/detection_head.h - what weaksam score --head and weaksam detect share. */
#ifndef WEAKSAM_CLI_DETECTION_HEAD_H
#define WEAKSAM_CLI_DETECTION_HEAD_H

#include "cli/stages.h"
#include "weaksam/learn.h"

/* A head on proposals: a cache has their features, or images are encoded. */
typedef struct cli_head_job {
    const char *command;
    const cli_common *common; /* its model is the segmenter, its output the file */
    wsam_detect_files_options options;
    const char *reviewed; /* a data set with decisions of people, or NULL */
    const char *rules;    /* a rules file, or NULL */
} cli_head_job;

/* Exit status. */
int cli_head_run(cli_head_job *job);

int cli_head_take_clue_size(const char *command, const char *value, int *size);

#endif
