/* runtime/json.c - see json.h. */
#include "runtime/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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

void ws_json_string(ws_json *j, const char *text)
{
    ws_json_put(j, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            ws_json_put(j, "\\%c", *c);
        else if (*c < 0x20 || *c >= 0x7f)
            ws_json_put(j, "\\u%04x", *c);
        else
            ws_json_put(j, "%c", *c);
    }
    ws_json_put(j, "\"");
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
