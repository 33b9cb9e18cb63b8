/* pipeline/regions/split.c - which pictures are held out. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/regions/judge.h"
#include "pipeline/train/random.h"

enum { LEAST_HELD_OUT = 140, PARTS = 5, WS_STREAM_SPLIT = 40 };

typedef struct place {
    uint64_t key;
    size_t rarity; /* pictures of the picture's rarest class; SIZE_MAX: it has none */
    int32_t class_index;
    uint32_t picture;
} place;

static int by_place(const void *x, const void *y)
{
    const place *a = x, *b = y;
    if (a->rarity != b->rarity)
        return a->rarity < b->rarity ? -1 : 1;
    if (a->class_index != b->class_index)
        return a->class_index < b->class_index ? -1 : 1;
    return a->key < b->key ? -1 : a->key > b->key;
}

static void find_places(const wsam_labels *l, const size_t *count, uint64_t seed, place *places)
{
    for (size_t i = 0; i < l->n; i++) {
        place p = {ws_draw(ws_key(seed, WS_STREAM_SPLIT, 0, 0), i), SIZE_MAX, -1, (uint32_t)i};
        for (size_t k = l->first[i]; k < l->first[i + 1]; k++)
            if (count[l->classes[k]] < p.rarity) {
                p.rarity = count[l->classes[k]];
                p.class_index = l->classes[k];
            }
        places[i] = p;
    }
    if (l->n)
        qsort(places, l->n, sizeof *places, by_place);
}

static int parts_of(const wsam_labels *l, const size_t *count)
{
    size_t least = PARTS;
    for (size_t c = 0; c < l->n_classes; c++)
        if (count[c] >= 2 && count[c] < least)
            least = count[c];
    return (int)least;
}

wsam_status ws_split_create(const wsam_labels *l, uint64_t seed, ws_split *s, wsam_error *error)
{
    size_t *count = calloc(l->n_classes + 1, sizeof *count);
    place *places = calloc(l->n + 1, sizeof *places);
    *s = (ws_split){.cross = l->n < LEAST_HELD_OUT, .parts = 1};
    s->part = malloc(l->n + 1);
    const int good = count && places && s->part;
    if (good) {
        for (size_t k = 0; k < l->first[l->n]; k++)
            count[l->classes[k]]++;
        find_places(l, count, seed, places);
        if (s->cross)
            s->parts = parts_of(l, count);
        /* neighbours in this order show the same class: every n-th spreads it evenly */
        for (size_t i = 0; i < l->n; i++)
            s->part[places[i].picture] = (int8_t)(s->cross ? (int)(i % (size_t)s->parts)
                                                  : (i + 1) * 15 / 100 > i * 15 / 100 ? 0
                                                                                      : -1);
    }
    free(count);
    free(places);
    return good ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu images", l->n);
}

void ws_split_free(ws_split *s)
{
    free(s->part);
    memset(s, 0, sizeof *s);
}
