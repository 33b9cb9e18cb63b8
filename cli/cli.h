/* cli/cli.h - what the subcommands share: options, messages, exit status.
 *
 * The command uses the public headers and the small tools of base/: what it can do, the library can
 * do. */
#ifndef WEAKSAM_CLI_CLI_H
#define WEAKSAM_CLI_CLI_H

#include <getopt.h>
#include <stdio.h>

#include "cli/help.h"
#include "weaksam/weaksam.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* Options that mean the same everywhere; each command names those it takes. */
typedef struct cli_common {
    wsam_options runtime; /* --threads --isa --backend --lowering --max-memory */
    const char *model;    /* -m */
    const char *output;   /* -o */
    int json, timing, quiet;
} cli_common;

typedef struct cli_command {
    const char *name, *summary;
    const char *usage; /* the line after "usage: weaksam " */
    const char *help;  /* lines about its own options, where there is no table */
    const char *takes; /* letters of common options: m o r (runtime) j t q */
    int (*run)(int argc, char **argv);
    const cli_help *table;
} cli_command;

/* Values of common options in getopt. */
enum {
    CLI_OPT_HELP = 128,
    CLI_OPT_THREADS,
    CLI_OPT_ISA,
    CLI_OPT_BACKEND,
    CLI_OPT_LOWERING,
    CLI_OPT_MEMORY
};

/* Options that several commands share, by their letter in cli_command.takes (0: of all). */
typedef struct cli_common_option {
    struct option option;
    char letter;
    const char *group; /* of the help */
    const char *names, *text, *preset;
} cli_common_option;
extern const cli_common_option cli_common_options[];
/* Whether a command has it. `i` from 0; the list ends where option.name is NULL. */
int cli_common_takes(const cli_command *command, int i);

extern const cli_command cmd_convert, cmd_inspect, cmd_verify, cmd_encode, cmd_segment,
    cmd_everything, cmd_bench, cmd_kernels, cmd_twin, cmd_draw, cmd_eval, cmd_propose, cmd_score,
    cmd_pgt, cmd_masks, cmd_clues, cmd_train, cmd_detect, cmd_check, cmd_run, cmd_merge, cmd_status,
    cmd_report, cmd_export, cmd_export_onnx, cmd_import, cmd_import_pickle, cmd_join, cmd_trace,
    cmd_review, cmd_pilot;

/* An option of one command: called with its value, returns CLI_OK or what cli_usage returned. */
typedef int (*cli_take_fn)(void *user, int option, const char *value);

/* Parses common options and those of `own` (val from CLI_OWN on). Returns the index of the first
 * argument in argv, or -1 with *status set when the command ends here (--help, bad usage). */
enum { CLI_OWN = 256 };
int cli_options_parse(const cli_command *command, int argc, char **argv, cli_common *common,
                      const struct option *own, cli_take_fn take, void *user, int *status);

/* Print "weaksam NAME: message" to stderr and return the exit status. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_failed(const char *command, const wsam_error *error);
/* The same for want of memory. */
int cli_no_memory(const char *command);

/* A whole number in [min, max]; 0 when the text is something else. */
int cli_int(const char *text, long long min, long long max, long long *out);
/* Exactly n, or least to n, numbers separated by commas; returns how many, 0 when malformed. */
int cli_numbers(const char *text, int least, int n, double *out);
/* Bytes with an optional k, M or G. */
int cli_bytes(const char *text, uint64_t *out);

/* Text without control characters, for terminals. */
void cli_print_safe(FILE *stream, const char *text);
/* A JSON string with its quotes, on standard output; "" for NULL. */
void cli_print_json_string(const char *text);

/* The PNG and JPEG files of a folder (by their names' endings), sorted by name; free with
 * cli_folder_free. */
wsam_status cli_folder_pictures(const char *folder, char ***paths, size_t *n, wsam_error *error);
void cli_folder_free(char **paths, size_t n);
/* The same for calibration: *used of them, the first 64, are enough; a folder without any is an
 * error. */
wsam_status cli_folder_sample(const char *folder, char ***paths, size_t *n, size_t *used,
                              wsam_error *error);

/* A bar on a terminal, nothing otherwise. `user` is the label. */
int cli_progress(void *user, double fraction);
/* Clears the bar. */
void cli_progress_end(void);
/* Whether a bar is wanted and stderr is a terminal. */
int cli_wants_progress(const cli_common *common);

/* `--timing`: one line of text, or one of JSON, on stderr. */
void cli_print_timing(const cli_common *common, double load_ms, const wsam_timing *timing);

/* A text file, whole or not at all. */
wsam_status cli_save_text(const char *path, const char *text, wsam_error *error);
/* A folder of ours with all that is in it. */
void cli_folder_remove(const char *folder);

/* `one` for n of 1, else `many`. */
const char *cli_plural(size_t n, const char *one, const char *many);

/* Results without -o go to standard output; 1 when that worked. */
int cli_print_result(const char *text);

#endif
