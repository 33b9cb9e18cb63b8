/* pipeline/exchange/yolo.c - YOLO segmentation: data.yaml, and a line of text per object:
 *
 *   CLASS x y x y ...     a polygon in shares of the image's width and height
 *   CLASS x y w h         a box: centre and size
 *
 * A mask of several parts or with holes is one polygon with bridges (outline.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/locale.h"
#include "pipeline/coco/outline.h"
#include "pipeline/exchange/exchange.h"
#include "pipeline/exchange/formats.h"
#include "pipeline/exchange/yolo_yaml.h"

enum { MAX_FILE = 256 << 20 };

/* ---- writing ---- */

/* One line. Ten digits: a corner of a pixel comes back to 1e-5 of a pixel. */
static wsam_status put_object(ws_text *t, const wsam_instance *a, int width, int height,
                              wsam_error *error)
{
    ws_text_printf(t, "%d", (int)a->class_index);
    if (!a->counts) {
        ws_text_printf(t, " %.10g %.10g %.10g %.10g\n", (a->bbox[0] + a->bbox[2] / 2) / width,
                       (a->bbox[1] + a->bbox[3] / 2) / height, a->bbox[2] / width,
                       a->bbox[3] / height);
        return WSAM_OK;
    }
    ws_outline o;
    int32_t *xy = NULL;
    size_t n = 0;
    wsam_status status = ws_outline_of(a, height, width, &o, error);
    if (!status)
        status = ws_outline_bridged(&o, &xy, &n, error);
    for (size_t i = 0; i < n && !status; i++)
        ws_text_printf(t, " %.10g %.10g", xy[2 * i] / (double)width,
                       xy[2 * i + 1] / (double)height);
    ws_text_put(t, "\n", 1);
    free(xy);
    ws_outline_free(&o);
    return status;
}

static wsam_status write_image(ws_export *e, size_t i, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    char *name;
    ws_text t = {0};
    wsam_status status = ws_export_name("labels/", d->file_names[i], ".txt", &name, error);
    for (size_t k = d->first[i]; k < d->first[i + 1] && !status; k++) {
        const wsam_instance *a = &d->instances.items[k];
        if (!ws_export_wanted(e, a))
            continue;
        status = put_object(&t, a, d->sizes[2 * i], d->sizes[2 * i + 1], error);
        e->counts->objects++;
        e->counts->boxes += !a->counts;
    }
    if (!status)
        status = ws_export_file(e, name, &t, error);
    free(t.text);
    free(name);
    return status;
}

static wsam_status write_yolo(ws_export *e, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    ws_text t = {0};
    wsam_status status = ws_export_unique(e, "labels/", ".txt", error);
    for (size_t i = 0; i < d->n_images && !status; i++)
        if (e->chosen[i])
            status = write_image(e, i, error);
    ws_text_printf(&t, "# Put the images into images/, or a link to their folder.\n"
                       "path: .\ntrain: images\nval: images\nnames:\n");
    for (size_t i = 0; i < d->n_classes; i++) {
        ws_text_printf(&t, "  %zu: ", i);
        ws_json_string(&t, d->class_names[i]); /* JSON strings are YAML */
        ws_text_put(&t, "\n", 1);
    }
    if (!status)
        status = ws_export_file(e, "data.yaml", &t, error);
    free(t.text);
    return status;
}

/* ---- reading ---- */

typedef struct yolo {
    ws_import *in;
    ws_yolo_names names;
    ws_polygons polygons;
    int width, height;
    const char *file;
    size_t line;
} yolo;

static wsam_status bad(const yolo *y, const char *what, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_FORMAT, "%s:%zu: %s", y->file, y->line, what);
}

/* The object of weaksam.json that was written as this very line. */
static wsam_status from_side(yolo *y, const char *text, size_t length, int *found,
                             wsam_error *error)
{
    const wsam_instance *objects;
    const size_t n = ws_import_side(y->in, &objects);
    wsam_status status = WSAM_OK;
    *found = 0;
    for (size_t i = 0; i < n && !status && !*found; i++) {
        ws_text t = {0};
        if (ws_import_used(y->in, &objects[i]))
            continue;
        status = put_object(&t, &objects[i], y->width, y->height, error);
        if (!status && t.failed)
            status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", y->file);
        *found = !status && t.n == length + 1 && memcmp(t.text, text, length) == 0;
        if (*found)
            status = ws_import_restore(y->in, &objects[i], error);
        free(t.text);
    }
    return status;
}

static wsam_status read_numbers(yolo *y, char *text, size_t *n, double first[4], wsam_error *error)
{
    wsam_status status = WSAM_OK;
    double x = 0;
    *n = 0;
    ws_outline_polygons_clear(&y->polygons);
    while (*text && !status) {
        char *end;
        const double v = ws_locale_strtod(text, &end);
        if (end == text)
            return bad(y, "that is no number", error);
        if (*n < 4)
            first[*n] = v;
        if (*n % 2)
            status = ws_outline_polygons_point(&y->polygons, x * y->width, v * y->height, error);
        x = v;
        ++*n;
        text = end + strspn(end, " \t");
    }
    return status;
}

static wsam_status read_line(yolo *y, char *text, wsam_error *error)
{
    double first[4];
    size_t n;
    int found;
    char *end;
    const size_t length = strlen(text);
    wsam_instance a = {.score = 1};
    wsam_error inner = {0};
    wsam_status status = from_side(y, text, length, &found, error);
    if (status || found)
        return status;
    const double number = ws_locale_strtod(text, &end);
    if (end == text || !(number >= 0 && number < (double)y->names.n))
        return bad(y, "no such class in data.yaml", error);
    status = read_numbers(y, end + strspn(end, " \t"), &n, first, error);
    if (status)
        return status;
    if (n == 4) {
        a.bbox[0] = (first[0] - first[2] / 2) * y->width;
        a.bbox[1] = (first[1] - first[3] / 2) * y->height;
        a.bbox[2] = first[2] * y->width;
        a.bbox[3] = first[3] * y->height;
    } else if (n < 6 || n % 2) {
        return bad(y, "expected a class and a box of four numbers or a polygon of pairs", error);
    } else {
        status = ws_outline_polygons_end(&y->polygons, &inner);
        if (!status)
            status = ws_outline_polygons_mask(&y->polygons, y->height, y->width, &a, &inner);
    }
    if (status)
        return ws_fail(error, status, "%s:%zu: %s", y->file, y->line, inner.message);
    return ws_import_object(y->in, y->names.items[(size_t)number], &a, error);
}

static wsam_status read_lines(yolo *y, char *text, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    y->line = 0;
    while (*text && !status) {
        char *line = text + strspn(text, " \t");
        const size_t n = strcspn(line, "\r\n");
        text = line + n;
        y->line++;
        if (*text == '\r' && text[1] == '\n')
            *text++ = 0;
        if (*text)
            *text++ = 0;
        if (n)
            status = read_line(y, line, error);
    }
    return status;
}

/* One file of labels, of the image with this stem. */
static wsam_status read_labels(yolo *y, const char *name, wsam_error *error)
{
    char *path = NULL, *text = NULL;
    size_t size = strlen(y->in->path) + strlen(name) + 10, n;
    int known = 0;
    if (!(path = malloc(size)))
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", name);
    snprintf(path, size, "%s/labels/%s", y->in->path, name);
    y->file = path;
    y->width = y->height = 0;
    struct stat st;
    const int empty = stat(path, &st) == 0 && st.st_size == 0; /* an image without objects */
    wsam_status status = empty ? WSAM_OK : ws_file_read_whole(path, MAX_FILE, &text, &n, error);
    if (!status)
        status = ws_import_image(y->in, name, &y->width, &y->height, &known, error);
    if (!status && known && !empty)
        status = read_lines(y, text, error);
    free(text);
    free(path);
    return status;
}

static wsam_status read_yolo(ws_import *in, wsam_error *error)
{
    yolo y = {.in = in};
    char **files = NULL;
    size_t n = 0;
    const size_t size = strlen(in->path) + 16;
    char *folder = malloc(size);
    if (!folder)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", in->path);
    snprintf(folder, size, "%s/labels", in->path);
    wsam_status status = ws_yolo_yaml_read(in->path, &y.names, error);
    for (size_t i = 0; i < y.names.n && !status; i++) {
        int32_t index;
        status = ws_document_add_class(&in->b, y.names.items[i], &index, error);
    }
    if (!status)
        status = ws_import_list(folder, ".txt", &files, &n, error);
    for (size_t i = 0; i < n && !status; i++)
        status = read_labels(&y, files[i], error);
    for (size_t i = 0; i < n; i++)
        free(files[i]);
    free(files), free(folder);
    ws_yolo_yaml_free(&y.names);
    ws_outline_polygons_free(&y.polygons);
    return status;
}

static int found_yolo(const char *path, int is_folder, wsam_error *failure)
{
    return is_folder && ws_yolo_yaml_has_names(path, failure);
}

const ws_format ws_format_yolo = {"yolo", write_yolo, found_yolo, read_yolo};
