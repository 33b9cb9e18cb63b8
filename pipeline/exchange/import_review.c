/* pipeline/exchange/import_review.c - the review that a page of weaksam report exports, as decisions.
 *
 *   {"checksum": "...", "ID": "accept" or "reject", ...,
 *    "classes": {"ID": "another class"},
 *    "drawn": [{"image": "a.jpg", "class": "nut", "bbox": [x, y, width, height]}],
 *    "images": {"a.jpg": {"review": "complete", "missing": true, "seconds": 12.5}}} */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/input.h"
#include "base/json_parse.h"
#include "base/json_writer.h"
#include "kernels/float_scope.h"
#include "pipeline/exchange/exchange.h"
#include "pipeline/stages/stages.h"

enum { MAX_FILE = 256 << 20 };

typedef struct marks {
    const char *path;
    cJSON *root;
    const cJSON *classes, *drawn, *images;
    const wsam_coco_document *d; /* what was reviewed */
    const char *dataset;
    wsam_review *review;
    ws_builder b;
    wsam_exchange_counts *counts;
} marks;

static wsam_status no_memory(const marks *m, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", m->path);
}

/* ---- objects ---- */

static wsam_status take_object(marks *m, const wsam_instance *from, wsam_reviewed reviewed,
                               wsam_error *error)
{
    wsam_instance a;
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)from->id);
    const cJSON *other = m->classes ? cJSON_GetObjectItemCaseSensitive(m->classes, id) : NULL;
    const char *name = cJSON_GetStringValue(other);
    if (!ws_instances_copy(from, &a))
        return no_memory(m, error);
    if (a.reviewed != reviewed || name) { /* the text says something else */
        free(a.json);
        a.json = NULL;
    }
    a.reviewed = reviewed;
    const wsam_status status = ws_document_add_class(
        &m->b, name ? name : m->d->class_names[from->class_index], &a.class_index, error);
    if (status) {
        ws_document_clear_instance(&a);
        return status;
    }
    m->counts->objects++;
    m->counts->restored += reviewed != WSAM_REVIEWED_REJECTED;
    m->counts->removed += reviewed == WSAM_REVIEWED_REJECTED;
    return ws_document_add_object(&m->b, &a, error);
}

/* Marks, and what the data set has of earlier reviews. */
static wsam_status take_marked(marks *m, size_t image, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (size_t k = m->d->first[image]; k < m->d->first[image + 1] && !status; k++) {
        const wsam_instance *a = &m->d->instances.items[k];
        const int said = wsam_review_of(m->review, a->id);
        wsam_reviewed reviewed = said < 0 ? WSAM_REVIEWED_REJECTED : a->reviewed;
        if (said > 0 && a->reviewed != WSAM_REVIEWED_DRAWN)
            reviewed = WSAM_REVIEWED_ACCEPTED;
        if (reviewed)
            status = take_object(m, a, reviewed, error);
    }
    return status;
}

static int is_drawn_in(const cJSON *item, const char *image)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "image"));
    return name && strcmp(name, image) == 0;
}

static wsam_status take_drawn(marks *m, const cJSON *item, const int size[2], wsam_error *error)
{
    wsam_instance a = {.score = 1, .reviewed = WSAM_REVIEWED_DRAWN};
    const cJSON *box = cJSON_GetObjectItemCaseSensitive(item, "bbox");
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "class"));
    for (int k = 0; k < 4; k++) {
        const cJSON *v = cJSON_GetArrayItem(box, k);
        a.bbox[k] = cJSON_IsNumber(v) ? v->valuedouble : NAN;
    }
    if (!name || !*name || !(a.bbox[2] > 0) || !(a.bbox[3] > 0) || !(a.bbox[0] < size[0]) ||
        !(a.bbox[1] < size[1]) || !(a.bbox[0] + a.bbox[2] > 0) || !(a.bbox[1] + a.bbox[3] > 0) ||
        !(a.bbox[2] <= 1e6) || !(a.bbox[3] <= 1e6))
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s: 'drawn' has an object without a class, or a box outside of its image",
                       m->path);
    a.area = a.bbox[2] * a.bbox[3];
    const wsam_status status = ws_document_add_class(&m->b, name, &a.class_index, error);
    if (status)
        return status;
    m->counts->objects++;
    m->counts->boxes++;
    return ws_document_add_object(&m->b, &a, error);
}

/* ---- images ---- */

static const cJSON *state_of(const marks *m, const char *image)
{
    return m->images ? cJSON_GetObjectItemCaseSensitive(m->images, image) : NULL;
}

static wsam_review_state review_of(const marks *m, size_t image, const cJSON *state)
{
    const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(state, "review"));
    if (word && strcmp(word, "complete") == 0)
        return WSAM_REVIEW_COMPLETE;
    return word && strcmp(word, "none") != 0 ? WSAM_REVIEW_PARTIAL : m->d->reviews[image];
}

/* Members that a served review writes, too. */
static char *members_of(const cJSON *state)
{
    ws_text t = {0};
    const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(state, "seconds");
    if (cJSON_IsNumber(seconds) && seconds->valuedouble >= 0 && seconds->valuedouble <= 1e7)
        ws_text_printf(&t, ",\"seconds\":%.6g", seconds->valuedouble);
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(state, "missing")))
        ws_text_printf(&t, ",\"missing\":true");
    if (t.failed || !t.n) {
        free(t.text);
        return NULL;
    }
    return t.text;
}

static wsam_status take_image(marks *m, size_t i, wsam_error *error)
{
    const cJSON *item, *state = state_of(m, m->d->file_names[i]);
    const int *size = &m->d->sizes[2 * i];
    wsam_status status = ws_document_add_image(&m->b, m->d->file_names[i], size[0], size[1], error);
    const size_t at = m->b.d->n_images - 1, before = m->b.d->instances.n;
    if (!status)
        m->b.d->image_ids[at] = m->d->image_ids[i];
    if (!status)
        status = take_marked(m, i, error);
    cJSON_ArrayForEach(item, m->drawn)
    {
        if (!status && is_drawn_in(item, m->d->file_names[i]))
            status = take_drawn(m, item, size, error);
    }
    if (status)
        return status;
    wsam_review_state review = review_of(m, i, state);
    if (review == WSAM_REVIEW_NONE && m->b.d->instances.n > before)
        review = WSAM_REVIEW_PARTIAL;
    ws_document_add_review(&m->b, review);
    m->b.d->more[at] = state ? members_of(state) : NULL;
    m->counts->images += review != WSAM_REVIEW_NONE;
    return WSAM_OK;
}

/* Whether anybody has looked at an image. */
static int is_looked_at(const marks *m, size_t i)
{
    const cJSON *item;
    int any = m->d->reviews[i] != WSAM_REVIEW_NONE || state_of(m, m->d->file_names[i]) != NULL;
    for (size_t k = m->d->first[i]; k < m->d->first[i + 1] && !any; k++)
        any = m->d->instances.items[k].reviewed ||
              wsam_review_of(m->review, m->d->instances.items[k].id);
    cJSON_ArrayForEach(item, m->drawn) any |= is_drawn_in(item, m->d->file_names[i]);
    return any;
}

static wsam_status take_all(marks *m, wsam_error *error)
{
    wsam_status status = ws_document_start(&m->b, error);
    for (size_t i = 0; i < m->d->n_classes && !status; i++) {
        int32_t index;
        status = ws_document_add_class(&m->b, m->d->class_names[i], &index, error);
        if (!status)
            m->b.d->class_ids[index] = m->d->class_ids[i];
    }
    for (size_t i = 0; i < m->d->instances.n; i++) /* new ones follow those that there are */
        if (m->d->instances.items[i].id >= m->b.next_id)
            m->b.next_id = m->d->instances.items[i].id + 1;
    for (size_t i = 0; i < m->d->n_images && !status; i++)
        if (is_looked_at(m, i))
            status = take_image(m, i, error);
    return status;
}

/* ---- the file ---- */

static wsam_status find_dataset(marks *m, const char *const *datasets, size_t n, wsam_error *error)
{
    const char *want = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(m->root, "checksum"));
    char own[17];
    for (size_t i = 0; i < n && want && !m->dataset; i++)
        if (!wsam_file_checksum(datasets[i], own, NULL) && strcmp(own, want) == 0)
            m->dataset = datasets[i];
    if (m->dataset)
        return WSAM_OK;
    return ws_fail(error, WSAM_ERR_MISMATCH,
                   "%s: is about a data set that is not there, or has changed since (checksum "
                   "%.20s)",
                   m->path, want ? want : "none");
}

int wsam_is_review(const char *path)
{
    char *text;
    size_t size;
    cJSON *root = NULL;
    if (ws_input_whole(path, MAX_FILE, &text, &size, NULL))
        return 0;
    const int good = !ws_json_parse(path, 0, text, size, &root, NULL) &&
                     cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "checksum"));
    cJSON_Delete(root);
    free(text);
    return good;
}

wsam_status wsam_import_review(const char *path, const char *const *datasets, size_t n,
                               wsam_coco_document **document, wsam_exchange_counts *counts,
                               wsam_error *error)
{
    WS_FLOAT_SCOPE;
    char *text = NULL;
    size_t size;
    wsam_exchange_counts own;
    wsam_coco_document *d = NULL;
    marks m = {.path = path, .counts = counts ? counts : &own};
    *m.counts = (wsam_exchange_counts){0};
    *document = NULL;
    wsam_status status = ws_input_whole(path, MAX_FILE, &text, &size, error);
    if (!status)
        status = ws_json_parse(path, 0, text, size, &m.root, error);
    if (!status)
        status = find_dataset(&m, datasets, n, error);
    if (!status)
        status = wsam_review_load(path, m.dataset, &m.review, error);
    if (!status)
        status = wsam_coco_load_masks(m.dataset, NULL, &d, error);
    if (!status) {
        m.d = d;
        m.classes = cJSON_GetObjectItemCaseSensitive(m.root, "classes");
        m.drawn = cJSON_GetObjectItemCaseSensitive(m.root, "drawn");
        m.images = cJSON_GetObjectItemCaseSensitive(m.root, "images");
        status = take_all(&m, error);
        *document = ws_document_finish(&m.b, status);
    }
    wsam_review_free(m.review);
    wsam_coco_free(d);
    cJSON_Delete(m.root);
    free(text);
    return status;
}
