/* cli/final.h - what a run ends with: the data set that is its result, and its page. */
#ifndef WEAKSAM_CLI_FINAL_H
#define WEAKSAM_CLI_FINAL_H

#include "cli/stages.h"

/* OUTPUT/final.json: a copy of OUTPUT/`from`. */
wsam_status cli_final_write(const char *output, const char *from, wsam_error *error);
/* OUTPUT/report.html of it, with the judgement of learnt clues. */
wsam_status cli_final_report(const char *output, const char *folder, wsam_error *error);

#endif
