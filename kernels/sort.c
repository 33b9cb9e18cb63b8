/* kernels/sort.c - heapsort: qsort of the C libraries may allocate. */
#include "kernels/sort.h"

static void sift(uint64_t *keys, size_t at, size_t n)
{
    const uint64_t key = keys[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && keys[child + 1] > keys[child])
            child++;
        if (keys[child] <= key)
            break;
        keys[at] = keys[child];
    }
    keys[at] = key;
}

void ws_sort_u64(uint64_t *keys, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift(keys, i, n);
    for (size_t i = n; i-- > 1;) {
        const uint64_t top = keys[0];
        keys[0] = keys[i];
        keys[i] = top;
        sift(keys, 0, i);
    }
}
