/* cli/clues_learnt.h - what clues were learnt with, in a file beside them: whether they may stay. */
#ifndef WEAKSAM_CLI_CLUES_LEARNT_H
#define WEAKSAM_CLI_CLUES_LEARNT_H

#include "weaksam/dataset.h"

typedef enum cli_learnt {
    CLI_LEARNT_SAME,    /* the same options, and no class that is new */
    CLI_LEARNT_UNKNOWN, /* the file is missing or damaged */
    CLI_LEARNT_OPTIONS, /* other options or models */
    CLI_LEARNT_CLASS    /* a class that they do not know */
} cli_learnt;

/* A number for options (one line), and labels with the names of their images. */
uint64_t cli_learnt_digest(const char *options, const wsam_labels *labels);

/* Options (one line) and classes, for cli_learnt_compare. */
wsam_status cli_learnt_write(const char *path, const char *options, const wsam_labels *labels,
                             wsam_error *error);

/* *name: the new class, of CLI_LEARNT_CLASS. A file that is there and cannot be read is an error. */
wsam_status cli_learnt_compare(const char *path, const char *options, const wsam_labels *labels,
                               cli_learnt *how, const char **name, wsam_error *error);

/* Whether `name` is one of the lines of `text`. */
int cli_learnt_in_lines(const char *text, const char *name);

#endif
