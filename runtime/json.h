/* runtime/json.h - JSON text, built by hand: a growing string with escaping. */
#ifndef WS_RUNTIME_JSON_H
#define WS_RUNTIME_JSON_H

#include <stddef.h>

typedef struct ws_json {
    char *text; /* NULL after memory ran out */
    size_t size, capacity;
    int failed;
} ws_json;

/* Raw text, printf-style. Values and punctuation are the caller's business. */
void ws_json_put(ws_json *j, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A quoted string; control characters, quotes and bytes that are no ASCII text are escaped. */
void ws_json_string(ws_json *j, const char *text);
/* A comma unless this is the first item. */
void ws_json_comma(ws_json *j, int first);
/* The finished text, owned by the caller; NULL without memory. */
char *ws_json_finish(ws_json *j);

#endif
