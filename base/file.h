/* base/file.h - files in: whole, or from where they begin. */
#ifndef WS_BASE_FILE_H
#define WS_BASE_FILE_H

#include "base/error.h"

struct stat;
/* A file, or a member of an archive (archive.h), open for reading where it begins; st_size is how much
 * of it there is. -1 and errno on failure. */
int ws_file_open_part(const char *path, struct stat *st);
/* A whole regular file or member of an archive, with a zero byte behind it; free(*bytes). Refuses more than `limit` bytes.
 */
wsam_status ws_file_read_whole(const char *path, uint64_t limit, char **bytes, size_t *size,
                               wsam_error *error);

/* 1 and 0 in *there; any failure but its absence (no permission, a file server that does not answer)
 * is an error, not an absence. */
wsam_status ws_file_there(const char *path, int *there, wsam_error *error);
/* Likewise, whether it is a folder. */
wsam_status ws_file_folder_there(const char *path, int *there, wsam_error *error);
/* Makes a folder where there is none yet. */
wsam_status ws_file_folder_make(const char *path, wsam_error *error);
/* Removes a file; one that is not there is none to remove. What cannot be removed is an error where it would pass for
 * a result of now. */
wsam_status ws_file_remove(const char *path, wsam_error *error);
/* The same for those files of a folder, not its folders, of which `goes` says so. */
wsam_status ws_file_remove_all(const char *folder, int (*goes)(const void *user, const char *name),
                               const void *user, wsam_error *error);
/* Whether an errno of a call with a path is about the path itself: it is not there, leads nowhere, or
 * is not for us. Any other may pass: too many open files, no memory, a server that does not answer. */
int ws_file_errno_stays(int why);
/* Whether another try may go well: memory ran out, or `path` failed to be read although it is there.
 * Such a failure is not the file's. */
int ws_file_failure_passes(wsam_status status, const char *path);

#endif
