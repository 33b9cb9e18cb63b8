/* pipeline/tokens/frozen.c - see frozen.h. */
#include "pipeline/tokens/frozen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/regions/region_file.h"
#include "weaksam/segment.h"

wsam_status ws_frozen_create(ws_frozen *f, wsam_model *model, int side, wsam_error *error)
{
    wsam_status status;
    int patch = 16;
    memset(f, 0, sizeof *f);
    if (wsam_model_has_graph(model, "backbone")) {
        status = wsam_backbone_create(model, &f->backbone, error);
        patch = status ? 1 : wsam_backbone_patch(f->backbone);
    } else if (wsam_model_has_graph(model, "clues")) {
        status = ws_patches_create(model, &f->patches, error);
        patch = status ? 1 : f->patches->patch;
    } else if (wsam_model_has_graph(model, "image_encoder")) {
        status = wsam_segmenter_create(model, &f->segmenter, error);
    } else {
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "clues are learnt on a backbone, a clue network or a segmenter, and the "
                       "model is none of them");
    }
    f->side = side ? side : patch * WS_CELLS_PER_SIDE;
    return status;
}

void ws_frozen_free(ws_frozen *f)
{
    wsam_backbone_free(f->backbone);
    ws_patches_free(f->patches);
    wsam_segmenter_free(f->segmenter);
    memset(f, 0, sizeof *f);
}

const char *ws_frozen_name(const ws_frozen *f)
{
    return f->backbone ? "backbone" : f->patches ? "clues" : "sam";
}

/* ---- one image ---- */

/* free(*pixels_out) in any case. */
static wsam_status mirror_picture(const wsam_picture *p, wsam_picture *out, uint8_t **pixels_out,
                                  wsam_error *error)
{
    const size_t c = (size_t)p->channels, w = (size_t)p->width, h = (size_t)p->height;
    uint8_t *pixels = malloc(h * w * c + 1);
    *pixels_out = pixels;
    if (!pixels)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mirrored image");
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            memcpy(pixels + (y * w + w - 1 - x) * c, p->pixels + y * p->stride + x * c, c);
    *out = (wsam_picture){.height = p->height,
                          .width = p->width,
                          .channels = p->channels,
                          .stride = w * c,
                          .pixels = pixels};
    return WSAM_OK;
}

/* Whole rows and columns that one pooled cell takes. */
static size_t pool_factor(size_t h, size_t w)
{
    size_t f = 1;
    while ((h + f - 1) / f * ((w + f - 1) / f) > WS_MOST_CELLS)
        f++;
    return f;
}

/* The mean of blocks; `row` is what rows of `from` are apart. */
static wsam_status pool(const wsam_feature_map *from, int mirrored, ws_cell_map *to,
                        wsam_error *error)
{
    const size_t h = (size_t)from->height, w = (size_t)from->width, c = (size_t)from->channels;
    const size_t f = pool_factor(h, w);
    *to = (ws_cell_map){.height = (h + f - 1) / f, .width = (w + f - 1) / f, .channels = c};
    to->values = calloc(to->height * to->width * c + 1, sizeof *to->values);
    if (!to->values)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for tokens");
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            const size_t top = y / f * f, left = x / f * f;
            const size_t tall = h - top < f ? h - top : f, wide = w - left < f ? w - left : f;
            const float share = 1.0f / (float)(tall * wide);
            const size_t u = mirrored ? w - 1 - x : x;
            const float *v = from->values + y * from->row + u * c;
            float *sum = to->values + (y / f * to->width + x / f) * c;
            for (size_t k = 0; k < c; k++)
                sum[k] += share * v[k];
        }
    return WSAM_OK;
}

static wsam_status run_backbone(ws_frozen *f, const wsam_picture *picture, int side, int mirrored,
                                wsam_progress_fn progress, void *user, ws_cell_map *map,
                                wsam_error *error)
{
    wsam_backbone_params p;
    wsam_backbone_result *r = NULL;
    wsam_backbone_params_default(&p);
    p.long_side = side;
    p.progress = progress;
    p.progress_user = user;
    wsam_status status = wsam_backbone_run(f->backbone, picture, &p, &r, error);
    if (status)
        return status;
    const wsam_feature_map from = {.height = r->height,
                                   .width = r->width,
                                   .channels = r->channels,
                                   .row = (size_t)r->width * (size_t)r->channels,
                                   .values = r->patch_tokens};
    status = pool(&from, mirrored, map, error);
    wsam_backbone_result_free(r);
    return status;
}

static wsam_status run_patches(ws_frozen *f, const wsam_picture *picture, int side, int mirrored,
                               wsam_progress_fn progress, void *user, ws_cell_map *map,
                               wsam_error *error)
{
    wsam_feature_map from;
    wsam_image *state;
    wsam_status status =
        ws_patches_run(f->patches, picture, side, progress, user, &state, &from, error);
    if (!status)
        status = pool(&from, mirrored, map, error);
    wsam_image_free(state);
    return status;
}

static wsam_status run_segmenter(ws_frozen *f, const wsam_picture *picture, int mirrored,
                                 wsam_progress_fn progress, void *user, ws_cell_map *map,
                                 wsam_error *error)
{
    wsam_embedding *e = NULL;
    wsam_feature_map from;
    wsam_segmenter_set_progress(f->segmenter, progress, user);
    wsam_status status = wsam_segmenter_encode(f->segmenter, picture, &e, error);
    wsam_segmenter_set_progress(f->segmenter, NULL, NULL);
    if (status)
        return status;
    wsam_embedding_map(e, &from);
    status = pool(&from, mirrored, map, error);
    wsam_embedding_free(e);
    return status;
}

wsam_status ws_frozen_run(ws_frozen *f, const wsam_picture *picture, double scale, int mirrored,
                          wsam_progress_fn progress, void *user, ws_cell_map *map,
                          wsam_error *error)
{
    const int side = (int)(f->side * scale + 0.5);
    wsam_picture flipped = {0};
    uint8_t *pixels = NULL;
    wsam_status status = mirrored ? mirror_picture(picture, &flipped, &pixels, error) : WSAM_OK;
    const wsam_picture *look = mirrored ? &flipped : picture;
    memset(map, 0, sizeof *map);
    if (!status && f->backbone)
        status = run_backbone(f, look, side, mirrored, progress, user, map, error);
    else if (!status && f->patches)
        status = run_patches(f, look, side, mirrored, progress, user, map, error);
    else if (!status)
        status = run_segmenter(f, look, mirrored, progress, user, map, error);
    free(pixels);
    return status;
}

/* ---- the file of an image ---- */

static void place_cells(const ws_cell_map *map, const wsam_picture *p, wsam_proposal *items)
{
    const float tall = (float)p->height / (float)map->height;
    const float wide = (float)p->width / (float)map->width;
    for (size_t y = 0; y < map->height; y++)
        for (size_t x = 0; x < map->width; x++)
            items[y * map->width + x] = (wsam_proposal){.box = {(float)x * wide, (float)y * tall,
                                                                (float)(x + 1) * wide - 1.0f,
                                                                (float)(y + 1) * tall - 1.0f}};
}

static void join_views(const ws_cell_map views[2], float *rows)
{
    const size_t n = views[0].height * views[0].width, c = views[0].channels;
    for (size_t i = 0; i < n; i++)
        for (int v = 0; v < 2; v++)
            memcpy(rows + (2 * i + (size_t)v) * c, views[v].values + i * c, c * sizeof *rows);
}

static wsam_status save(const ws_frozen *f, const wsam_picture *picture, const ws_cell_map views[2],
                        const char *path, wsam_error *error)
{
    const size_t n = views[0].height * views[0].width, c = views[0].channels;
    const uint32_t channels = (uint32_t)c;
    ws_region_layout layout = {
        .n_groups = 2,
        .count = 2 * c,
        .groups = {{.count = channels}, {.first = channels, .count = channels}}};
    snprintf(layout.groups[0].name, sizeof layout.groups[0].name, "%s", ws_frozen_name(f));
    snprintf(layout.groups[1].name, sizeof layout.groups[1].name, "mirrored");
    wsam_proposal *items = calloc(n + 1, sizeof *items);
    float *rows = malloc((2 * n * c + 1) * sizeof *rows);
    wsam_status status =
        items && rows ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for tokens");
    if (!status) {
        const wsam_proposals cells = {
            .width = picture->width, .height = picture->height, .n = n, .items = items};
        place_cells(&views[0], picture, items);
        join_views(views, rows);
        status = ws_region_file_save(path, &cells, &layout, rows, error);
    }
    free(items);
    free(rows);
    return status;
}

wsam_status ws_frozen_save(ws_frozen *f, const wsam_picture *picture, wsam_progress_fn progress,
                           void *user, const char *path, wsam_error *error)
{
    ws_cell_map plain = {0}, mirrored = {0};
    wsam_status status = ws_frozen_run(f, picture, 1.0, 0, progress, user, &plain, error);
    if (!status)
        status = ws_frozen_run(f, picture, 1.0, 1, progress, user, &mirrored, error);
    if (!status)
        status = save(f, picture, (const ws_cell_map[2]){plain, mirrored}, path, error);
    free(plain.values);
    free(mirrored.values);
    return status;
}
