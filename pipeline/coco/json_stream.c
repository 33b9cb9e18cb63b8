/* pipeline/coco/json_stream.c - see json_stream.h. */
#include "pipeline/coco/json_stream.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In front of every block of yajl's. */
typedef struct block {
    alignas(max_align_t) struct block *next;
    struct block *previous;
} block;

struct ws_json_stream {
    yajl_handle parser;
    block blocks; /* head of a ring */
    jmp_buf no_memory;
};

static void enlist(ws_json_stream *s, block *b)
{
    b->next = s->blocks.next;
    b->previous = &s->blocks;
    b->next->previous = b;
    s->blocks.next = b;
}

static void delist(block *b)
{
    b->previous->next = b->next;
    b->next->previous = b->previous;
}

static void *give(void *user, size_t n)
{
    ws_json_stream *s = user;
    block *b = n <= SIZE_MAX - sizeof *b ? malloc(sizeof *b + n) : NULL;
    if (!b)
        longjmp(s->no_memory, 1);
    enlist(s, b);
    return b + 1;
}

static void take_back(void *user, void *p)
{
    (void)user;
    if (!p)
        return;
    block *b = (block *)p - 1;
    delist(b);
    free(b);
}

/* The old block stays in the ring until there is a new one. */
static void *resize(void *user, void *p, size_t n)
{
    ws_json_stream *s = user;
    if (!p)
        return give(user, n);
    block *b = (block *)p - 1;
    delist(b);
    block *grown = n <= SIZE_MAX - sizeof *b ? realloc(b, sizeof *b + n) : NULL;
    enlist(s, grown ? grown : b);
    if (!grown)
        longjmp(s->no_memory, 1);
    return grown + 1;
}

/* What is changed between setjmp and a jump must not be in this function's variables. */
static int start(ws_json_stream *s, const yajl_callbacks *callbacks, void *user)
{
    if (setjmp(s->no_memory))
        return 0;
    yajl_alloc_funcs memory = {give, resize, take_back, s};
    s->parser = yajl_alloc(callbacks, &memory, user);
    yajl_config(s->parser, yajl_allow_multiple_values, 1);
    /* bytes are kept as they are, as in tables: a file name in Latin-1 means the file of these bytes */
    yajl_config(s->parser, yajl_dont_validate_strings, 1);
    return 1;
}

ws_json_stream *ws_json_stream_new(const yajl_callbacks *callbacks, void *user)
{
    ws_json_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->blocks.next = s->blocks.previous = &s->blocks;
    if (start(s, callbacks, user))
        return s;
    ws_json_stream_free(s);
    return NULL;
}

/* yajl_free would look at what a jump has left half done. */
void ws_json_stream_free(ws_json_stream *s)
{
    if (!s)
        return;
    for (block *b = s->blocks.next, *next; b != &s->blocks; b = next) {
        next = b->next;
        free(b);
    }
    free(s);
}

ws_json_status ws_json_stream_feed(ws_json_stream *s, const char *bytes, size_t n)
{
    if (setjmp(s->no_memory))
        return WS_JSON_NO_MEMORY;
    return yajl_parse(s->parser, (const unsigned char *)bytes, n) == yajl_status_ok
               ? WS_JSON_OK
               : WS_JSON_STOPPED;
}

ws_json_status ws_json_stream_end(ws_json_stream *s)
{
    if (setjmp(s->no_memory))
        return WS_JSON_NO_MEMORY;
    return yajl_complete_parse(s->parser) == yajl_status_ok ? WS_JSON_OK : WS_JSON_STOPPED;
}

size_t ws_json_stream_consumed(const ws_json_stream *s)
{
    return yajl_get_bytes_consumed(s->parser);
}

void ws_json_stream_reason(ws_json_stream *s, char *to, size_t size)
{
    if (setjmp(s->no_memory)) {
        snprintf(to, size, "no memory for the reason");
        return;
    }
    unsigned char *why = yajl_get_error(s->parser, 0, NULL, 0);
    snprintf(to, size, "%.*s", (int)strcspn((const char *)why, "\n"), (const char *)why);
    yajl_free_error(s->parser, why);
}
