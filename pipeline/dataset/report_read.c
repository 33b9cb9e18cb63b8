/* pipeline/dataset/report_read.c - a data set and the order in which it is shown. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base.h"
#include "pipeline/dataset/report.h"
#include "pipeline/file.h"

enum { MAX_FILE = 512 << 20, MAX_DEPTH = 32 };

static wsam_status bad(const ws_page *p, const char *what)
{
    return ws_fail(p->error, WSAM_ERR_FORMAT, "%s: %s", p->options->dataset, what);
}

static int number(const cJSON *object, const char *name, double *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
        return 0;
    *out = item->valuedouble;
    return 1;
}

static int whole(const cJSON *object, const char *name, int64_t *out)
{
    double v;
    if (!number(object, name, &v) || !(fabs(v) <= 9007199254740991.0) || v < floor(v) ||
        v > floor(v))
        return 0;
    *out = (int64_t)v;
    return 1;
}

/* cJSON recurses: brackets are counted first. */
static wsam_status parse(const char *path, cJSON **root, wsam_error *error)
{
    char *text;
    size_t size;
    int depth = 0, deepest = 0, in_string = 0;
    *root = NULL;
    wsam_status status = ws_read_whole(path, MAX_FILE, &text, &size, error);
    if (status)
        return status;
    for (size_t i = 0; i < size; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && (text[i] == '[' || text[i] == '{'))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!in_string && (text[i] == ']' || text[i] == '}'))
            depth--;
    }
    if (deepest <= MAX_DEPTH)
        *root = cJSON_ParseWithLength(text, size);
    free(text);
    return *root ? WSAM_OK : ws_fail(error, WSAM_ERR_FORMAT, "%s: not JSON", path);
}

/* ---- images and categories ---- */

static int by_id(const void *a, const void *b)
{
    const ws_listed *p = a, *q = b;
    return (p->id > q->id) - (p->id < q->id);
}

static wsam_status read_list(ws_page *p, const char *list, const char *name, ws_listed **out,
                             size_t *n)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(p->root, list), *item;
    if (!cJSON_IsArray(array))
        return bad(p, "not a data set with images, annotations and categories");
    *out = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof **out);
    if (!*out)
        return bad(p, "no memory");
    cJSON_ArrayForEach(item, array)
    {
        ws_listed *l = &(*out)[(*n)++];
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(item, name);
        double side;
        if (!whole(item, "id", &l->id) || !cJSON_IsString(text))
            return bad(p, "an image or category without id and name");
        l->name = text->valuestring;
        l->thumbnail = SIZE_MAX;
        l->width = number(item, "width", &side) && side >= 1 && side <= 65535 ? (int)side : 0;
        l->height = number(item, "height", &side) && side >= 1 && side <= 65535 ? (int)side : 0;
    }
    if (*n)
        qsort(*out, *n, sizeof **out, by_id);
    return WSAM_OK;
}

static int find(const ws_listed *list, size_t n, const cJSON *item, const char *field, size_t *at)
{
    ws_listed key = {0};
    if (!n || !whole(item, field, &key.id))
        return 0;
    const ws_listed *l = bsearch(&key, list, n, sizeof *list, by_id);
    *at = l ? (size_t)(l - list) : 0;
    return l != NULL;
}

/* ---- annotations ---- */

static const char *counts_of(const cJSON *item)
{
    const cJSON *s = cJSON_GetObjectItemCaseSensitive(item, "segmentation");
    const cJSON *counts = cJSON_IsObject(s) ? cJSON_GetObjectItemCaseSensitive(s, "counts") : NULL;
    return cJSON_IsString(counts) ? counts->valuestring : NULL;
}

static wsam_status read_annotation(ws_page *p, const cJSON *item)
{
    ws_shown *s = &p->shown[p->n];
    const cJSON *box = cJSON_GetObjectItemCaseSensitive(item, "bbox");
    if (!whole(item, "id", &s->id) || cJSON_GetArraySize(box) != 4)
        return bad(p, "an annotation without id or bbox");
    if (!find(p->images, p->n_images, item, "image_id", &s->image) ||
        !find(p->categories, p->n_categories, item, "category_id", &s->category))
        return bad(p, "an annotation of an image or category that is not there");
    for (int i = 0; i < 4; i++) {
        const cJSON *v = cJSON_GetArrayItem(box, i);
        if (!cJSON_IsNumber(v) || !(fabs(v->valuedouble) <= 1e6))
            return bad(p, "a bbox that is not four numbers");
        s->bbox[i] = v->valuedouble;
    }
    if (!number(item, "score", &s->score))
        s->score = NAN;
    if (!number(item, "confidence", &s->confidence))
        s->confidence = NAN;
    s->counts = counts_of(item);
    s->rank = SIZE_MAX;
    s->doubt = isnan(s->confidence) ? s->score : s->confidence;
    s->doubt = isnan(s->doubt) ? 0 : s->doubt;
    p->n++;
    return WSAM_OK;
}

static wsam_status read_annotations(ws_page *p)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(p->root, "annotations"), *item;
    wsam_status status = WSAM_OK;
    if (!cJSON_IsArray(array))
        return bad(p, "not a data set with images, annotations and categories");
    p->shown = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof *p->shown);
    if (!p->shown)
        return bad(p, "no memory");
    cJSON_ArrayForEach(item, array)
    {
        if (!status)
            status = read_annotation(p, item);
    }
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

/* Suspects are ids or objects that have one; ids that the data set does not have are passed over.
 */
static wsam_status rank_suspects(ws_page *p)
{
    cJSON *root;
    const cJSON *list, *item;
    size_t rank = 0;
    if (!p->options->suspects || !p->n)
        return WSAM_OK;
    const wsam_status status = parse(p->options->suspects, &root, p->error);
    if (status)
        return status;
    list = cJSON_IsObject(root) ? cJSON_GetObjectItemCaseSensitive(root, "suspects") : root;
    const int good = cJSON_IsArray(list);
    cJSON_ArrayForEach(item, list)
    {
        ws_shown key = {0};
        const int object = whole(item, "annotation_id", &key.id) || whole(item, "id", &key.id);
        if (!object && cJSON_IsNumber(item) && fabs(item->valuedouble) <= 9007199254740991.0)
            key.id = (int64_t)item->valuedouble;
        ws_shown *s = bsearch(&key, p->shown, p->n, sizeof *p->shown, by_shown_id);
        if (s && s->rank == SIZE_MAX)
            s->rank = rank++;
    }
    cJSON_Delete(root);
    return good ? WSAM_OK
                : ws_fail(p->error, WSAM_ERR_FORMAT, "%s: not a list of annotations",
                          p->options->suspects);
}

wsam_status ws_report_read(ws_page *p)
{
    wsam_status status = parse(p->options->dataset, &p->root, p->error);
    if (!status)
        status = read_list(p, "images", "file_name", &p->images, &p->n_images);
    if (!status)
        status = read_list(p, "categories", "name", &p->categories, &p->n_categories);
    if (!status)
        status = read_annotations(p);
    if (status)
        return status;
    if (p->n)
        qsort(p->shown, p->n, sizeof *p->shown, by_shown_id);
    for (size_t i = 1; i < p->n; i++)
        if (p->shown[i].id == p->shown[i - 1].id)
            return bad(p, "two annotations of one id");
    status = rank_suspects(p);
    if (!status && p->n)
        qsort(p->shown, p->n, sizeof *p->shown, by_doubt);
    if (p->n > p->options->most) {
        p->summary.left_out = p->n - p->options->most;
        p->n = p->options->most;
    }
    return status;
}

void ws_report_free(ws_page *p)
{
    cJSON_Delete(p->root);
    free(p->images);
    free(p->categories);
    free(p->shown);
}
