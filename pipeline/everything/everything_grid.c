/* pipeline/everything/everything_grid.c - where the mask generator looks: crops, grids, and the
 * edges of crops. */
#include "pipeline/everything/everything.h"

#include <math.h>
#include <stdlib.h>

static int32_t min_i32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Of m crops along n pixels that overlap by `overlap`. */
static int32_t crop_length(int32_t n, int32_t overlap, int32_t m)
{
    return (int32_t)ceil(((double)overlap * (m - 1) + n) / m);
}

int ws_everything_grid_crops(int height, int width, int layers, double overlap,
                             ws_crop crops[WS_MAX_CROPS])
{
    int n = 0;
    crops[n++] = (ws_crop){{0, 0, width, height}, 0};
    for (int layer = 1; layer <= layers; layer++) {
        const int32_t m = 1 << layer, side = min_i32(height, width);
        const int32_t shared = (int32_t)(overlap * side * (2.0 / m));
        const int32_t w = crop_length(width, shared, m), h = crop_length(height, shared, m);
        for (int32_t i = 0; i < m; i++)
            for (int32_t k = 0; k < m; k++) {
                const int32_t x0 = i * (w - shared), y0 = k * (h - shared);
                const ws_crop c = {{x0, y0, min_i32(x0 + w, width), min_i32(y0 + h, height)},
                                   layer};
                if (x0 < 0 || y0 < 0 || c.box[2] <= x0 || c.box[3] <= y0)
                    return 0;
                crops[n++] = c;
            }
    }
    return n;
}

size_t ws_everything_grid_side(const wsam_everything_options *o, int layer)
{
    return (size_t)(o->points_per_side / pow(o->crop_n_points_downscale_factor, layer));
}

size_t ws_everything_grid_size(const wsam_everything_options *o, int layer)
{
    if (o->point_grids)
        return o->point_grid_sizes[layer];
    const size_t n = ws_everything_grid_side(o, layer);
    return n * n;
}

void ws_everything_grid_point(const wsam_everything_options *o, const ws_crop *crop, size_t i,
                              double point[2])
{
    double x, y;
    if (o->point_grids) {
        x = o->point_grids[crop->layer][2 * i];
        y = o->point_grids[crop->layer][2 * i + 1];
    } else {
        const size_t n = ws_everything_grid_side(o, crop->layer), column = i % n, row = i / n;
        x = ((double)column + 0.5) / (double)n;
        y = ((double)row + 0.5) / (double)n;
    }
    point[0] = x * (crop->box[2] - crop->box[0]);
    point[1] = y * (crop->box[3] - crop->box[1]);
}

int ws_everything_grid_near_edge(const int32_t box[4], const int32_t crop[4], int height, int width)
{
    enum { NEAR = 20 };
    const int32_t picture[4] = {0, 0, width, height};
    for (int i = 0; i < 4; i++) {
        const int32_t at = box[i] + crop[i % 2];
        if (abs(at - crop[i]) <= NEAR && abs(at - picture[i]) > NEAR)
            return 1;
    }
    return 0;
}
