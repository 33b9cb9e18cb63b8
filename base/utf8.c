/* base/utf8.c - see utf8.h. */
#include "base/utf8.h"

size_t ws_utf8_length(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (!n)
        return 0;
    const unsigned char a = s[0];
    const size_t length =
        a < 0x80 ? 1 : (a >> 5 == 6 ? 2 : (a >> 4 == 14 ? 3 : (a >> 3 == 30 ? 4 : 0)));
    if (!length || length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (s[i] >> 6 != 2)
            return 0;
    if ((length == 2 && a < 0xc2) || (length == 3 && a == 0xe0 && s[1] < 0xa0) ||
        (length == 3 && a == 0xed && s[1] > 0x9f) || (length == 4 && a == 0xf0 && s[1] < 0x90) ||
        (length == 4 && (a > 0xf4 || (a == 0xf4 && s[1] > 0x8f))))
        return 0;
    return length;
}

int ws_utf8_valid(const char *s, size_t n)
{
    for (size_t i = 0, length; i < n; i += length)
        if (!(length = ws_utf8_length(s + i, n - i)))
            return 0;
    return 1;
}
