/* base/json_writer.c - see json_writer.h. */
#include "base/json_writer.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"

void ws_json_bytes(ws_text *t, const char *bytes, size_t n)
{
    ws_text_put(t, "\"", 1);
    for (size_t i = 0; i < n;) {
        const unsigned char c = (unsigned char)bytes[i];
        const size_t length = ws_utf8_length(bytes + i, n - i);
        if (!length)
            ws_text_printf(t, "\\udc%02x", c);
        else if (c == '"' || c == '\\')
            ws_text_printf(t, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            ws_text_printf(t, "\\u%04x", c);
        else
            ws_text_put(t, bytes + i, length);
        i += length ? length : 1;
    }
    ws_text_put(t, "\"", 1);
}

void ws_json_string(ws_text *t, const char *text)
{
    ws_json_bytes(t, text, strlen(text));
}

void ws_json_number(ws_text *t, double value)
{
    if (isfinite(value))
        ws_text_printf(t, "%.15g", value);
    else
        ws_text_put(t, "null", 4);
}

void ws_json_comma(ws_text *t, int first)
{
    if (!first)
        ws_text_put(t, ",", 1);
}

void ws_json_number_field(ws_text *t, const char *name, double value)
{
    if (isfinite(value))
        ws_text_printf(t, ",\"%s\":%.9g", name, value);
    else
        ws_text_printf(t, ",\"%s\":null", name);
}
