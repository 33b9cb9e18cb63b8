/* kernels/sort.c - heapsort and the k greatest: qsort of the C libraries may allocate. */
#include "kernels/sort.h"

#include <string.h>

/* The hole moves down instead of swaps: one store per level of the heap. */
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

/* Heapsort: no memory, and n log n whatever the order is. */
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

/* A key that grows as the score falls, -0 as 0, the index below it. */
static uint64_t key_of(float score, size_t i)
{
    const float s = score + 0.0f;
    uint32_t u;
    memcpy(&u, &s, sizeof u);
    /* NaN comes first, so that it is seen, not lost. The bits of positive floats are in order as
     * integers; those of negative ones are in reverse order, which is what falling scores want. */
    if ((u & 0x7fffffffu) > 0x7f800000u)
        u = 0;
    else
        u = u >> 31 ? u : 0x7fffffffu - u;
    return (uint64_t)u << 32 | i;
}

static void swap(uint64_t *a, uint64_t *b)
{
    const uint64_t t = *a;
    *a = *b;
    *b = t;
}

/* The smallest k of keys[0..n) come first, in any order. */
/* Quickselect with the median of three as pivot: a detector wants the 1000 best of 201 600 anchors
 * (800 x 1344 pixels, the finest level), and sorts only those. */
static void select_least(uint64_t *keys, size_t n, size_t k)
{
    size_t low = 0, high = n;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (keys[middle] < keys[low])
            swap(&keys[middle], &keys[low]);
        if (keys[high - 1] < keys[low])
            swap(&keys[high - 1], &keys[low]);
        if (keys[high - 1] < keys[middle])
            swap(&keys[high - 1], &keys[middle]);
        const uint64_t pivot = keys[middle]; /* keys differ: they hold their index */
        size_t i = low, j = high - 1;
        for (;;) {
            while (keys[i] < pivot)
                i++;
            while (keys[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap(&keys[i], &keys[j]);
        }
        if (i == k)
            return;
        if (i < k)
            low = i + 1;
        else
            high = i;
    }
}

size_t ws_sort_top_k(const float *scores, size_t n, size_t k, uint64_t *scratch, uint32_t *indices)
{
    for (size_t i = 0; i < n; i++)
        scratch[i] = key_of(scores[i], i);
    if (k < n)
        select_least(scratch, n, k);
    const size_t kept = k < n ? k : n;
    ws_sort_u64(scratch, kept);
    for (size_t i = 0; i < kept; i++)
        indices[i] = (uint32_t)scratch[i];
    return kept;
}
