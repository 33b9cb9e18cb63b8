/* base/json_guard.c - see json_guard.h. The grammar is that of RFC 8259. */
#include "base/json_guard.h"

#include <stdint.h>
#include <string.h>

typedef struct scan {
    const char *text;
    size_t n, at, values;
    uint32_t objects; /* bit d: the bracket of depth d is '{' */
    int depth;
} scan;

static void blanks(scan *s)
{
    while (s->at < s->n && (s->text[s->at] == ' ' || s->text[s->at] == '\t' ||
                            s->text[s->at] == '\n' || s->text[s->at] == '\r'))
        s->at++;
}

static int is(const scan *s, char c)
{
    return s->at < s->n && s->text[s->at] == c;
}

static int word(scan *s, const char *w)
{
    const size_t n = strlen(w);
    if (s->n - s->at < n || memcmp(s->text + s->at, w, n) != 0)
        return 0;
    s->at += n;
    return 1;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u; -1 when they are none. */
static int code(scan *s)
{
    int v = 0;
    for (int i = 0; i < 4 && v >= 0; i++) {
        const int digit = s->at < s->n ? hex(s->text[s->at]) : -1;
        v = digit < 0 ? -1 : v << 4 | digit;
        s->at += digit >= 0;
    }
    return v;
}

/* A half of a pair stands alone only for a byte (json_parse.h). */
static int escape(scan *s)
{
    if (s->at == s->n)
        return 0;
    const char c = s->text[s->at++];
    if (c != 'u')
        return c && strchr("\"\\/bfnrt", c) != NULL;
    const int v = code(s);
    if (v < 0xd800 || v > 0xdfff)
        return v >= 0;
    if (v >= 0xdc00)
        return v >= 0xdc80 && v <= 0xdcff;
    if (!word(s, "\\u"))
        return 0;
    const int low = code(s);
    return low >= 0xdc00 && low <= 0xdfff;
}

static int string(scan *s)
{
    if (!is(s, '"'))
        return 0;
    for (s->at++; s->at < s->n;) {
        const unsigned char c = (unsigned char)s->text[s->at++];
        if (c == '"')
            return 1;
        if (!c || (c == '\\' && !escape(s))) /* raw control characters: cJSON takes them */
            return 0;
    }
    return 0;
}

static int digits(scan *s)
{
    const size_t from = s->at;
    while (s->at < s->n && s->text[s->at] >= '0' && s->text[s->at] <= '9')
        s->at++;
    return s->at > from;
}

/* Of at most 63 characters, all that cJSON reads of one. */
static int number(scan *s)
{
    const size_t from = s->at;
    s->at += is(s, '-');
    if (is(s, '0'))
        s->at++;
    else if (!digits(s))
        return 0;
    if (is(s, '.')) {
        s->at++;
        if (!digits(s))
            return 0;
    }
    if (is(s, 'e') || is(s, 'E')) {
        s->at++;
        s->at += is(s, '+') || is(s, '-');
        if (!digits(s))
            return 0;
    }
    return s->at - from < 64;
}

static int scalar(scan *s)
{
    if (is(s, '"'))
        return string(s);
    return word(s, "true") || word(s, "false") || word(s, "null") || number(s);
}

static int key(scan *s)
{
    blanks(s);
    if (!string(s))
        return 0;
    blanks(s);
    if (!is(s, ':'))
        return 0;
    s->at++;
    return 1;
}

static int in_object(const scan *s)
{
    return s->objects >> (s->depth - 1) & 1;
}

/* Behind a value: closes brackets, up to the next value's place or the end of all. */
static int behind(scan *s)
{
    for (;;) {
        blanks(s);
        if (!s->depth)
            return s->at == s->n;
        if (is(s, ',')) {
            s->at++;
            return !in_object(s) || key(s);
        }
        if (!is(s, in_object(s) ? '}' : ']'))
            return 0;
        s->at++;
        s->depth--;
    }
}

/* An opened list or object: 1 with a value to come, 2 when it was empty, 0 when it is wrong. */
static int opened(scan *s)
{
    const int object = is(s, '{');
    s->at++;
    s->objects = (s->objects & ~(1u << s->depth)) | (uint32_t)object << s->depth;
    s->depth++;
    blanks(s);
    if (is(s, object ? '}' : ']')) {
        s->at++;
        s->depth--;
        return 2;
    }
    return !object || key(s);
}

ws_json_verdict ws_json_guard(const char *text, size_t n, size_t values, size_t *at)
{
    scan s = {.text = text, .n = n};
    ws_json_verdict verdict = WS_JSON_GOOD;
    for (int more = 1; more && !verdict;) {
        blanks(&s);
        const int opens = is(&s, '{') || is(&s, '[');
        if (++s.values > values) {
            verdict = WS_JSON_TOO_MANY;
        } else if (opens && s.depth == WS_JSON_DEPTH) {
            verdict = WS_JSON_TOO_DEEP;
        } else {
            const int got = opens ? opened(&s) : 2 * scalar(&s);
            if (!got || (got == 2 && !behind(&s)))
                verdict = WS_JSON_BAD;
            else if (got == 2)
                more = s.depth > 0;
        }
    }
    *at = s.at;
    return verdict;
}
