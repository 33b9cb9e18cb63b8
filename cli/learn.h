/* cli/learn.h - what follows the stages with `weaksam run --learn`: a head learnt from what they
 * found, and better labels by it. */
#ifndef WEAKSAM_CLI_LEARN_H
#define WEAKSAM_CLI_LEARN_H

#include "cli/detection_head.h"

typedef struct cli_learn {
    const cli_common *common; /* model and output of the run */
    const char *folder, *labels, *config, *clue_model;
    int clue_size;
    const wsam_labels *pictures;
    const char *preset, *epochs, *seed, *roi_drop; /* NULL: the default */
    const char *method, *keep, *contained;         /* of pseudo labels, the same */
    int surer;
} cli_learn;

/* The folder of maps for wsam_stage_options.maps, made with those above it; free(). */
wsam_status cli_learn_prepare(const char *output, char **maps, wsam_error *error);

/* All steps whose result is not there yet. Exit status; CLI_STOPPED after a signal, and when
 * another process learns from the same run. */
enum { CLI_STOPPED = 75 };
int cli_learn_run(const cli_learn *learn);

#endif
