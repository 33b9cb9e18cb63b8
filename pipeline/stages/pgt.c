/* pipeline/stages/pgt.c - pseudo ground-truth boxes from scored ones. */
#include <math.h>
#include <stdlib.h>

#include "kernels/float_scope.h"
#include "pipeline/coco/box_overlap.h"
#include "pipeline/stages/stages.h"

/* A box of a class of the picture. */
typedef struct candidate {
    size_t index; /* in the input */
    int32_t class_index;
    double score; /* as compared and written */
    const double *bbox;
    int kept;
} candidate;

void wsam_pgt_options_default(wsam_pgt_options *o)
{
    *o = (wsam_pgt_options){.method = WSAM_PGT_ADAPTIVE, .keep = -1, .contained = 0.85};
}

/* By class, best score first, equal ones in the order of the input. */
static int by_class(const void *a, const void *b)
{
    const candidate *p = a, *q = b;
    if (p->class_index != q->class_index)
        return p->class_index < q->class_index ? -1 : 1;
    if (p->score > q->score || p->score < q->score)
        return p->score > q->score ? -1 : 1;
    return (p->index > q->index) - (p->index < q->index);
}

static int by_index(const void *a, const void *b)
{
    const candidate *p = a, *q = b;
    return (p->index > q->index) - (p->index < q->index);
}

static int labelled(int32_t class_index, const int32_t *labels, size_t n)
{
    for (size_t i = 0; labels && i < n; i++)
        if (labels[i] == class_index)
            return 1;
    return !labels;
}

/* area(a and b) / (area(a) + 1e-6), areas width * height. */
static double part_inside(const double *a, const double *b)
{
    return ws_box_overlap(a, b) / (a[2] * a[3] + 1e-6);
}

/* All against the same set: a box that goes still removes what it contains. Best first. */
static void drop_contained(candidate *c, size_t n, const wsam_pgt_options *o)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < (o->surer ? i : n) && c[i].kept == 1; k++)
            if (k != i && c[k].kept && part_inside(c[i].bbox, c[k].bbox) >= o->contained)
                c[i].kept = 2; /* to go */
    for (size_t i = 0; i < n; i++)
        c[i].kept = c[i].kept == 1;
}

/* The n boxes of one class, best first. */
static void choose(candidate *c, size_t n, const wsam_pgt_options *o)
{
    const double keep = o->keep >= 0 ? o->keep : o->method == WSAM_PGT_FIXED ? 0.2 : 0.3;
    if (o->method == WSAM_PGT_TOP1 || o->method == WSAM_PGT_TOP2) {
        c[0].kept = o->method == WSAM_PGT_TOP2 || c[0].score > 0;
        if (n > 1)
            c[1].kept = o->method == WSAM_PGT_TOP2;
        return;
    }
    const double range = c[0].score - c[n - 1].score;
    for (size_t i = 0; i < n; i++) {
        if (o->method == WSAM_PGT_ADAPTIVE) /* no range: 1e-8 alone would give numbers like 4e7 */
            c[i].score = range > 0 ? c[i].score / (range + 1e-8) : c[i].score > 0;
        c[i].kept = !i || c[i].score >= keep;
    }
    drop_contained(c, n, o);
}

static int emit(const wsam_instances *in, const candidate *c, const wsam_pgt_options *o,
                wsam_instances *out)
{
    wsam_instance *to = &out->items[out->n++];
    if (!ws_instances_copy(&in->items[c->index], to))
        return 0;
    to->raw_score = wsam_instance_evidence(to);
    to->score = c->score;
    to->id = 0;
    for (int k = 0; k < 2 && o->method == WSAM_PGT_TOP2; k++) {
        const double end = trunc(to->bbox[k] + to->bbox[k + 2]);
        to->bbox[k] = trunc(to->bbox[k]);
        to->bbox[k + 2] = end - to->bbox[k];
    }
    return 1;
}

static wsam_status check(const wsam_instances *in, const wsam_pgt_options *o, wsam_error *error)
{
    if (o->method > WSAM_PGT_FIXED || isnan(o->keep) || !(o->contained > 0))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "pseudo labels: an option is out of range");
    for (size_t i = 0; i < in->n; i++)
        for (int k = 0; k < 5; k++)
            if (!isfinite(k < 4 ? in->items[i].bbox[k] : in->items[i].score))
                return ws_fail(error, WSAM_ERR_ARGUMENT,
                               "pseudo labels: box %zu has a value that is not finite", i);
    return WSAM_OK;
}

wsam_status wsam_pgt(const wsam_instances *in, const int32_t *labels, size_t n_labels,
                     const wsam_pgt_options *options, wsam_instances *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_pgt_options defaults;
    wsam_pgt_options_default(&defaults);
    const wsam_pgt_options *o = options ? options : &defaults;
    *out = (wsam_instances){0};
    wsam_status status = check(in, o, error);
    if (status || !in->n)
        return status;
    size_t n = 0;
    candidate *c = malloc(in->n * sizeof *c);
    out->items = calloc(in->n, sizeof *out->items);
    int good = c && out->items;
    for (size_t i = 0; i < in->n && good; i++) {
        const wsam_instance *b = &in->items[i];
        if (b->reviewed)
            good = ws_instances_copy(b, &out->items[out->n++]);
        else if (labelled(b->class_index, labels, n_labels))
            c[n++] = (candidate){i, b->class_index, b->score, b->bbox, 0};
    }
    if (n)
        qsort(c, n, sizeof *c, by_class);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && c[end].class_index == c[first].class_index;)
            end++;
        choose(c + first, end - first, o);
    }
    if (n)
        qsort(c, n, sizeof *c, by_index);
    for (size_t i = 0; i < n && good; i++)
        if (c[i].kept)
            good = emit(in, &c[i], o, out);
    free(c);
    if (good)
        return WSAM_OK;
    wsam_instances_clear(out);
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for pseudo labels");
}
