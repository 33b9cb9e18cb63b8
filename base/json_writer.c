/* base/json_writer.c - see json_writer.h. */
#include "base/json_writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int reserve(ws_json *j, size_t n)
{
    if (j->failed || j->capacity - j->size > n)
        return !j->failed;
    const size_t capacity = 2 * (j->size + n) + 256;
    char *grown = realloc(j->text, capacity);
    if (!grown) {
        j->failed = 1;
        return 0;
    }
    j->text = grown;
    j->capacity = capacity;
    return 1;
}

void ws_json_put(ws_json *j, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && reserve(j, (size_t)n + 1)) {
        vsnprintf(j->text + j->size, (size_t)n + 1, format, again);
        j->size += (size_t)n;
    }
    va_end(again);
}

/* Bytes of the UTF-8 sequence at s, 0 when it is none (overlong, surrogate, cut). */
static int sequence(const unsigned char *s)
{
    const unsigned char a = s[0];
    const int n = a < 0x80 ? 1 : (a >> 5 == 6 ? 2 : (a >> 4 == 14 ? 3 : (a >> 3 == 30 ? 4 : 0)));
    for (int i = 1; i < n; i++)
        if (s[i] >> 6 != 2) /* the terminating zero stops here */
            return 0;
    if ((n == 2 && a < 0xc2) || (n == 3 && a == 0xe0 && s[1] < 0xa0) ||
        (n == 3 && a == 0xed && s[1] > 0x9f) || (n == 4 && a == 0xf0 && s[1] < 0x90) ||
        (n == 4 && (a > 0xf4 || (a == 0xf4 && s[1] > 0x8f))))
        return 0;
    return n;
}

void ws_json_string(ws_json *j, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    ws_json_put(j, "\"");
    while (*s) {
        const int n = sequence(s);
        if (n == 0)
            ws_json_put(j, "\\ufffd");
        else if (*s == '"' || *s == '\\')
            ws_json_put(j, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            ws_json_put(j, "\\u%04x", *s);
        else
            ws_json_put(j, "%.*s", n, (const char *)s);
        s += n ? n : 1;
    }
    ws_json_put(j, "\"");
}

void ws_json_number(ws_json *j, double value)
{
    char text[40];
    if (!isfinite(value)) {
        ws_json_put(j, "null");
        return;
    }
    snprintf(text, sizeof text, "%.15g", value);
    for (char *c = text; *c; c++)
        if (!strchr("0123456789+-e", *c))
            *c = '.';
    ws_json_put(j, "%s", text);
}

void ws_json_comma(ws_json *j, int first)
{
    if (!first)
        ws_json_put(j, ",");
}

char *ws_json_finish(ws_json *j)
{
    if (j->failed) {
        free(j->text);
        j->text = NULL;
    }
    return j->text;
}
