/* cli/training.h - lines of progress while a head is trained. */
#ifndef WEAKSAM_CLI_TRAINING_H
#define WEAKSAM_CLI_TRAINING_H

#include "cli/cli.h"

/* Begins as zeros but for `last` (ws_clock_ms) and `quiet`. */
typedef struct cli_training {
    double last; /* ms, of the last line */
    double sums[3];
    unsigned long long n, epoch; /* iterations since the last line; epochs that were told of */
    int quiet;
} cli_training;

/* For wsam_train_options.progress: a line every ten seconds, and at the end of an epoch, with the
 * mean losses since the line before. Non-zero once the process is asked to stop. */
int cli_training_watch(void *training, const wsam_train_progress *progress);

#endif
