/* cli/run.h - what weaksam run and merge share: exit status, shards, the final files. */
#ifndef WEAKSAM_CLI_RUN_H
#define WEAKSAM_CLI_RUN_H

#include "cli/learn.h"

/* As schedulers expect them (sysexits.h). */
enum {
    EXIT_USAGE = 64,   /* also: shard unclear */
    EXIT_INPUT = 65,   /* labels, models or a manifest that cannot be used */
    EXIT_MISSING = 66, /* or are not there */
    EXIT_INTERNAL = 70,
    EXIT_MEMORY = 71, /* this one and the next: try again */
    EXIT_IO = 74,
    EXIT_AGAIN = CLI_STOPPED,
    EXIT_CONFIG = 78
};

/* The exit status of a failure; `began`: all that is asked for was there and could be used. */
int cli_run_exit_of(wsam_status status, int began);

/* I of N from "I/N" or "auto/N", and the variable that said I (NULL: none). Exit status. */
int cli_shard(const char *text, int *shard, int *shards, const char **variable);

/* The final files, when nothing is missing. A run of one shard says how far all are and ends with
 * `partial` then; with `list`, missing and failed pictures are named. *missing: SIZE_MAX after a
 * failure. Exit status. */
int cli_run_finish(const char *command, const char *output, int quiet, int list, int partial,
                   size_t *missing);

/* A picture that failed or is missing: one line, "weaksam COMMAND: NAME (stage): reason". */
void cli_run_print_gap(const char *command, const wsam_run_gap *gap);

#endif
