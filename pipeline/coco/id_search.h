/* pipeline/coco/id_search.h - records that are sorted by their id. */
#ifndef WS_PIPELINE_COCO_ID_SEARCH_H
#define WS_PIPELINE_COCO_ID_SEARCH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The place of an id among n records of `size` bytes, whose ids stand at `first`, first + size, ... in
 * rising order; n: it is not there. */
static inline size_t ws_id_search(const void *first, size_t n, size_t size, int64_t id)
{
    size_t low = 0, high = n;
    int64_t at = 0;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        memcpy(&at, (const char *)first + middle * size, sizeof at);
        if (at == id)
            return middle;
        if (at < id)
            low = middle + 1;
        else
            high = middle;
    }
    return n;
}

#endif
