/* base/utf8.h - which bytes are UTF-8. */
#ifndef WS_BASE_UTF8_H
#define WS_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the UTF-8 sequence at s, of which n are there; 0 when it is none (overlong, a surrogate,
 * cut off). */
size_t ws_utf8_length(const char *s, size_t n);
int ws_utf8_valid(const char *s, size_t n);

#endif
