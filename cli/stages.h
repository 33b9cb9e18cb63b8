/* cli/stages.h - what the commands between points and masks share. */
#ifndef WEAKSAM_CLI_STAGES_H
#define WEAKSAM_CLI_STAGES_H

#include "cli/picture.h"

/* FOLDER/NAME in memory of its own (free), for a name that came from a file: absolute names and
 * those with ".." are refused. */
/* Whether a result is worth its name: an error when every picture failed, so that an older, good
 * result is not replaced by an empty one. `status` otherwise. */
wsam_status cli_worth_writing(wsam_status status, const char *output, size_t pictures,
                              size_t failed, wsam_error *error);
wsam_status cli_folder_join(const char *folder, const char *name, const char *ending, char **path,
                            wsam_error *error);

/* Class names that grow; ids are positions from 1. */
typedef struct cli_classes {
    wsam_classes list; /* what writers look at */
    char **names;
    size_t capacity;
    int closed; /* read from a file: no others may come */
} cli_classes;

/* One name per line; empty lines are skipped, duplicates refused. */
wsam_status cli_classes_read(const char *path, cli_classes *classes, wsam_error *error);
/* The index of a name, which is added where the list is open. */
wsam_status cli_classes_find(cli_classes *classes, const char *name, int32_t *index,
                             wsam_error *error);
void cli_classes_free(cli_classes *classes);

/* What a person should know of labels, on stderr: pictures without any, labels without a picture,
 * one class alone. */
void cli_labels_remarks(const char *command, const wsam_labels *labels);
void cli_labels_one_class(const char *command, const char *name);

/* What people decided in the data set `path`, taken into a document; images of decisions that the
 * document lacks are told of on stderr. */
wsam_status cli_truth_adopt(const char *command, const char *path, int quiet,
                            wsam_coco_document *document, wsam_truth_counts *counts,
                            wsam_error *error);
/* A rules file; *rules is NULL without a path. */
wsam_status cli_rules_load(const char *path, wsam_rules **rules, wsam_error *error);
/* "; left out by rules: ..."; nothing where nothing was. */
void cli_rules_print(FILE *stream, const wsam_rules_counts *counts);

/* "; by people: ..." and what went for it; nothing where nobody decided. */
void cli_truth_print(FILE *stream, const wsam_truth_counts *counts);

/* Puts "PATH: " before a message. */
wsam_status cli_error_about(const char *path, const wsam_error *inner, wsam_error *error);
wsam_status cli_error(wsam_error *error, wsam_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
