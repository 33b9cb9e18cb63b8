/* pipeline/segment/overlay.c - see overlay.h. */
#include <math.h>

#include "pipeline/segment/overlay.h"

void ws_overlay_colour(size_t i, int rgb[3])
{
    const double hue = 6.0 * fmod(0.02 + 0.618033988749895 * (double)i, 1.0);
    for (int c = 0; c < 3; c++) {
        const double d = fabs(fmod(hue + 8.0 - 2.0 * c, 6.0) - 3.0);
        const double v = d - 1.0;
        rgb[c] = (int)(40.0 + 215.0 * (v < 0.0 ? 0.0 : v > 1.0 ? 1.0 : v));
    }
}

static int is_edge(const uint8_t *mask, int h, int w, int y, int x)
{
    const uint8_t *at = mask + (size_t)y * (size_t)w + x;
    return x == 0 || y == 0 || x == w - 1 || y == h - 1 || !at[-1] || !at[1] || !at[-w] || !at[w];
}

void ws_overlay_mask(const uint8_t *mask, int h, int w, const int rgb[3], uint8_t *pixels)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const size_t i = (size_t)y * (size_t)w + (size_t)x;
            if (!mask[i])
                continue;
            const int weight = is_edge(mask, h, w, y, x) ? 14 : 6; /* of 16 */
            for (int c = 0; c < 3; c++)
                pixels[3 * i + (size_t)c] =
                    (uint8_t)((pixels[3 * i + (size_t)c] * (16 - weight) + rgb[c] * weight) / 16);
        }
}

void ws_overlay_begin(const wsam_picture *from, uint8_t *to)
{
    for (int y = 0; y < from->height; y++) {
        const uint8_t *row = from->pixels + (size_t)y * from->stride;
        for (int x = 0; x < from->width; x++)
            for (int c = 0; c < 3; c++)
                *to++ = row[from->channels == 3 ? 3 * x + c : x];
    }
}
