/* demo/drawing/view.c - a scene as a model sees it, for training. */
#include "demo/drawing/view.h"

#include <string.h>

#include "weaksam/picture.h"

static int most_seen(const demo_scene *s, int x0, int x1, int y0, int y1)
{
    int counts[DEMO_MOST + 1] = {0}, best = 0;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            counts[s->ids[(long)y * s->width + x]]++;
    for (int i = 1; i <= DEMO_MOST; i++)
        best = counts[i] > counts[best] ? i : best;
    return best;
}

static int edge(int at, int from, int to)
{
    return (int)(((int64_t)at * from + to / 2) / to);
}

static void shrink_ids(const demo_scene *s, int width, int height, int side, uint8_t *ids)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const int x0 = edge(x, s->width, width), y0 = edge(y, s->height, height);
            const int x1 = edge(x + 1, s->width, width), y1 = edge(y + 1, s->height, height);
            ids[y * side + x] =
                (uint8_t)most_seen(s, x0, x1 > x0 ? x1 : x0 + 1, y0, y1 > y0 ? y1 : y0 + 1);
        }
}

int demo_view(uint64_t seed, const demo_options *options, int side, uint8_t *rgb, uint8_t *ids,
              int *content, int *kinds)
{
    demo_scene s;
    if (!demo_scene_draw(seed, options, &s))
        return -1;
    const int longest = s.width > s.height ? s.width : s.height;
    const double scale = (double)side / longest;
    const int width = (int)(s.width * scale + 0.5), height = (int)(s.height * scale + 0.5), n = s.n;
    const wsam_picture whole = {s.height, s.width, 3, (size_t)s.width * 3, s.rgb, NULL};
    wsam_picture small;
    wsam_error error;
    if (wsam_picture_resize(&whole, height, width, WSAM_FILTER_BILINEAR, 1, &small, &error) !=
        WSAM_OK) {
        demo_scene_free(&s);
        return -1;
    }
    memset(rgb, 0, (size_t)side * (size_t)side * 3);
    memset(ids, 0, (size_t)side * (size_t)side);
    for (int y = 0; y < height; y++)
        memcpy(rgb + (size_t)y * (size_t)side * 3, small.pixels + (size_t)y * small.stride,
               (size_t)width * 3);
    shrink_ids(&s, width, height, side, ids);
    for (int i = 0; i < n; i++)
        kinds[i] = (int)s.instances[i].kind;
    content[0] = width;
    content[1] = height;
    wsam_picture_free(&small);
    demo_scene_free(&s);
    return n;
}
