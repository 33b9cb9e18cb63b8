/* pipeline/coco/results.c - detections and proposals: results lists, data sets, JSON lines. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/coco/coco_mask.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/id_remap.h"
#include "pipeline/coco/records.h"

typedef struct result_reader {
    wsam_eval_results *out;
    int masks, mask_area;  /* the options */
    int started;           /* the first result was seen */
    const ws_names *names; /* what the ids mean; NULL: they are the truth's */
    ws_mask_reader mask;
    int lines;         /* proposals as JSON lines */
    size_t line_start; /* results of finished lines */
    uint8_t *had;      /* pictures that a line was about */
} result_reader;

/* ---- one record ---- */

static wsam_status find_image(const result_reader *reader, ws_records *r, const ws_record *record,
                              ws_field field, int32_t *index)
{
    const wsam_eval_truth *t = reader->out->truth;
    int64_t id;
    if (record->texts >> field & 1) {
        const char *name = record->text[field].n ? record->text[field].text : "";
        *index = reader->names || ws_records_id(r, record, field, &id)
                     ? -1
                     : ws_truth_index_image(t, id);
        if (*index < 0)
            *index = ws_truth_index_name(t, name);
        if (*index < 0)
            return ws_records_fail(r, WSAM_ERR_MISMATCH, "the image '%s' is %s %s", name,
                                   *index == -1 ? "not in" : "there several times in", t->path);
        return WSAM_OK;
    }
    wsam_status status = ws_records_id(r, record, field, &id);
    if (status)
        return status;
    *index = reader->names ? ws_id_remap_image(reader->names, id) : ws_truth_index_image(t, id);
    if (*index == -2)
        return ws_records_fail(r, WSAM_ERR_MISMATCH,
                               "the image with image_id %" PRId64 " is not in %s", id, t->path);
    if (*index < 0)
        return ws_records_fail(r, WSAM_ERR_MISMATCH,
                               "image_id %" PRId64 " is not among the images%s%s", id,
                               reader->names ? "" : " of ", reader->names ? "" : t->path);
    return WSAM_OK;
}

static wsam_status find_category(const result_reader *reader, ws_records *r,
                                 const ws_record *record, int32_t *index)
{
    const wsam_eval_truth *t = reader->out->truth;
    int64_t id;
    if (record->texts >> WS_CATEGORY_ID & 1) {
        const ws_text *name = &record->text[WS_CATEGORY_ID];
        *index = ws_truth_index_category_name(t, name->n ? name->text : "");
        if (*index < 0 && !ws_records_id(r, record, WS_CATEGORY_ID, &id))
            *index = reader->names ? ws_id_remap_category(reader->names, id)
                                   : ws_truth_index_category(t, id);
        if (*index < 0)
            return ws_records_fail(r, WSAM_ERR_MISMATCH, "the class '%s' is not in %s",
                                   name->n ? name->text : "", t->path);
        return WSAM_OK;
    }
    wsam_status status = ws_records_id(r, record, WS_CATEGORY_ID, &id);
    if (status)
        return status;
    *index =
        reader->names ? ws_id_remap_category(reader->names, id) : ws_truth_index_category(t, id);
    if (*index == -2)
        return ws_records_fail(r, WSAM_ERR_MISMATCH,
                               "the class with category_id %" PRId64 " is not in %s", id, t->path);
    if (*index < 0)
        return ws_records_fail(r, WSAM_ERR_MISMATCH,
                               "category_id %" PRId64 " is not among the categories%s%s", id,
                               reader->names ? "" : " of ", reader->names ? "" : t->path);
    return WSAM_OK;
}

static void mask_box(const wsam_rle *rle, double box[4])
{
    int32_t b[4];
    wsam_rle_box(rle, b);
    box[0] = b[0];
    box[1] = b[1];
    box[2] = (double)b[2] - b[0] + 1;
    box[3] = (double)b[3] - b[1] + 1;
}

static wsam_status keep_mask(wsam_eval_results *out, ws_records *r, const ws_mask *mask)
{
    ws_mask *masks = ws_grow(out->masks, out->n, &out->mask_capacity, sizeof *masks);
    if (!masks)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    out->masks = masks;
    out->masks[out->n] = *mask;
    return WSAM_OK;
}

static wsam_status keep_area(wsam_eval_results *out, ws_records *r, double area)
{
    double *areas = ws_grow(out->mask_areas, out->n, &out->area_capacity, sizeof *areas);
    if (!areas)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    out->mask_areas = areas;
    out->mask_areas[out->n] = area;
    return WSAM_OK;
}

/* The mask, and from it the box where there is none. Without options->masks it is read for its box
 * and area, and forgotten. */
static wsam_status take_mask(result_reader *reader, ws_records *r, const ws_record *record,
                             ws_result *result)
{
    wsam_eval_results *out = reader->out;
    const ws_image *image = &out->truth->images[result->image];
    const double *box = result->box;
    ws_store scratch = {0};
    ws_mask mask;
    wsam_error error;
    if (!ws_has(record, WS_SEGMENTATION))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no '%s'",
                               reader->masks ? "segmentation" : "bbox");
    wsam_status status =
        ws_coco_mask_read(&reader->mask, &record->segmentation, image->height, image->width,
                          reader->masks ? &out->store : &scratch, &mask, &error);
    ws_text_arena_free(&scratch);
    if (status)
        return ws_records_fail(r, status, "%s", error.message);
    if (!ws_has(record, WS_BBOX))
        mask_box(&reader->mask.rle, result->box);
    status = reader->masks ? keep_mask(out, r, &mask) : WSAM_OK;
    if (status || (!reader->masks && !out->boxless))
        return status;
    return keep_area(out, r,
                     reader->mask_area || out->boxless ? (double)wsam_rle_area(&reader->mask.rle)
                                                       : box[2] * box[3]);
}

static wsam_status append(wsam_eval_results *out, ws_records *r, const ws_result *result)
{
    ws_result *results = ws_grow(out->results, out->n, &out->capacity, sizeof *results);
    if (!results || out->n >= INT32_MAX)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    out->results = results;
    out->results[out->n++] = *result;
    return WSAM_OK;
}

static wsam_status take_detection(result_reader *reader, ws_records *r, const ws_record *record)
{
    wsam_eval_results *out = reader->out;
    ws_result result;
    wsam_status status = find_image(reader, r, record, WS_IMAGE_ID, &result.image);
    if (!status)
        status = find_category(reader, r, record, &result.category);
    if (status)
        return status;
    if (ws_records_is_rejected(record))
        return WSAM_OK;
    /* A data set of a person has no scores: all its objects are certain. */
    if (!ws_has(record, WS_SCORE) && record->section == WS_RESULTS)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'score'");
    if (!out->truth->images[result.image].listed) {
        out->dropped++;
        return WSAM_OK;
    }
    result.score = ws_has(record, WS_SCORE) ? record->number[WS_SCORE] : 1; /* a person is sure */
    memcpy(result.box, record->box, sizeof result.box);
    status = ws_has(record, WS_BBOX) ? ws_records_check_box(r, record) : WSAM_OK;
    if (status)
        return status;
    if (!reader->started) /* the first result decides for all, as in pycocotools */
        out->boxless = !ws_has(record, WS_BBOX);
    reader->started = 1;
    if (reader->masks || out->boxless || !ws_has(record, WS_BBOX))
        status = take_mask(reader, r, record, &result);
    return status ? status : append(out, r, &result);
}

/* ---- lines ---- */

/* Of which picture is known at the end of the line. */
static wsam_status take_proposal(result_reader *reader, ws_records *r, const ws_record *record)
{
    const double *b = record->box;
    if (!ws_has(record, WS_BOX))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'box'");
    const ws_result result = {.image = -1, .box = {b[0], b[1], b[2] - b[0] + 1, b[3] - b[1] + 1}};
    if (result.box[2] < 0 || result.box[3] < 0)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "'box' ends before it begins");
    return append(reader->out, r, &result);
}

static wsam_status end_line(result_reader *reader, ws_records *r, const ws_record *record)
{
    wsam_eval_results *out = reader->out;
    int32_t image;
    if (!ws_has(record, WS_IMAGE))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'image'");
    const wsam_status status = find_image(reader, r, record, WS_IMAGE, &image);
    if (status)
        return status;
    if (reader->had[image])
        return ws_records_fail(r, WSAM_ERR_FORMAT, "the image '%s' is there twice",
                               record->text[WS_IMAGE].text);
    reader->had[image] = 1;
    if (!out->truth->images[image].listed) {
        out->dropped += out->n - reader->line_start;
        out->n = reader->line_start;
    }
    for (size_t i = reader->line_start; i < out->n; i++)
        out->results[i].image = image;
    reader->line_start = out->n;
    return WSAM_OK;
}

/* ---- files ---- */

static wsam_status take(void *user, ws_records *r, const ws_record *record)
{
    result_reader *reader = user;
    switch (record->section) {
    case WS_RESULTS:
    case WS_ANNOTATIONS:
        return take_detection(reader, r, record);
    case WS_PROPOSALS:
        return take_proposal(reader, r, record);
    case WS_OBJECT:
        return reader->lines ? end_line(reader, r, record) : WSAM_OK;
    case WS_IMAGES:
    case WS_CATEGORIES:
    case WS_SECTIONS:
    default:
        return WSAM_OK;
    }
}

/* A list has its names, if any, in another file; a data set has its own; lines have none. */
static wsam_status read_names(result_reader *reader, const char *path, int first,
                              const char *images, ws_names **names, wsam_error *error)
{
    const unsigned wanted = 1u << WS_IMAGES | 1u << WS_CATEGORIES;
    const char *from = first == '[' ? images : path;
    unsigned sections = 0;
    if (!from)
        return WSAM_OK;
    wsam_status status = ws_id_remap_read(reader->out->truth, from, names, &sections, error);
    if (status)
        return status;
    reader->lines = first == '{' && !(sections >> WS_ANNOTATIONS & 1);
    if (reader->lines)
        return WSAM_OK;
    if ((sections & wanted) != wanted)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: no list '%s'", from,
                       sections >> WS_IMAGES & 1 ? "categories" : "images");
    reader->names = *names;
    return WSAM_OK;
}

static wsam_status read_all(result_reader *reader, const char *path, const char *images,
                            wsam_error *error)
{
    ws_names *names = NULL;
    int first = 0;
    wsam_status status = ws_records_peek(path, &first, error);
    if (!status && first != '[' && first != '{')
        status = ws_fail(error, WSAM_ERR_FORMAT,
                         "%s: neither a results list, nor a data set, nor JSON lines", path);
    if (!status)
        status = read_names(reader, path, first, images, &names, error);
    ws_records_request request = {
        .path = path, .segmentations = 1, .qualities = 1, .fn = take, .user = reader};
    if (first == '[')
        request.wanted = 1u << WS_RESULTS;
    else if (reader->lines)
        request.wanted = 1u << WS_PROPOSALS | 1u << WS_OBJECT;
    else
        request.wanted = 1u << WS_ANNOTATIONS;
    reader->out->proposals = reader->lines;
    if (!status)
        status = ws_records_read(&request, NULL, error);
    ws_id_remap_free(names);
    return status;
}

wsam_status wsam_eval_read_results(const wsam_eval_truth *truth, const char *path,
                                   const wsam_eval_read_options *options,
                                   wsam_eval_results **results, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_eval_read_options defaults;
    wsam_eval_read_options_default(&defaults);
    const wsam_eval_read_options *o = options ? options : &defaults;
    *results = NULL;
    result_reader reader = {.out = calloc(1, sizeof *reader.out),
                            .masks = o->masks,
                            .mask_area = o->mask_area,
                            .mask = {.max_pixels = o->max_pixels},
                            .had = calloc(truth->n_images + 1, 1)};
    wsam_status status = WSAM_OK;
    if (!reader.out || !reader.had)
        status = ws_no_memory(error, path);
    if (!status) {
        reader.out->truth = truth;
        status = read_all(&reader, path, o->images, error);
    }
    ws_coco_mask_reader_free(&reader.mask);
    free(reader.had);
    if (status)
        wsam_eval_results_free(reader.out);
    else
        *results = reader.out;
    return status;
}

void wsam_eval_results_free(wsam_eval_results *results)
{
    if (!results)
        return;
    free(results->results);
    free(results->masks);
    free(results->mask_areas);
    ws_text_arena_free(&results->store);
    free(results);
}

size_t wsam_eval_result_count(const wsam_eval_results *results)
{
    return results->n;
}

size_t wsam_eval_result_dropped(const wsam_eval_results *results)
{
    return results->dropped;
}
