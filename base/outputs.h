/* base/outputs.h - output files that appear together. */
#ifndef WS_BASE_OUTPUTS_H
#define WS_BASE_OUTPUTS_H

#include <stdio.h>

#include "base/error.h"

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
/* The file that was completed last gets its name before all others, which mean nothing without it. */
void ws_outputs_first(ws_outputs *out);
/* Renames all files when `status` is good, else removes all traces; should one of several not get
 * its name, those before it keep theirs, which may have replaced older ones. Returns the final
 * status. */
wsam_status ws_outputs_finish(ws_outputs *out, wsam_status status, wsam_error *error);

/* A whole file alone: of `n` bytes, or what another file has. `brief` as above. */
wsam_status ws_outputs_write(const char *path, const char *bytes, size_t n, int brief,
                             wsam_error *error);
wsam_status ws_outputs_copy(const char *from, const char *to, wsam_error *error);

#endif
