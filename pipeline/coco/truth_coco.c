/* pipeline/coco/truth_coco.c - ground truth from a COCO data set.
 *
 * The file is read twice, as its sections come in any order: pictures and classes, then objects. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/coco/coco_mask.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/records.h"

typedef struct reader {
    wsam_eval_truth *truth;
    int masks;
    ws_mask_reader mask;
} truth_reader;

static wsam_status keep_text(wsam_eval_truth *t, ws_records *r, const ws_text *text,
                             const char **kept)
{
    *kept = ws_text_arena_put(&t->store, text->n ? text->text : "", text->n);
    return *kept ? WSAM_OK : ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
}

/* ---- pictures and classes ---- */

/* 0 when the field is missing. */
static wsam_status read_side(ws_records *r, const ws_record *record, ws_field f, int32_t *side)
{
    int64_t v = 0;
    const wsam_status status = ws_has(record, f) ? ws_records_id(r, record, f, &v) : WSAM_OK;
    if (!status && (v < 0 || v > INT32_MAX))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "a side of %" PRId64 " pixels", v);
    *side = (int32_t)v;
    return status;
}

static wsam_status add_image(wsam_eval_truth *t, ws_records *r, const ws_record *record)
{
    ws_image image = {.listed = 1};
    wsam_status status = ws_records_id(r, record, WS_ID, &image.id);
    if (!status)
        status = read_side(r, record, WS_HEIGHT, &image.height);
    if (!status)
        status = read_side(r, record, WS_WIDTH, &image.width);
    if (!status && ws_has(record, WS_FILE_NAME))
        status = keep_text(t, r, &record->text[WS_FILE_NAME], &image.name);
    if (status)
        return status;
    if (!image.height || !image.width)
        image.height = image.width = 0;
    ws_image *images = ws_grow(t->images, t->n_images, &t->image_capacity, sizeof *images);
    if (!images || t->n_images >= INT32_MAX)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    t->images = images;
    t->images[t->n_images++] = image;
    return WSAM_OK;
}

static wsam_status add_category(wsam_eval_truth *t, ws_records *r, const ws_record *record)
{
    ws_category category;
    wsam_status status = ws_records_id(r, record, WS_ID, &category.id);
    if (status)
        return status;
    if (!ws_has(record, WS_NAME) || !record->text[WS_NAME].n)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'name'");
    status = keep_text(t, r, &record->text[WS_NAME], &category.name);
    if (status)
        return status;
    ws_category *categories =
        ws_grow(t->categories, t->n_categories, &t->category_capacity, sizeof *categories);
    if (!categories || t->n_categories >= INT32_MAX)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    t->categories = categories;
    t->categories[t->n_categories++] = category;
    return WSAM_OK;
}

static wsam_status take_name(void *user, ws_records *r, const ws_record *record)
{
    truth_reader *reader = user;
    if (record->section == WS_IMAGES)
        return add_image(reader->truth, r, record);
    if (record->section == WS_CATEGORIES)
        return add_category(reader->truth, r, record);
    return WSAM_OK;
}

/* ---- objects ---- */

static int is_set(const ws_record *record, ws_field f)
{
    return ws_has(record, f) && fabs(record->number[f]) > 0;
}

static unsigned read_flags(const ws_record *record)
{
    const int crowd = is_set(record, WS_ISCROWD);
    const int difficult = crowd || is_set(record, WS_IGNORE) || is_set(record, WS_DIFFICULT);
    return (crowd ? WS_OBJECT_CROWD : 0u) | (difficult ? WS_OBJECT_DIFFICULT : 0u);
}

static wsam_status find_ids(const wsam_eval_truth *t, ws_records *r, const ws_record *record,
                            ws_object *o)
{
    int64_t image, category;
    wsam_status status = ws_records_id(r, record, WS_ID, &o->id);
    if (!status)
        status = ws_records_id(r, record, WS_IMAGE_ID, &image);
    if (!status)
        status = ws_records_id(r, record, WS_CATEGORY_ID, &category);
    if (status)
        return status;
    o->image = ws_truth_index_image(t, image);
    o->category = ws_truth_index_category(t, category);
    if (o->image < 0)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "image_id %" PRId64 " is not among the images",
                               image);
    if (o->category < 0)
        return ws_records_fail(r, WSAM_ERR_FORMAT,
                               "category_id %" PRId64 " is not among the categories", category);
    return WSAM_OK;
}

static wsam_status add_mask(truth_reader *reader, ws_records *r, const ws_record *record,
                            const ws_object *o)
{
    wsam_eval_truth *t = reader->truth;
    const ws_image *image = &t->images[o->image];
    wsam_error error;
    if (!ws_has(record, WS_SEGMENTATION))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'segmentation'");
    ws_mask *masks = ws_grow(t->masks, t->n_objects, &t->mask_capacity, sizeof *masks);
    if (!masks)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    t->masks = masks;
    const wsam_status status =
        ws_coco_mask_read(&reader->mask, &record->segmentation, image->height, image->width,
                          &t->store, &t->masks[t->n_objects], &error);
    return status ? ws_records_fail(r, status, "%s", error.message) : WSAM_OK;
}

static wsam_status take_object(void *user, ws_records *r, const ws_record *record)
{
    truth_reader *reader = user;
    wsam_eval_truth *t = reader->truth;
    ws_object o = {.flags = read_flags(record)};
    wsam_status status = find_ids(t, r, record, &o);
    if (status || !t->images[o.image].listed || ws_records_is_rejected(record))
        return status;
    o.area = ws_has(record, WS_AREA) ? record->number[WS_AREA] : -1;
    if (!ws_has(record, WS_BBOX))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'bbox'");
    memcpy(o.box, record->box, sizeof o.box);
    status = ws_records_check_box(r, record);
    if (status)
        return status;
    if (ws_has(record, WS_AREA) && o.area < 0)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "'area' is negative");
    status = reader->masks ? add_mask(reader, r, record, &o) : WSAM_OK;
    if (status)
        return status;
    ws_object *objects = ws_grow(t->objects, t->n_objects, &t->object_capacity, sizeof *objects);
    if (!objects || t->n_objects >= INT32_MAX)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    t->objects = objects;
    t->objects[t->n_objects++] = o;
    return WSAM_OK;
}

wsam_status ws_truth_coco(wsam_eval_truth *t, const wsam_eval_read_options *options,
                          wsam_error *error)
{
    static const char *const wants[] = {"images", "annotations", "categories"};
    truth_reader reader = {
        .truth = t, .masks = options->masks, .mask = {.max_pixels = options->max_pixels}};
    ws_records_request request = {.path = t->path,
                                  .fn = take_name,
                                  .user = &reader,
                                  .segmentations = options->masks,
                                  .qualities = 1};
    unsigned sections = 0;
    request.wanted = 1u << WS_IMAGES | 1u << WS_ANNOTATIONS | 1u << WS_CATEGORIES;
    wsam_status status = ws_records_read(&request, &sections, error);
    for (unsigned i = 0; i < 3 && !status; i++)
        if (!(sections >> (WS_IMAGES + i) & 1))
            status = ws_fail(error, WSAM_ERR_FORMAT, "%s: not a COCO data set: no list '%s'",
                             t->path, wants[i]);
    if (!status)
        status = ws_truth_index(t, error);
    if (!status && options->list)
        status = ws_truth_list(t, options->list, error);
    request.wanted = 1u << WS_ANNOTATIONS;
    request.fn = take_object;
    if (!status)
        status = ws_records_read(&request, NULL, error);
    ws_coco_mask_reader_free(&reader.mask);
    return status;
}
