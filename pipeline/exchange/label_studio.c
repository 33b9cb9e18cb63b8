/* pipeline/exchange/label_studio.c - Label Studio: tasks.json with predictions to look at, and the
 * labelling configuration that shows them; back, its export in JSON with annotations.
 *
 * Masks are brush labels (label_studio_rle.h), boxes are rectangles and polygons are polygons, both
 * in per cent of the image. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "pipeline/coco/outline.h"
#include "pipeline/exchange/exchange_json.h"
#include "pipeline/exchange/formats.h"
#include "pipeline/exchange/label_studio_rle.h"

/* ---- writing ---- */

static wsam_status put_value(ws_text *t, const wsam_instance *a, int width, int height,
                             wsam_error *error)
{
    if (!a->counts) {
        ws_text_printf(t, "\"x\":%.10g,\"y\":%.10g,\"width\":%.10g,\"height\":%.10g,\"rotation\":0",
                       100 * a->bbox[0] / width, 100 * a->bbox[1] / height,
                       100 * a->bbox[2] / width, 100 * a->bbox[3] / height);
        return WSAM_OK;
    }
    uint8_t *rows = ws_outline_bytes_of_mask(a, height, width);
    if (!rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    ws_text_printf(t, "\"format\":\"rle\",\"rle\":");
    ws_label_studio_rle_put(t, rows, (size_t)height * (size_t)width);
    free(rows);
    return WSAM_OK;
}

/* One region. Its id ties it to the object: "weaksam-ID". */
static wsam_status put_region(ws_text *t, const ws_export *e, const wsam_instance *a, int width,
                              int height, wsam_error *error)
{
    const char *kind = a->counts ? "brush" : "rectangle";
    const char *name = e->d->class_names[a->class_index];
    ws_text_printf(t,
                   "{\"id\":\"weaksam-%lld\",\"type\":\"%slabels\",\"from_name\":\"%s\","
                   "\"to_name\":\"image\",\"original_width\":%d,\"original_height\":%d,"
                   "\"image_rotation\":0,\"score\":%.9g,\"value\":{",
                   (long long)a->id, kind, kind, width, height, a->score);
    const wsam_status status = put_value(t, a, width, height, error);
    ws_text_printf(t, ",\"%slabels\":[", kind);
    ws_json_string(t, name);
    ws_text_put(t, "]}}", 3);
    return status;
}

static wsam_status write_task(ws_export *e, size_t i, FILE *f, int first, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    ws_text t = {0};
    wsam_status status = WSAM_OK;
    int any = 0;
    ws_text_printf(&t, "%s{\"id\":%zu,\"data\":{\"image\":", first ? "" : ",\n", i + 1);
    ws_json_string(&t, d->file_names[i]);
    ws_text_printf(&t, "},\"predictions\":[{\"model_version\":\"weaksam %s\",\"result\":[",
                   wsam_version());
    for (size_t k = d->first[i]; k < d->first[i + 1] && !status; k++) {
        const wsam_instance *a = &d->instances.items[k];
        if (!ws_export_wanted(e, a))
            continue;
        ws_text_put(&t, ",\n", any ? 2 : 0);
        status = put_region(&t, e, a, d->sizes[2 * i], d->sizes[2 * i + 1], error);
        e->counts->objects++;
        e->counts->boxes += !a->counts;
        any = 1;
    }
    ws_text_printf(&t, "]}]}");
    if (!status && t.failed)
        status = ws_fail(error, WSAM_ERR_MEMORY, "tasks.json: no memory");
    if (!status && fwrite(t.text, 1, t.n, f) != t.n)
        status = ws_fail(error, WSAM_ERR_IO, "%s/tasks.json: writing failed", e->folder);
    free(t.text);
    return status;
}

static wsam_status write_config(ws_export *e, wsam_error *error)
{
    static const char *const kinds[] = {"Brush", "Rectangle", "Polygon"};
    static const char *const names[] = {"brush", "rectangle", "polygon"};
    ws_text t = {0};
    ws_text_printf(&t, "<View>\n  <Image name=\"image\" value=\"$image\" zoom=\"true\"/>\n");
    for (int k = 0; k < 3; k++) {
        ws_text_printf(&t, "  <%sLabels name=\"%s\" toName=\"image\">\n", kinds[k], names[k]);
        for (size_t i = 0; i < e->d->n_classes; i++) {
            ws_text_printf(&t, "    <Label value=\"");
            ws_text_xml(&t, e->d->class_names[i]);
            ws_text_printf(&t, "\"/>\n");
        }
        ws_text_printf(&t, "  </%sLabels>\n", kinds[k]);
    }
    ws_text_printf(&t, "</View>\n");
    const wsam_status status = ws_export_file(e, "label_config.xml", &t, error);
    free(t.text);
    return status;
}

static wsam_status write_label_studio(ws_export *e, wsam_error *error)
{
    wsam_error own = {0};
    int first = 1;
    if (!error)
        error = &own;
    FILE *f = ws_export_open(e, "tasks.json", error);
    if (!f)
        return error->status ? error->status : WSAM_ERR_IO;
    wsam_status status = WSAM_OK;
    fputs("[", f);
    for (size_t i = 0; i < e->d->n_images && !status; i++)
        if (e->chosen[i]) {
            status = write_task(e, i, f, first, error);
            first = 0;
        }
    fputs("]\n", f);
    if (!status)
        status = ws_outputs_close(&e->out, error);
    return status ? status : write_config(e, error);
}

/* ---- reading ---- */

typedef struct task_reader {
    ws_import *in;
    const char *file;
    size_t task;
    int width, height;
    ws_polygons polygons;
} task_reader;

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static wsam_status read_rectangle(const task_reader *r, const cJSON *value, wsam_instance *a,
                                  wsam_error *error)
{
    static const char *const keys[4] = {"x", "y", "width", "height"};
    const double rotation = number_of(value, "rotation");
    for (int k = 0; k < 4; k++) {
        const double v = number_of(value, keys[k]);
        if (!isfinite(v) || (k > 1 && v < 0))
            return ws_fail(error, WSAM_ERR_FORMAT, "a rectangle without '%s'", keys[k]);
        a->bbox[k] = v / 100 * (k % 2 ? r->height : r->width);
    }
    if (isfinite(rotation) && fabs(rotation) > 0) {
        /* around its top left corner; the box around it is what a box can hold */
        const double t = rotation * acos(-1.0) / 180, w = a->bbox[2], h = a->bbox[3];
        const double x[4] = {0, w * cos(t), -h * sin(t), w * cos(t) - h * sin(t)};
        const double y[4] = {0, w * sin(t), h * cos(t), w * sin(t) + h * cos(t)};
        double low[2] = {0, 0}, high[2] = {0, 0};
        for (int k = 1; k < 4; k++) {
            low[0] = fmin(low[0], x[k]), high[0] = fmax(high[0], x[k]);
            low[1] = fmin(low[1], y[k]), high[1] = fmax(high[1], y[k]);
        }
        for (int k = 0; k < 2; k++) {
            a->bbox[k] += low[k];
            a->bbox[2 + k] = high[k] - low[k];
        }
    }
    return WSAM_OK;
}

static wsam_status read_polygon(task_reader *r, const cJSON *value, wsam_instance *a,
                                wsam_error *error)
{
    const cJSON *points = cJSON_GetObjectItemCaseSensitive(value, "points"), *p;
    wsam_status status = WSAM_OK;
    ws_outline_polygons_clear(&r->polygons);
    cJSON_ArrayForEach(p, points)
    {
        const cJSON *x = cJSON_GetArrayItem(p, 0), *y = cJSON_GetArrayItem(p, 1);
        if (!cJSON_IsNumber(x) || !cJSON_IsNumber(y))
            return ws_fail(error, WSAM_ERR_FORMAT, "a point is not [x, y]");
        if (!status)
            status = ws_outline_polygons_point(&r->polygons, x->valuedouble / 100 * r->width,
                                               y->valuedouble / 100 * r->height, error);
    }
    if (!status)
        status = ws_outline_polygons_end(&r->polygons, error);
    return status ? status : ws_outline_polygons_mask(&r->polygons, r->height, r->width, a, error);
}

static wsam_status read_brush(const task_reader *r, const cJSON *value, wsam_instance *a,
                              wsam_error *error)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(value, "rle"), *item;
    const size_t pixels = (size_t)r->width * (size_t)r->height;
    const size_t n = list ? (size_t)cJSON_GetArraySize(list) : 0;
    uint8_t *bytes = malloc(n + 1), *rows = calloc(pixels, 1);
    wsam_status status = WSAM_OK;
    size_t at = 0;
    if (!bytes || !rows)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    cJSON_ArrayForEach(item, list)
    {
        if (!status &&
            (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) || item->valuedouble > 255))
            status = ws_fail(error, WSAM_ERR_FORMAT, "a brush mask needs numbers from 0 to 255");
        if (!status)
            bytes[at++] = (uint8_t)item->valuedouble;
    }
    if (!status)
        status = ws_label_studio_rle_read(bytes, at, rows, pixels, error);
    if (!status)
        status = ws_outline_mask_of_bytes(rows, r->height, r->width, a, error);
    free(bytes);
    free(rows);
    return status;
}

/* The object of weaksam.json that a region was written from: by its id and area. */
static const wsam_instance *find_side(task_reader *r, const cJSON *region, const char *name,
                                      const wsam_instance *a)
{
    const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(region, "id"));
    const wsam_instance *side;
    const size_t n = ws_import_side(r->in, &side);
    for (size_t i = 0; i < n; i++) {
        char own[40];
        snprintf(own, sizeof own, "weaksam-%lld", (long long)side[i].id);
        if (id && strcmp(own, id) == 0 && ws_import_same(r->in, &side[i], name, a))
            return &side[i];
    }
    return NULL;
}

static const char *label_of(const cJSON *value, const char *key)
{
    return cJSON_GetStringValue(
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(value, key), 0));
}

static wsam_status read_region(task_reader *r, const cJSON *region, wsam_error *error)
{
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(region, "type"));
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(region, "value");
    const char *name = type ? label_of(value, type) : NULL;
    wsam_instance a = {.score = 1};
    wsam_status status = WSAM_OK;
    if (name && strcmp(type, "rectanglelabels") == 0)
        status = read_rectangle(r, value, &a, error);
    else if (name && strcmp(type, "polygonlabels") == 0)
        status = read_polygon(r, value, &a, error);
    else if (name && strcmp(type, "brushlabels") == 0)
        status = read_brush(r, value, &a, error);
    else
        r->in->counts->skipped++; /* choices, key points, regions without a label */
    if (status)
        free(a.counts);
    if (status || !name || (a.bbox[2] <= 0 && !a.counts))
        return status;
    const wsam_instance *side = find_side(r, region, name, &a);
    if (!side)
        return ws_import_object(r->in, name, &a, error);
    free(a.counts);
    return ws_import_restore(r->in, side, error);
}

/* The newest annotation that was not cancelled; without one, what was predicted. */
static const cJSON *answer_of(const cJSON *task)
{
    static const char *const lists[] = {"annotations", "completions", "predictions"};
    const cJSON *found = NULL, *item;
    for (int k = 0; k < 3 && !found; k++)
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(task, lists[k]))
        {
            if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "was_cancelled")))
                found = item;
        }
    return cJSON_GetObjectItemCaseSensitive(found, "result");
}

/* "/data/local-files/?d=a/b.jpg", "/data/upload/3/1a2b3c4d-b.jpg", URLs, or the name itself. */
static const char *image_of(const cJSON *task)
{
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(task, "data");
    const char *image = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, "image"));
    const cJSON *item;
    cJSON_ArrayForEach(item, data)
    {
        if (!image)
            image = cJSON_GetStringValue(item);
    }
    const char *query = image ? strstr(image, "?d=") : NULL;
    return query ? query + 3 : image;
}

static wsam_status read_task(task_reader *r, const cJSON *task, wsam_error *error)
{
    const cJSON *result = answer_of(task), *region;
    const char *image = image_of(task);
    int known = 0;
    r->width = r->height = 0;
    cJSON_ArrayForEach(region, result)
    {
        r->width = r->width ? r->width : ws_exchange_json_side(region, "original_width");
        r->height = r->height ? r->height : ws_exchange_json_side(region, "original_height");
    }
    if (!image)
        return ws_fail(error, WSAM_ERR_FORMAT, "no image in 'data'");
    wsam_status status = ws_import_image(r->in, image, &r->width, &r->height, &known, error);
    if (status || !known)
        return status;
    cJSON_ArrayForEach(region, result)
    {
        if (!status)
            status = read_region(r, region, error);
    }
    return status;
}

static char *tasks_of(const char *path, int is_folder)
{
    const size_t size = strlen(path) + 12;
    char *file = malloc(size);
    if (file)
        snprintf(file, size, is_folder ? "%s/tasks.json" : "%s", path);
    return file;
}

static wsam_status read_label_studio(ws_import *in, wsam_error *error)
{
    char *file = tasks_of(in->path, in->is_folder);
    task_reader r = {.in = in, .file = file};
    cJSON *root = NULL;
    const cJSON *task;
    wsam_error inner = {0};
    if (!file)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", in->path);
    wsam_status status = ws_exchange_json(file, &root, error);
    if (!status && !cJSON_IsArray(root))
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: expected a list of tasks", file);
    cJSON_ArrayForEach(task, root)
    {
        if (status)
            break;
        status = read_task(&r, task, &inner);
        if (status)
            ws_fail(error, status, "%s: task %zu: %s", file, r.task, inner.message);
        r.task++;
    }
    cJSON_Delete(root);
    ws_outline_polygons_free(&r.polygons);
    free(file);
    return status;
}

static int found_label_studio(const char *path, int is_folder, wsam_error *failure)
{
    char *file = tasks_of(path, is_folder);
    const int found = file && ws_exchange_json_mentions(file, "\"data\"", failure) &&
                      (ws_exchange_json_mentions(file, "\"annotations\"", failure) ||
                       ws_exchange_json_mentions(file, "\"predictions\"", failure) ||
                       ws_exchange_json_mentions(file, "\"completions\"", failure)) &&
                      !ws_exchange_json_mentions(file, "\"categories\"", failure);
    if (!file)
        ws_no_memory(failure, path);
    free(file);
    return found;
}

const ws_format ws_format_label_studio = {"label-studio", write_label_studio, found_label_studio,
                                          read_label_studio};
