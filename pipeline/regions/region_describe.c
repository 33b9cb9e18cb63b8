/* pipeline/regions/region_describe.c - see describe.h. */
#include "pipeline/regions/region_describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_group(ws_region_layout *l, const char *name, uint32_t count)
{
    ws_region_group *g = &l->groups[l->n_groups++];
    *g = (ws_region_group){.first = (uint32_t)l->count, .count = count};
    snprintf(g->name, sizeof g->name, "%.15s", name);
    l->count += count;
}

void ws_regions_describe_layout(const wsam_feature_map *maps, size_t n_maps, ws_region_layout *l)
{
    *l = (ws_region_layout){0};
    add_group(l, "shape", WS_SHAPE_NUMBERS);
    add_group(l, "look", WS_LOOK_NUMBERS);
    for (size_t i = 0; i < n_maps; i++)
        add_group(l, maps[i].source, 2 * (uint32_t)maps[i].channels);
}

wsam_status ws_regions_describe(const wsam_picture *picture, const wsam_proposals *proposals,
                                const wsam_feature_map *maps, size_t n_maps, float *rows,
                                wsam_error *error)
{
    ws_region_layout layout;
    ws_region_mask mask = {0};
    size_t cells = 1;
    wsam_status status = WSAM_OK;
    if (n_maps > WSAM_FEATURE_SOURCES)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%zu feature maps: %d at most", n_maps,
                       WSAM_FEATURE_SOURCES);
    ws_regions_describe_layout(maps, n_maps, &layout);
    for (size_t i = 0; i < n_maps; i++) {
        const size_t n = (size_t)maps[i].height * (size_t)maps[i].width;
        cells = n > cells ? n : cells;
    }
    float *weights = malloc(cells * sizeof *weights);
    if (!weights)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a map of %zu cells", cells);
    for (size_t i = 0; i < proposals->n && !status; i++, rows += layout.count) {
        int empty;
        memset(rows, 0, layout.count * sizeof *rows);
        status = ws_region_mask_take(&mask, &proposals->items[i], picture->height, picture->width,
                                     &empty, error);
        if (status || empty)
            continue;
        ws_region_shape(&mask, picture, rows);
        ws_region_look(&mask, picture, rows + layout.groups[1].first);
        for (size_t k = 0; k < n_maps; k++)
            ws_region_pool(&mask, &maps[k], weights, rows + layout.groups[2 + k].first);
    }
    free(weights);
    ws_region_mask_free(&mask);
    return status;
}
