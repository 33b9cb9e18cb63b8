/* pipeline/exchange/voc_read.c - PASCAL VOC with masks: boxes and classes from the XML, pixels from
 * SegmentationObject/NAME.png, whose numbers are the places of the objects in the XML. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/coco/outline.h"
#include "pipeline/coco/voc_xml.h"
#include "pipeline/exchange/voc.h"

enum { MAX_FILE = 64 << 20 };

typedef struct voc {
    ws_import *in;
    const char *folder; /* of the XML files */
    const char *name;   /* STEM.xml, below the folder */
    wsam_eval_truth truth;
    int width, height;
    uint8_t *rows;      /* of the PNG, or NULL */
    uint8_t *side_rows; /* of weaksam.json, painted again */
    const wsam_instance *side;
    size_t n_side;
} voc;

static char *join_path(const char *folder, const char *sub, const char *name, size_t length,
                       const char *ending)
{
    const size_t size = strlen(folder) + strlen(sub) + length + strlen(ending) + 3;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s%.*s%s", folder, sub, (int)length, name, ending);
    return path;
}

/* ---- one image ---- */

static wsam_status read_pixels(voc *v, wsam_error *error)
{
    char *text = NULL, *path = join_path(v->in->path, "SegmentationObject/", v->name,
                                         strlen(v->name) - 4, ".png");
    size_t n;
    wsam_error inner = {0};
    int there = 0;
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", v->name);
    wsam_status status = ws_file_there(path, &there, error);
    if (there) {
        status = ws_file_read_whole(path, MAX_FILE, &text, &n, error);
        if (!status) {
            status = ws_palette_read(text, n, v->height, v->width, &v->rows, &inner);
            if (status)
                ws_fail(error, status, "%s: %s", path, inner.message);
        }
    }
    free(text);
    free(path);
    return status;
}

/* weaksam.json's objects as they were painted when the files were written. */
static wsam_status paint_side(voc *v, wsam_error *error)
{
    v->n_side = ws_import_side(v->in, &v->side);
    v->side_rows = malloc((size_t)v->height * (size_t)v->width);
    const wsam_instance **objects = malloc((v->n_side + 1) * sizeof *objects);
    size_t n = 0;
    wsam_status status = WSAM_OK;
    if (!v->side_rows || !objects)
        status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", v->name);
    for (size_t i = 0; i < v->n_side && objects; i++) /* rejected ones were not written */
        if (v->side[i].reviewed != WSAM_REVIEWED_REJECTED)
            objects[n++] = &v->side[i];
    if (!status)
        status = ws_voc_write_paint(objects, n, v->height, v->width, v->side_rows, error);
    free(objects);
    return status;
}

static int same_pixels(const voc *v, unsigned number, unsigned side_number)
{
    const size_t pixels = (size_t)v->height * (size_t)v->width;
    for (size_t p = 0; p < pixels; p++)
        if ((v->rows[p] == number) != (v->side_rows[p] == side_number))
            return 0;
    return 1;
}

/* The object of weaksam.json that object `i` of the XML was written from: the same class, the same
 * box and, where it has pixels, the same pixels. */
static const wsam_instance *find_side(voc *v, size_t i)
{
    const ws_object *o = &v->truth.objects[i];
    const char *class_name = v->truth.categories[o->category].name;
    unsigned number = 0;
    for (size_t k = 0; k < v->n_side; k++) {
        int box[4];
        const wsam_instance *a = &v->side[k];
        if (a->reviewed == WSAM_REVIEWED_REJECTED)
            continue;
        number++;
        ws_voc_write_box(a, v->width, v->height, box);
        const double *b = o->box;
        const int ends[4] = {(int)lrint(b[0]) + 1, (int)lrint(b[1]) + 1, (int)lrint(b[0] + b[2]),
                             (int)lrint(b[1] + b[3])};
        const int same = !ws_import_used(v->in, a) &&
                         strcmp(v->in->side->class_names[a->class_index], class_name) == 0 &&
                         memcmp(ends, box, sizeof box) == 0;
        if (same && (!v->rows || number > WS_VOC_MOST || i >= WS_VOC_MOST || !a->counts ||
                     same_pixels(v, (unsigned)i + 1, number)))
            return a;
    }
    return NULL;
}

static wsam_status take_object(voc *v, size_t i, uint8_t *mask, wsam_error *error)
{
    const ws_object *o = &v->truth.objects[i];
    const wsam_instance *side = find_side(v, i);
    const size_t pixels = (size_t)v->height * (size_t)v->width;
    if (side)
        return ws_import_restore(v->in, side, error);
    wsam_instance a = {.score = 1};
    wsam_status status = WSAM_OK;
    memcpy(a.bbox, o->box, sizeof a.bbox);
    if (v->rows && i < WS_VOC_MOST) {
        for (size_t p = 0; p < pixels; p++)
            mask[p] = v->rows[p] == i + 1;
        status = ws_outline_mask_of_bytes(mask, v->height, v->width, &a, error);
    }
    return status ? status
                  : ws_import_object(v->in, v->truth.categories[o->category].name, &a, error);
}

static wsam_status take_image(voc *v, wsam_error *error)
{
    int known = 0;
    v->width = v->truth.images[0].width;
    v->height = v->truth.images[0].height;
    wsam_status status = ws_import_image(v->in, v->name, &v->width, &v->height, &known, error);
    if (status || !known)
        return status;
    status = read_pixels(v, error);
    if (!status)
        status = paint_side(v, error);
    uint8_t *mask = status ? NULL : malloc((size_t)v->height * (size_t)v->width);
    if (!status && !mask)
        status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", v->name);
    for (size_t i = 0; i < v->truth.n_objects && !status; i++)
        status = take_object(v, i, mask, error);
    free(mask);
    return status;
}

static void forget_image(voc *v)
{
    free(v->truth.images), free(v->truth.categories), free(v->truth.objects);
    ws_text_arena_free(&v->truth.store);
    free(v->rows), free(v->side_rows);
    v->truth = (wsam_eval_truth){0};
    v->rows = v->side_rows = NULL;
}

static wsam_status read_image(voc *v, const char *name, wsam_error *error)
{
    char *text = NULL, *path = join_path(v->folder, "", name, strlen(name), "");
    size_t n;
    v->name = name;
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", name);
    wsam_status status = ws_file_read_whole(path, MAX_FILE, &text, &n, error);
    if (!status)
        status = ws_voc_xml_parse(&v->truth, text, n, path, name, strlen(name) - 4, error);
    if (!status)
        status = take_image(v, error);
    forget_image(v);
    free(text);
    free(path);
    return status;
}

/* ---- a folder ---- */

static wsam_status annotations_of(const char *path, char **folder, wsam_error *error)
{
    int there = 0;
    *folder = join_path(path, "Annotations", "", 0, "");
    wsam_status status = *folder ? ws_file_there(*folder, &there, error) : WSAM_OK;
    if (*folder && !there) {
        free(*folder);
        *folder = strdup(path);
    }
    return *folder ? status : ws_no_memory(error, path);
}

wsam_status ws_voc_read(ws_import *in, wsam_error *error)
{
    voc v = {.in = in};
    char **names = NULL, *folder = NULL;
    size_t n = 0;
    wsam_status status = annotations_of(in->path, &folder, error);
    v.folder = folder;
    if (!status)
        status = ws_import_list(folder, ".xml", &names, &n, error);
    for (size_t i = 0; i < n && !status; i++)
        status = read_image(&v, names[i], error);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    free(folder);
    return status;
}

static int found_voc(const char *path, int is_folder, wsam_error *failure)
{
    char **names = NULL, *folder = NULL;
    size_t n = 0;
    const int found = is_folder && !annotations_of(path, &folder, failure) &&
                      !ws_import_list(folder, ".xml", &names, &n, failure) && n;
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    free(folder);
    return found;
}

const ws_format ws_format_voc = {"voc", ws_voc_write, found_voc, ws_voc_read};
