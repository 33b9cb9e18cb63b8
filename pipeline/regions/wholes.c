/* pipeline/regions/wholes.c - see wholes.h. */
#include "pipeline/regions/wholes.h"

#include <stdlib.h>
#include <string.h>

static const double inside = 0.85, at_most = 0.7; /* of a part's area; of the whole's */
static const double one_object = 0.5, picture_share = 1.0 / 3.0;
static const double kept_share = 0.5;
enum { PICTURES_PER_EMPTY = 10 };

static double area(const float *b)
{
    return ((double)b[2] - (double)b[0]) * ((double)b[3] - (double)b[1]);
}

/* Boxes of exclusive ends. */
static int lies_within(const float *part, const float *whole)
{
    double both = 1.0;
    for (int d = 0; d < 2; d++) {
        const double from = (double)(part[d] > whole[d] ? part[d] : whole[d]);
        const double to = (double)(part[d + 2] < whole[d + 2] ? part[d + 2] : whole[d + 2]);
        if (!(to > from))
            return 0;
        both *= to - from;
    }
    return both >= inside * area(part) && area(part) < at_most * area(whole);
}

/* ---- which classes ---- */

typedef struct count {
    const ws_region_set *set;
    const wsam_labels *labels;
    size_t *within, *shown; /* [classes] */
} count;

static int has_whole(const ws_region_picture *p, size_t i)
{
    for (size_t k = 0; k < p->n; k++)
        if (lies_within(p->boxes[i], p->boxes[k]))
            return 1;
    return 0;
}

static void count_picture(void *user, size_t picture, size_t n, const float *regions)
{
    const count *c = user;
    const wsam_labels *l = c->labels;
    for (size_t k = l->first[picture]; k < l->first[picture + 1] && n; k++) {
        const size_t at = (size_t)l->classes[k];
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (regions[i * l->n_classes + at] > regions[best * l->n_classes + at])
                best = i;
        c->shown[at]++;
        c->within[at] += (size_t)has_whole(&c->set->pictures[picture], best);
    }
}

static size_t shown_in(const wsam_labels *l, size_t picture)
{
    return l->first[picture + 1] - l->first[picture];
}

/* Pictures that show no class, or one that is never seen beside another: `together` [classes]. */
static int many_are_empty(const wsam_labels *l, const uint32_t *use, size_t n, size_t *together)
{
    size_t empty = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = l->first[use[i]]; k < l->first[use[i] + 1]; k++)
            together[l->classes[k]] += shown_in(l, use[i]) > 1;
    for (size_t i = 0; i < n; i++) {
        const size_t k = l->first[use[i]];
        empty += !shown_in(l, use[i]) || !together[l->classes[k]];
    }
    return empty * PICTURES_PER_EMPTY >= n;
}

wsam_status ws_wholes_find_classes(const ws_learner *learners, size_t n_learners,
                                   const ws_region_set *set, const wsam_labels *labels,
                                   const uint32_t *use, size_t n, int threads,
                                   const wsam_kernels *kernels, char *parts, wsam_error *error)
{
    const size_t classes = labels->n_classes;
    size_t *counts = calloc(3 * classes, sizeof *counts);
    double *pictures = calloc(n * classes + 1, sizeof *pictures);
    count c = {.set = set, .labels = labels, .within = counts, .shown = counts + classes};
    wsam_status status = counts && pictures
                             ? WSAM_OK
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu images", n);
    const int empty = !status && many_are_empty(labels, use, n, counts + 2 * classes);
    for (size_t i = 0; i < n_learners && !status && !empty; i++)
        status = ws_learner_apply(&learners[i], set, use, n, threads, kernels, pictures,
                                  count_picture, &c, error);
    for (size_t k = 0; k < classes && !status; k++)
        parts[k] = 2 * c.within[k] > c.shown[k] ? '1' : '0';
    parts[classes] = 0;
    free(counts);
    free(pictures);
    return status;
}

/* ---- taking over ---- */

static void exclusive_box(const wsam_proposal *p, float *box)
{
    memcpy(box, p->box, 4 * sizeof *box);
    box[2] += 1.0f;
    box[3] += 1.0f;
}

/* whole [n]: the index of each region's whole, or n. */
static void find_wholes(const wsam_proposals *p, size_t *whole)
{
    const double most = picture_share * (double)p->width * (double)p->height;
    for (size_t i = 0; i < p->n; i++) {
        float part[4], box[4];
        double least = 0.0;
        exclusive_box(&p->items[i], part);
        whole[i] = p->n;
        for (size_t k = 0; k < p->n; k++) {
            exclusive_box(&p->items[k], box);
            if (!((double)p->items[k].predicted_iou >= one_object) || area(box) > most ||
                !lies_within(part, box) || (whole[i] < p->n && area(box) >= least))
                continue;
            whole[i] = k;
            least = area(box);
        }
    }
}

/* `taken` [n]: the best probability of each region's parts. */
static void take_over(const size_t *whole, size_t n, float *scores, size_t row, double *taken)
{
    memset(taken, 0, n * sizeof *taken);
    for (size_t i = 0; i < n; i++)
        if (whole[i] < n && (double)scores[i * row] > taken[whole[i]])
            taken[whole[i]] = (double)scores[i * row];
    for (size_t i = 0; i < n; i++) {
        const double own = (whole[i] < n ? kept_share : 1.0) * (double)scores[i * row];
        scores[i * row] = (float)(1.0 - (1.0 - own) * (1.0 - taken[i]));
    }
}

wsam_status ws_wholes_take_over(const char *parts, const wsam_proposals *p, float *scores,
                                size_t n_classes, wsam_error *error)
{
    if (!parts || !strchr(parts, '1'))
        return WSAM_OK;
    size_t *whole = malloc((p->n + 1) * sizeof *whole);
    double *taken = malloc((p->n + 1) * sizeof *taken);
    const int good = whole && taken;
    if (good)
        find_wholes(p, whole);
    for (size_t c = 0; c < n_classes && good; c++)
        if (parts[c] == '1')
            take_over(whole, p->n, scores + c, n_classes, taken);
    free(whole);
    free(taken);
    return good ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu regions", p->n);
}
