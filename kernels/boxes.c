/* kernels/boxes.c - anchors, box deltas, top-k. */
#include "kernels/boxes.h"

#include <math.h>
#include <string.h>

#include "kernels/sort.h"

void ws_box_anchors(float size, int rounded, float boxes[WS_BOX_RATIOS][4])
{
    static const float ratios[WS_BOX_RATIOS] = {0.5f, 1.0f, 2.0f};
    for (int i = 0; i < WS_BOX_RATIOS; i++) {
        const float tall = sqrtf(ratios[i]), w = 1.0f / tall * size / 2.0f, h = tall * size / 2.0f;
        const float box[4] = {-w, -h, w, h};
        for (int k = 0; k < 4; k++)
            boxes[i][k] = rounded ? nearbyintf(box[k]) : box[k];
    }
}

/* log(1000 / 16) */
#define MOST_GROWTH 4.135166556742356f

void ws_box_decode(const ws_box_rule *rule, const float from[4], const float deltas[4],
                   float box[4])
{
    float d[4];
    const float w = from[2] - from[0], h = from[3] - from[1];
    const float cx = from[0] + 0.5f * w, cy = from[1] + 0.5f * h;
    for (int k = 0; k < 4; k++)
        d[k] = deltas[k] / rule->weights[k];
    for (int k = 2; k < 4; k++) {
        d[k] = d[k] > MOST_GROWTH ? MOST_GROWTH : d[k];
        d[k] = rule->bound_below && d[k] < -MOST_GROWTH ? -MOST_GROWTH : d[k];
    }
    const float x = d[0] * w + cx, y = d[1] * h + cy;
    const float half_w = 0.5f * (expf(d[2]) * w), half_h = 0.5f * (expf(d[3]) * h);
    box[0] = x - half_w;
    box[1] = y - half_h;
    box[2] = x + half_w;
    box[3] = y + half_h;
}

void ws_box_clip(float width, float height, float box[4])
{
    for (int k = 0; k < 4; k++) {
        const float most = k % 2 ? height : width;
        box[k] = box[k] > 0.0f ? box[k] : 0.0f; /* also NaN */
        box[k] = box[k] < most ? box[k] : most;
    }
}

/* ---- top-k ---- */

/* A key that grows as the score falls, -0 as 0, the index below it. */
static uint64_t key_of(float score, size_t i)
{
    const float s = score + 0.0f;
    uint32_t u;
    memcpy(&u, &s, sizeof u);
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

size_t ws_top_k(const float *scores, size_t n, size_t k, uint64_t *scratch, uint32_t *indices)
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
