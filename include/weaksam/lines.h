/* weaksam/lines.h - text files of one record per line: read line by line, written as a whole.
 *
 * A reader or a writer belongs to one thread at a time. */
#ifndef WEAKSAM_LINES_H
#define WEAKSAM_LINES_H

#include "weaksam/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A file of JSON lines. */
typedef struct wsam_line_reader wsam_line_reader;

/* Opens a file to be read line by line: at most 64 MiB a line, empty lines are skipped. The caller
 * closes *reader. */
WSAM_API wsam_status wsam_line_reader_open(const char *path, wsam_line_reader **reader,
                                           wsam_error *error);

/* Closes the file and frees the reader; NULL is allowed. */
WSAM_API void wsam_line_reader_close(wsam_line_reader *reader);

/* A text file that grows piece by piece under a temporary name. */
typedef struct wsam_lines wsam_lines;

/* Opens the temporary file beside `path`. The caller ends it with wsam_lines_finish. */
WSAM_API wsam_status wsam_lines_open(const char *path, wsam_lines **lines, wsam_error *error);

/* Appends `text` as it is (end your lines with a newline yourself). */
WSAM_API wsam_status wsam_lines_put(wsam_lines *lines, const char *text, wsam_error *error);

/* Gives the file its final name when `status` is WSAM_OK, removes it otherwise; frees `lines`.
 * Returns `status`, or what went wrong while finishing. */
WSAM_API wsam_status wsam_lines_finish(wsam_lines *lines, wsam_status status, wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
