/* pipeline/regions/region_pool.c - feature maps inside a mask. */
#include <math.h>
#include <string.h>

#include "pipeline/regions/region_describe.h"

static int cell_of(int at, float scale, int cells)
{
    const int cell = (int)(((float)at + 0.5f) * scale);
    return cell < cells ? cell : cells - 1; /* what the last whole cell leaves over */
}

/* The share of the mask that lies in every cell. */
static void weigh(const ws_region_mask *m, const wsam_feature_map *map, float *weights)
{
    const float each = 1.0f / (float)m->area;
    memset(weights, 0, (size_t)map->height * (size_t)map->width * sizeof *weights);
    for (int y = 0; y < m->height; y++) {
        const uint8_t *row = m->inside + (size_t)y * (size_t)m->width;
        float *to =
            weights + (size_t)cell_of(m->y0 + y, map->scale_y, map->height) * (size_t)map->width;
        for (int x = 0; x < m->width; x++)
            if (row[x])
                to[cell_of(m->x0 + x, map->scale_x, map->width)] += each;
    }
}

void ws_region_pool(const ws_region_mask *m, const wsam_feature_map *map, float *weights,
                    float *out)
{
    const size_t channels = (size_t)map->channels;
    float *mean = out, *spread = out + channels;
    memset(out, 0, 2 * channels * sizeof *out);
    weigh(m, map, weights);
    for (int y = 0; y < map->height; y++)
        for (int x = 0; x < map->width; x++) {
            const float w = weights[(size_t)y * (size_t)map->width + (size_t)x];
            const float *v = map->values + (size_t)y * map->row + (size_t)x * channels;
            for (size_t c = 0; c < channels && w > 0.0f; c++) {
                mean[c] += w * v[c];
                spread[c] += w * v[c] * v[c];
            }
        }
    for (size_t c = 0; c < channels; c++)
        spread[c] = sqrtf(fmaxf(spread[c] - mean[c] * mean[c], 0.0f));
}
