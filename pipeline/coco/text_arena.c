/* pipeline/coco/text_arena.c - texts in blocks, growing arrays. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/coco/dataset.h"

enum { BLOCK = 1 << 20 };

struct ws_store_block {
    struct ws_store_block *next;
    size_t used, size;
    char bytes[];
};

char *ws_text_arena_put(ws_store *store, const char *bytes, size_t n)
{
    struct ws_store_block *b = store->blocks;
    if (!b || b->size - b->used <= n) {
        const size_t size = n < BLOCK ? BLOCK : n + 1;
        b = malloc(sizeof *b + size);
        if (!b)
            return NULL;
        *b = (struct ws_store_block){.next = store->blocks, .size = size};
        store->blocks = b;
    }
    char *copy = b->bytes + b->used;
    memcpy(copy, bytes, n);
    copy[n] = 0;
    b->used += n + 1;
    return copy;
}

void ws_text_arena_free(ws_store *store)
{
    while (store->blocks) {
        struct ws_store_block *next = store->blocks->next;
        free(store->blocks);
        store->blocks = next;
    }
}
