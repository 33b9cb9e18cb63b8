/* base/file.h - whole files in, finished files out. */
#ifndef WS_BASE_FILE_H
#define WS_BASE_FILE_H

#include <stdio.h>

#include "base/error.h"

struct stat;
/* A file, or a member of an archive (archive.h), open for reading where it begins; st_size is how much
 * of it there is. -1 and errno on failure. */
int ws_open_part(const char *path, struct stat *st);
/* A whole regular file or member of an archive, with a zero byte behind it; free(*bytes). Refuses more than `limit` bytes.
 */
wsam_status ws_read_whole(const char *path, uint64_t limit, char **bytes, size_t *size,
                          wsam_error *error);

/* 1 and 0 in *there; any failure but its absence (no permission, a file server that does not answer)
 * is an error, not an absence. */
wsam_status ws_file_there(const char *path, int *there, wsam_error *error);
/* Likewise, whether it is a folder. */
wsam_status ws_folder_there(const char *path, int *there, wsam_error *error);
/* Whether an errno of a call with a path is about the path itself: it is not there, leads nowhere, or
 * is not for us. Any other may pass: too many open files, no memory, a server that does not answer. */
int ws_errno_stays(int why);
/* Whether another try may go well: memory ran out, or `path` failed to be read although it is there.
 * Such a failure is not the file's. */
int ws_failure_passes(wsam_status status, const char *path);

/* Output files that appear together (see output.h for where): all get their names when the last one
 * is complete. */
typedef struct ws_outputs {
    size_t n, capacity;
    struct ws_output_item *files;
    int brief;    /* 1: soon replaced, not worth a wait for the disk */
    char *folder; /* made by ws_outputs_folder, removed again on failure */
} ws_outputs;

wsam_status ws_outputs_folder(ws_outputs *out, const char *path, wsam_error *error);
/* A stream for one more file; it stays open until ws_outputs_close. NULL and an error on failure.
 */
FILE *ws_outputs_open(ws_outputs *out, const char *path, wsam_error *error);
/* The same for a writer that goes back in it. */
FILE *ws_outputs_open_seekable(ws_outputs *out, const char *path, wsam_error *error);
/* Completes the file that was opened last. */
wsam_status ws_outputs_close(ws_outputs *out, wsam_error *error);
/* Renames all files when `status` is good, else removes all traces; should one of several not get
 * its name, those before it keep theirs, which may have replaced older ones. Returns the final
 * status. */
wsam_status ws_outputs_finish(ws_outputs *out, wsam_status status, wsam_error *error);

#endif
