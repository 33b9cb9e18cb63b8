/* base/memory.c - see memory.h. */
#include "base/memory.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "weaksam/base.h"
#include "weaksam/segment.h"

int ws_mul_size(size_t a, size_t b, size_t *out)
{
    if (b && a > SIZE_MAX / b) {
        *out = SIZE_MAX;
        return 1;
    }
    *out = a * b;
    return 0;
}

int ws_add_size(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b) {
        *out = SIZE_MAX;
        return 1;
    }
    *out = a + b;
    return 0;
}

void *ws_alloc64(size_t bytes)
{
    return bytes <= SIZE_MAX - 64 ? aligned_alloc(64, ws_align64(bytes ? bytes : 1)) : NULL;
}

/* 512 times fewer faults when memory is first touched (64 clicks decoded together: 196 and 195 ms without,
 * 191 and 189 with), where the system lets programs ask for them. C wants a size in whole alignments;
 * the last one stays in small pages, so that no more memory is taken. */
enum { HUGE_PAGE = 2 << 20, MANY_PAGES = 2 * HUGE_PAGE };

void *ws_alloc_large(size_t bytes)
{
    if (bytes < MANY_PAGES)
        return ws_alloc64(bytes);
    if (bytes > SIZE_MAX - HUGE_PAGE)
        return NULL;
    void *memory = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
#ifdef MADV_HUGEPAGE
    if (memory) /* advice alone: a refusal changes nothing */
        (void)madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return memory;
}

void wsam_free(void *memory)
{
    free(memory);
}

void *ws_grow(void *array, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return array;
    const size_t more = *capacity ? *capacity + *capacity / 2 : 64;
    if (more > SIZE_MAX / size)
        return NULL;
    void *grown = realloc(array, more * size);
    if (grown)
        *capacity = more;
    return grown;
}

uint64_t wsam_peak_memory(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}
