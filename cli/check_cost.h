/* cli/check_cost.h - weaksam check: what a run would cost here, measured on three images. */
#ifndef WEAKSAM_CLI_CHECK_COST_H
#define WEAKSAM_CLI_CHECK_COST_H

#include "cli/cli.h"

/* Runs the stages on the first, middle and last image and prints the time and disk space of all. Classes that no
 * clue model (NULL: there is none) knows are learnt first, as a run does. Nothing stays. */
wsam_status check_cost_measure(const cli_common *common, const char *clue_model, const char *folder,
                               const char *labels, wsam_error *error);

#endif
