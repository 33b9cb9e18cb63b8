/* base/json_writer.h - JSON text, built by hand: a growing string with escaping. */
#ifndef WS_BASE_JSON_WRITER_H
#define WS_BASE_JSON_WRITER_H

#include <stddef.h>

typedef struct ws_json {
    char *text; /* NULL after memory ran out */
    size_t size, capacity;
    int failed;
} ws_json;

/* Raw text, printf-style, for punctuation and integers. */
void ws_json_put(ws_json *j, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A quoted string of any bytes: control characters are escaped, what is not UTF-8 becomes U+FFFD.
 */
void ws_json_string(ws_json *j, const char *text);
/* A number, with a point in every locale; null when it is not finite. */
void ws_json_number(ws_json *j, double value);
/* A comma unless this is the first item. */
void ws_json_comma(ws_json *j, int first);
/* The finished text, owned by the caller; NULL without memory. */
char *ws_json_finish(ws_json *j);

#endif
