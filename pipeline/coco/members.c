/* pipeline/coco/members.c - see members.h. */
#include "pipeline/coco/members.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_spaces(const char *s)
{
    return s + strspn(s, " \t\r\n,:");
}

/* Behind a string that begins at its quote. */
static const char *skip_string(const char *s)
{
    for (s++; *s && *s != '"'; s++)
        s += *s == '\\' && s[1];
    return s + (*s == '"');
}

/* Behind a value: brackets are counted, strings passed over. */
static const char *skip_value(const char *s)
{
    int depth = 0;
    do {
        if (*s == '"') {
            s = skip_string(s);
            continue;
        }
        if (!depth && strchr(",}] \t\r\n", *s))
            break;
        depth += *s == '{' || *s == '[';
        depth -= *s == '}' || *s == ']';
        s++;
    } while (*s && (depth || !strchr(",}] \t\r\n", *s)));
    return s;
}

int ws_members_next(const char **at, ws_member *m)
{
    const char *s = skip_spaces(*at);
    s = *s == '{' ? skip_spaces(s + 1) : s;
    if (*s != '"')
        return 0;
    const char *key_end = skip_string(s);
    const char *value = skip_spaces(key_end), *end = skip_value(value);
    *m = (ws_member){s + 1, value, (size_t)(key_end - s) - 2, (size_t)(end - value)};
    *at = end;
    return 1;
}

int ws_members_is(const ws_member *m, const char *key)
{
    return strlen(key) == m->key_length && memcmp(key, m->key, m->key_length) == 0;
}

/* Whether a value is this id; a number may be written in any way. */
static int has_value(const ws_member *m, const ws_member_id *id)
{
    char copy[32], *end;
    if (id->text)
        return strlen(id->text) == m->value_length && !memcmp(id->text, m->value, m->value_length);
    if (m->value_length >= sizeof copy)
        return 0;
    memcpy(copy, m->value, m->value_length);
    copy[m->value_length] = 0;
    return strtoll(copy, &end, 10) == id->value && !*end;
}

static void put_value(ws_text *to, const ws_member_id *id)
{
    if (id->text)
        ws_text_put(to, id->text, strlen(id->text));
    else
        ws_text_printf(to, "%" PRId64, id->value);
}

void ws_members_put(ws_text *to, const char *object, const ws_member_id *ids, size_t n)
{
    const char *at = object, *copied = object;
    unsigned seen = 0;
    ws_member m;
    while (ws_members_next(&at, &m))
        for (size_t i = 0; i < n; i++)
            if (ws_members_is(&m, ids[i].key)) {
                seen |= 1u << i;
                if (has_value(&m, &ids[i]))
                    continue;
                ws_text_put(to, copied, (size_t)(m.value - copied));
                put_value(to, &ids[i]);
                copied = m.value + m.value_length;
            }
    const char *end = strrchr(copied, '}');
    ws_text_put(to, copied, end ? (size_t)(end - copied) : strlen(copied));
    for (size_t i = 0; i < n; i++)
        if (!(seen >> i & 1)) {
            ws_text_printf(to, ",\"%s\":", ids[i].key);
            put_value(to, &ids[i]);
        }
    ws_text_put(to, "}", 1);
}

void ws_members_others(ws_text *to, const char *object, const char *const *skip)
{
    const char *at = object;
    ws_member m;
    while (ws_members_next(&at, &m)) {
        size_t i = 0;
        while (skip[i] && !ws_members_is(&m, skip[i]))
            i++;
        if (skip[i])
            continue;
        ws_text_put(to, ",\"", 2);
        ws_text_put(to, m.key, m.key_length);
        ws_text_put(to, "\":", 2);
        ws_text_put(to, m.value, m.value_length);
    }
}
