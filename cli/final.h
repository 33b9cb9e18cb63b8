/* cli/final.h - what a run ends with: the data set that is its result, and its page. */
#ifndef WEAKSAM_CLI_FINAL_H
#define WEAKSAM_CLI_FINAL_H

#include "cli/stages.h"

/* OUTPUT/final.json: a copy of OUTPUT/`from`. */
/* Other classes of final.json: "--rename A=B" and "--drop C", all at once. */
enum { CLI_MOST_CLASSES = 100 };
typedef struct cli_recast {
    size_t n;
    const char *text[CLI_MOST_CLASSES]; /* "A=B" or "C" */
    int drop[CLI_MOST_CLASSES];
} cli_recast;
/* The same from OUTPUT/from and what people decided in OUTPUT/reviewed.json. Says what it did, unless
 * `quiet`. */
wsam_status cli_final_recast(const char *output, const char *from, const cli_recast *recast,
                             int quiet, wsam_error *error);

wsam_status cli_final_write(const char *output, const char *from, wsam_error *error);
/* OUTPUT/report.html of it, with the judgement of learnt clues. */
wsam_status cli_final_report(const char *output, const char *folder, wsam_error *error);

#endif
