/* pipeline/exchange/document.c - see document.h. */
#include "pipeline/exchange/document.h"
#include "pipeline/coco/id_texts.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/coco/class_names.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/stages/stages.h"

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a data set");
}

wsam_status ws_document_start(ws_builder *b, wsam_error *error)
{
    *b = (ws_builder){.next_id = 1};
    b->d = calloc(1, sizeof *b->d);
    if (b->d)
        b->d->first = calloc(2, sizeof *b->d->first);
    return b->d && b->d->first ? WSAM_OK : no_memory(error);
}

/* One more element in each of the arrays of images. */
static int grow_images(ws_builder *b)
{
    wsam_coco_document *d = b->d;
    const size_t n = d->n_images, more = n < 64 ? 64 : n + n / 2;
    if (n < b->image_capacity)
        return 1;
    int64_t *ids = realloc(d->image_ids, more * sizeof *ids);
    d->image_ids = ids ? ids : d->image_ids;
    char **names = realloc(d->file_names, more * sizeof *names);
    d->file_names = names ? names : d->file_names;
    int *sizes = realloc(d->sizes, 2 * more * sizeof *sizes);
    d->sizes = sizes ? sizes : d->sizes;
    wsam_review_state *reviews = realloc(d->reviews, more * sizeof *reviews);
    d->reviews = reviews ? reviews : d->reviews;
    char **texts = realloc(d->more, more * sizeof *texts);
    d->more = texts ? texts : d->more;
    size_t *first = realloc(d->first, (more + 2) * sizeof *first);
    d->first = first ? first : d->first;
    if (!ids || !names || !sizes || !reviews || !texts || !first)
        return 0;
    b->image_capacity = more;
    return 1;
}

wsam_status ws_document_add_image(ws_builder *b, const char *name, int width, int height,
                                  wsam_error *error)
{
    wsam_coco_document *d = b->d;
    char *copy = strdup(name);
    if (!copy || !grow_images(b)) {
        free(copy);
        return no_memory(error);
    }
    const size_t i = d->n_images++;
    d->image_ids[i] = (int64_t)i + 1;
    d->file_names[i] = copy;
    d->reviews[i] = WSAM_REVIEW_NONE;
    d->more[i] = NULL;
    d->sizes[2 * i] = width;
    d->sizes[2 * i + 1] = height;
    d->first[i] = d->first[i + 1] = d->instances.n;
    return WSAM_OK;
}

void ws_document_add_review(ws_builder *b, wsam_review_state review)
{
    b->d->reviews[b->d->n_images - 1] = review;
}

wsam_status ws_document_add_class(ws_builder *b, const char *name, int32_t *index,
                                  wsam_error *error)
{
    wsam_coco_document *d = b->d;
    const size_t at = ws_class_names_find(d, name);
    *index = (int32_t)at;
    if (at < d->n_classes)
        return WSAM_OK;
    if (d->n_classes == b->class_capacity) {
        const size_t more = b->class_capacity ? 2 * b->class_capacity : 16;
        char **names = realloc(d->class_names, more * sizeof *names);
        d->class_names = names ? names : d->class_names;
        int64_t *ids = realloc(d->class_ids, more * sizeof *ids);
        d->class_ids = ids ? ids : d->class_ids;
        if (!names || !ids)
            return no_memory(error);
        b->class_capacity = more;
    }
    char *copy = strdup(name);
    if (!copy)
        return no_memory(error);
    d->class_names[d->n_classes] = copy;
    d->class_ids[d->n_classes] = (int64_t)d->n_classes + 1;
    *index = (int32_t)d->n_classes++;
    return WSAM_OK;
}

wsam_status ws_document_add_object(ws_builder *b, wsam_instance *a, wsam_error *error)
{
    wsam_instances *all = &b->d->instances;
    wsam_instance *items = ws_grow(all->items, all->n, &b->object_capacity, sizeof *items);
    if (!items) {
        ws_document_clear_instance(a);
        return no_memory(error);
    }
    all->items = items;
    items[all->n] = *a;
    free(a->json); /* it names ids of another document */
    items[all->n].json = NULL;
    if (items[all->n].id <= 0)
        items[all->n].id = b->next_id;
    if (items[all->n].id >= b->next_id && !ws_id_texts_get(b->d->id_texts, items[all->n].id))
        b->next_id = items[all->n].id + 1;
    all->n++;
    b->d->first[b->d->n_images] = all->n;
    return WSAM_OK;
}

void ws_document_clear_instance(wsam_instance *a)
{
    free(a->counts);
    free(a->json);
    a->counts = a->json = NULL;
}

wsam_coco_document *ws_document_finish(ws_builder *b, wsam_status status)
{
    wsam_coco_document *d = b->d;
    *b = (ws_builder){0};
    if (!status)
        return d;
    if (d)
        wsam_coco_free(d);
    return NULL;
}

/* ---- facts about documents ---- */

wsam_coco_image ws_document_image(const wsam_coco_document *d, size_t i)
{
    return (wsam_coco_image){.id = d->image_ids[i],
                             .file_name = d->file_names[i],
                             .width = d->sizes[2 * i],
                             .height = d->sizes[2 * i + 1],
                             .review = d->reviews[i],
                             .more = d->more[i]};
}

int ws_document_complete(const wsam_coco_document *d, size_t i)
{
    return d->reviews[i] == WSAM_REVIEW_COMPLETE;
}

static const char *const reviewed_names[] = {NULL, "accepted", "drawn", "rejected"};

const char *ws_document_reviewed_name(wsam_reviewed reviewed)
{
    return (unsigned)reviewed < 4 ? reviewed_names[reviewed] : NULL;
}

wsam_reviewed ws_document_reviewed_of(const char *name)
{
    for (int k = 1; k < 4 && name; k++)
        if (strcmp(name, reviewed_names[k]) == 0)
            return (wsam_reviewed)k;
    return WSAM_REVIEWED_NO;
}
