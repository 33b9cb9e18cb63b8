/* tests/util/util_eval.h - evaluations of short texts. */
#ifndef WS_TESTS_UTIL_UTIL_EVAL_H
#define WS_TESTS_UTIL_UTIL_EVAL_H

#include "weaksam/evaluate.h"

/* Texts are JSON with ' for ". The status and the error of the call that failed, or the figures. */
typedef struct outcome {
    wsam_status status;
    wsam_error error;
    wsam_eval_figures *figures;
} outcome;

outcome eval_texts(const char *gt, const char *dt, wsam_eval_kind kind,
                   const wsam_eval_options *options);
outcome eval_files(const char *gt, const char *dt, wsam_eval_kind kind,
                   const wsam_eval_read_options *read, const wsam_eval_options *options);

/* Writes the text (as it is) into a new file; the path is remove()d and freed by eval_drop_file. */
char *eval_file(const char *text, size_t n);
void eval_drop_file(char *path);

#endif
