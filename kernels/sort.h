/* kernels/sort.h - sorting without memory. */
#ifndef WS_KERNELS_SORT_H
#define WS_KERNELS_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Ascending, in place. Callers put an index into the low bits where equal keys must keep their
 * order. */
void ws_sort_u64(uint64_t *keys, size_t n);

/* Indices of the k greatest of n scores, greatest first, the lower index first among equal ones;
 * NaN counts as the greatest. `scratch` holds n numbers. Returns min(n, k). */
size_t ws_sort_top_k(const float *scores, size_t n, size_t k, uint64_t *scratch, uint32_t *indices);

#endif
