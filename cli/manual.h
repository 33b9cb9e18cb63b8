/* cli/manual.h - `weaksam help`: the overview, man pages and completion, from the tables of help. */
#ifndef WEAKSAM_CLI_MANUAL_H
#define WEAKSAM_CLI_MANUAL_H

#include "cli/cli.h"

/* Called for groups and rows in the order in which they are printed. */
typedef struct cli_help_visitor {
    void (*group)(void *user, const char *title);
    void (*row)(void *user, const char *names, const char *text, const char *preset);
    void *user;
} cli_help_visitor;

void cli_help_walk(const cli_command *command, const cli_help_visitor *visitor);

/* The list of commands. */
void cli_manual_overview(FILE *f, const cli_command *const *commands, int n);

#endif
