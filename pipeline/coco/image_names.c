/* pipeline/coco/image_names.c - images by their names, with or without folder and ending. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/coco/dataset.h"

typedef struct ws_name_entry {
    const char *name, *stem;
    size_t length, index; /* length: of the stem */
} ws_name_entry;

static int compare_stems(const char *a, size_t n, const char *b, size_t m)
{
    const int order = memcmp(a, b, n < m ? n : m);
    return order ? order : (n > m) - (n < m);
}

static int by_stem(const void *a, const void *b)
{
    const ws_name_entry *p = a, *q = b;
    const int order = compare_stems(p->stem, p->length, q->stem, q->length);
    return order ? order : strcmp(p->name, q->name);
}

/* Without folder and ending. */
static ws_name_entry stem_of(const char *name, size_t index)
{
    const char *stem = name;
    for (const char *at = name; *at; at++)
        stem = *at == '/' || *at == '\\' ? at + 1 : stem; /* files of Windows, too */
    const char *dot = strrchr(stem, '.');
    return (ws_name_entry){name, stem, dot && dot > stem ? (size_t)(dot - stem) : strlen(stem),
                           index};
}

wsam_status ws_image_names_make(ws_name_index *index, char *const *names, size_t n,
                                wsam_error *error)
{
    *index = (ws_name_index){.entries = malloc((n + 1) * sizeof *index->entries), .n = n};
    if (!index->entries)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the names of %zu images", n);
    for (size_t i = 0; i < n; i++)
        index->entries[i] = stem_of(names[i], i);
    if (n)
        qsort(index->entries, n, sizeof *index->entries, by_stem);
    return WSAM_OK;
}

void ws_image_names_free(ws_name_index *index)
{
    free(index->entries);
    *index = (ws_name_index){0};
}

const char *ws_image_names_twice(const ws_name_index *index)
{
    for (size_t i = 1; i < index->n; i++)
        if (strcmp(index->entries[i].name, index->entries[i - 1].name) == 0)
            return index->entries[i].name;
    return NULL;
}

size_t ws_image_names_find(const ws_name_index *index, const char *name)
{
    const ws_name_entry key = stem_of(name, 0);
    size_t low = 0, high = index->n, same = 0;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const ws_name_entry *m = &index->entries[middle];
        if (compare_stems(m->stem, m->length, key.stem, key.length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < index->n; i++, same++) {
        const ws_name_entry *m = &index->entries[i];
        if (compare_stems(m->stem, m->length, key.stem, key.length) != 0)
            break;
        if (strcmp(m->name, name) == 0)
            return m->index;
    }
    return same == 1 ? index->entries[low].index : SIZE_MAX;
}
