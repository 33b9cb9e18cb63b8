/* base/json_parse.c - see json_parse.h. */
#include "base/json_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_guard.h"
#include "base/locale.h"

static wsam_status refuse(ws_json_verdict verdict, size_t values, const char *name, uint64_t line,
                          size_t at, wsam_error *error)
{
    char where[32] = "";
    if (line)
        snprintf(where, sizeof where, ":%llu", (unsigned long long)line);
    if (verdict == WS_JSON_TOO_DEEP)
        return ws_fail(error, WSAM_ERR_LIMIT, "%s%s: JSON nested more than %d deep", name, where,
                       WS_JSON_DEPTH);
    if (verdict == WS_JSON_TOO_MANY)
        return ws_fail(error, WSAM_ERR_LIMIT, "%s%s: more than %zu values in one JSON text", name,
                       where, values);
    return ws_fail(error, WSAM_ERR_FORMAT, "%s%s: not valid JSON (byte %zu)", name, where, at);
}

static int hex(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Value of the four digits of a valid \uXXXX. */
static int code(const char *u)
{
    return hex(u[2]) << 12 | hex(u[3]) << 8 | hex(u[4]) << 4 | hex(u[5]);
}

/* A copy in which single \udc80 to \udcff are bytes; other halves of pairs stay as they are. */
static char *with_bytes(const char *text, size_t *n)
{
    char *copy = malloc(*n + 1);
    size_t to = 0;
    int high = 0; /* the escape before was the first half of a pair */
    for (size_t i = 0; copy && i < *n;) {
        const int escaped = text[i] == '\\', is_code = escaped && text[i + 1] == 'u';
        const int c = is_code ? code(text + i) : 0;
        const size_t length = is_code ? 6 : escaped ? 2 : 1;
        if (!high && c >= 0xdc80 && c <= 0xdcff) {
            copy[to++] = (char)(c & 0xff);
        } else {
            memcpy(copy + to, text + i, length);
            to += length;
        }
        high = c >= 0xd800 && c <= 0xdbff;
        i += length;
    }
    *n = to;
    return copy;
}

wsam_status ws_json_parse_up_to(size_t values, const char *name, uint64_t line, const char *text,
                                size_t n, cJSON **root, wsam_error *error)
{
    char *copy = NULL;
    size_t at;
    *root = NULL;
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        n -= 3;
    }
    const ws_json_verdict verdict = ws_json_guard(text, n, values, &at);
    if (verdict)
        return refuse(verdict, values, name, line, at, error);
    if (memmem(text, n, "\\ud", 3) || memmem(text, n, "\\uD", 3)) {
        text = copy = with_bytes(text, &n);
        if (!copy)
            return ws_no_memory(error, name);
    }
    const locale_t before = ws_locale_plain();
    *root = cJSON_ParseWithLengthOpts(text, n, NULL, 0);
    ws_locale_restore(before);
    free(copy);
    return *root ? WSAM_OK : ws_no_memory(error, name); /* the text is good */
}

wsam_status ws_json_parse(const char *name, uint64_t line, const char *text, size_t n, cJSON **root,
                          wsam_error *error)
{
    return ws_json_parse_up_to(WS_JSON_VALUES, name, line, text, n, root, error);
}
