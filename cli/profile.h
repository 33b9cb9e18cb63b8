/* cli/profile.h - where a model's time goes, by groups of operators. */
#ifndef WEAKSAM_CLI_PROFILE_H
#define WEAKSAM_CLI_PROFILE_H

#include "cli/cli.h"

/* Runs the image encoder `encodes` times, then single clicks through the mask decoder, one per
 * call, and prints a table each (with common->json: a line each). */
wsam_status cli_profile(const cli_common *common, long long encodes, long long prompts,
                        wsam_error *error);

#endif
