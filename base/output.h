/* base/output.h - one output file: whole or not there at all, and written through what is no file.
 *
 * A regular file, or a name that is free, gets its content under a temporary name beside it, which
 * is renamed at the end. A symbolic link is followed, and what it points to is replaced. A device
 * or a pipe, and an open stream of this process (/dev/stdout, /dev/fd/N), is written to as it is.
 * Messages name the path and the reason. */
#ifndef WS_BASE_OUTPUT_H
#define WS_BASE_OUTPUT_H

#include "base/error.h"

typedef struct ws_output_file {
    char *path;      /* as it was given */
    char *target;    /* what it leads to */
    char *temporary; /* NULL: not a regular file */
    int fd;          /* for reading and writing when `seekable` was asked for */
    int through;     /* the descriptor that `fd` is copied into at the end; -1: none */
    unsigned mode;   /* permissions of the file that is replaced; 0: there is none */
} ws_output_file;

/* With `seekable`, what cannot be sought in is collected in an unnamed file first. On failure there
 * is nothing to finish. */
wsam_status ws_output_open(ws_output_file *o, const char *path, int seekable, wsam_error *error);
wsam_status ws_output_write(const ws_output_file *o, const void *bytes, size_t n,
                            wsam_error *error);
/* Of a seekable one. */
wsam_status ws_output_write_at(const ws_output_file *o, uint64_t offset, const void *bytes,
                               size_t n, wsam_error *error);
/* Completes the content: to the disk with `sync`, so that after a crash there is the old file or
 * the whole new one. Closes `fd`. */
wsam_status ws_output_complete(ws_output_file *o, int sync, wsam_error *error);
/* The name at last. */
wsam_status ws_output_rename(const ws_output_file *o, int sync, wsam_error *error);
/* Frees; a temporary file that has not got its name goes. */
void ws_output_drop(ws_output_file *o, int keep);
/* All of it: completes and renames when `status` is good, and drops. Returns the final status. */
wsam_status ws_output_finish(ws_output_file *o, wsam_status status, wsam_error *error);

/* A file without a name for what is in between, in the folder of `beside` where the result will
 * need room as well, else (and for NULL) in TMPDIR or /tmp; -1 and errno on failure. */
int ws_output_scratch(const char *beside);

#endif
