/* base/memory.h - sizes that do not overflow, aligned memory, arrays that grow. */
#ifndef WS_BASE_MEMORY_H
#define WS_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* *out = a*b or a+b; 1 when that overflows (then *out is SIZE_MAX). */
int ws_mul_size(size_t a, size_t b, size_t *out);
int ws_add_size(size_t a, size_t b, size_t *out);

/* n rounded up to a multiple of 64, the alignment of packed and scratch memory. */
static inline size_t ws_align64(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

/* 64-byte aligned memory of at least one byte; freed with free(). NULL when there is none. */
void *ws_alloc64(size_t bytes);

/* The same in huge pages where it is large and the system has them: for memory that is used all of it.
 * Of what is touched in part, or once, clearing whole huge pages costs more than their faults save. */
void *ws_alloc_large(size_t bytes);

/* Makes room for one more item of `size` bytes behind `n`; capacities grow by half, from 64.
 * Returns the array, moved or not, or NULL without memory: then the old one is as it was. */
void *ws_grow(void *array, size_t n, size_t *capacity, size_t size);

#endif
