/* cli/train_clues.h - weaksam train --stage clues. */
#ifndef WEAKSAM_CLI_TRAIN_CLUES_H
#define WEAKSAM_CLI_TRAIN_CLUES_H

#include "cli/cli.h"

/* Whether the arguments ask for that stage, which has options of its own. */
int cli_train_clues_asked(int argc, char **argv);
int cli_train_clues(const cli_command *command, int argc, char **argv);

#endif
