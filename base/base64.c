/* base/base64.c - see base64.h. */
#include "base/base64.h"

#include <stdlib.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ws_base64_put(ws_text *t, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const unsigned v = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                           (left > 2 ? bytes[i + 2] : 0);
        const char four[4] = {letters[v >> 18], letters[v >> 12 & 63],
                              left > 1 ? letters[v >> 6 & 63] : '=',
                              left > 2 ? letters[v & 63] : '='};
        ws_text_put(t, four, 4);
    }
}

unsigned char *ws_base64_read(const char *text, size_t *n)
{
    unsigned char *out = malloc(strlen(text) / 4 * 3 + 3);
    unsigned bits = 0;
    int have = 0;
    *n = 0;
    for (; *text && *text != '=' && out; text++) {
        const char *letter = strchr(letters, *text);
        if (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t')
            continue;
        if (!letter) {
            free(out);
            return NULL;
        }
        bits = bits << 6 | (unsigned)(letter - letters);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[(*n)++] = (unsigned char)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    return out;
}
