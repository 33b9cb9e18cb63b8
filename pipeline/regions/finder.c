/* pipeline/regions/finder.c - see finder.h. */
#include "pipeline/regions/finder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/half.h"

wsam_status ws_region_finder_create(ws_region_finder *f, wsam_model *model, wsam_model *network,
                                    int clue_size, wsam_error *error)
{
    memset(f, 0, sizeof *f);
    wsam_clues_params_default(&f->params);
    f->params.size = clue_size;
    f->params.n_scales = 1;
    f->params.scales[0] = 1.0;
    f->params.mirror = 0;
    f->params.maps = WSAM_CLUES_TOKENS;
    wsam_status status = wsam_proposer_create(model, &f->proposer, error);
    wsam_backbone_params_default(&f->backbone_params);
    if (!status && network && wsam_model_has_graph(network, "backbone"))
        status = wsam_backbone_create(network, &f->backbone, error);
    else if (!status && network)
        status = wsam_clues_create(network, &f->clues, error);
    if (status)
        ws_region_finder_free(f);
    return status;
}

void ws_region_finder_free(ws_region_finder *f)
{
    wsam_proposer_free(f->proposer);
    wsam_clues_free(f->clues);
    wsam_backbone_free(f->backbone);
    memset(f, 0, sizeof *f);
}

void ws_finder_free_regions(ws_regions *r)
{
    wsam_proposals_free(r->proposals);
    wsam_embedding_free(r->embedding);
    wsam_clues_result_free(r->tokens);
    wsam_backbone_result_free(r->patches);
    free(r->rows);
    memset(r, 0, sizeof *r);
}

/* Files hold half precision: a picture is judged alike with and without one. */
static float as_kept(float v)
{
    const float most = 65000.0f;
    return ws_half_to_float(ws_half_from_float(fminf(fmaxf(v, -most), most)));
}

/* Numbers of the proposals from `first` on, behind those of the others. */
static wsam_status describe(const wsam_picture *picture, ws_regions *r, size_t first,
                            wsam_error *error)
{
    const wsam_proposals *all = r->proposals;
    const wsam_proposals rest = {.width = all->width,
                                 .height = all->height,
                                 .n = all->n - first,
                                 .items = all->items + first};
    size_t numbers;
    if (ws_mul_size(all->n + 1, r->layout.count * sizeof *r->rows, &numbers))
        return ws_fail(error, WSAM_ERR_LIMIT, "too many proposals");
    float *rows = realloc(r->rows, numbers);
    if (!rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu regions", all->n);
    r->rows = rows;
    rows += first * r->layout.count;
    const wsam_status status = ws_regions_describe(picture, &rest, r->maps, r->n_maps, rows, error);
    for (size_t i = 0; i < rest.n * r->layout.count && !status; i++)
        rows[i] = as_kept(rows[i]);
    return status;
}

static wsam_status find_patches(ws_region_finder *f, const wsam_picture *picture, ws_regions *r,
                                wsam_error *error)
{
    const wsam_status status =
        wsam_backbone_run(f->backbone, picture, &f->backbone_params, &r->patches, error);
    if (status)
        return status;
    const wsam_backbone_result *p = r->patches;
    r->maps[r->n_maps++] = (wsam_feature_map){.source = "backbone",
                                              .height = p->height,
                                              .width = p->width,
                                              .channels = p->channels,
                                              .row = (size_t)p->width * (size_t)p->channels,
                                              .scale_x = (float)p->width / (float)p->image_width,
                                              .scale_y = (float)p->height / (float)p->image_height,
                                              .values = p->patch_tokens};
    return WSAM_OK;
}

static wsam_status find_tokens(ws_region_finder *f, const wsam_picture *picture, ws_regions *r,
                               wsam_error *error)
{
    if (f->backbone)
        return find_patches(f, picture, r, error);
    if (!f->clues)
        return WSAM_OK;
    const wsam_status status =
        wsam_clues_run(f->clues, picture, NULL, 0, &f->params, &r->tokens, error);
    if (!status)
        wsam_clues_map(r->tokens, &r->maps[r->n_maps++]);
    return status;
}

/* The embedding and the networks' maps, and with them what numbers a region has. */
static wsam_status find_maps(ws_region_finder *f, const wsam_picture *picture, ws_regions *r,
                             wsam_error *error)
{
    wsam_embedding_map(r->embedding, &r->maps[r->n_maps++]);
    const wsam_status status = find_tokens(f, picture, r, error);
    ws_regions_describe_layout(r->maps, r->n_maps, &r->layout);
    return status;
}

/* Regions that were kept; *found = 0: there are none. */
static wsam_status recall(ws_region_finder *f, const wsam_picture *picture, const char *image,
                          wsam_propose_stats *stats, ws_regions *r, int *found, wsam_error *error)
{
    const double start = ws_clock();
    wsam_status status = wsam_segmenter_encode(f->segmenter, picture, &r->embedding, error);
    stats->encode_s += ws_clock() - start;
    if (!status)
        status = find_maps(f, picture, r, error);
    if (!status)
        status = ws_kept_regions_recall(f->kept, image, picture, r, found, error);
    return status;
}

wsam_status ws_regions_find(ws_region_finder *f, const wsam_picture *picture, const char *image,
                            const wsam_propose_options *options, ws_regions *r,
                            wsam_propose_stats *stats, wsam_error *error)
{
    wsam_propose_options o = *options;
    o.sources = 1u << WSAM_SOURCE_GRID;
    o.keep_masks = 1;
    f->params.progress = o.everything.progress;
    f->params.progress_user = o.everything.progress_user;
    f->backbone_params.progress = o.everything.progress;
    f->backbone_params.progress_user = o.everything.progress_user;
    int found = 0;
    wsam_status status = WSAM_OK;
    if (image && f->kept && f->segmenter)
        status = recall(f, picture, image, stats, r, &found, error);
    if (status || found)
        return status;
    wsam_embedding *known = r->embedding;
    status = wsam_propose_run(f->proposer, picture, known, NULL, &o, &r->proposals, stats,
                              known ? NULL : &r->embedding, error);
    if (!status && !known)
        status = find_maps(f, picture, r, error);
    return status ? status : describe(picture, r, 0, error);
}

/* Moves the items of `from` behind those of `to`; `from` stays empty. */
static wsam_status append(wsam_proposals *to, wsam_proposals *from, wsam_error *error)
{
    if (!from->n)
        return WSAM_OK;
    wsam_proposal *items = realloc(to->items, (to->n + from->n) * sizeof *items);
    if (!items)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for proposals");
    memcpy(items + to->n, from->items, from->n * sizeof *items);
    to->items = items;
    to->n += from->n;
    from->n = 0;
    return WSAM_OK;
}

wsam_status ws_finder_add_region(ws_region_finder *f, const wsam_picture *picture,
                                 const wsam_clue_points *points,
                                 const wsam_propose_options *options, ws_regions *r,
                                 wsam_propose_stats *stats, wsam_error *error)
{
    wsam_propose_options o = *options;
    wsam_proposals *more = NULL;
    const size_t first = r->proposals->n;
    o.sources &= ~(1u << WSAM_SOURCE_GRID);
    o.keep_masks = 1;
    if (!o.sources || !points->n)
        return WSAM_OK;
    wsam_status status =
        wsam_propose_run(f->proposer, picture, r->embedding, points, &o, &more, stats, NULL, error);
    if (!status)
        status = append(r->proposals, more, error);
    wsam_proposals_free(more);
    return status ? status : describe(picture, r, first, error);
}
