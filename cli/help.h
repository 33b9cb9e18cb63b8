/* cli/help.h - the help of a command as data: --help, man pages and completion come from it.
 *
 * To add an option to a command add a row to its table in help_*.c, in the group where a reader
 * would look for it. Rows are wrapped when they are printed. Options that are the same everywhere
 * (--threads and others of cli_command.takes, --help) are added by themselves. */
#ifndef WEAKSAM_CLI_HELP_H
#define WEAKSAM_CLI_HELP_H

typedef struct cli_help_row {
    const char *names;  /* "-o, --output FILE"; NULL: a group begins here, `text` is its title */
    const char *text;   /* what it does, without a full stop at the end */
    const char *preset; /* the default, or NULL */
} cli_help_row;

typedef struct cli_help {
    const char *about; /* paragraphs, separated by an empty line; NULL: the summary says it all */
    const cli_help_row *rows; /* ends with a row of NULLs */
    const char *notes;        /* paragraphs behind the options; NULL: none */
    const char *examples;     /* command lines, one a line; a line that ends in \ goes on */
} cli_help;

/* Titles of groups. Common options go into those of the same title. */
#define CLI_HELP_INPUT  "Input"
#define CLI_HELP_OUTPUT "Output"
#define CLI_HELP_SPEED  "Speed and memory"
#define CLI_HELP_OTHER  "Other"

struct cli_command;

/* `weaksam COMMAND --help`, at most 100 columns. */
void cli_help_print(const struct cli_command *command);

/* `weaksam help`: the text, a man page (roff), or names for completion. Exit status. */
int cli_manual_command(int argc, char **argv, const struct cli_command *const *commands, int n);

#endif
