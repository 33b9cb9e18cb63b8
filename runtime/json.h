/* runtime/json.h - writes JSON text for descriptions and profiles. */
#ifndef WS_RUNTIME_JSON_H
#define WS_RUNTIME_JSON_H

#include <stddef.h>
#include <stdint.h>

/* Text being written; start from {0}. After a failed allocation everything else does nothing. */
typedef struct ws_json {
    char *text;
    size_t length, capacity;
    int failed;
    int comma; /* a value was written before in this object or list */
} ws_json;

/* Each writes one value; `key` is NULL inside lists and at the top. Strings may hold any bytes:
 * what is not UTF-8 becomes U+FFFD. Numbers that are not finite become null. */
void ws_json_open(ws_json *j, const char *key, char bracket);
void ws_json_close(ws_json *j, char bracket);
void ws_json_string(ws_json *j, const char *key, const char *value);
void ws_json_int(ws_json *j, const char *key, int64_t value);
void ws_json_number(ws_json *j, const char *key, double value);

/* The finished text, owned by the caller (free); NULL after a failure. */
char *ws_json_finish(ws_json *j);
#endif
