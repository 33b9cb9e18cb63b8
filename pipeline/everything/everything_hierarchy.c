/* pipeline/everything/everything_hierarchy.c - the grid in two passes, after TinySAM ("Hierarchical
 * Segmenting Everything", Shu et al. 2023): every fourth point of every fourth row first, then only
 * points that no mask of that pass covers with confidence.
 *
 * The points are those of the full grid, so that every mask is one that the full grid finds, too.
 * A mask covers the points of its box where its logit is above options->confident_logit. All masks of the
 * first pass that pass the filters count, whether or not NMS will keep them: which points are left
 * depends on neither batches nor threads. */
#include "base/error.h"
#include "pipeline/everything/everything_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPARSER = 4, FIRST = 1 }; /* rows and columns 1, 5, 9, ... */

static wsam_status reserve(ws_generator_run *r, size_t points)
{
    if (points <= r->grid_capacity)
        return WSAM_OK;
    ws_hierarchy_end(r);
    r->selected = malloc(points * sizeof *r->selected);
    r->covered = malloc(points);
    r->grid_capacity = points;
    return r->selected && r->covered ? WSAM_OK : ws_no_memory(r->error, "a grid in two passes");
}

void ws_hierarchy_end(ws_generator_run *r)
{
    free(r->selected), free(r->covered);
    r->selected = NULL;
    r->covered = NULL;
    r->grid_capacity = 0;
}

/* Points of a crop's grid that are of the first pass, or not, and that nothing covers. */
static size_t select_points(ws_generator_run *r, const ws_crop *crop, int first)
{
    const size_t side = ws_everything_grid_side(r->options, crop->layer);
    size_t n = 0;
    for (size_t i = 0; i < side * side; i++) {
        const int is_first = i % side % SPARSER == FIRST && i / side % SPARSER == FIRST;
        if (is_first == first && !r->covered[i])
            r->selected[n++] = (uint32_t)i;
    }
    return n;
}

wsam_status ws_hierarchy_begin(ws_generator_run *r, int crop, size_t *n)
{
    const size_t points = ws_everything_grid_size(r->options, r->crops[crop].layer);
    const wsam_status status = reserve(r, points);
    if (status)
        return status;
    memset(r->covered, 0, points);
    *n = select_points(r, &r->crops[crop], 1);
    return WSAM_OK;
}

size_t ws_hierarchy_rest(ws_generator_run *r, int crop)
{
    return select_points(r, &r->crops[crop], 0);
}

/* Low-resolution row or column at a point of the crop. */
static size_t low_at(double at, int out, double content, int low)
{
    const double i = floor(at / out * content);
    return (size_t)(i < 0 ? 0 : i > low - 1 ? low - 1 : i);
}

void ws_hierarchy_cover(ws_generator_run *r, const ws_candidate *c, const float *logits)
{
    const wsam_mask_geometry *g = &r->masks.plan.geometry;
    const ws_crop *crop = &r->masks.crop;
    const int padded =
        g->filter == WSAM_UPSCALE_BILINEAR_TWICE; /* the crop is part of the square */
    const double high = padded ? (double)g->crop_h / g->square_h * g->low_h : g->low_h,
                 wide = padded ? (double)g->crop_w / g->square_w * g->low_w : g->low_w;
    const size_t side = ws_everything_grid_side(r->options, crop->layer);
    double at[2];
    for (size_t row = 0; row < side; row++) {
        ws_everything_grid_point(r->options, crop, row * side, at);
        if (at[1] < c->box[1] || at[1] > c->box[3] + 1)
            continue;
        const float *line = logits + low_at(at[1], g->out_h, high, g->low_h) * (size_t)g->low_w;
        for (size_t i = row * side; i < (row + 1) * side; i++) {
            ws_everything_grid_point(r->options, crop, i, at);
            if (at[0] < c->box[0] || at[0] > c->box[2] + 1)
                continue;
            const float logit = line[low_at(at[0], g->out_w, wide, g->low_w)];
            r->covered[i] |= (double)logit > r->options->confident_logit;
        }
    }
}
