/* pipeline/dataset/stage_workers.c - the stages of one picture, one after the other. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernels/float_scope.h"
#include "pipeline/dataset/late_stages.h"
#include "pipeline/detect/mist_stage.h"
#include "pipeline/regions/region_evidence.h"
#include "pipeline/stages/stages.h"
#include "weaksam/dataset.h"
#include "weaksam/train.h"

/* Clues come from a network that looks at the picture, or from learnt regions: then `clues` and
 * `proposer` are NULL and `finder` and `regions` in use. */
typedef struct worker {
    wsam_clues *clues;
    wsam_proposer *proposer;
    ws_region_finder finder;
    ws_region_network regions;
    wsam_segmenter *segmenter;
    ws_mist_stage mist; /* with a scorer */
} worker;

struct wsam_stage_workers {
    wsam_stage_options options;
    worker *workers;
    const char **names;
    size_t n_classes;
};

/* What the stages hand on. */
typedef struct work {
    wsam_picture picture;
    wsam_clues_result *clues;
    wsam_clue_map *maps;
    size_t n_maps;
    wsam_proposals *proposals;
    wsam_embedding *embedding;
    ws_regions regions; /* proposals and embedding are its own then */
    ws_region_evidence evidence;
} work;

void wsam_stage_options_default(wsam_stage_options *o)
{
    memset(o, 0, sizeof *o);
    o->workers = 1;
    wsam_clues_params_default(&o->clues);
    wsam_propose_options_default(&o->propose);
    wsam_evidence_options_default(&o->evidence);
    wsam_score_options_default(&o->score);
    wsam_pgt_options_default(&o->pgt);
}

void wsam_stage_workers_free(wsam_stage_workers *w)
{
    if (!w)
        return;
    for (int i = 0; w->workers && i < w->options.workers; i++) {
        wsam_clues_free(w->workers[i].clues);
        wsam_proposer_free(w->workers[i].proposer);
        ws_region_network_free(&w->workers[i].regions);
        ws_region_finder_free(&w->workers[i].finder);
        wsam_segmenter_free(w->workers[i].segmenter);
        ws_mist_stage_close(&w->workers[i].mist);
    }
    free(w->workers);
    free(w->names);
    free(w);
}

static wsam_status create_worker(const wsam_stage_options *o, worker *w, wsam_error *error)
{
    wsam_status status;
    if (ws_is_region_network(o->clue_model)) {
        status = ws_region_finder_create(&w->finder, o->model, o->network, o->clues.size, error);
        if (!status)
            status =
                ws_region_network_create(&w->regions, o->clue_model, o->model, o->network, error);
    } else {
        status = wsam_clues_create(o->clue_model, &w->clues, error);
        if (!status)
            status = wsam_proposer_create(o->model, &w->proposer, error);
    }
    if (!status)
        status = wsam_segmenter_create(o->model, &w->segmenter, error);
    if (!status)
        wsam_segmenter_set_progress(w->segmenter, o->give_up, o->give_up_user);
    w->finder.kept = o->regions;
    w->finder.segmenter = w->segmenter;
    return status;
}

static wsam_status name_classes(wsam_stage_workers *w, wsam_error *error)
{
    const worker *first = &w->workers[0];
    w->n_classes = first->clues ? wsam_clues_class_count(first->clues) : first->regions.n_classes;
    w->names = calloc(w->n_classes + 1, sizeof *w->names);
    if (!w->names)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the classes");
    for (size_t i = 0; i < w->n_classes; i++)
        w->names[i] =
            first->clues ? wsam_clues_class_name(first->clues, i) : first->regions.names[i];
    return WSAM_OK;
}

wsam_status wsam_stage_workers_create(const wsam_stage_options *o, wsam_stage_workers **out,
                                      wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = NULL;
    if (o->workers < 1 || o->workers > 1024)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%d workers: expected 1 to 1024", o->workers);
    wsam_stage_workers *w = calloc(1, sizeof *w);
    if (w)
        w->workers = calloc((size_t)o->workers, sizeof *w->workers);
    wsam_status status =
        w && w->workers ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for the workers");
    if (w) {
        w->options = *o;
        w->options.propose.keep_masks = 1; /* scores look at masks */
        if (o->give_up) {
            w->options.propose.everything.progress = o->give_up;
            w->options.propose.everything.progress_user = o->give_up_user;
            w->options.clues.progress = o->give_up;
            w->options.clues.progress_user = o->give_up_user;
        }
        w->options.clues.maps = WSAM_CLUES_FINE | (o->keep_tokens ? WSAM_CLUES_TOKENS : 0);
    }
    for (int i = 0; i < o->workers && !status; i++)
        status = create_worker(o, &w->workers[i], error);
    if (!status)
        status = name_classes(w, error);
    for (int i = 0; i < o->workers && o->scorer && !status; i++)
        status = ws_mist_stage_open(o->scorer, w->names, w->n_classes, &w->workers[i].mist, error);
    if (status)
        wsam_stage_workers_free(w);
    else
        *out = w;
    return status;
}

size_t wsam_stage_workers_classes(const wsam_stage_workers *w, const char *const **names)
{
    *names = w->names;
    return w->n_classes;
}

/* ---- one picture ---- */

/* The points' line, for the file; they get the picture's name. */
static wsam_status points_line(wsam_clue_points *points, const char *image, wsam_run_output *out,
                               wsam_error *error)
{
    free(points->image);
    points->image = strdup(image);
    return points->image && !wsam_points_json(points, &out->points)
               ? WSAM_OK
               : ws_fail(error, WSAM_ERR_MEMORY, "no memory for points");
}

static wsam_status clues_of_network(const wsam_stage_workers *s, worker *w,
                                    const wsam_run_item *item, work *k, wsam_run_output *out,
                                    wsam_error *error)
{
    wsam_status status = wsam_clues_run(w->clues, &k->picture, item->labels, item->n_labels,
                                        &s->options.clues, &k->clues, error);
    if (status)
        return status;
    const wsam_clues_result *r = k->clues;
    status = points_line(r->points, item->image, out, error);
    k->maps = calloc(r->n + 1, sizeof *k->maps);
    if (!k->maps)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for clue maps");
    for (size_t i = 0; i < r->n; i++) {
        k->maps[i] = r->fine[i];
        k->maps[i].class_index = r->classes[i];
    }
    k->n_maps = r->n;
    return status;
}

/* Prompts, and encoding, which is no part of the stage that does it. */
static void count_work(const wsam_propose_stats *stats, wsam_run_output *out)
{
    out->seconds[WSAM_RUN_ENCODE] += stats->encode_s;
    out->seconds[out->stage] -= stats->encode_s;
    for (int i = 0; i < WSAM_SOURCES; i++)
        out->prompts += stats->prompts[i];
}

static double probability(double logit)
{
    return 1.0 / (1.0 + exp(-logit));
}

/* Grid proposals are found here: they are what the clues are made of. */
static wsam_status clues_of_regions(const wsam_stage_workers *s, worker *w,
                                    const wsam_run_item *item, work *k, wsam_run_output *out,
                                    wsam_error *error)
{
    wsam_propose_stats stats = {0};
    wsam_peak_params peaks = s->options.clues.fine;
    peaks.threshold *= WS_REGION_PEAK_SHARE;
    wsam_status status = ws_regions_find(&w->finder, &k->picture, item->image, &s->options.propose,
                                         &k->regions, &stats, error);
    count_work(&stats, out);
    if (!status)
        status = ws_region_evidence_find(&w->regions, &k->regions, item->labels, item->n_labels,
                                         probability(s->options.clues.least_logit), &peaks,
                                         wsam_model_threads(s->options.model), &k->evidence, error);
    if (!status)
        status = points_line(k->evidence.points, item->image, out, error);
    k->maps = k->evidence.maps;
    k->n_maps = k->evidence.n;
    return status;
}

/* Proposals of the clue points behind those of the grid. */
static wsam_status propose_more(const wsam_stage_workers *s, worker *w, work *k,
                                wsam_run_output *out, wsam_error *error)
{
    wsam_propose_stats stats = {0};
    wsam_status status = ws_finder_add_region(&w->finder, &k->picture, k->evidence.points,
                                              &s->options.propose, &k->regions, &stats, error);
    if (!status)
        status = ws_region_evidence_more(&w->regions, &k->regions, &k->evidence, error);
    count_work(&stats, out);
    k->proposals = k->regions.proposals;
    k->embedding = k->regions.embedding;
    return status;
}

static wsam_status propose(const wsam_stage_workers *s, worker *w, work *k, wsam_run_output *out,
                           wsam_error *error)
{
    wsam_propose_stats stats = {0};
    if (!w->clues)
        return propose_more(s, w, k, out, error);
    const wsam_status status =
        wsam_propose_run(w->proposer, &k->picture, NULL, k->clues->points, &s->options.propose,
                         &k->proposals, &stats, &k->embedding, error);
    count_work(&stats, out);
    return status;
}

/* What a detection head learns from, before the journal says that the picture is done. */
static wsam_status keep_maps(const wsam_stage_workers *s, const work *k, const char *image,
                             wsam_error *error)
{
    wsam_feature_map maps[2];
    size_t n = 0;
    const char *folder = s->options.maps;
    char *path = folder ? wsam_feature_maps_path(folder, image) : NULL;
    if (!folder)
        return WSAM_OK;
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a path");
    if (s->options.keep_tokens && k->clues)
        wsam_clues_map(k->clues, &maps[n++]);
    else if (s->options.keep_tokens && k->regions.tokens)
        wsam_clues_map(k->regions.tokens, &maps[n++]);
    if (s->options.keep_tokens < 2 || !n)
        wsam_embedding_map(k->embedding, &maps[n++]);
    const wsam_status status =
        wsam_feature_maps_save(path, k->picture.width, k->picture.height, maps, n, error);
    free(path);
    return status;
}

/* Scores of a detector; what is kept of them is as with clues. */
static wsam_status score_by_mist(const wsam_stage_workers *s, const worker *w, const work *k,
                                 wsam_run_output *out, wsam_error *error)
{
    wsam_mist_params p;
    wsam_mist_params_default(&p);
    p.nms = s->options.score.nms;
    p.most = s->options.score.most;
    p.min_score = s->options.score.min_score;
    p.progress = s->options.give_up;
    p.progress_user = s->options.give_up_user;
    return ws_mist_stage_score(&w->mist, &k->picture, k->proposals, &p, &out->scores, error);
}

static wsam_status score(const wsam_stage_workers *s, const worker *w, const work *k,
                         wsam_run_output *out, wsam_error *error)
{
    wsam_scorer scorer;
    if (w->mist.mist)
        return score_by_mist(s, w, k, out, error);
    if (k->clues)
        wsam_evidence_scorer(&s->options.evidence, &scorer);
    else
        ws_region_evidence_scorer(&k->evidence, &scorer);
    const wsam_score_input input = {.proposals = k->proposals,
                                    .maps = k->maps,
                                    .n_maps = k->n_maps,
                                    .picture = &k->picture,
                                    .embedding = k->embedding};
    return wsam_score_proposals(&scorer, &input, &s->options.score, &out->scores, error);
}

/* The line of the proposals file, once nothing needs their masks any more. */
static wsam_status proposals_line(const wsam_stage_workers *s, work *k, const char *image,
                                  wsam_run_output *out, wsam_error *error)
{
    for (size_t i = 0; i < k->proposals->n && !s->options.keep_masks; i++) {
        free(k->proposals->items[i].counts);
        k->proposals->items[i].counts = NULL;
    }
    if (wsam_proposals_json(k->proposals, image, &out->proposals))
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for proposals");
    return WSAM_OK;
}

static wsam_status segment(worker *w, const work *k, wsam_run_output *out, wsam_error *error)
{
    for (size_t i = 0; i < out->pgt.n; i++)
        out->pgt.items[i].id = (int64_t)i + 1;
    return wsam_masks_run(w->segmenter, k->embedding, &out->pgt, &out->masks, error);
}

/* Seconds since the last call, for the stage that ends. */
static void next_stage(wsam_run_output *out, double *last, wsam_run_stage next)
{
    const double t = ws_clock();
    out->seconds[out->stage] += t - *last;
    *last = t;
    out->stage = next;
}

static wsam_status run_stages(const wsam_stage_workers *s, worker *w, const wsam_run_item *item,
                              work *k, wsam_run_output *out, wsam_error *error)
{
    double last = ws_clock();
    wsam_status status = wsam_picture_load(item->path, &s->options.limits, &k->picture, error);
    if (status)
        return status;
    out->width = k->picture.width;
    out->height = k->picture.height;
    next_stage(out, &last, WSAM_RUN_CLUES);
    status = w->clues ? clues_of_network(s, w, item, k, out, error)
                      : clues_of_regions(s, w, item, k, out, error);
    if (status)
        return status;
    next_stage(out, &last, WSAM_RUN_PROPOSE);
    status = propose(s, w, k, out, error);
    if (!status)
        status = keep_maps(s, k, item->image, error);
    if (status)
        return status;
    next_stage(out, &last, WSAM_RUN_SCORE);
    status = score(s, w, k, out, error);
    if (!status)
        status = proposals_line(s, k, item->image, out, error);
    if (status)
        return status;
    next_stage(out, &last, WSAM_RUN_PGT);
    status =
        wsam_pgt(&out->scores, item->labels, item->n_labels, &s->options.pgt, &out->pgt, error);
    if (status)
        return status;
    next_stage(out, &last, WSAM_RUN_MASKS);
    status = segment(w, k, out, error);
    next_stage(out, &last, WSAM_RUN_MASKS);
    return status;
}

wsam_status wsam_stage_workers_run(void *user, int worker_number, const wsam_run_item *item,
                                   wsam_run_output *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_stage_workers *s = user;
    work k = {0};
    if (item->known)
        return ws_late_stages(&s->options, s->workers[worker_number].segmenter, item, out, error);
    const wsam_status status = run_stages(s, &s->workers[worker_number], item, &k, out, error);
    if (s->workers[worker_number].clues) {
        wsam_embedding_free(k.embedding);
        wsam_proposals_free(k.proposals);
        free(k.maps);
    }
    wsam_clues_result_free(k.clues);
    ws_region_evidence_free(&k.evidence);
    ws_finder_free_regions(&k.regions);
    wsam_picture_free(&k.picture);
    return status;
}
