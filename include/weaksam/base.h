/* weaksam/base.h - status codes, error messages, version, symbol visibility.
 *
 * One rule for errors: a function that can fail returns a wsam_status, 0 on success. Where a status
 * alone does not say what is wrong it also takes a `wsam_error *` (NULL is allowed) that receives
 * what failed and where. Output pointers are NULL after a failure. Functions that return
 * something else cannot fail: they read a finished object, compute on memory of the caller, fill in
 * defaults, or free. Those that look something up say what they return when it is not there. The
 * library never prints, exits or aborts on user data. */
#ifndef WEAKSAM_BASE_H
#define WEAKSAM_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of these headers. The build takes it from here; while MAJOR is 0, another MINOR may
 * change the ABI, and the name of the shared library carries both. */
#define WSAM_VERSION_MAJOR 0
#define WSAM_VERSION_MINOR 2
#define WSAM_VERSION_PATCH 0

#if defined(__GNUC__)
#define WSAM_API __attribute__((visibility("default")))
#else
#define WSAM_API
#endif

/* Stable numbers: they are part of the ABI. */
typedef enum wsam_status {
    WSAM_OK = 0,
    WSAM_ERR_ARGUMENT = 1,    /* a caller's argument is out of its domain */
    WSAM_ERR_MEMORY = 2,      /* allocation failed */
    WSAM_ERR_IO = 3,          /* the operating system refused (errno text in the message) */
    WSAM_ERR_FORMAT = 4,      /* a file is not what it says, or damaged */
    WSAM_ERR_VERSION = 5,     /* a file of a newer format */
    WSAM_ERR_UNSUPPORTED = 6, /* well-formed, but not something this build can do */
    WSAM_ERR_LIMIT = 7,       /* a limit (memory, pixels, depth) would be exceeded */
    WSAM_ERR_MISMATCH = 8,    /* two inputs do not belong together (embedding of another model) */
    WSAM_ERR_CANCELLED = 9    /* a progress callback asked to stop */
} wsam_status;

/* Filled on failure only. `message` is one line, UTF-8, without a trailing newline. */
typedef struct wsam_error {
    wsam_status status;
    char message[1020];
} wsam_error;

/* The name of a status, for example "format"; never NULL. */
WSAM_API const char *wsam_status_string(wsam_status status);

/* "MAJOR.MINOR.PATCH" of the library that is linked. */
WSAM_API const char *wsam_version(void);

/* XXH64 of a file's bytes, or of those of a member of a tar file or list (tar/NAME), as 16
 * hexadecimal digits and a NUL: the `checksum` of a review. A pipe is read to its end. From any
 * thread. WSAM_ERR_IO when it cannot be read. */
WSAM_API wsam_status wsam_file_checksum(const char *path, char checksum[17], wsam_error *error);

/* How an image is resized; picture.h and kernels.h say by which rules. */
typedef enum wsam_filter { WSAM_FILTER_BILINEAR = 1, WSAM_FILTER_BICUBIC = 3 } wsam_filter;

/* Progress and cancellation: called between pieces of work, from the calling thread, with the
 * fraction done in [0,1]. A return other than 0 cancels the call (WSAM_ERR_CANCELLED). */
typedef int (*wsam_progress_fn)(void *user, double fraction);

#ifdef __cplusplus
}
#endif
#endif
