/* pipeline/exchange/labelme.c - LabelMe: a JSON file per image.
 *
 * A mask of one part without holes is a polygon, which people can edit; others are shapes of the
 * kind "mask": a box and a grey PNG of it in base64. Points count from the corner of a pixel. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json_writer.h"
#include "pipeline/coco/outline.h"
#include "pipeline/exchange/exchange_json.h"
#include "pipeline/exchange/formats.h"
#include "pipeline/exchange/labelme_mask.h"

/* ---- writing ---- */

static void put_polygon(ws_text *t, const ws_outline *o)
{
    ws_text_printf(t, "\"shape_type\":\"polygon\",\"points\":[");
    for (size_t i = 0; i < o->rings[0].points; i++)
        ws_text_printf(t, "%s[%d,%d]", i ? "," : "", (int)o->xy[2 * i], (int)o->xy[2 * i + 1]);
    ws_text_put(t, "]", 1);
}

static wsam_status put_shape(ws_text *t, const ws_export *e, const wsam_instance *a, int width,
                             int height, wsam_error *error)
{
    ws_outline o = {0};
    const char *name = e->d->class_names[a->class_index],
               *reviewed = ws_document_reviewed_name(a->reviewed);
    wsam_status status = a->counts ? ws_outline_of(a, height, width, &o, error) : WSAM_OK;
    ws_text_printf(t, "{\"label\":");
    ws_json_string(t, name);
    ws_text_printf(t, ",\"group_id\":null,\"description\":\"\",\"flags\":{");
    if (reviewed)
        ws_text_printf(t, "\"%s\":true", reviewed);
    ws_text_printf(t, "},");
    if (status)
        return status;
    if (!a->counts)
        ws_text_printf(t, "\"shape_type\":\"rectangle\",\"points\":[[%.10g,%.10g],[%.10g,%.10g]]",
                       a->bbox[0], a->bbox[1], a->bbox[0] + a->bbox[2], a->bbox[1] + a->bbox[3]);
    else if (o.n == 1)
        put_polygon(t, &o);
    else
        status = ws_labelme_mask_put(t, a, width, height, error);
    ws_text_put(t, "}", 1);
    ws_outline_free(&o);
    return status;
}

/* `imagePath` leads from the JSON file, which lies in the same subfolder, to the image. */
static wsam_status write_image(ws_export *e, size_t i, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    const char *slash = strrchr(d->file_names[i], '/');
    const char *base = slash ? slash + 1 : d->file_names[i];
    char *name;
    ws_text t = {0};
    int any = 0;
    wsam_status status = ws_export_name("", d->file_names[i], ".json", &name, error);
    ws_text_printf(&t, "{\"version\":\"5.5.0\",\"flags\":{%s},\"shapes\":[\n",
                   ws_document_complete(d, i) ? "\"complete\":true" : "");
    for (size_t k = d->first[i]; k < d->first[i + 1] && !status; k++) {
        const wsam_instance *a = &d->instances.items[k];
        if (!ws_export_wanted(e, a))
            continue;
        ws_text_put(&t, ",\n", any ? 2 : 0);
        status = put_shape(&t, e, a, d->sizes[2 * i], d->sizes[2 * i + 1], error);
        e->counts->objects++;
        e->counts->boxes += !a->counts;
        any = 1;
    }
    ws_text_printf(&t, "\n],\"imagePath\":");
    ws_json_string(&t, base);
    ws_text_printf(&t, ",\"imageData\":null,\"imageHeight\":%d,\"imageWidth\":%d}\n",
                   d->sizes[2 * i + 1], d->sizes[2 * i]);
    if (!status)
        status = ws_export_file(e, name, &t, error);
    free(t.text);
    free(name);
    return status;
}

static wsam_status write_labelme(ws_export *e, wsam_error *error)
{
    wsam_status status = ws_export_unique(e, "", ".json", error);
    for (size_t i = 0; i < e->d->n_images && !status; i++)
        if (e->chosen[i])
            status = write_image(e, i, error);
    return status;
}

/* ---- reading ---- */

typedef struct labelme {
    ws_import *in;
    const char *file;
    int width, height;
    ws_polygons polygons;
} labelme;

static wsam_status bad(const labelme *l, int shape, const char *what, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_FORMAT, "%s: shapes[%d]: %s", l->file, shape, what);
}

static wsam_status read_points(labelme *l, const cJSON *points, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    const cJSON *p;
    ws_outline_polygons_clear(&l->polygons);
    cJSON_ArrayForEach(p, points)
    {
        const cJSON *x = cJSON_GetArrayItem(p, 0), *y = cJSON_GetArrayItem(p, 1);
        if (!cJSON_IsNumber(x) || !cJSON_IsNumber(y))
            return ws_fail(error, WSAM_ERR_FORMAT, "a point is not [x, y]");
        if (!status)
            status = ws_outline_polygons_point(&l->polygons, x->valuedouble, y->valuedouble, error);
    }
    return status;
}

/* The box between two points, or the circle around the first through the second. */
static wsam_status two_points(labelme *l, int circle, wsam_instance *a, wsam_error *error)
{
    enum { CORNERS = 64 };
    const double *xy = l->polygons.s.numbers;
    if (l->polygons.s.n != 4)
        return ws_fail(error, WSAM_ERR_FORMAT, "expected two points");
    const double from[2] = {xy[0], xy[1]}, to[2] = {xy[2], xy[3]};
    if (!circle) {
        for (int k = 0; k < 2; k++) {
            a->bbox[k] = fmin(from[k], to[k]);
            a->bbox[2 + k] = fabs(to[k] - from[k]);
        }
        return WSAM_OK;
    }
    const double radius = hypot(to[0] - from[0], to[1] - from[1]), pi = acos(-1.0);
    wsam_status status = WSAM_OK;
    ws_outline_polygons_clear(&l->polygons);
    for (int k = 0; k < CORNERS && !status; k++)
        status =
            ws_outline_polygons_point(&l->polygons, from[0] + radius * cos(2 * pi * k / CORNERS),
                                      from[1] + radius * sin(2 * pi * k / CORNERS), error);
    if (!status)
        status = ws_outline_polygons_end(&l->polygons, error);
    return status ? status : ws_outline_polygons_mask(&l->polygons, l->height, l->width, a, error);
}

/* The area of a shape; *skip: a kind that has none. */
static wsam_status read_area(labelme *l, const cJSON *shape, wsam_instance *a, int *skip,
                             wsam_error *error)
{
    const char *kind = cJSON_GetStringValue(cJSON_GetObjectItem(shape, "shape_type"));
    wsam_status status = read_points(l, cJSON_GetObjectItem(shape, "points"), error);
    *skip = 0;
    if (status)
        return status;
    if (!kind || strcmp(kind, "polygon") == 0) {
        status = ws_outline_polygons_end(&l->polygons, error);
        return status ? status
                      : ws_outline_polygons_mask(&l->polygons, l->height, l->width, a, error);
    }
    if (strcmp(kind, "rectangle") == 0 || strcmp(kind, "circle") == 0)
        return two_points(l, *kind == 'c', a, error);
    if (strcmp(kind, "mask") == 0)
        return ws_labelme_mask_take(cJSON_GetObjectItem(shape, "mask"), l->polygons.s.numbers,
                                    l->polygons.s.n, l->width, l->height, a, error);
    *skip = 1; /* point, line, linestrip, points */
    return WSAM_OK;
}

static wsam_reviewed reviewed_of(const cJSON *shape)
{
    const cJSON *flags = cJSON_GetObjectItem(shape, "flags"), *flag;
    cJSON_ArrayForEach(flag, flags)
    {
        const wsam_reviewed reviewed =
            cJSON_IsTrue(flag) ? ws_document_reviewed_of(flag->string) : WSAM_REVIEWED_NO;
        if (reviewed)
            return reviewed;
    }
    return WSAM_REVIEWED_NO;
}

static wsam_status read_shape(labelme *l, const cJSON *shape, int number, wsam_error *error)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(shape, "label"));
    wsam_instance a = {.score = 1};
    wsam_error inner = {0};
    int skip;
    if (!name || !*name)
        return bad(l, number, "no 'label'", error);
    wsam_status status = read_area(l, shape, &a, &skip, &inner);
    if (status) {
        free(a.counts);
        return ws_fail(error, status, "%s: shapes[%d]: %s", l->file, number, inner.message);
    }
    if (skip) {
        l->in->counts->skipped++;
        return WSAM_OK;
    }
    a.reviewed = reviewed_of(shape);
    const wsam_instance *side = ws_import_find(l->in, name, &a);
    if (!side)
        return ws_import_object(l->in, name, &a, error);
    free(a.counts);
    return ws_import_restore(l->in, side, error);
}

static int size_of(const cJSON *root, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(root, key);
    return cJSON_IsNumber(item) && item->valuedouble >= 1 && item->valuedouble <= 65535
               ? (int)item->valuedouble
               : 0;
}

/* imagePath counts from the folder of the JSON file; without one the image has the file's stem. */
static char *image_of(const cJSON *root, const char *file)
{
    const char *image = cJSON_GetStringValue(cJSON_GetObjectItem(root, "imagePath"));
    const char *slash = strrchr(file, '/');
    const size_t folder = slash && image && *image != '/' ? (size_t)(slash - file) + 1 : 0;
    if (!image || !*image)
        return strdup(file);
    char *name = malloc(folder + strlen(image) + 1);
    if (name)
        sprintf(name, "%.*s%s", (int)folder, file, image);
    return name;
}

static wsam_status read_root(labelme *l, const cJSON *root, const char *file, wsam_error *error)
{
    char *image;
    const cJSON *shapes = cJSON_GetObjectItem(root, "shapes"), *shape;
    int known = 0, number = 0;
    l->width = size_of(root, "imageWidth");
    l->height = size_of(root, "imageHeight");
    if (!cJSON_IsArray(shapes))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: no 'shapes'", l->file);
    if (!(image = image_of(root, file)))
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", l->file);
    wsam_status status = ws_import_image(l->in, image, &l->width, &l->height, &known, error);
    free(image);
    if (status || !known)
        return status;
    cJSON_ArrayForEach(shape, shapes)
    {
        if (!status)
            status = read_shape(l, shape, number++, error);
    }
    return status;
}

static wsam_status read_file(ws_import *in, const char *folder, const char *name, wsam_error *error)
{
    labelme l = {.in = in};
    cJSON *root = NULL;
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", name);
    snprintf(path, size, folder[0] ? "%s/%s" : "%s%s", folder, name);
    l.file = path;
    wsam_status status = ws_exchange_json(path, &root, error);
    if (!status)
        status = read_root(&l, root, name, error);
    cJSON_Delete(root);
    ws_outline_polygons_free(&l.polygons);
    free(path);
    return status;
}

static wsam_status read_labelme(ws_import *in, wsam_error *error)
{
    char **names = NULL;
    size_t n = 0;
    if (!in->is_folder)
        return read_file(in, "", in->path, error);
    wsam_status status = ws_import_list(in->path, ".json", &names, &n, error);
    for (size_t i = 0; i < n && !status; i++)
        if (strcmp(names[i], "weaksam.json") != 0)
            status = read_file(in, in->path, names[i], error);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return status;
}

/* The first JSON file, or the file itself, has shapes. */
static int found_labelme(const char *path, int is_folder, wsam_error *failure)
{
    char **names = NULL;
    size_t n = 0;
    int found = 0;
    if (!is_folder)
        return ws_exchange_json_mentions(path, "\"shapes\"", failure) &&
               ws_exchange_json_mentions(path, "imagePath", failure);
    if (!ws_import_list(path, ".json", &names, &n, failure))
        for (size_t i = 0; i < n && !found; i++) {
            const size_t size = strlen(path) + strlen(names[i]) + 2;
            char *file = malloc(size);
            if (file) {
                snprintf(file, size, "%s/%s", path, names[i]);
                found = strcmp(names[i], "weaksam.json") != 0 &&
                        ws_exchange_json_mentions(file, "\"shapes\"", failure) &&
                        ws_exchange_json_mentions(file, "imagePath", failure);
            } else {
                ws_no_memory(failure, path);
            }
            free(file);
        }
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return found;
}

const ws_format ws_format_labelme = {"labelme", write_labelme, found_labelme, read_labelme};
