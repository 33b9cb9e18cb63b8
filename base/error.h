/* base/error.h - how failures are reported, for every room. */
#ifndef WS_BASE_ERROR_H
#define WS_BASE_ERROR_H

#include "base/memory.h"
#include "weaksam/base.h"

/* Fills `error` (may be NULL) and returns `status`. The message is cut to fit, control characters
 * that came from files are replaced by '?'. */
wsam_status ws_fail(wsam_error *error, wsam_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* WSAM_ERR_MEMORY, "`about`: no memory"; `about` is a path or what was to be made. */
wsam_status ws_no_memory(wsam_error *error, const char *about);

#endif
