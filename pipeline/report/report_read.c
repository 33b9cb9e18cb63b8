/* pipeline/report/report_read.c - a data set and the order in which it is shown.
 *
 * The file is read as a stream, three times: pictures and classes; the annotations without their
 * masks, which gives the order; the masks of those that are shown. Memory grows with the number of
 * annotations, not with their masks. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/input.h"
#include "base/json_parse.h"
#include "pipeline/coco/coco_mask.h"
#include "pipeline/report/report.h"
#include "pipeline/stages/stages.h"

enum { MAX_SUSPECTS = 64 << 20, MAX_PIXELS = 1 << 28 };

typedef struct reading {
    ws_page *page;
    size_t image_capacity, category_capacity, capacity;
    ws_mask_reader masks;
    ws_shown **by_id; /* of what is shown */
} reading;

/* ---- images and categories ---- */

static int by_id(const void *a, const void *b)
{
    const ws_listed *p = a, *q = b;
    return (p->id > q->id) - (p->id < q->id);
}

static int side_of(const ws_record *record, ws_field f)
{
    const double v = ws_has(record, f) ? record->number[f] : 0;
    return v >= 1 && v <= 65535 ? (int)v : 0;
}

static const char *const reviews[] = {"none", "partial", "complete"};
static const char *const decisions[] = {"none", "accepted", "drawn", "rejected"};

static wsam_status take_listed(void *user, ws_records *r, const ws_record *record)
{
    reading *g = user;
    ws_page *p = g->page;
    const int image = record->section == WS_IMAGES;
    const ws_field f = image ? WS_FILE_NAME : WS_NAME;
    ws_listed **list = image ? &p->images : &p->categories;
    size_t *n = image ? &p->n_images : &p->n_categories;
    int64_t id;
    if (record->section != WS_IMAGES && record->section != WS_CATEGORIES)
        return WSAM_OK;
    int review = 0;
    wsam_status status = ws_records_id(r, record, WS_ID, &id);
    if (!status && image)
        status = ws_records_word(r, record, WS_REVIEW, &review);
    if (status)
        return status;
    if (!ws_has(record, f))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no '%s'", image ? "file_name" : "name");
    ws_listed *grown =
        ws_grow(*list, *n, image ? &g->image_capacity : &g->category_capacity, sizeof *grown);
    if (grown)
        *list = grown;
    char *name = strdup(record->text[f].n ? record->text[f].text : "");
    if (!grown || !name) {
        free(name);
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    }
    grown[(*n)++] = (ws_listed){.id = id,
                                .name = name,
                                .width = side_of(record, WS_WIDTH),
                                .height = side_of(record, WS_HEIGHT),
                                .thumbnail = SIZE_MAX,
                                .review = reviews[review],
                                .rank = SIZE_MAX};
    return WSAM_OK;
}

static int find(const ws_listed *list, size_t n, int64_t id, size_t *at)
{
    const ws_listed key = {.id = id};
    const ws_listed *l = n ? bsearch(&key, list, n, sizeof *list, by_id) : NULL;
    *at = l ? (size_t)(l - list) : 0;
    return l != NULL;
}

/* ---- annotations ---- */

static double number_or_nan(const ws_record *record, ws_field f)
{
    return ws_has(record, f) ? record->number[f] : NAN;
}

static wsam_status find_lists(const ws_page *p, ws_records *r, const ws_record *record, ws_shown *s)
{
    int64_t image, category;
    wsam_status status = ws_records_id(r, record, WS_IMAGE_ID, &image);
    if (!status)
        status = ws_records_id(r, record, WS_CATEGORY_ID, &category);
    if (!status && (!find(p->images, p->n_images, image, &s->image) ||
                    !find(p->categories, p->n_categories, category, &s->category)))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "its image or category is not there");
    return status;
}

static wsam_status take_annotation(void *user, ws_records *r, const ws_record *record)
{
    reading *g = user;
    ws_page *p = g->page;
    ws_shown s = {.rank = SIZE_MAX};
    if (record->section != WS_ANNOTATIONS)
        return WSAM_OK;
    int reviewed;
    wsam_status status = ws_records_word(r, record, WS_REVIEWED, &reviewed);
    s.reviewed = decisions[reviewed];
    if (!status)
        status = ws_records_id(r, record, WS_ID, &s.id);
    if (!status)
        status = find_lists(p, r, record, &s);
    if (status)
        return status;
    if (!ws_has(record, WS_BBOX))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no 'bbox'");
    status = ws_records_check_box(r, record);
    if (status)
        return status;
    memcpy(s.bbox, record->box, sizeof s.bbox);
    s.score = number_or_nan(record, WS_RAW_SCORE);
    if (isnan(s.score))
        s.score = number_or_nan(record, WS_SCORE);
    s.confidence = number_or_nan(record, WS_CONFIDENCE);
    s.doubt = isnan(s.confidence) ? s.score : s.confidence;
    s.doubt = isnan(s.doubt) ? 0 : s.doubt;
    ws_shown *grown = ws_grow(p->shown, p->n, &g->capacity, sizeof *grown);
    if (!grown)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    p->shown = grown;
    p->shown[p->n++] = s;
    return WSAM_OK;
}

static wsam_status read_records(reading *g, unsigned wanted, int masks, ws_record_fn fn)
{
    unsigned sections = 0;
    ws_page *p = g->page;
    const ws_records_request request = {.path = p->options->dataset,
                                        .wanted = wanted,
                                        .segmentations = masks,
                                        .qualities = 1,
                                        .fn = fn,
                                        .user = g};
    const wsam_status status = ws_records_read(&request, &sections, p->error);
    if (!status && (sections & wanted) != wanted)
        return ws_fail(p->error, WSAM_ERR_FORMAT,
                       "%s: not a data set with images, annotations and categories",
                       p->options->dataset);
    return status;
}

/* ---- order ---- */

static int by_shown_id(const void *a, const void *b)
{
    const ws_shown *p = a, *q = b;
    return (p->id > q->id) - (p->id < q->id);
}

static int by_doubt(const void *a, const void *b)
{
    const ws_shown *p = a, *q = b;
    if (p->rank != q->rank)
        return p->rank < q->rank ? -1 : 1;
    if (p->doubt < q->doubt || p->doubt > q->doubt)
        return p->doubt < q->doubt ? -1 : 1;
    return by_shown_id(a, b);
}

static wsam_status parse_suspects(const char *path, cJSON **root, wsam_error *error)
{
    char *text;
    size_t size;
    *root = NULL;
    wsam_status status = ws_input_whole(path, MAX_SUSPECTS, &text, &size, error);
    if (!status)
        status = ws_json_parse(path, 0, text, size, root, error);
    free(text);
    return status;
}

static int whole(const cJSON *item, int64_t *out)
{
    const double v = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    if (!(fabs(v) <= 9007199254740991.0) || v < floor(v))
        return 0;
    *out = (int64_t)v;
    return 1;
}

/* An id, or an object that has one. */
static int suspect_id(const cJSON *item, int64_t *id)
{
    return whole(cJSON_GetObjectItemCaseSensitive(item, "annotation_id"), id) ||
           whole(cJSON_GetObjectItemCaseSensitive(item, "id"), id) || whole(item, id);
}

/* Ids that the data set does not have are passed over. */
static wsam_status rank_suspects(ws_page *p)
{
    cJSON *root;
    const cJSON *list, *item;
    size_t rank = 0;
    if (!p->options->suspects || !p->n)
        return WSAM_OK;
    const wsam_status status = parse_suspects(p->options->suspects, &root, p->error);
    if (status)
        return status;
    list = cJSON_IsObject(root) ? cJSON_GetObjectItemCaseSensitive(root, "suspects") : root;
    const int good = cJSON_IsArray(list);
    cJSON_ArrayForEach(item, list)
    {
        ws_shown key = {0};
        if (!suspect_id(item, &key.id))
            continue;
        ws_shown *s = bsearch(&key, p->shown, p->n, sizeof *p->shown, by_shown_id);
        if (s && s->rank == SIZE_MAX)
            s->rank = rank++;
    }
    cJSON_Delete(root);
    return good ? WSAM_OK
                : ws_fail(p->error, WSAM_ERR_FORMAT, "%s: not a list of annotations",
                          p->options->suspects);
}

static int by_image(const void *a, const void *b)
{
    const ws_shown *p = a, *q = b;
    if (p->image != q->image)
        return p->image < q->image ? -1 : 1;
    return by_doubt(a, b);
}

/* What an image is worth a look for: nothing found is as doubtful as a coin. */
static void sum_up(ws_page *p)
{
    const double decided = 2.0, nothing = 0.5;
    for (size_t i = 0; i < p->n_images; i++)
        p->images[i].doubt = strcmp(p->images[i].review, "none") == 0 ? nothing : decided;
    for (size_t i = 0; i < p->n; i++) {
        const ws_shown *s = &p->shown[i];
        ws_listed *image = &p->images[s->image];
        const double doubt = strcmp(s->reviewed, "none") == 0 ? s->doubt : decided;
        image->doubt = !image->n || doubt < image->doubt ? doubt : image->doubt;
        image->rank = s->rank < image->rank ? s->rank : image->rank;
        image->n++;
    }
}

typedef struct listed_place {
    const ws_listed *image;
    size_t at;
} listed_place;

static int by_worth(const void *a, const void *b)
{
    const listed_place *p = a, *q = b;
    if (p->image->rank != q->image->rank)
        return p->image->rank < q->image->rank ? -1 : 1;
    if (p->image->doubt < q->image->doubt || p->image->doubt > q->image->doubt)
        return p->image->doubt < q->image->doubt ? -1 : 1;
    return (p->at > q->at) - (p->at < q->at);
}

/* Whole images, until there are as many instances as wanted; an empty image counts as one. */
static wsam_status choose_images(ws_page *p)
{
    listed_place *places = malloc((p->n_images + 1) * sizeof *places);
    p->order = malloc((p->n_images + 1) * sizeof *p->order);
    if (!places || !p->order) {
        free(places);
        return ws_no_memory(p->error, p->options->dataset);
    }
    for (size_t i = 0; i < p->n_images; i++)
        places[i] = (listed_place){&p->images[i], i};
    if (p->n_images)
        qsort(places, p->n_images, sizeof *places, by_worth);
    size_t n = 0;
    for (size_t i = 0; i < p->n_images; i++) {
        const size_t own = places[i].image->n;
        n += own ? own : 1;
        if (p->n_order && n > p->options->most)
            break;
        p->images[places[i].at].thumbnail = p->n_order;
        p->order[p->n_order++] = places[i].at;
    }
    free(places);
    return WSAM_OK;
}

static wsam_status put_in_order(ws_page *p)
{
    size_t kept = 0;
    if (p->n)
        qsort(p->shown, p->n, sizeof *p->shown, by_shown_id);
    wsam_status status = rank_suspects(p);
    sum_up(p);
    if (!status)
        status = choose_images(p);
    for (size_t i = 0; i < p->n && !status; i++)
        if (p->images[p->shown[i].image].thumbnail != SIZE_MAX)
            p->shown[kept++] = p->shown[i];
    if (!status) {
        p->summary.left_out = p->n - kept;
        p->n = kept;
    }
    if (p->n)
        qsort(p->shown, p->n, sizeof *p->shown, by_image);
    return status;
}

/* ---- masks ---- */

static int by_pointed_id(const void *a, const void *b)
{
    return by_shown_id(*(ws_shown *const *)a, *(ws_shown *const *)b);
}

/* Polygons and run lengths of either form. A picture of unknown size is shown without masks, since
 * nothing says how they lie in it. */
static wsam_status take_mask(void *user, ws_records *r, const ws_record *record)
{
    reading *g = user;
    ws_page *p = g->page;
    ws_shown key = {0};
    const ws_shown *pointer = &key;
    ws_store scratch = {0};
    ws_mask mask;
    wsam_error error;
    if (record->section != WS_ANNOTATIONS || !ws_has(record, WS_SEGMENTATION) ||
        ws_mask_empty(&record->segmentation) || ws_records_id(r, record, WS_ID, &key.id))
        return WSAM_OK;
    ws_shown **found = bsearch(&pointer, g->by_id, p->n, sizeof *g->by_id, by_pointed_id);
    const ws_listed *image = found ? &p->images[(*found)->image] : NULL;
    if (!image || !image->width || !image->height)
        return WSAM_OK;
    const wsam_status status = ws_coco_mask_read(&g->masks, &record->segmentation, image->height,
                                                 image->width, &scratch, &mask, &error);
    ws_text_arena_free(&scratch);
    if (status)
        return ws_records_fail(r, status, "%s", error.message);
    return ws_counts_text(&g->masks.rle, &(*found)->counts, &(*found)->counts_length)
               ? WSAM_OK
               : ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
}

static wsam_status read_masks(reading *g)
{
    ws_page *p = g->page;
    if (!p->n)
        return WSAM_OK;
    g->masks.max_pixels = MAX_PIXELS;
    g->by_id = malloc(p->n * sizeof *g->by_id);
    if (!g->by_id)
        return ws_no_memory(p->error, p->options->dataset);
    for (size_t i = 0; i < p->n; i++)
        g->by_id[i] = &p->shown[i];
    qsort(g->by_id, p->n, sizeof *g->by_id, by_pointed_id);
    const wsam_status status = read_records(g, 1u << WS_ANNOTATIONS, 1, take_mask);
    free(g->by_id);
    ws_coco_mask_reader_free(&g->masks);
    return status;
}

wsam_status ws_report_read(ws_page *p)
{
    reading g = {.page = p};
    wsam_status status = read_records(&g, 1u << WS_IMAGES | 1u << WS_CATEGORIES, 0, take_listed);
    if (status)
        return status;
    if (p->n_images)
        qsort(p->images, p->n_images, sizeof *p->images, by_id);
    if (p->n_categories)
        qsort(p->categories, p->n_categories, sizeof *p->categories, by_id);
    status = read_records(&g, 1u << WS_ANNOTATIONS, 0, take_annotation);
    if (!status)
        status = put_in_order(p);
    return status ? status : read_masks(&g);
}

void ws_report_free(ws_page *p)
{
    for (size_t i = 0; i < p->n_images; i++)
        free(p->images[i].name);
    for (size_t i = 0; i < p->n_categories; i++)
        free(p->categories[i].name);
    for (size_t i = 0; i < p->n; i++)
        free(p->shown[i].counts);
    free(p->images);
    free(p->categories);
    free(p->shown);
    free(p->order);
}
