/* pipeline/exchange/cvat_read.c - "CVAT for images 1.1": <image> with <polygon>, <box>, <mask>,
 * <ellipse>; read as a stream, one image in memory at a time. Tracks of videos are not read. */
#include <errno.h>
#include <expat.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/locale.h"
#include "pipeline/coco/outline.h"
#include "pipeline/exchange/cvat.h"
#include "pipeline/exchange/exchange_json.h"
#include "pipeline/exchange/formats.h"

enum { MAX_DEPTH = 16, MAX_TEXT = 32, PIECE = 1 << 16 };

typedef struct cvat {
    ws_import *in;
    XML_Parser parser;
    const char *file;
    wsam_error *error;
    wsam_status status;
    int depth, known, width, height;
    size_t images;
    ws_polygons polygons;
    int open; /* a shape is being read: its attributes may follow */
    char *class_name;
    wsam_instance shape;
    int in_reviewed;
    char text[MAX_TEXT];
    size_t n_text;
} cvat;

static void stop(cvat *c, wsam_status status, const char *what)
{
    if (!c->status)
        c->status = ws_fail(c->error, status, "%s:%lu: %s", c->file,
                            (unsigned long)XML_GetCurrentLineNumber(c->parser), what);
    XML_StopParser(c->parser, XML_FALSE);
}

static const char *attribute(const XML_Char **list, const char *name)
{
    for (; list[0]; list += 2)
        if (strcmp(list[0], name) == 0)
            return list[1];
    return NULL;
}

/* A finite number, or NAN. */
static double number(const XML_Char **list, const char *name)
{
    const char *text = attribute(list, name);
    char *end;
    const double v = text ? ws_locale_strtod(text, &end) : NAN;
    return text && end != text && !*end ? v : NAN;
}

static int side(const XML_Char **list, const char *name)
{
    const double v = number(list, name);
    return v >= 1 && v <= 65535 ? (int)v : 0;
}

/* ---- shapes ---- */

static wsam_status take_polygon(cvat *c, const char *text, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    ws_outline_polygons_clear(&c->polygons);
    while (text && *text && !status) {
        char *end;
        const double x = ws_locale_strtod(text, &end);
        if (end == text || *end != ',')
            return ws_fail(error, WSAM_ERR_FORMAT, "points are not x,y;x,y");
        text = end + 1;
        const double y = ws_locale_strtod(text, &end);
        if (end == text)
            return ws_fail(error, WSAM_ERR_FORMAT, "points are not x,y;x,y");
        status = ws_outline_polygons_point(&c->polygons, x, y, error);
        text = end + (*end == ';');
    }
    if (!status)
        status = ws_outline_polygons_end(&c->polygons, error);
    return status ? status
                  : ws_outline_polygons_mask(&c->polygons, c->height, c->width, &c->shape, error);
}

static wsam_status take_box(cvat *c, const XML_Char **list, wsam_error *error)
{
    const double x0 = number(list, "xtl"), y0 = number(list, "ytl");
    const double x1 = number(list, "xbr"), y1 = number(list, "ybr");
    if (!(x1 >= x0 && y1 >= y0))
        return ws_fail(error, WSAM_ERR_FORMAT, "a box without xtl, ytl, xbr, ybr");
    memcpy(c->shape.bbox, (const double[4]){x0, y0, x1 - x0, y1 - y0}, sizeof c->shape.bbox);
    return WSAM_OK;
}

static wsam_status take_ellipse(cvat *c, const XML_Char **list, wsam_error *error)
{
    enum { CORNERS = 64 };
    const double x = number(list, "cx"), y = number(list, "cy");
    const double rx = number(list, "rx"), ry = number(list, "ry"), pi = acos(-1.0);
    wsam_status status = WSAM_OK;
    if (!(rx > 0 && ry > 0) || !isfinite(x) || !isfinite(y))
        return ws_fail(error, WSAM_ERR_FORMAT, "an ellipse without cx, cy, rx, ry");
    ws_outline_polygons_clear(&c->polygons);
    for (int k = 0; k < CORNERS && !status; k++)
        status = ws_outline_polygons_point(&c->polygons, x + rx * cos(2 * pi * k / CORNERS),
                                           y + ry * sin(2 * pi * k / CORNERS), error);
    if (!status)
        status = ws_outline_polygons_end(&c->polygons, error);
    return status ? status
                  : ws_outline_polygons_mask(&c->polygons, c->height, c->width, &c->shape, error);
}

/* Runs into rows of the image. */
static wsam_status paint_runs(const cvat *c, const char *text, const int box[4], uint8_t *rows,
                              wsam_error *error)
{
    const size_t pixels = (size_t)box[2] * (size_t)box[3];
    size_t at = 0;
    for (int set = 0; *text; set = !set) {
        char *end;
        errno = 0;
        const unsigned long n = strtoul(text, &end, 10);
        if (end == text || errno || n > pixels - at)
            return ws_fail(error, WSAM_ERR_FORMAT, "the runs of a mask do not fit its box");
        for (const size_t to = at + n; at < to; at++) {
            const size_t y = (size_t)box[1] + at / (size_t)box[2];
            rows[y * (size_t)c->width + (size_t)box[0] + at % (size_t)box[2]] = (uint8_t)set;
        }
        text = end + strspn(end, ", \t\r\n");
    }
    return at == pixels ? WSAM_OK
                        : ws_fail(error, WSAM_ERR_FORMAT, "the runs of a mask do not fill its box");
}

static wsam_status take_mask(cvat *c, const XML_Char **list, wsam_error *error)
{
    static const char *const keys[4] = {"left", "top", "width", "height"};
    const char *runs = attribute(list, "rle");
    int box[4];
    for (int k = 0; k < 4; k++) {
        const double v = number(list, keys[k]);
        if (!runs || !(v >= (k > 1)) || v > 65535)
            return ws_fail(error, WSAM_ERR_FORMAT, "a mask without rle, left, top, width, height");
        box[k] = (int)v;
    }
    if (box[0] + box[2] > c->width || box[1] + box[3] > c->height)
        return ws_fail(error, WSAM_ERR_FORMAT, "a mask outside of its image");
    uint8_t *rows = calloc((size_t)c->width, (size_t)c->height);
    if (!rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    wsam_status status = paint_runs(c, runs, box, rows, error);
    if (!status)
        status = ws_outline_mask_of_bytes(rows, c->height, c->width, &c->shape, error);
    free(rows);
    return status;
}

static void begin_shape(cvat *c, const char *kind, const XML_Char **list)
{
    const char *label = attribute(list, "label");
    wsam_error error = {0};
    wsam_status status = WSAM_OK;
    c->shape = (wsam_instance){.score = 1};
    if (!label || !*label) {
        stop(c, WSAM_ERR_FORMAT, "a shape without a label");
        return;
    }
    if (strcmp(kind, "polygon") == 0)
        status = take_polygon(c, attribute(list, "points"), &error);
    else if (strcmp(kind, "box") == 0)
        status = take_box(c, list, &error);
    else if (strcmp(kind, "ellipse") == 0)
        status = take_ellipse(c, list, &error);
    else
        status = take_mask(c, list, &error);
    free(c->class_name);
    c->class_name = strdup(label);
    c->open = !status;
    if (status)
        stop(c, status, error.message);
    else if (!c->class_name)
        stop(c, WSAM_ERR_MEMORY, "no memory");
}

static void end_shape(cvat *c)
{
    wsam_error error = {0};
    const wsam_instance *side_object = ws_import_find(c->in, c->class_name, &c->shape);
    wsam_status status;
    c->open = 0;
    if (side_object) {
        free(c->shape.counts);
        status = ws_import_restore(c->in, side_object, &error);
    } else {
        status = ws_import_object(c->in, c->class_name, &c->shape, &error);
    }
    c->shape.counts = NULL;
    if (status)
        stop(c, status, error.message);
}

/* ---- elements ---- */

static void begin_image(cvat *c, const XML_Char **list)
{
    const char *name = attribute(list, "name");
    wsam_error error = {0};
    c->width = side(list, "width");
    c->height = side(list, "height");
    c->images++;
    if (!name || !*name) {
        stop(c, WSAM_ERR_FORMAT, "an image without a name");
        return;
    }
    const wsam_status status =
        ws_import_image(c->in, name, &c->width, &c->height, &c->known, &error);
    if (status)
        stop(c, status, error.message);
}

static int is_shape(const char *name)
{
    return strcmp(name, "polygon") == 0 || strcmp(name, "box") == 0 || strcmp(name, "mask") == 0 ||
           strcmp(name, "ellipse") == 0;
}

static int has_no_area(const char *name)
{
    return strcmp(name, "polyline") == 0 || strcmp(name, "points") == 0 ||
           strcmp(name, "cuboid") == 0 || strcmp(name, "skeleton") == 0 || strcmp(name, "tag") == 0;
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **list)
{
    cvat *c = user;
    const int depth = c->depth++;
    const char *attribute_name;
    if (depth == 0 && strcmp(name, "annotations") != 0)
        stop(c, WSAM_ERR_FORMAT, "the root is not 'annotations': no file of CVAT");
    else if (depth >= MAX_DEPTH)
        stop(c, WSAM_ERR_LIMIT, "too deep");
    else if (depth == 1 && strcmp(name, "track") == 0)
        stop(c, WSAM_ERR_UNSUPPORTED, "tracks of a video: export as 'CVAT for images'");
    else if (depth == 1 && strcmp(name, "image") == 0)
        begin_image(c, list);
    else if (depth == 2 && c->known && is_shape(name))
        begin_shape(c, name, list);
    else if (depth == 2 && c->known && has_no_area(name))
        c->in->counts->skipped++;
    c->in_reviewed = c->open && depth == 3 && strcmp(name, "attribute") == 0 &&
                     (attribute_name = attribute(list, "name")) &&
                     strcmp(attribute_name, "reviewed") == 0;
    c->n_text = 0;
}

static void XMLCALL on_text(void *user, const XML_Char *text, int n)
{
    cvat *c = user;
    for (int i = 0; i < n && c->in_reviewed && c->n_text + 1 < MAX_TEXT; i++)
        if (text[i] > ' ')
            c->text[c->n_text++] = text[i];
    c->text[c->n_text] = 0;
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    cvat *c = user;
    (void)name;
    c->depth--;
    if (c->in_reviewed) {
        c->shape.reviewed = ws_document_reviewed_of(c->text);
        c->in_reviewed = 0;
    }
    if (c->depth == 2 && c->open && !c->status)
        end_shape(c);
    if (c->depth == 1)
        c->known = 0;
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int internal)
{
    (void)name, (void)system_id, (void)public_id, (void)internal;
    stop(user, WSAM_ERR_FORMAT, "document type declarations are not read");
}

/* ---- the file ---- */

static char *file_of(const char *path, int is_folder)
{
    const size_t size = strlen(path) + 20;
    char *file = malloc(size);
    if (file)
        snprintf(file, size, is_folder ? "%s/annotations.xml" : "%s", path);
    return file;
}

static wsam_status parse(cvat *c, FILE *f, wsam_error *error)
{
    for (int done = 0; !done && !c->status;) {
        void *to = XML_GetBuffer(c->parser, PIECE);
        if (!to)
            return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", c->file);
        const size_t n = fread(to, 1, PIECE, f);
        if (ferror(f))
            return ws_fail(error, WSAM_ERR_IO, "%s: %s", c->file, strerror(errno));
        done = n == 0;
        if (XML_ParseBuffer(c->parser, (int)n, done) == XML_STATUS_ERROR && !c->status) {
            const enum XML_Error code = XML_GetErrorCode(c->parser);
            stop(c, code == XML_ERROR_NO_MEMORY ? WSAM_ERR_MEMORY : WSAM_ERR_FORMAT,
                 XML_ErrorString(code));
        }
    }
    if (!c->status && !c->images)
        c->status = ws_fail(error, WSAM_ERR_FORMAT, "%s: no images", c->file);
    return c->status;
}

static wsam_status read_cvat(ws_import *in, wsam_error *error)
{
    char *file = file_of(in->path, in->is_folder);
    cvat c = {.in = in, .file = file, .error = error};
    FILE *f = file ? fopen(file, "rb") : NULL;
    wsam_status status = WSAM_OK;
    c.parser = XML_ParserCreate(NULL);
    if (!file || !c.parser)
        status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", in->path);
    else if (!f)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", file, strerror(errno));
    if (!status) {
        XML_SetUserData(c.parser, &c);
        XML_SetElementHandler(c.parser, on_start, on_end);
        XML_SetCharacterDataHandler(c.parser, on_text);
        XML_SetStartDoctypeDeclHandler(c.parser, on_doctype);
        status = parse(&c, f, error);
    }
    if (f)
        fclose(f);
    if (c.parser)
        XML_ParserFree(c.parser);
    ws_outline_polygons_free(&c.polygons);
    free(c.shape.counts), free(c.class_name), free(file);
    return status;
}

static int found_cvat(const char *path, int is_folder, wsam_error *failure)
{
    char *file = file_of(path, is_folder);
    const int found = file && ws_exchange_json_mentions(file, "<annotations", failure);
    if (!file)
        ws_no_memory(failure, path);
    free(file);
    return found;
}

const ws_format ws_format_cvat = {"cvat", ws_cvat_write, found_cvat, read_cvat};
