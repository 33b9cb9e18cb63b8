/* base/text.c - see text.h. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *ws_text_room(ws_text *t, size_t n)
{
    if (!t->failed && t->capacity - t->n <= n) {
        const size_t capacity = 2 * (t->n + n) + 256;
        char *text = realloc(t->text, capacity);
        t->failed = !text;
        if (text) {
            t->text = text;
            t->capacity = capacity;
        }
    }
    return t->failed ? NULL : t->text + t->n;
}

void ws_text_put(ws_text *t, const char *bytes, size_t n)
{
    char *to = ws_text_room(t, n);
    if (!to)
        return;
    memcpy(to, bytes, n);
    to[n] = 0;
    t->n += n;
}

void ws_text_printf(ws_text *t, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line)
        t->failed = 1;
    else
        ws_text_put(t, line, (size_t)n);
}

void ws_text_json(ws_text *t, const char *bytes, size_t n)
{
    ws_text_put(t, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\')
            ws_text_printf(t, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            ws_text_printf(t, "\\u%04x", c);
        else
            ws_text_put(t, bytes + i, 1);
    }
    ws_text_put(t, "\"", 1);
}

wsam_status ws_text_take(ws_text *t, char **out)
{
    *out = t->failed ? NULL : t->text;
    if (t->failed)
        free(t->text);
    *t = (ws_text){0};
    return *out ? WSAM_OK : WSAM_ERR_MEMORY;
}
