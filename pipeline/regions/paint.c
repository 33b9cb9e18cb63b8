/* pipeline/regions/paint.c - see paint.h. */
#include "pipeline/regions/paint.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/regions/region_mask.h"

static const float least_share = 0.5f; /* of a class's best score */

/* Steps (4-connected) from every pixel of the mask to the nearest one outside of it;
 * [height][width] of its box, around which nothing is set. Returns the largest. */
static uint32_t find_depths(const ws_region_mask *m, uint32_t *depth)
{
    const int w = m->width, h = m->height;
    uint32_t deepest = 0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const size_t at = (size_t)y * (size_t)w + (size_t)x;
            const uint32_t left = x ? depth[at - 1] : 0, above = y ? depth[at - (size_t)w] : 0;
            depth[at] = m->inside[at] ? 1 + (left < above ? left : above) : 0;
        }
    for (int y = h; y-- > 0;)
        for (int x = w; x-- > 0;) {
            const size_t at = (size_t)y * (size_t)w + (size_t)x;
            const uint32_t right = x + 1 < w ? depth[at + 1] : 0;
            const uint32_t below = y + 1 < h ? depth[at + (size_t)w] : 0;
            const uint32_t other = 1 + (right < below ? right : below);
            depth[at] = depth[at] < other ? depth[at] : other;
            deepest = depth[at] > deepest ? depth[at] : deepest;
        }
    return deepest;
}

static void add_region(const ws_region_mask *m, const uint32_t *depth, uint32_t deepest, int width,
                       float score, float *map, float *depths)
{
    for (int y = 0; y < m->height; y++)
        for (int x = 0; x < m->width; x++) {
            const size_t from = (size_t)y * (size_t)m->width + (size_t)x;
            const size_t to = (size_t)(m->y0 + y) * (size_t)width + (size_t)(m->x0 + x);
            if (!m->inside[from])
                continue;
            map[to] += score;
            depths[to] += score * (float)depth[from] / (float)deepest;
        }
}

static void normalise(float *map, size_t n)
{
    float most = 1e-8f;
    for (size_t i = 0; i < n; i++)
        most = map[i] > most ? map[i] : most;
    for (size_t i = 0; i < n; i++)
        map[i] /= most;
}

static float best_of(const wsam_proposals *p, const float *scores, size_t n_classes, int32_t c)
{
    float best = 0.0f;
    for (size_t i = 0; i < p->n; i++) {
        const float s = scores[i * n_classes + (size_t)c];
        best = s > best ? s : best;
    }
    return best;
}

typedef struct painter {
    const wsam_proposals *proposals;
    const float *scores;
    size_t n_classes, n;
    const int32_t *classes;
    float *best, *maps, *depths;
    ws_region_mask mask;
    uint32_t *depth; /* of one region */
} painter;

static wsam_status paint_region(painter *p, size_t i, wsam_error *error)
{
    const wsam_proposals *all = p->proposals;
    const size_t pixels = (size_t)all->width * (size_t)all->height;
    const float *scores = p->scores + i * p->n_classes;
    int empty = 0, wanted = 0;
    for (size_t k = 0; k < p->n; k++)
        wanted |= scores[p->classes[k]] >= least_share * p->best[k];
    if (!wanted)
        return WSAM_OK;
    const wsam_status status =
        ws_region_mask_take(&p->mask, &all->items[i], all->height, all->width, &empty, error);
    if (status || empty)
        return status;
    const uint32_t deepest = find_depths(&p->mask, p->depth);
    for (size_t k = 0; k < p->n; k++)
        if (scores[p->classes[k]] >= least_share * p->best[k])
            add_region(&p->mask, p->depth, deepest, all->width, scores[p->classes[k]],
                       p->maps + k * pixels, p->depths + k * pixels);
    return WSAM_OK;
}

wsam_status ws_paint_regions(const wsam_proposals *proposals, const float *scores, size_t n_classes,
                             const int32_t *classes, size_t n, float *maps, float *depths,
                             wsam_error *error)
{
    const size_t pixels = (size_t)proposals->width * (size_t)proposals->height;
    painter p = {.proposals = proposals,
                 .scores = scores,
                 .n_classes = n_classes,
                 .n = n,
                 .classes = classes,
                 .maps = maps,
                 .depths = depths};
    p.best = calloc(n + 1, sizeof *p.best);
    p.depth = malloc((pixels + 1) * sizeof *p.depth);
    wsam_status status =
        p.best && p.depth ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for clue maps");
    for (size_t k = 0; k < n && !status; k++)
        p.best[k] = best_of(proposals, scores, n_classes, classes[k]);
    for (size_t i = 0; i < proposals->n && !status; i++)
        status = paint_region(&p, i, error);
    for (size_t k = 0; k < n && !status; k++) {
        normalise(maps + k * pixels, pixels);
        normalise(depths + k * pixels, pixels);
    }
    ws_region_mask_free(&p.mask);
    free(p.best);
    free(p.depth);
    return status;
}
