/* pipeline/pilot/rules.c - holds the annotations of an image against rules (weaksam/rules.h). */
#include "pipeline/pilot/rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* ---- regions ---- */

/* Even-odd: how many edges a ray to the right crosses. */
static int polygon_holds(const ws_region *r, double x, double y)
{
    int inside = 0;
    for (size_t i = 0, k = r->n - 1; i < r->n; k = i++) {
        const double *a = r->xy + 2 * i, *b = r->xy + 2 * k;
        if ((a[1] > y) != (b[1] > y) && x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0])
            inside = !inside;
    }
    return inside;
}

static int image_holds(const wsam_picture *p, double x, double y)
{
    const int column = (int)fmin(p->width - 1, fmax(0, floor(x * p->width)));
    const int row = (int)fmin(p->height - 1, fmax(0, floor(y * p->height)));
    const uint8_t *pixel =
        p->pixels + (size_t)row * p->stride + (size_t)column * (size_t)p->channels;
    int sum = 0;
    for (int k = 0; k < p->channels; k++)
        sum += pixel[k];
    return sum >= 128 * p->channels;
}

int ws_rules_region_holds(const ws_region *r, double x, double y)
{
    return r->n ? polygon_holds(r, x, y) : image_holds(&r->picture, x, y);
}

/* ---- limits of a class ---- */

static const ws_limits *limits_of(const wsam_rules *r, const char *name)
{
    for (size_t i = 1; i <= r->n; i++)
        if (strcmp(r->items[i].name, name) == 0)
            return &r->items[i];
    return &r->items[0];
}

/* What the class says, else what is said of all; 0: nothing is. */
static int limit_of(const wsam_rules *r, const ws_limits *own, int k, double *value)
{
    const ws_limits *l = own->given >> k & 1 ? own : &r->items[0];
    *value = l->value[k];
    return (int)(l->given >> k & 1);
}

static int below(const wsam_rules *r, const ws_limits *own, int k, double v)
{
    double limit;
    return limit_of(r, own, k, &limit) && v < limit;
}

static int above(const wsam_rules *r, const ws_limits *own, int k, double v)
{
    double limit;
    return limit_of(r, own, k, &limit) && v > limit;
}

double ws_rules_sureness(const wsam_instance *a)
{
    return a->counts || a->confidence > 0 ? a->confidence : wsam_instance_evidence(a);
}

typedef struct judge {
    const wsam_rules *rules;
    const wsam_classes *classes;
    int width, height;
    wsam_instances *list;
    unsigned char *drop; /* [list->n] */
    size_t *number;      /* [classes->n]: kept so far */
    wsam_rules_counts counts;
} judge;

static size_t *broken(judge *j, const wsam_instance *a)
{
    const ws_limits *l = limits_of(j->rules, j->classes->names[a->class_index]);
    const ws_region *region = l->region ? l->region : j->rules->items[0].region;
    const double area = a->counts && a->area ? (double)a->area : a->bbox[2] * a->bbox[3];
    const double aspect = a->bbox[3] > 0 ? a->bbox[2] / a->bbox[3] : INFINITY;
    if (below(j->rules, l, WS_LIMIT_MIN_AREA, area) || above(j->rules, l, WS_LIMIT_MAX_AREA, area))
        return &j->counts.area;
    if (below(j->rules, l, WS_LIMIT_MIN_ASPECT, aspect) ||
        above(j->rules, l, WS_LIMIT_MAX_ASPECT, aspect))
        return &j->counts.aspect;
    if ((a->counts || a->confidence > 0) && !a->unscored &&
        below(j->rules, l, WS_LIMIT_MIN_CONFIDENCE, a->confidence))
        return &j->counts.confidence;
    if (region && j->width > 0 && j->height > 0 &&
        !ws_rules_region_holds(region, (a->bbox[0] + a->bbox[2] / 2) / j->width,
                               (a->bbox[1] + a->bbox[3] / 2) / j->height))
        return &j->counts.region;
    return NULL;
}

/* ---- classes that exclude each other ---- */

static int in_group(const struct ws_excluding *g, const char *name)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->names[i], name) == 0)
            return 1;
    return 0;
}

static int is_object(const judge *j, size_t i)
{
    return !j->drop[i] && j->list->items[i].reviewed != WSAM_REVIEWED_REJECTED;
}

/* What a person decided is surer than any machine. */
static double weight(const wsam_instance *a)
{
    return a->reviewed ? INFINITY : ws_rules_sureness(a);
}

static void exclude(judge *j, const struct ws_excluding *g)
{
    size_t best = SIZE_MAX;
    const wsam_instance *items = j->list->items;
    for (size_t i = 0; i < j->list->n; i++)
        if (is_object(j, i) && in_group(g, j->classes->names[items[i].class_index]) &&
            (best == SIZE_MAX || weight(&items[i]) > weight(&items[best])))
            best = i;
    for (size_t i = 0; i < j->list->n && best != SIZE_MAX; i++)
        if (is_object(j, i) && !items[i].reviewed &&
            items[i].class_index != items[best].class_index &&
            in_group(g, j->classes->names[items[i].class_index])) {
            j->drop[i] = 1;
            j->counts.excluded++;
        }
}

/* ---- so many of a class ---- */

typedef struct place {
    double weight;
    size_t at;
} place;

static int by_weight(const void *a, const void *b)
{
    const place *p = a, *q = b;
    if (p->weight < q->weight || p->weight > q->weight)
        return p->weight > q->weight ? -1 : 1;
    return (p->at > q->at) - (p->at < q->at);
}

static void limit_number(judge *j, place *order)
{
    size_t n = 0;
    for (size_t i = 0; i < j->list->n; i++)
        if (is_object(j, i))
            order[n++] = (place){weight(&j->list->items[i]), i};
    if (n)
        qsort(order, n, sizeof *order, by_weight);
    for (size_t k = 0; k < n; k++) {
        const wsam_instance *a = &j->list->items[order[k].at];
        const ws_limits *l = limits_of(j->rules, j->classes->names[a->class_index]);
        const double so_many = (double)++j->number[a->class_index];
        if (!a->reviewed && above(j->rules, l, WS_LIMIT_MAX_PER_IMAGE, so_many)) {
            j->drop[order[k].at] = 1;
            j->counts.number++;
        }
    }
}

/* ---- all ---- */

static void add(wsam_rules_counts *to, const wsam_rules_counts *c)
{
    to->area += c->area, to->aspect += c->aspect, to->confidence += c->confidence;
    to->region += c->region, to->number += c->number, to->excluded += c->excluded;
}

static void sweep(const judge *j)
{
    size_t kept = 0;
    for (size_t i = 0; i < j->list->n; i++)
        if (j->drop[i]) {
            free(j->list->items[i].counts);
            free(j->list->items[i].json);
        } else {
            j->list->items[kept++] = j->list->items[i];
        }
    j->list->n = kept;
}

wsam_status wsam_rules_apply(const wsam_rules *rules, const wsam_classes *classes, int width,
                             int height, wsam_instances *list, wsam_rules_counts *counts,
                             wsam_error *error)
{
    judge j = {.rules = rules, .classes = classes, .width = width, .height = height, .list = list};
    place *order = malloc((list->n + 1) * sizeof *order);
    j.drop = calloc(list->n + 1, 1);
    j.number = calloc(classes->n + 1, sizeof *j.number);
    wsam_status status = order && j.drop && j.number ? WSAM_OK : ws_no_memory(error, "rules");
    for (size_t i = 0; i < list->n && !status; i++) {
        size_t *why = list->items[i].reviewed ? NULL : broken(&j, &list->items[i]);
        if (why) {
            ++*why;
            j.drop[i] = 1;
        }
    }
    if (!status) {
        for (size_t g = 0; g < rules->n_groups; g++)
            exclude(&j, &rules->groups[g]);
        limit_number(&j, order);
        sweep(&j);
        if (counts)
            add(counts, &j.counts);
    }
    free(order), free(j.drop), free(j.number);
    return status;
}

wsam_status wsam_rules_document(const wsam_rules *rules, wsam_coco_document *d,
                                wsam_rules_counts *counts, wsam_error *error)
{
    const char *const *names;
    size_t kept = 0;
    wsam_status status = WSAM_OK;
    memcpy(&names, &d->class_names, sizeof names); /* only read */
    const wsam_classes classes = {.n = d->n_classes, .names = names};
    for (size_t i = 0, begin = d->first[0]; i < d->n_images; i++) {
        const size_t end = d->first[i + 1];
        wsam_instances list = {end - begin, d->instances.items + begin};
        if (!status)
            status = wsam_rules_apply(rules, &classes, d->sizes[2 * i], d->sizes[2 * i + 1], &list,
                                      counts, error);
        memmove(d->instances.items + kept, list.items, list.n * sizeof *list.items);
        d->first[i] = kept;
        kept += list.n;
        begin = end;
    }
    d->first[d->n_images] = kept;
    d->instances.n = kept;
    return status;
}
