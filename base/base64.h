/* base/base64.h - bytes as text (RFC 4648). */
#ifndef WS_BASE_BASE64_H
#define WS_BASE_BASE64_H

#include "base/text.h"

void ws_base64_put(ws_text *t, const unsigned char *bytes, size_t n);
/* The bytes of a text; free(). NULL for other characters or without memory. Blanks and line ends
 * are skipped. */
unsigned char *ws_base64_read(const char *text, size_t *n);

#endif
