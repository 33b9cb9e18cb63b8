/* base/json_guard.h - whether a text is JSON of a harmless size, before anything is built of it. */
#ifndef WS_BASE_JSON_GUARD_H
#define WS_BASE_JSON_GUARD_H

#include <stddef.h>

/* Of every JSON text that becomes a tree in memory. A value takes up to 144 bytes there with its
 * names, so a tree takes at most 43 MB and twice the text. */
enum { WS_JSON_DEPTH = 32, WS_JSON_VALUES = 300000 };

typedef enum ws_json_verdict {
    WS_JSON_GOOD,
    WS_JSON_BAD,      /* not JSON, or text behind it */
    WS_JSON_TOO_DEEP, /* more than WS_JSON_DEPTH lists and objects in each other */
    WS_JSON_TOO_MANY  /* more values than allowed */
} ws_json_verdict;

/* One value with blanks around it. No recursion, no memory. `at` is where it went wrong. Bytes that
 * are not UTF-8 are left alone. */
ws_json_verdict ws_json_guard(const char *text, size_t n, size_t values, size_t *at);

#endif
