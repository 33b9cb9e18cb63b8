/* pipeline/coco/truth_index.c - pictures and classes by id and by name. */
#include <stdlib.h>
#include <string.h>

#include "base/input.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/id_search.h"

/* ---- order ---- */

/* Ids with the place they had. */
typedef struct keyed {
    int64_t id;
    int32_t from;
} keyed;

static int by_id(const void *a, const void *b)
{
    const keyed *p = a, *q = b;
    return p->id != q->id ? (p->id > q->id) - (p->id < q->id)
                          : (p->from > q->from) - (p->from < q->from);
}

/* Where each element goes. Ids are unique: the reader of COCO files sees to it. */
static void order(keyed *keys, size_t n, int32_t *to)
{
    if (n)
        qsort(keys, n, sizeof *keys, by_id);
    for (size_t i = 0; i < n; i++)
        to[keys[i].from] = (int32_t)i;
}

static wsam_status sort_images(wsam_eval_truth *t, wsam_error *error)
{
    keyed *keys = malloc((t->n_images + 1) * sizeof *keys);
    int32_t *to = malloc((t->n_images + 1) * sizeof *to);
    ws_image *images = calloc(t->n_images + 1, sizeof *images);
    wsam_status status = keys && to && images ? WSAM_OK : ws_no_memory(error, t->path);
    for (size_t i = 0; i < t->n_images && !status; i++)
        keys[i] = (keyed){t->images[i].id, (int32_t)i};
    if (!status) {
        order(keys, t->n_images, to);
        for (size_t i = 0; i < t->n_images; i++)
            images[to[i]] = t->images[i];
        for (size_t i = 0; i < t->n_objects; i++)
            t->objects[i].image = to[t->objects[i].image];
        ws_image *old = t->images;
        t->images = images;
        t->image_capacity = t->n_images + 1;
        images = old;
    }
    free(keys);
    free(to);
    free(images);
    return status;
}

static wsam_status sort_categories(wsam_eval_truth *t, wsam_error *error)
{
    keyed *keys = malloc((t->n_categories + 1) * sizeof *keys);
    int32_t *to = malloc((t->n_categories + 1) * sizeof *to);
    ws_category *categories = calloc(t->n_categories + 1, sizeof *categories);
    wsam_status status = keys && to && categories ? WSAM_OK : ws_no_memory(error, t->path);
    for (size_t i = 0; i < t->n_categories && !status; i++)
        keys[i] = (keyed){t->categories[i].id, (int32_t)i};
    if (!status) {
        order(keys, t->n_categories, to);
        for (size_t i = 0; i < t->n_categories; i++)
            categories[to[i]] = t->categories[i];
        for (size_t i = 0; i < t->n_objects; i++)
            t->objects[i].category = to[t->objects[i].category];
        ws_category *old = t->categories;
        t->categories = categories;
        t->category_capacity = t->n_categories + 1;
        categories = old;
    }
    free(keys);
    free(to);
    free(categories);
    return status;
}

/* ---- names ---- */

static ws_stem stem_of(const char *name, int32_t image)
{
    const char *base = name;
    for (const char *at = name; *at; at++)
        base = *at == '/' || *at == '\\' ? at + 1 : base; /* files of Windows, too */
    const char *dot = strrchr(base, '.');
    const size_t n = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    return (ws_stem){name, base, n, image};
}

static int compare_texts(const ws_stem *p, const ws_stem *q)
{
    const size_t n = p->length < q->length ? p->length : q->length;
    const int order = memcmp(p->text, q->text, n);
    return order ? order : (p->length > q->length) - (p->length < q->length);
}

static int by_stem(const void *a, const void *b)
{
    const ws_stem *p = a, *q = b;
    const int order = compare_texts(p, q), names = strcmp(p->name, q->name);
    if (order || names)
        return order ? order : names;
    return (p->image > q->image) - (p->image < q->image);
}

static wsam_status index_stems(wsam_eval_truth *t, wsam_error *error)
{
    t->stems = malloc((t->n_images + 1) * sizeof *t->stems);
    if (!t->stems)
        return ws_no_memory(error, t->path);
    for (size_t i = 0; i < t->n_images; i++)
        if (t->images[i].name)
            t->stems[t->n_stems++] = stem_of(t->images[i].name, (int32_t)i);
    if (t->n_stems)
        qsort(t->stems, t->n_stems, sizeof *t->stems, by_stem);
    return WSAM_OK;
}

static int by_category_name(const void *a, const void *b)
{
    const ws_stem *p = a, *q = b;
    return strcmp(p->name, q->name);
}

static wsam_status index_categories(wsam_eval_truth *t, wsam_error *error)
{
    ws_stem *names = malloc((t->n_categories + 1) * sizeof *names);
    t->by_name = malloc((t->n_categories + 1) * sizeof *t->by_name);
    wsam_status status = names && t->by_name ? WSAM_OK : ws_no_memory(error, t->path);
    for (size_t i = 0; i < t->n_categories && !status; i++)
        names[i] = (ws_stem){.name = t->categories[i].name, .image = (int32_t)i};
    if (!status && t->n_categories)
        qsort(names, t->n_categories, sizeof *names, by_category_name);
    for (size_t i = 0; i < t->n_categories && !status; i++) {
        t->by_name[i] = names[i].image;
        if (i && strcmp(names[i].name, names[i - 1].name) == 0)
            status = ws_fail(error, WSAM_ERR_FORMAT, "%s: two categories are named '%s'", t->path,
                             names[i].name);
    }
    free(names);
    return status;
}

wsam_status ws_truth_index(wsam_eval_truth *t, wsam_error *error)
{
    wsam_status status = sort_images(t, error);
    if (!status)
        status = sort_categories(t, error);
    if (!status)
        status = index_stems(t, error);
    if (!status)
        status = index_categories(t, error);
    t->n_listed = t->n_images;
    return status;
}

/* ---- lookups ---- */

int32_t ws_truth_index_image(const wsam_eval_truth *t, int64_t id)
{
    const size_t n = t->n_images,
                 at = n ? ws_id_search(&t->images[0].id, n, sizeof *t->images, id) : 0;
    return at < n ? (int32_t)at : -1;
}

int32_t ws_truth_index_category(const wsam_eval_truth *t, int64_t id)
{
    const size_t n = t->n_categories,
                 at = n ? ws_id_search(&t->categories[0].id, n, sizeof *t->categories, id) : 0;
    return at < n ? (int32_t)at : -1;
}

int32_t ws_truth_index_category_name(const wsam_eval_truth *t, const char *name)
{
    size_t low = 0, high = t->n_categories;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int32_t k = t->by_name[middle];
        const int order = strcmp(t->categories[k].name, name);
        if (!order)
            return k;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* The first stem not below the key; `names` compares whole names where stems are equal. */
static size_t lower_bound(const wsam_eval_truth *t, const ws_stem *key, int names)
{
    size_t low = 0, high = t->n_stems;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        int order = compare_texts(&t->stems[middle], key);
        if (!order && names)
            order = strcmp(t->stems[middle].name, key->name);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t ws_truth_index_name(const wsam_eval_truth *t, const char *name)
{
    const ws_stem key = stem_of(name, -1), *stems = t->stems;
    const size_t exact = lower_bound(t, &key, 1), any = lower_bound(t, &key, 0), n = t->n_stems;
    if (exact < n && strcmp(stems[exact].name, name) == 0)
        return exact + 1 < n && strcmp(stems[exact + 1].name, name) == 0 ? -2 : stems[exact].image;
    if (any == n || compare_texts(&stems[any], &key) != 0)
        return -1;
    return any + 1 < n && compare_texts(&stems[any + 1], &key) == 0 ? -2 : stems[any].image;
}

/* ---- lists ---- */

/* The whole line, else what stands before its first space (VOC: a name and a number). */
static wsam_status list_line(wsam_eval_truth *t, const char *path, size_t line, char *text,
                             wsam_error *error)
{
    int32_t image = ws_truth_index_name(t, text);
    if (image == -1) {
        text[strcspn(text, " \t")] = 0;
        image = ws_truth_index_name(t, text);
    }
    if (image < 0)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s:%zu: '%s' %s %s", path, line, text,
                       image == -1 ? "is not among the images of"
                                   : "is the name of several images of",
                       t->path);
    if (t->images[image].listed)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s:%zu: '%s' is there twice", path, line, text);
    t->images[image].listed = 1;
    t->n_listed++;
    return WSAM_OK;
}

wsam_status ws_truth_list(wsam_eval_truth *t, const char *path, wsam_error *error)
{
    enum { LONGEST = 4096 };
    ws_text_lines *lines;
    char *text;
    size_t size;
    wsam_status status = ws_input_lines_open(path, LONGEST, &lines, error);
    if (status)
        return status;
    for (size_t i = 0; i < t->n_images; i++)
        t->images[i].listed = 0;
    t->n_listed = 0;
    do {
        status = ws_input_lines_next(lines, &text, &size, error);
        if (!status && text)
            status = list_line(t, path, (size_t)ws_input_lines_number(lines), text, error);
    } while (!status && text);
    ws_input_lines_close(lines);
    return status;
}
