/* demo/evaluation/measure.c - boxes, areas and inner points of a scene's instances, read off its id
 * map. */
#include <stdlib.h>
#include <string.h>

#include "demo/drawing/scene.h"

static void extend(demo_instance *i, int x, int y)
{
    if (i->area++ == 0) {
        i->box[0] = i->box[2] = x;
        i->box[1] = i->box[3] = y;
    }
    i->box[0] = x < i->box[0] ? x : i->box[0];
    i->box[2] = x > i->box[2] ? x : i->box[2];
    i->box[3] = y;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Chamfer distance (3, 4) of every pixel to the nearest one that shows something else; the
 * picture's border counts as something else. Borgefors 1986. */
static void distances(const demo_scene *s, int *d)
{
    const int w = s->width, h = s->height;
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < w * h; k++) {
            const int at = pass ? w * h - 1 - k : k, x = at % w, y = at / w, step = pass ? 1 : -1;
            const int side = x + step >= 0 && x + step < w, line = y + step >= 0 && y + step < h;
            int best = pass ? d[at] : 1 << 20;
            best = least(best, side && s->ids[at + step] == s->ids[at] ? d[at + step] + 3 : 3);
            best =
                least(best, line && s->ids[at + step * w] == s->ids[at] ? d[at + step * w] + 3 : 3);
            for (int e = -1; e <= 1; e += 2)
                if (line && x + e >= 0 && x + e < w)
                    best = least(best, s->ids[at + step * w + e] == s->ids[at]
                                           ? d[at + step * w + e] + 4
                                           : 4);
            d[at] = best;
        }
}

static void drop_small(demo_scene *s)
{
    uint8_t to[256] = {0};
    int n = 0;
    for (int i = 0; i < s->n; i++)
        if (s->instances[i].area >= 16) {
            s->instances[n++] = s->instances[i];
            to[i + 1] = (uint8_t)n;
        }
    s->n = n;
    for (long k = 0; k < (long)s->width * s->height; k++)
        s->ids[k] = to[s->ids[k]];
}

int demo_scene_measure(demo_scene *s)
{
    int *d = malloc((size_t)s->width * (size_t)s->height * sizeof *d), best[DEMO_MOST] = {0};
    if (!d)
        return 0;
    for (int i = 0; i < s->n; i++)
        s->instances[i].area = 0;
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++) {
            const int id = s->ids[(long)y * s->width + x];
            if (id)
                extend(&s->instances[id - 1], x, y);
        }
    drop_small(s);
    distances(s, d);
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++) {
            const int id = s->ids[(long)y * s->width + x], far = d[(long)y * s->width + x];
            if (id && far > best[id - 1]) {
                best[id - 1] = far;
                s->instances[id - 1].inner[0] = x;
                s->instances[id - 1].inner[1] = y;
            }
        }
    free(d);
    return 1;
}
