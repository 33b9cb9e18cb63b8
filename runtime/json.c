/* runtime/json.c - see json.h. */
#include "runtime/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(ws_json *j, const char *bytes, size_t n)
{
    if (j->failed)
        return;
    if (j->capacity - j->length <= n) { /* one byte stays free for the terminating zero */
        const size_t capacity = 2 * (j->capacity + n) + 256;
        char *grown = realloc(j->text, capacity);
        if (!grown) {
            j->failed = 1;
            return;
        }
        j->text = grown;
        j->capacity = capacity;
    }
    memcpy(j->text + j->length, bytes, n);
    j->length += n;
}

/* Bytes of the UTF-8 sequence at s, 0 when it is none (overlong, surrogate, cut). */
static size_t sequence(const unsigned char *s)
{
    const unsigned char a = s[0];
    const size_t n = a < 0x80 ? 1 : (a >> 5 == 6 ? 2 : (a >> 4 == 14 ? 3 : (a >> 3 == 30 ? 4 : 0)));
    for (size_t i = 1; i < n; i++)
        if (s[i] >> 6 != 2) /* the terminating zero stops here */
            return 0;
    if ((n == 2 && a < 0xc2) || (n == 3 && a == 0xe0 && s[1] < 0xa0) ||
        (n == 3 && a == 0xed && s[1] > 0x9f) || (n == 4 && a == 0xf0 && s[1] < 0x90) ||
        (n == 4 && (a > 0xf4 || (a == 0xf4 && s[1] > 0x8f))))
        return 0;
    return n;
}

static void put_quoted(ws_json *j, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    put(j, "\"", 1);
    while (*s) {
        const size_t n = sequence(s);
        char escape[8];
        if (n == 0) {
            put(j, "\\ufffd", 6);
        } else if (*s == '"' || *s == '\\') {
            escape[0] = '\\';
            escape[1] = (char)*s;
            put(j, escape, 2);
        } else if (*s < 0x20 || *s == 0x7f) {
            snprintf(escape, sizeof escape, "\\u%04x", *s);
            put(j, escape, 6);
        } else {
            put(j, (const char *)s, n);
        }
        s += n ? n : 1;
    }
    put(j, "\"", 1);
}

static void begin_value(ws_json *j, const char *key)
{
    if (j->comma)
        put(j, ",", 1);
    j->comma = 1;
    if (key) {
        put_quoted(j, key);
        put(j, ":", 1);
    }
}

void ws_json_open(ws_json *j, const char *key, char bracket)
{
    begin_value(j, key);
    put(j, &bracket, 1);
    j->comma = 0;
}

void ws_json_close(ws_json *j, char bracket)
{
    put(j, &bracket, 1);
    j->comma = 1;
}

void ws_json_string(ws_json *j, const char *key, const char *value)
{
    begin_value(j, key);
    put_quoted(j, value);
}

void ws_json_int(ws_json *j, const char *key, int64_t value)
{
    char text[32];
    begin_value(j, key);
    put(j, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

void ws_json_number(ws_json *j, const char *key, double value)
{
    char text[40];
    begin_value(j, key);
    if (!isfinite(value)) {
        put(j, "null", 4);
        return;
    }
    const int n = snprintf(text, sizeof text, "%.15g", value);
    for (int i = 0; i < n; i++) /* the host's locale may have another decimal point */
        if (!strchr("0123456789+-e", text[i]))
            text[i] = '.';
    put(j, text, (size_t)n);
}

char *ws_json_finish(ws_json *j)
{
    put(j, "\n", 1);
    if (j->failed) {
        free(j->text);
        return NULL;
    }
    j->text[j->length] = 0;
    return j->text;
}
