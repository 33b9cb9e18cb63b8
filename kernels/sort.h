/* kernels/sort.h - sorting without memory. */
#ifndef WS_KERNELS_SORT_H
#define WS_KERNELS_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Ascending, in place. Callers put an index into the low bits where equal keys must keep their
 * order. */
void ws_sort_u64(uint64_t *keys, size_t n);

#endif
