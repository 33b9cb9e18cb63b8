/* kernels/nms.c - greedy non-maximum suppression of boxes. */
#include "kernels/boxes.h"
#include "kernels/sort.h"
#include "weaksam/masks.h"

#include <string.h>

/* A key that grows as the score falls; NaN counts as the greatest score, -0 as 0. */
static uint32_t falling_key(float score)
{
    const float s = score + 0.0f;
    uint32_t u;
    memcpy(&u, &s, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return 0;
    return u >> 31 ? u : 0x7fffffffu - u;
}

size_t wsam_box_nms(const float *boxes, const float *scores, size_t n, double threshold,
                    uint64_t *scratch, uint32_t *keep)
{
    for (size_t i = 0; i < n; i++)
        scratch[i] = (uint64_t)falling_key(scores[i]) << 32 | i;
    ws_sort_u64(scratch, n);
    size_t kept = 0;
    while (n) {
        const uint32_t best = (uint32_t)scratch[0];
        const float *box = boxes + 4 * (size_t)best;
        size_t left = 0;
        keep[kept++] = best;
        /* What survives moves up, so that each round looks at fewer boxes. */
        for (size_t i = 1; i < n; i++)
            /* NaN (two empty boxes) is never above a threshold. */
            if (!((double)ws_box_iou(box, boxes + 4 * (size_t)(uint32_t)scratch[i]) > threshold))
                scratch[left++] = scratch[i];
        n = left;
    }
    return kept;
}
