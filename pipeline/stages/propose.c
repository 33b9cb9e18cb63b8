/* pipeline/stages/propose.c - proposals: the grid, on crops of the picture, too, and the clue points
 * on its embedding. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernels/boxes.h"
#include "kernels/cpu.h"
#include "kernels/float_scope.h"
#include "pipeline/everything/point_decoder.h"
#include "pipeline/stages/stages.h"

enum { FIRST_KEPT = 1, MASKS = 3 }; /* of three masks per clue prompt, 1 and 2 are kept */

struct wsam_proposer {
    wsam_model *model;
    ws_rules rules;
    wsam_segmenter *segmenter;
    ws_point_decoder decoder;
    const wsam_embedding *embedding; /* of the current run */
    const wsam_picture *picture;
    wsam_embedding *crop; /* of a part of the picture */
};

typedef struct run {
    wsam_proposer *p;
    const wsam_propose_options *options;
    const wsam_clue_points *points;
    wsam_propose_stats *stats;
    wsam_proposals *out;
    size_t capacity;
    wsam_error *error;
    int failed; /* memory, in a callback */
} run;

void wsam_propose_options_default(wsam_propose_options *o)
{
    *o = (wsam_propose_options){.sources = (1u << WSAM_SOURCES) - 1, .cross_iou = 0.9};
    o->keep_masks = 1;
    wsam_everything_options_default(&o->everything);
    o->everything.pred_iou_thresh = 0.3;
    o->everything.stability_score_thresh = 0.3;
    o->everything.box_nms_thresh = 0.3;
}

wsam_status wsam_proposer_create(wsam_model *model, wsam_proposer **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = NULL;
    wsam_proposer *p = calloc(1, sizeof *p);
    if (!p)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for proposals");
    p->model = model;
    wsam_status status = ws_model_rules_read(model, &p->rules, error);
    if (!status)
        status = wsam_segmenter_create(model, &p->segmenter, error);
    if (status)
        wsam_proposer_free(p);
    else
        *out = p;
    return status;
}

void wsam_proposer_free(wsam_proposer *p)
{
    if (!p)
        return;
    ws_point_decoder_close(&p->decoder);
    wsam_segmenter_free(p->segmenter);
    free(p);
}

/* ---- keeping ---- */

/* Room for one more, zeroed; NULL when there is no memory. */
static wsam_proposal *more(run *r)
{
    wsam_proposals *out = r->out;
    if (out->n == r->capacity) {
        const size_t capacity = r->capacity ? 2 * r->capacity : 128;
        wsam_proposal *items = realloc(out->items, capacity * sizeof *items);
        if (!items)
            return NULL;
        out->items = items;
        r->capacity = capacity;
    }
    memset(&out->items[out->n], 0, sizeof *out->items);
    return &out->items[out->n++];
}

/* ---- the grid ---- */

static wsam_status begin_crop(void *user, const int32_t crop[4], wsam_mask_geometry *geometry,
                              wsam_progress_fn progress, void *progress_user, wsam_error *error)
{
    wsam_proposer *p = user;
    wsam_picture part = *p->picture;
    part.memory = NULL;
    const int width = crop[2] - crop[0], height = crop[3] - crop[1]; /* corners */
    if (width == part.width && height == part.height)                /* encoded already */
        return ws_point_decoder_bind(&p->decoder, p->embedding, geometry, error);
    part.pixels += (size_t)crop[1] * part.stride + (size_t)crop[0] * (size_t)part.channels;
    part.width = width;
    part.height = height;
    wsam_embedding_free(p->crop);
    p->crop = NULL;
    wsam_segmenter_set_progress(p->segmenter, progress, progress_user);
    const wsam_status status = wsam_segmenter_encode(p->segmenter, &part, &p->crop, error);
    return status ? status : ws_point_decoder_bind(&p->decoder, p->crop, geometry, error);
}

static wsam_status decode(void *user, size_t n, const double *points, float min_iou, float *iou,
                          float *logits, wsam_error *error)
{
    wsam_proposer *p = user;
    return ws_point_decoder_run(&p->decoder, n, points, min_iou, iou, logits, error);
}

static int keep_record(void *user, const wsam_everything_record *record)
{
    run *r = user;
    wsam_proposal *p = more(r);
    r->failed |= !p;
    if (!p)
        return 1;
    const int32_t *b = record->bbox;
    const float box[4] = {(float)b[0], (float)b[1], (float)(b[0] + b[2]), (float)(b[1] + b[3])};
    memcpy(p->box, box, sizeof box);
    p->source = WSAM_SOURCE_GRID;
    p->cropped = record->crop_box[2] < record->width || record->crop_box[3] < record->height;
    p->predicted_iou = record->predicted_iou;
    p->stability_score = record->stability_score;
    if (!r->options->keep_masks)
        return 0;
    p->area = record->area;
    p->counts_length = record->counts_length;
    p->counts = malloc(p->counts_length + 1);
    r->failed |= !p->counts;
    if (p->counts)
        memcpy(p->counts, record->counts, p->counts_length + 1);
    return r->failed;
}

static wsam_status run_grid(run *r)
{
    wsam_proposer *p = r->p;
    wsam_everything_options o = r->options->everything;
    wsam_everything_stats stats;
    const double start = ws_clock();
    o.min_mask_region_area = 0;
    const wsam_kernels *kernels = ws_kernels_find(wsam_model_isa(p->model), r->error);
    if (!kernels)
        return WSAM_ERR_UNSUPPORTED;
    const size_t most = (size_t)(o.points_per_batch > 0 ? o.points_per_batch : 1);
    wsam_status status = ws_point_decoder_ready(&p->decoder, p->model, most, r->error);
    const ws_logits_source source = {.user = p,
                                     .kernels = kernels,
                                     .threads = wsam_model_threads(p->model),
                                     .masks = WS_ANSWERS,
                                     .rule = {.inclusive = p->rules.inclusive},
                                     .begin_crop = begin_crop,
                                     .decode = decode};
    if (!status)
        status = ws_everything(&source, r->out->height, r->out->width, &o, keep_record, r, &stats,
                               r->error);
    /* that of a crop's encoding ended with the grid */
    wsam_segmenter_set_progress(p->segmenter, r->options->everything.progress,
                                r->options->everything.progress_user);
    if (r->failed)
        return ws_no_memory(r->error, "proposals");
    if (status)
        return status;
    r->stats->prompts[WSAM_SOURCE_GRID] = stats.prompts;
    r->stats->proposals[WSAM_SOURCE_GRID] = r->out->n;
    r->stats->seconds[WSAM_SOURCE_GRID] = ws_clock() - start;
    return WSAM_OK;
}

/* ---- clue points ---- */

/* Prompts of one source, with the memory of their points. */
typedef struct clue_prompts {
    size_t n, n_points;
    wsam_prompt *prompts;
    wsam_point *points;
} clue_prompts;

static int inside(const run *r, const wsam_clue_point *c)
{
    return c->x >= 0 && c->y >= 0 && c->x < r->out->width && c->y < r->out->height;
}

static void add_prompt(clue_prompts *c, size_t first)
{
    c->prompts[c->n++] =
        (wsam_prompt){.points = c->points + first, .n_points = c->n_points - first, .multimask = 1};
}

static void add_point(clue_prompts *c, const wsam_clue_point *p)
{
    c->points[c->n_points++] = (wsam_point){p->x, p->y, 1};
}

/* Every point of a source alone. */
static void collect_points(const run *r, wsam_source source, clue_prompts *c)
{
    for (size_t i = 0; i < r->points->n; i++) {
        const wsam_clue_point *p = &r->points->points[i];
        if (p->source != source || !inside(r, p))
            continue;
        add_point(c, p);
        add_prompt(c, c->n_points - 1);
    }
}

static int seen_before(const wsam_clue_points *points, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (points->points[k].source == points->points[i].source &&
            points->points[k].class_index == points->points[i].class_index)
            return 1;
    return 0;
}

/* All points of a class together, classes in order of first appearance. Of more points than the
 * decoder takes, the strongest, which come first. */
static void collect_classes(const run *r, wsam_source source, clue_prompts *c)
{
    const wsam_clue_points *points = r->points;
    const size_t most = ws_prompt_tokens_most_points(&r->p->rules, 0);
    for (size_t i = 0; i < points->n; i++) {
        const size_t first = c->n_points;
        if (points->points[i].source != source || seen_before(points, i))
            continue;
        for (size_t k = i; k < points->n && c->n_points - first < most; k++) {
            const wsam_clue_point *p = &points->points[k];
            if (p->source == source && p->class_index == points->points[i].class_index &&
                inside(r, p))
                add_point(c, p);
        }
        if (c->n_points > first)
            add_prompt(c, first);
    }
}

static wsam_status keep_mask(run *r, const wsam_mask *m, wsam_source source)
{
    wsam_proposal *p = more(r);
    if (!p)
        return ws_no_memory(r->error, "proposals");
    if (m->area) {
        const int32_t *b = m->bbox;
        const float box[4] = {(float)b[0], (float)b[1], (float)(b[0] + b[2] - 1),
                              (float)(b[1] + b[3] - 1)};
        memcpy(p->box, box, sizeof box);
    }
    p->source = source;
    p->predicted_iou = m->predicted_iou;
    p->stability_score = m->stability_score;
    if (!r->options->keep_masks)
        return WSAM_OK;
    p->area = m->area;
    return ws_counts_text(&m->rle, &p->counts, &p->counts_length)
               ? WSAM_OK
               : ws_no_memory(r->error, "proposals");
}

/* Prompts at most in one run, which bounds the memory of its full-size masks. */
enum { AT_ONCE = 64 };

static wsam_status run_prompts(run *r, const clue_prompts *c, wsam_source as)
{
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < c->n && !status; i += AT_ONCE) {
        wsam_result *result;
        const size_t n = c->n - i < AT_ONCE ? c->n - i : AT_ONCE;
        status = wsam_segmenter_run(r->p->segmenter, r->p->embedding, c->prompts + i, n,
                                    WSAM_WANT_MASKS, &result, r->error);
        for (size_t m = 0; !status && m < result->n; m++)
            if (result->masks[m].index >= FIRST_KEPT)
                status = keep_mask(r, &result->masks[m], as);
        wsam_result_free(result);
    }
    return status;
}

/* Points of `source`, alone or class by class, as proposals of `as`. */
static wsam_status run_source(run *r, wsam_source source, wsam_source as)
{
    clue_prompts c = {0};
    const double start = ws_clock();
    const size_t before = r->out->n;
    if (!r->points || !r->points->n || !(r->options->sources >> as & 1))
        return WSAM_OK;
    c.prompts = calloc(r->points->n, sizeof *c.prompts);
    c.points = calloc(r->points->n, sizeof *c.points);
    wsam_status status = c.prompts && c.points ? WSAM_OK : ws_no_memory(r->error, "proposals");
    if (!status) {
        if (as == WSAM_SOURCE_CLASS)
            collect_classes(r, source, &c);
        else
            collect_points(r, source, &c);
        status = run_prompts(r, &c, as);
    }
    r->stats->prompts[as] += c.n;
    r->stats->proposals[as] += r->out->n - before;
    r->stats->seconds[as] += ws_clock() - start;
    free(c.prompts);
    free(c.points);
    return status;
}

/* Score-less and greedy: the first stays, those too close to it go. */
static void suppress(run *r, size_t first)
{
    wsam_proposals *out = r->out;
    size_t kept = first;
    for (size_t i = first; i < out->n; i++) {
        int close = 0;
        for (size_t k = first; k < kept && !close; k++)
            close = (double)ws_box_iou_inclusive(out->items[k].box, out->items[i].box) >
                    r->options->cross_iou;
        if (close)
            free(out->items[i].counts);
        else
            out->items[kept++] = out->items[i];
    }
    r->stats->suppressed = out->n - kept;
    r->stats->proposals[WSAM_SOURCE_CROSS] -= out->n - kept;
    out->n = kept;
}

/* ---- one picture ---- */

static wsam_status run_sources(run *r)
{
    wsam_status status = WSAM_OK;
    for (size_t i = 0; r->points && i < r->points->n; i++)
        r->stats->outside += !inside(r, &r->points->points[i]);
    if (r->options->sources >> WSAM_SOURCE_GRID & 1)
        status = run_grid(r);
    if (!status)
        status = run_source(r, WSAM_SOURCE_COARSE, WSAM_SOURCE_COARSE);
    if (!status)
        status = run_source(r, WSAM_SOURCE_COARSE, WSAM_SOURCE_CLASS);
    if (!status)
        status = run_source(r, WSAM_SOURCE_FINE, WSAM_SOURCE_FINE);
    if (!status)
        status = run_source(r, WSAM_SOURCE_FINE, WSAM_SOURCE_CLASS);
    const size_t first = r->out->n;
    if (!status)
        status = run_source(r, WSAM_SOURCE_CROSS, WSAM_SOURCE_CROSS);
    if (!status)
        suppress(r, first);
    return status;
}

static wsam_status check(const wsam_propose_options *o, const wsam_picture *picture,
                         const wsam_clue_points *points, wsam_error *error)
{
    if (!o->sources || o->sources >> WSAM_SOURCES)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "proposals: no such sources");
    if (!(o->cross_iou >= 0))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "proposals: option cross_iou is out of range");
    if (points && points->width &&
        (points->width != picture->width || points->height != picture->height))
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "the points are of an image of %d x %d, the image has %d x %d",
                       points->width, points->height, picture->width, picture->height);
    return WSAM_OK;
}

static wsam_status check_embedding(const wsam_picture *picture, const wsam_embedding *embedding,
                                   wsam_error *error)
{
    const wsam_transform *t = wsam_embedding_transform(embedding);
    if (t->height != picture->height || t->width != picture->width)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "the embedding is of an image of %d x %d, the image has %d x %d", t->width,
                       t->height, picture->width, picture->height);
    return WSAM_OK;
}

wsam_status wsam_propose_run(wsam_proposer *p, const wsam_picture *picture,
                             const wsam_embedding *embedding, const wsam_clue_points *points,
                             const wsam_propose_options *options, wsam_proposals **proposals,
                             wsam_propose_stats *stats, wsam_embedding **out_embedding,
                             wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_propose_options defaults;
    wsam_propose_stats unused;
    wsam_embedding *own = NULL;
    run r = {.p = p, .options = options, .points = points, .stats = stats, .error = error};
    wsam_propose_options_default(&defaults);
    r.options = options ? options : &defaults;
    r.stats = stats ? stats : &unused;
    *r.stats = (wsam_propose_stats){0};
    *proposals = NULL;
    if (out_embedding)
        *out_embedding = NULL;
    wsam_status status = check(r.options, picture, points, error);
    if (status)
        return status;
    r.out = calloc(1, sizeof *r.out);
    if (!r.out)
        return ws_no_memory(error, "proposals");
    wsam_segmenter_set_progress(p->segmenter, r.options->everything.progress,
                                r.options->everything.progress_user);
    r.out->height = picture->height;
    r.out->width = picture->width;
    const double start = ws_clock();
    if (!embedding)
        status = wsam_segmenter_encode(p->segmenter, picture, &own, error);
    p->embedding = embedding ? embedding : own;
    p->picture = picture;
    r.stats->encode_s = ws_clock() - start;
    if (!status)
        status = check_embedding(picture, p->embedding, error);
    if (!status)
        status = run_sources(&r);
    p->embedding = NULL;
    p->picture = NULL;
    wsam_embedding_free(p->crop);
    p->crop = NULL;
    if (!status && out_embedding) {
        *out_embedding = own;
        own = NULL;
    }
    wsam_embedding_free(own);
    if (status)
        wsam_proposals_free(r.out);
    else
        *proposals = r.out;
    return status;
}
