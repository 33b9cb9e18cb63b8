/* pipeline/coco/adopt.c - takes what people decided into a data set that machines made. */
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/coco/class_names.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/id_texts.h"
#include "pipeline/labels/picture_names.h"
#include "pipeline/stages/stages.h"

typedef struct adoption {
    wsam_coco_document *d;
    const wsam_coco_document *truth;
    size_t *image;    /* [truth->n_images]: in d, or SIZE_MAX */
    size_t *from;     /* [d->n_images]: the reverse */
    int32_t *classes; /* [truth->n_classes]: in d */
    int64_t *decided; /* ids of truth's annotations, sorted */
    size_t n_decided;
    int64_t last_id; /* above all of both */
} adoption;

static int by_value(const void *a, const void *b)
{
    const int64_t *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

/* ---- ids ---- */

/* Of those that are numbers; d has the texts of both. */
static int64_t highest(const wsam_coco_document *d, const int64_t *ids, size_t n, int64_t least)
{
    for (size_t i = 0; i < n; i++)
        least = ids[i] > least && !ws_id_texts_get(d->id_texts, ids[i]) ? ids[i] : least;
    return least;
}

/* Gives entry `at` the id; whoever has it gets one above all. */
static void give_id(int64_t *ids, size_t n, size_t at, int64_t id, int64_t *last)
{
    for (size_t i = 0; i < n && ids[at] != id; i++)
        if (ids[i] == id)
            ids[i] = ++*last;
    ids[at] = id;
}

/* ---- classes ---- */

static wsam_status append_class(wsam_coco_document *d, const char *name, int64_t id,
                                wsam_error *error)
{
    char *copy = strdup(name);
    char **names = realloc(d->class_names, (d->n_classes + 1) * sizeof *names);
    if (names)
        d->class_names = names;
    int64_t *ids = realloc(d->class_ids, (d->n_classes + 1) * sizeof *ids);
    if (ids)
        d->class_ids = ids;
    if (!copy || !names || !ids) {
        free(copy);
        return ws_no_memory(error, "records that are kept");
    }
    d->class_names[d->n_classes] = copy;
    d->class_ids[d->n_classes++] = id;
    return WSAM_OK;
}

static wsam_status adopt_classes(adoption *a, wsam_error *error)
{
    wsam_coco_document *d = a->d;
    const wsam_coco_document *t = a->truth;
    int64_t last =
        highest(d, d->class_ids, d->n_classes, highest(d, t->class_ids, t->n_classes, 0));
    for (size_t k = 0; k < t->n_classes; k++) {
        const size_t i = ws_class_names_find(d, t->class_names[k]);
        if (i == d->n_classes) {
            const wsam_status status = append_class(d, t->class_names[k], ++last, error);
            if (status)
                return status;
        }
        give_id(d->class_ids, d->n_classes, i, t->class_ids[k], &last);
        a->classes[k] = (int32_t)i;
    }
    return WSAM_OK;
}

/* ---- images ---- */

static int is_decided(const wsam_coco_document *t, size_t image)
{
    int any = t->reviews[image] != WSAM_REVIEW_NONE;
    for (size_t i = t->first[image]; i < t->first[image + 1] && !any; i++)
        any = t->instances.items[i].reviewed != WSAM_REVIEWED_NO;
    return any;
}

typedef struct owned_id {
    int64_t id;
    size_t at;
} owned_id;

static int by_id(const void *a, const void *b)
{
    const owned_id *p = a, *q = b;
    return (p->id > q->id) - (p->id < q->id);
}

/* Images of truth have its ids; whoever had one of them gets one above all. */
static wsam_status adopt_image_ids(const adoption *a, wsam_error *error)
{
    wsam_coco_document *d = a->d;
    const wsam_coco_document *t = a->truth;
    int64_t last = highest(d, d->image_ids, d->n_images, highest(d, t->image_ids, t->n_images, 0));
    owned_id *taken = malloc((t->n_images + 1) * sizeof *taken);
    size_t n = 0;
    if (!taken)
        return ws_no_memory(error, "records that are kept");
    for (size_t j = 0; j < t->n_images; j++)
        if (a->image[j] != SIZE_MAX)
            taken[n++] = (owned_id){t->image_ids[j], a->image[j]};
    if (n)
        qsort(taken, n, sizeof *taken, by_id);
    for (size_t i = 0; i < d->n_images; i++) {
        const owned_id key = {d->image_ids[i], 0};
        if (a->from[i] != SIZE_MAX)
            d->image_ids[i] = t->image_ids[a->from[i]];
        else if (n && bsearch(&key, taken, n, sizeof *taken, by_id))
            d->image_ids[i] = ++last;
    }
    free(taken);
    return WSAM_OK;
}

/* The image of `d` that a reviewed one is; SIZE_MAX: none. */
static wsam_status match(const ws_picture_names *names, const char *name, size_t *at,
                         wsam_error *error)
{
    ws_name_verdict verdict;
    const wsam_status status = ws_picture_names_find(names, name, at, &verdict, error);
    if (!status && verdict == WS_NAME_AMBIGUOUS)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "the reviewed image '%.200s' may be several of these images", name);
    if (!status && verdict == WS_NAME_UNKNOWN)
        *at = SIZE_MAX;
    return status;
}

static wsam_status match_images(adoption *a, size_t *unknown, wsam_error *error)
{
    wsam_coco_document *d = a->d;
    const wsam_coco_document *t = a->truth;
    ws_picture_names *names = NULL;
    const char *const *list;
    memcpy(&list, &d->file_names, sizeof list); /* only read */
    wsam_status status = ws_picture_names_of(list, d->n_images, &names, error);
    for (size_t i = 0; i < d->n_images; i++)
        a->from[i] = SIZE_MAX;
    for (size_t j = 0; j < t->n_images && !status; j++) {
        status = match(names, t->file_names[j], &a->image[j], error);
        if (status)
            break;
        if (a->image[j] != SIZE_MAX && a->from[a->image[j]] != SIZE_MAX)
            status = ws_fail(error, WSAM_ERR_MISMATCH,
                             "'%.200s' and '%.200s' of the reviewed data set are the same image",
                             t->file_names[a->from[a->image[j]]], t->file_names[j]);
        else if (a->image[j] != SIZE_MAX)
            a->from[a->image[j]] = j;
        else if (unknown && is_decided(t, j))
            ++*unknown;
    }
    ws_picture_names_free(names);
    return status ? status : adopt_image_ids(a, error);
}

static wsam_status adopt_state(wsam_coco_document *d, size_t i, const wsam_coco_document *t,
                               size_t j, wsam_error *error)
{
    for (int k = 0; k < 2; k++)
        if (!d->sizes[2 * i + (size_t)k])
            d->sizes[2 * i + (size_t)k] = t->sizes[2 * j + (size_t)k];
    if (!t->reviews[j] && !t->more[j])
        return WSAM_OK;
    if (t->reviews[j])
        d->reviews[i] = t->reviews[j];
    free(d->more[i]);
    d->more[i] = t->more[j] ? strdup(t->more[j]) : NULL;
    return t->more[j] && !d->more[i] ? ws_no_memory(error, "records that are kept") : WSAM_OK;
}

/* ---- annotations ---- */

static wsam_status list_decided(adoption *a, wsam_error *error)
{
    const wsam_coco_document *t = a->truth;
    a->decided = malloc((t->instances.n + 1) * sizeof *a->decided);
    if (!a->decided)
        return ws_no_memory(error, "records that are kept");
    for (size_t i = 0; i < t->instances.n; i++) {
        const wsam_instance *x = &t->instances.items[i];
        if (x->reviewed && x->id)
            a->decided[a->n_decided++] = x->id;
        a->last_id = highest(a->d, &x->id, 1, a->last_id);
    }
    for (size_t i = 0; i < a->d->instances.n; i++)
        a->last_id = highest(a->d, &a->d->instances.items[i].id, 1, a->last_id);
    if (a->n_decided)
        qsort(a->decided, a->n_decided, sizeof *a->decided, by_value);
    return WSAM_OK;
}

static int is_taken(const adoption *a, int64_t id)
{
    return a->n_decided &&
           bsearch(&id, a->decided, a->n_decided, sizeof *a->decided, by_value) != NULL;
}

/* Decided ones first: truth's, then those of the document that truth says nothing about. */
static wsam_status gather(const adoption *a, size_t image, wsam_instances *own, wsam_error *error)
{
    const wsam_coco_document *d = a->d, *t = a->truth;
    const size_t j = a->from[image];
    const size_t first = j == SIZE_MAX ? 0 : t->first[j], end = j == SIZE_MAX ? 0 : t->first[j + 1];
    for (size_t i = first; i < end; i++) {
        const wsam_instance *x = &t->instances.items[i];
        if (!x->reviewed)
            continue;
        wsam_instance *to = &own->items[own->n++];
        if (!ws_instances_copy(x, to))
            return ws_no_memory(error, "records that are kept");
        to->class_index = a->classes[x->class_index];
    }
    for (int decided = 1; decided >= 0; decided--)
        for (size_t i = d->first[image]; i < d->first[image + 1]; i++) {
            wsam_instance *x = &d->instances.items[i];
            if (x->class_index < 0 || decided != (x->reviewed != WSAM_REVIEWED_NO))
                continue;
            if (!decided || !is_taken(a, x->id))
                own->items[own->n++] = *x;
            else
                free(x->counts), free(x->json);
            *x = (wsam_instance){.class_index = -1}; /* gone */
        }
    return WSAM_OK;
}

static wsam_status adopt_annotations(adoption *a, wsam_truth_counts *counts, wsam_error *error)
{
    wsam_coco_document *d = a->d;
    wsam_instances all = {0};
    const size_t most = d->instances.n + a->truth->instances.n + 1;
    size_t *first = calloc(d->n_images + 2, sizeof *first);
    all.items = calloc(most, sizeof *all.items);
    wsam_status status =
        first && all.items ? WSAM_OK : ws_no_memory(error, "records that are kept");
    for (size_t i = 0; i < d->n_images && !status; i++) {
        wsam_instances own = {0, all.items + all.n};
        if (a->from[i] != SIZE_MAX)
            status = adopt_state(d, i, a->truth, a->from[i], error);
        if (!status)
            status = gather(a, i, &own, error);
        if (!status)
            wsam_keep_truth(&own, d->reviews[i], counts);
        for (size_t k = 0; k < own.n; k++)
            if (!own.items[k].reviewed && is_taken(a, own.items[k].id))
                own.items[k].id = ++a->last_id;
        all.n += own.n;
        first[i + 1] = all.n;
    }
    if (status) {
        wsam_instances_clear(&all);
        free(first);
        return status;
    }
    wsam_instances_clear(&d->instances);
    free(d->first);
    d->instances = all;
    d->first = first;
    return WSAM_OK;
}

wsam_status wsam_coco_adopt(wsam_coco_document *d, const wsam_coco_document *truth,
                            wsam_truth_counts *counts, size_t *unknown, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    adoption a = {.d = d, .truth = truth};
    a.image = malloc((truth->n_images + 1) * sizeof *a.image);
    a.from = malloc((d->n_images + 1) * sizeof *a.from);
    a.classes = malloc((truth->n_classes + 1) * sizeof *a.classes);
    wsam_status status =
        a.image && a.from && a.classes ? WSAM_OK : ws_no_memory(error, "records that are kept");
    if (!status)
        status = ws_id_texts_merge(&d->id_texts, truth->id_texts, error);
    if (!status)
        status = match_images(&a, unknown, error);
    if (!status)
        status = adopt_classes(&a, error);
    if (!status)
        status = list_decided(&a, error);
    if (!status)
        status = adopt_annotations(&a, counts, error);
    free(a.image), free(a.from), free(a.classes), free(a.decided);
    return status;
}
