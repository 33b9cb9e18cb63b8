/* pipeline/coco/id_texts.c - see id_texts.h. */
#include "pipeline/coco/id_texts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static const int64_t first = (int64_t)1 << 52;

/* A place in the table; free ones have the id 0. */
typedef struct slot {
    int64_t id;
    size_t at; /* in the text */
} slot;

struct wsam_id_texts {
    slot *slots; /* a power of two of them, at most half full */
    size_t n, size;
    ws_text text;
};

int64_t ws_id_texts_id(const char *text, size_t n)
{
    return (int64_t)((uint64_t)first + XXH3_64bits(text, n) % (uint64_t)first);
}

static slot *find(slot *slots, size_t size, int64_t id)
{
    size_t at = (uint64_t)id & (size - 1); /* the lower bits of a hash */
    while (slots[at].id && slots[at].id != id)
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static int grow(wsam_id_texts *t)
{
    const size_t size = t->size ? 2 * t->size : 64;
    slot *slots = calloc(size, sizeof *slots);
    if (!slots)
        return 0;
    for (size_t i = 0; i < t->size; i++)
        if (t->slots[i].id)
            *find(slots, size, t->slots[i].id) = t->slots[i];
    free(t->slots);
    t->slots = slots;
    t->size = size;
    return 1;
}

wsam_status ws_id_texts_add(wsam_id_texts **texts, int64_t id, const char *json, size_t n,
                            wsam_error *error)
{
    if (!*texts)
        *texts = calloc(1, sizeof **texts);
    wsam_id_texts *t = *texts;
    if (!t || (2 * (t->n + 1) > t->size && !grow(t)))
        return ws_no_memory(error, "ids");
    slot *s = find(t->slots, t->size, id);
    if (s->id)
        return WSAM_OK;
    const size_t at = t->text.n;
    ws_text_put(&t->text, json, n);
    ws_text_put(&t->text, "", 1);
    if (t->text.failed)
        return ws_no_memory(error, "ids");
    *s = (slot){id, at};
    t->n++;
    return WSAM_OK;
}

wsam_status ws_id_texts_merge(wsam_id_texts **texts, const wsam_id_texts *more, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (size_t i = 0; more && i < more->size && !status; i++) {
        const char *json = more->text.text + more->slots[i].at;
        if (more->slots[i].id)
            status = ws_id_texts_add(texts, more->slots[i].id, json, strlen(json), error);
    }
    return status;
}

void ws_id_texts_free(wsam_id_texts *t)
{
    if (!t)
        return;
    free(t->slots);
    free(t->text.text);
    free(t);
}

const char *ws_id_texts_get(const wsam_id_texts *t, int64_t id)
{
    if (!t || id < first)
        return NULL;
    const slot *s = find(t->slots, t->size, id);
    return s->id ? t->text.text + s->at : NULL;
}

void ws_id_texts_put(ws_text *to, const wsam_id_texts *texts, int64_t id)
{
    const char *json = ws_id_texts_get(texts, id);
    if (json)
        ws_text_put(to, json, strlen(json));
    else
        ws_text_printf(to, "%" PRId64, id);
}
