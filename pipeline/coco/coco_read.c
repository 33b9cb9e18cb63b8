/* pipeline/coco/coco_read.c - results lists and data sets into boxes by picture. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/coco/class_names.h"
#include "pipeline/coco/coco_mask.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/list_names.h"
#include "pipeline/coco/members.h"
#include "pipeline/stages/stages.h"

/* Of a mask. */
enum { MAX_PIXELS = 1 << 28 };

/* An id or a name, and whose it is. */
typedef struct id_entry {
    int64_t id;
    size_t index;
} id_entry;

typedef struct loader {
    const char *path; /* of the file with images and categories */
    wsam_coco_document *d;
    size_t image_capacity, name_capacity, size_capacity, class_capacity, class_id_capacity;
    size_t review_capacity, more_capacity;
    size_t capacity, where_capacity;
    size_t *where; /* picture of each instance */
    id_entry *images, *classes;
    ws_name_index names;
    int masks; /* keep segmentations */
    ws_mask_reader reader;
} loader;

static const char *text_of(const ws_record *r, ws_field f)
{
    return ws_has(r, f) && r->text[f].n ? r->text[f].text : NULL;
}

/* ---- pictures and classes ---- */

/* Members of an image that a person has to do with and nothing here reads. */
static wsam_status keep_members(ws_records *r, const ws_record *record, char **more)
{
    static const char *const known[] = {"id", "width", "height", "file_name", "review", NULL};
    ws_text t = {0};
    if (!ws_has(record, WS_REVIEW) && !ws_has(record, WS_AUDIT))
        return WSAM_OK;
    ws_members_others(&t, record->raw.text, known);
    *more = t.text;
    return t.failed ? ws_records_fail(r, WSAM_ERR_MEMORY, "no memory") : WSAM_OK;
}

static wsam_status add_review(loader *l, ws_records *r, const ws_record *record)
{
    wsam_coco_document *d = l->d;
    int review;
    wsam_review_state *reviews =
        ws_grow(d->reviews, d->n_images, &l->review_capacity, sizeof *reviews);
    if (reviews)
        d->reviews = reviews;
    char **more = ws_grow(d->more, d->n_images, &l->more_capacity, sizeof *more);
    if (more)
        d->more = more;
    if (!reviews || !more)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    const wsam_status status = ws_records_word(r, record, WS_REVIEW, &review);
    d->reviews[d->n_images] = (wsam_review_state)review;
    d->more[d->n_images] = NULL;
    return status ? status : keep_members(r, record, &d->more[d->n_images]);
}

static wsam_status add_image(loader *l, ws_records *r, const ws_record *record)
{
    wsam_coco_document *d = l->d;
    int64_t id;
    wsam_status status = ws_records_id(r, record, WS_ID, &id);
    const char *name = text_of(record, WS_FILE_NAME);
    if (status)
        return status;
    if (!name)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'file_name'");
    status = add_review(l, r, record);
    if (status)
        return status;
    int64_t *ids = ws_grow(d->image_ids, d->n_images, &l->image_capacity, sizeof *ids);
    if (ids)
        d->image_ids = ids;
    char **names = ws_grow(d->file_names, d->n_images, &l->name_capacity, sizeof *names);
    if (names)
        d->file_names = names;
    int *sizes = ws_grow(d->sizes, d->n_images, &l->size_capacity, 2 * sizeof *sizes);
    if (sizes)
        d->sizes = sizes;
    char *copy = strdup(name);
    if (!ids || !names || !sizes || !copy) {
        free(copy);
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    }
    for (int k = 0; k < 2; k++) {
        const ws_field f = k ? WS_HEIGHT : WS_WIDTH;
        const double v = ws_has(record, f) ? record->number[f] : 0;
        d->sizes[2 * d->n_images + (size_t)k] = v >= 1 && v <= 65535 ? (int)v : 0;
    }
    d->image_ids[d->n_images] = id;
    d->file_names[d->n_images++] = copy;
    return ws_records_id_keep(r, record, WS_ID, id, &d->id_texts);
}

static wsam_status add_class(loader *l, ws_records *r, const ws_record *record)
{
    wsam_coco_document *d = l->d;
    int64_t id;
    const wsam_status status = ws_records_id(r, record, WS_ID, &id);
    const char *name = text_of(record, WS_NAME);
    if (status)
        return status;
    if (!name)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'name'");
    if (ws_class_names_find(d, name) < d->n_classes)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "two classes are called '%s'", name);
    int64_t *ids = ws_grow(d->class_ids, d->n_classes, &l->class_id_capacity, sizeof *ids);
    if (ids)
        d->class_ids = ids;
    char **names = ws_grow(d->class_names, d->n_classes, &l->class_capacity, sizeof *names);
    if (names)
        d->class_names = names;
    char *copy = strdup(name);
    if (!ids || !names || !copy) {
        free(copy);
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    }
    d->class_ids[d->n_classes] = id;
    d->class_names[d->n_classes++] = copy;
    return ws_records_id_keep(r, record, WS_ID, id, &d->id_texts);
}

static wsam_status take_names(void *user, ws_records *r, const ws_record *record)
{
    loader *l = user;
    if (record->section == WS_IMAGES)
        return add_image(l, r, record);
    return record->section == WS_CATEGORIES ? add_class(l, r, record) : WSAM_OK;
}

/* ---- look-up ---- */

static int by_id(const void *a, const void *b)
{
    const id_entry *p = a, *q = b;
    return (p->id > q->id) - (p->id < q->id);
}

static wsam_status index_ids(const loader *l, const int64_t *ids, size_t n, id_entry **out,
                             wsam_error *error)
{
    *out = malloc((n + 1) * sizeof **out);
    if (!*out)
        return ws_no_memory(error, l->path);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = (id_entry){ids[i], i};
    if (n)
        qsort(*out, n, sizeof **out, by_id);
    return WSAM_OK;
}

/* Names that are there twice are errors. */
static wsam_status index_names(loader *l, wsam_error *error)
{
    const wsam_status status =
        ws_image_names_make(&l->names, l->d->file_names, l->d->n_images, error);
    const char *twice = status ? NULL : ws_image_names_twice(&l->names);
    return twice ? ws_fail(error, WSAM_ERR_FORMAT, "%s: two images have the file name '%s'",
                           l->path, twice)
                 : status;
}

static int find_id(const id_entry *entries, size_t n, int64_t id, size_t *index)
{
    const id_entry key = {id, 0};
    const id_entry *found = n ? bsearch(&key, entries, n, sizeof *entries, by_id) : NULL;
    *index = found ? found->index : 0;
    return found != NULL;
}

/* ---- boxes ---- */

static wsam_status find_image(const loader *l, ws_records *r, const ws_record *record,
                              size_t *index)
{
    int64_t id;
    if (record->texts >> WS_IMAGE_ID & 1) {
        const char *name = text_of(record, WS_IMAGE_ID);
        if (!ws_records_id(r, record, WS_IMAGE_ID, &id) &&
            find_id(l->images, l->d->n_images, id, index))
            return WSAM_OK;
        *index = name ? ws_image_names_find(&l->names, name) : SIZE_MAX;
        if (*index != SIZE_MAX)
            return WSAM_OK;
        return ws_records_fail(r, WSAM_ERR_MISMATCH, "the image '%s' is not among the images of %s",
                               name ? name : "", l->path);
    }
    const wsam_status status = ws_records_id(r, record, WS_IMAGE_ID, &id);
    if (status || find_id(l->images, l->d->n_images, id, index))
        return status;
    return ws_records_fail(r, WSAM_ERR_MISMATCH,
                           "image_id %" PRId64 " is not among the images of %s", id, l->path);
}

static wsam_status find_class(const loader *l, ws_records *r, const ws_record *record,
                              size_t *index)
{
    const wsam_coco_document *d = l->d;
    int64_t id;
    if (record->texts >> WS_CATEGORY_ID & 1) {
        const char *name = text_of(record, WS_CATEGORY_ID);
        *index = ws_class_names_find(d, name);
        if (*index < d->n_classes)
            return WSAM_OK;
        if (!ws_records_id(r, record, WS_CATEGORY_ID, &id) &&
            find_id(l->classes, d->n_classes, id, index))
            return WSAM_OK;
        return ws_records_fail(r, WSAM_ERR_MISMATCH,
                               "the class '%s' is not among the categories of %s", name ? name : "",
                               l->path);
    }
    const wsam_status status = ws_records_id(r, record, WS_CATEGORY_ID, &id);
    if (status || find_id(l->classes, d->n_classes, id, index))
        return status;
    return ws_records_fail(r, WSAM_ERR_MISMATCH,
                           "category_id %" PRId64 " is not among the categories of %s", id,
                           l->path);
}

/* A segmentation of any form as run lengths, and what was said about it. The mask of a crop is kept in any case: it
 * belongs to a box that gets its mask later, and its confidence then. */
static wsam_status take_mask(loader *l, ws_records *r, const ws_record *record, size_t image,
                             wsam_instance *a)
{
    const int *size = &l->d->sizes[2 * image];
    ws_store scratch = {0};
    ws_mask mask;
    wsam_error error;
    const int crop = ws_has(record, WS_CROP_MASK);
    if ((!crop && !(l->masks && ws_has(record, WS_SEGMENTATION))) ||
        ws_mask_empty(&record->segmentation))
        return WSAM_OK;
    const wsam_status status = ws_coco_mask_read(&l->reader, &record->segmentation, size[1],
                                                 size[0], &scratch, &mask, &error);
    ws_text_arena_free(&scratch);
    if (status)
        return ws_records_fail(r, status, "%s", error.message);
    a->area = wsam_rle_area(&l->reader.rle);
    if (ws_has(record, WS_PREDICTED_IOU))
        a->predicted_iou = (float)record->number[WS_PREDICTED_IOU];
    if (ws_has(record, WS_STABILITY))
        a->stability_score = (float)record->number[WS_STABILITY];
    if (ws_has(record, WS_CONFIDENCE))
        a->confidence = record->number[WS_CONFIDENCE];
    else if (!crop)
        a->confidence = wsam_instance_evidence(a);
    return ws_counts_text(&l->reader.rle, &a->counts, &a->counts_length)
               ? WSAM_OK
               : ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
}

static int origin_of(const ws_record *record)
{
    const char *name = text_of(record, WS_SOURCE);
    for (int s = 0; name && s < WSAM_SOURCES; s++)
        if (strcmp(name, wsam_source_name((wsam_source)s)) == 0)
            return s + 1;
    return 0;
}

/* What the record says of the box itself. */
static wsam_status read_box(ws_records *r, const ws_record *record, wsam_instance *a)
{
    int reviewed;
    const wsam_status status = ws_records_word(r, record, WS_REVIEWED, &reviewed);
    if (status)
        return status;
    if (!ws_has(record, WS_BBOX))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'bbox'");
    if (record->section == WS_RESULTS && !ws_has(record, WS_SCORE) && !reviewed)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'score'");
    const wsam_status box = ws_records_check_box(r, record);
    if (box)
        return box;
    memcpy(a->bbox, record->box, sizeof a->bbox);
    a->unscored = !ws_has(record, WS_SCORE);
    if (ws_has(record, WS_SCORE))
        a->score = record->number[WS_SCORE];
    if (ws_has(record, WS_RAW_SCORE))
        a->raw_score = record->number[WS_RAW_SCORE];
    a->crowd = ws_has(record, WS_ISCROWD) && fabs(record->number[WS_ISCROWD]) > 0;
    a->origin = origin_of(record);
    a->reviewed = (wsam_reviewed)reviewed;
    return WSAM_OK;
}

static wsam_status take_box(void *user, ws_records *r, const ws_record *record)
{
    loader *l = user;
    wsam_instances *all = &l->d->instances;
    wsam_instance a = {.score = 1};
    size_t image = 0, class_index = 0;
    if (record->section != WS_RESULTS && record->section != WS_ANNOTATIONS)
        return WSAM_OK;
    wsam_status status = find_image(l, r, record, &image);
    if (!status)
        status = find_class(l, r, record, &class_index);
    if (!status && (record->section == WS_ANNOTATIONS || ws_has(record, WS_REVIEWED)) &&
        ws_has(record, WS_ID))
        status = ws_records_id(r, record, WS_ID, &a.id);
    if (!status && a.id)
        status = ws_records_id_keep(r, record, WS_ID, a.id, &l->d->id_texts);
    if (!status)
        status = read_box(r, record, &a);
    if (status)
        return status;
    a.class_index = (int32_t)class_index;
    wsam_instance *items = ws_grow(all->items, all->n, &l->capacity, sizeof *items);
    if (items)
        all->items = items;
    size_t *where = ws_grow(l->where, all->n, &l->where_capacity, sizeof *where);
    if (where)
        l->where = where;
    if (!items || !where)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    status = take_mask(l, r, record, image, &a);
    if (!status && a.reviewed && !(a.json = strdup(record->raw.text)))
        status = ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    if (status) {
        free(a.counts);
        return status;
    }
    l->where[all->n] = image;
    all->items[all->n++] = a;
    return WSAM_OK;
}

/* By picture, in the order of the file otherwise. */
static wsam_status sort_boxes(loader *l, wsam_error *error)
{
    wsam_coco_document *d = l->d;
    const size_t n = d->instances.n;
    d->first = calloc(d->n_images + 2, sizeof *d->first);
    wsam_instance *sorted = malloc((n + 1) * sizeof *sorted);
    if (!d->first || !sorted) {
        free(sorted);
        return ws_no_memory(error, l->path);
    }
    for (size_t i = 0; i < n; i++)
        d->first[l->where[i] + 2]++;
    for (size_t i = 2; i < d->n_images + 2; i++)
        d->first[i] += d->first[i - 1];
    for (size_t i = 0; i < n; i++) /* afterwards first[k + 1] is the end of picture k */
        sorted[d->first[l->where[i] + 1]++] = d->instances.items[i];
    free(d->instances.items);
    d->instances.items = sorted;
    return WSAM_OK;
}

/* ---- a document ---- */

/* The file with the names of a list: the images.json beside it, unless that is about other lists, where the same ids
 * would be other images and classes. */
static wsam_status find_names(const char *list, char **beside, wsam_error *error)
{
    ws_list_owner owner;
    const wsam_status status = ws_list_names_owner(list, beside, &owner, error);
    return status || owner != WS_LIST_OTHERS
               ? status
               : ws_fail(error, WSAM_ERR_MISMATCH,
                         "%s: %s is about other lists; name the file with the images of this one",
                         list, *beside);
}

static wsam_status load_names(loader *l, wsam_error *error)
{
    const ws_records_request request = {.path = l->path,
                                        .wanted = 1u << WS_IMAGES | 1u << WS_CATEGORIES,
                                        .qualities = 1,
                                        .raw = 1,
                                        .fn = take_names,
                                        .user = l};
    wsam_status status = ws_records_read(&request, NULL, error);
    if (status)
        return status;
    if (!l->d->n_images || !l->d->n_classes)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: no %s", l->path,
                       l->d->n_images ? "categories" : "images");
    status = index_ids(l, l->d->image_ids, l->d->n_images, &l->images, error);
    if (!status)
        status = index_ids(l, l->d->class_ids, l->d->n_classes, &l->classes, error);
    return status ? status : index_names(l, error);
}

static wsam_status load(const char *path, const char *images, int masks,
                        wsam_coco_document **document, wsam_error *error)
{
    loader l = {.masks = masks, .reader.max_pixels = MAX_PIXELS};
    int first;
    char *beside = NULL;
    *document = NULL;
    wsam_status status = ws_records_peek(path, &first, error);
    if (status)
        return status;
    l.d = calloc(1, sizeof *l.d);
    if (!l.d)
        status = ws_no_memory(error, path);
    if (!status && first == '[' && !images)
        status = find_names(path, &beside, error);
    l.path = first != '[' ? path : images ? images : beside;
    if (!status)
        status = load_names(&l, error);
    const ws_records_request request = {.path = path,
                                        .wanted = 1u << WS_RESULTS | 1u << WS_ANNOTATIONS,
                                        .segmentations = masks,
                                        .qualities = 1,
                                        .raw = 1,
                                        .fn = take_box,
                                        .user = &l};
    if (!status)
        status = ws_records_read(&request, NULL, error);
    if (!status)
        status = sort_boxes(&l, error);
    free(l.where), free(l.images), free(l.classes), free(beside);
    ws_image_names_free(&l.names);
    ws_coco_mask_reader_free(&l.reader);
    if (status)
        wsam_coco_free(l.d);
    else
        *document = l.d;
    return status;
}

wsam_status wsam_coco_load(const char *path, const char *images, wsam_coco_document **document,
                           wsam_error *error)
{
    WS_FLOAT_SCOPE;
    return load(path, images, 0, document, error);
}

wsam_status wsam_coco_load_masks(const char *path, const char *images,
                                 wsam_coco_document **document, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    return load(path, images, 1, document, error);
}

void wsam_coco_free(wsam_coco_document *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n_images; i++)
        free(d->file_names[i]);
    for (size_t i = 0; d->more && i < d->n_images; i++)
        free(d->more[i]);
    for (size_t i = 0; i < d->n_classes; i++)
        free(d->class_names[i]);
    free(d->image_ids), free(d->file_names), free(d->sizes);
    free(d->class_names), free(d->class_ids), free(d->first);
    free(d->reviews), free(d->more);
    ws_id_texts_free(d->id_texts);
    wsam_instances_clear(&d->instances);
    free(d);
}
