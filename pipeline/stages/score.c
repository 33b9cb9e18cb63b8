/* pipeline/stages/score.c - from a scorer's table to detections: duplicates, NMS, the best. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/stages/stages.h"

typedef struct selection {
    const wsam_score_input *input;
    const wsam_score_options *options;
    float *scores, *boxes;       /* the scorer's tables */
    uint8_t *first;              /* [n]: no earlier proposal has the same box */
    float *boxes_of, *scores_of; /* candidates of one class */
    uint64_t *scratch;
    uint32_t *keep, *index;
    wsam_instances *out;
    size_t capacity;
} selection;

void wsam_score_options_default(wsam_score_options *o)
{
    *o = (wsam_score_options){.nms = 0.3, .most = 100};
}

/* ---- duplicates ---- */

typedef struct place {
    float box[4];
    size_t index;
} place;

static int by_box(const void *a, const void *b)
{
    const place *p = a, *q = b;
    for (int k = 0; k < 4; k++)
        if (p->box[k] < q->box[k] || p->box[k] > q->box[k])
            return p->box[k] < q->box[k] ? -1 : 1;
    return (p->index > q->index) - (p->index < q->index);
}

static int same_box(const float *a, const float *b)
{
    for (int k = 0; k < 4; k++)
        if (a[k] < b[k] || a[k] > b[k])
            return 0;
    return 1;
}

static int mark_first(const wsam_proposals *p, uint8_t *first)
{
    place *places = malloc((p->n + 1) * sizeof *places);
    if (!places)
        return 0;
    for (size_t i = 0; i < p->n; i++) {
        memcpy(places[i].box, p->items[i].box, sizeof places[i].box);
        places[i].index = i;
    }
    if (p->n)
        qsort(places, p->n, sizeof *places, by_box);
    for (size_t i = 0; i < p->n; i++)
        first[places[i].index] = !i || !same_box(places[i].box, places[i - 1].box);
    free(places);
    return 1;
}

/* ---- one class ---- */

static size_t candidates(selection *s, size_t m)
{
    const size_t maps = s->input->n_maps;
    size_t n = 0;
    for (size_t i = 0; i < s->input->proposals->n; i++) {
        const float score = s->scores[i * maps + m];
        if (!s->first[i] || !((double)score > s->options->min_score) || !isfinite(score))
            continue;
        memcpy(s->boxes_of + 4 * n, s->boxes + 4 * (i * maps + m), 4 * sizeof *s->boxes_of);
        s->scores_of[n] = score;
        s->index[n++] = (uint32_t)i;
    }
    return n;
}

/* What a crop showed is kept: prompted with the box, the whole image, seen at a smaller scale, has
 * another mask there, or none. */
static int keep_mask(const wsam_proposal *p, wsam_instance *to)
{
    if (!p->cropped || !p->counts)
        return 1;
    to->counts = strdup(p->counts);
    to->counts_length = p->counts_length;
    to->area = p->area;
    return to->counts != NULL;
}

static int append(selection *s, size_t m, uint32_t k)
{
    wsam_instances *out = s->out;
    if (out->n == s->capacity) {
        const size_t capacity = s->capacity ? 2 * s->capacity : 64;
        wsam_instance *items = realloc(out->items, capacity * sizeof *items);
        if (!items)
            return 0;
        out->items = items;
        s->capacity = capacity;
    }
    const float *b = s->boxes_of + (size_t)4 * k;
    const wsam_proposal *p = &s->input->proposals->items[s->index[k]];
    out->items[out->n++] =
        (wsam_instance){.class_index = s->input->maps[m].class_index,
                        .bbox = {(double)b[0], (double)b[1], (double)b[2] - (double)b[0] + 1,
                                 (double)b[3] - (double)b[1] + 1},
                        .score = (double)s->scores_of[k],
                        .origin = (int)p->source + 1,
                        .predicted_iou = p->predicted_iou,
                        .stability_score = p->stability_score};
    return keep_mask(p, &out->items[out->n - 1]);
}

static int select_class(selection *s, size_t m)
{
    const size_t n = candidates(s, m);
    const double threshold = s->options->nms < 1 ? s->options->nms : 2;
    const size_t kept =
        n ? wsam_box_nms(s->boxes_of, s->scores_of, n, threshold, s->scratch, s->keep) : 0;
    for (size_t i = 0; i < kept; i++)
        if (!append(s, m, s->keep[i]))
            return 0;
    return 1;
}

/* ---- the limit ---- */

static int descending(const void *a, const void *b)
{
    const double *p = a, *q = b;
    return (*p < *q) - (*p > *q);
}

/* Scores equal to the last that fits stay too: no order decides among them. */
static int limit(wsam_instances *out, size_t most)
{
    if (!most || out->n <= most)
        return 1;
    double *scores = malloc(out->n * sizeof *scores);
    if (!scores)
        return 0;
    for (size_t i = 0; i < out->n; i++)
        scores[i] = out->items[i].score;
    qsort(scores, out->n, sizeof *scores, descending);
    size_t n = 0;
    for (size_t i = 0; i < out->n; i++)
        if (out->items[i].score >= scores[most - 1])
            out->items[n++] = out->items[i];
        else
            free(out->items[i].counts);
    out->n = n;
    free(scores);
    return 1;
}

/* ---- all ---- */

static int allocate(selection *s)
{
    const size_t n = s->input->proposals->n;
    size_t cells;
    if (ws_mul_size(n + 1, s->input->n_maps, &cells) || cells > SIZE_MAX / 64)
        return 0;
    s->scores = calloc(cells, sizeof *s->scores);
    s->boxes = malloc(cells * 4 * sizeof *s->boxes);
    s->first = malloc(n + 1);
    s->boxes_of = malloc((n + 1) * 4 * sizeof *s->boxes_of);
    s->scores_of = malloc((n + 1) * sizeof *s->scores_of);
    s->scratch = malloc((n + 1) * sizeof *s->scratch);
    s->keep = malloc((n + 1) * sizeof *s->keep);
    s->index = malloc((n + 1) * sizeof *s->index);
    if (!s->scores || !s->boxes || !s->first || !s->boxes_of || !s->scores_of || !s->scratch ||
        !s->keep || !s->index)
        return 0;
    for (size_t i = 0; i < n; i++)
        for (size_t m = 0; m < s->input->n_maps; m++)
            memcpy(s->boxes + 4 * (i * s->input->n_maps + m), s->input->proposals->items[i].box,
                   4 * sizeof *s->boxes);
    return mark_first(s->input->proposals, s->first);
}

wsam_status wsam_score_proposals(const wsam_scorer *scorer, const wsam_score_input *input,
                                 const wsam_score_options *options, wsam_instances *out,
                                 wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_score_options defaults;
    selection s = {.input = input, .options = options, .out = out};
    wsam_score_options_default(&defaults);
    s.options = options ? options : &defaults;
    *out = (wsam_instances){0};
    if (!input->n_maps || !input->proposals->n)
        return WSAM_OK;
    int good = allocate(&s);
    wsam_status status = WSAM_OK;
    if (good)
        status = scorer->score(scorer->user, input, s.scores, s.boxes, error);
    for (size_t m = 0; m < input->n_maps && good && !status; m++)
        good = select_class(&s, m);
    if (good && !status)
        good = limit(out, s.options->most);
    if (!good)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for scores");
    free(s.scores), free(s.boxes), free(s.first), free(s.boxes_of), free(s.scores_of);
    free(s.scratch), free(s.keep), free(s.index);
    if (status)
        wsam_instances_clear(out);
    return status;
}
