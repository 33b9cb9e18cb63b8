/* base/error.h - error reporting and overflow-safe sizes, for every room. */
#ifndef WS_BASE_ERROR_H
#define WS_BASE_ERROR_H

#include "weaksam/base.h"

/* Fills `error` (may be NULL) and returns `status`. The message is cut to fit, control characters
 * that came from files are replaced by '?'. */
wsam_status ws_fail(wsam_error *error, wsam_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* WSAM_ERR_MEMORY, "`about`: no memory"; `about` is a path or what was to be made. */
wsam_status ws_no_memory(wsam_error *error, const char *about);

/* *out = a*b or a+b; 1 when that overflows (then *out is SIZE_MAX). */
int ws_mul_size(size_t a, size_t b, size_t *out);
int ws_add_size(size_t a, size_t b, size_t *out);

/* n rounded up to a multiple of 64, the alignment of packed and scratch memory. */
static inline size_t ws_align64(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

/* 64-byte aligned memory of at least one byte, in huge pages where it is large and the system has
 * them; freed with free(). NULL when there is none. */
void *ws_alloc64(size_t bytes);

#endif
