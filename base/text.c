/* base/text.c - see text.h. */
#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/locale.h"

char *ws_text_room(ws_text *t, size_t n)
{
    if (!t->failed && t->capacity - t->n <= n) {
        const int fits = n < SIZE_MAX / 2 - 256 - t->n;
        const size_t capacity = fits ? 2 * (t->n + n) + 256 : 0;
        char *text = fits ? realloc(t->text, capacity) : NULL;
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
    if (n)
        memcpy(to, bytes, n);
    to[n] = 0;
    t->n += n;
}

void ws_text_printf(ws_text *t, const char *format, ...)
{
    char line[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const locale_t before = ws_locale_plain();
    const int n = vsnprintf(line, sizeof line, format, args);
    if (n < 0) {
        t->failed = 1;
    } else if ((size_t)n < sizeof line) {
        ws_text_put(t, line, (size_t)n);
    } else {
        char *to = ws_text_room(t, (size_t)n);
        if (to) {
            vsnprintf(to, (size_t)n + 1, format, again);
            t->n += (size_t)n;
        }
    }
    ws_locale_restore(before);
    va_end(again);
    va_end(args);
}

char *ws_text_finish(ws_text *t)
{
    if (t->failed) {
        free(t->text);
        t->text = NULL;
    }
    return t->text;
}

wsam_status ws_text_take(ws_text *t, char **out)
{
    *out = t->failed ? NULL : t->text;
    if (t->failed)
        free(t->text);
    *t = (ws_text){0};
    return *out ? WSAM_OK : WSAM_ERR_MEMORY;
}

void ws_text_xml(ws_text *t, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            ws_text_put(t, "&amp;", 5);
            break;
        case '<':
            ws_text_put(t, "&lt;", 4);
            break;
        case '>':
            ws_text_put(t, "&gt;", 4);
            break;
        case '"':
            ws_text_put(t, "&quot;", 6);
            break;
        default:
            ws_text_put(t, (unsigned char)*text < 0x20 ? "?" : text, 1);
        }
}
