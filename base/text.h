/* base/text.h - bytes and text that grow: the one buffer of the tree. */
#ifndef WS_BASE_TEXT_H
#define WS_BASE_TEXT_H

#include <stddef.h>

#include "base/memory.h"
#include "weaksam/base.h"

/* Start from zeros; free(text). After a failed allocation `failed` stays 1 and further text is
 * dropped. */
typedef struct ws_text {
    char *text; /* NUL-terminated once something was put */
    size_t n, capacity;
    int failed;
} ws_text;

/* Room for n more characters; NULL when there is none. The caller adds what it used to text->n. */
char *ws_text_room(ws_text *t, size_t n);
void ws_text_put(ws_text *t, const char *bytes, size_t n);
/* Any length; numbers have a point in every locale. */
void ws_text_printf(ws_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text for XML and SVG: &, <, > and quotes escaped, control characters as '?'. */
void ws_text_xml(ws_text *t, const char *text);
/* The finished text, owned by the caller; NULL without memory. */
char *ws_text_finish(ws_text *t);
/* Gives the text to the caller (free() it), or frees it after a failed allocation: *out is NULL then
 * and the status WSAM_ERR_MEMORY. */
wsam_status ws_text_take(ws_text *t, char **out);

#endif
