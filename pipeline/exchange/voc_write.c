/* pipeline/exchange/voc_write.c - PASCAL VOC:
 *
 *   Annotations/NAME.xml            size, and name, difficult and box of every object
 *   SegmentationObject/NAME.png     the number of the object, 1 to 254, of every pixel
 *   SegmentationClass/NAME.png      the number of its class
 *   ImageSets/Segmentation/all.txt  the names
 *   labelmap.txt                    the classes and their colours, without which CVAT and Datumaro
 *                                   know the twenty classes of PASCAL VOC alone
 *
 * A pixel belongs to one object only: of two that overlap the smaller has it, as in the published
 * set, where small things lie on large ones. Boxes count from 1 and include their ends. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/coco/outline.h"
#include "pipeline/exchange/formats.h"
#include "pipeline/exchange/voc.h"

static void put_element(ws_text *t, const char *indent, const char *name, const char *text)
{
    ws_text_printf(t, "%s<%s>", indent, name);
    ws_text_xml(t, text);
    ws_text_printf(t, "</%s>\n", name);
}

/* Ends are those of the pixels that the box touches. */
void ws_voc_write_box(const wsam_instance *a, int width, int height, int box[4])
{
    const double *b = a->bbox;
    const double ends[4] = {floor(b[0] + 1e-6) + 1, floor(b[1] + 1e-6) + 1,
                            ceil(b[0] + b[2] - 1e-6), ceil(b[1] + b[3] - 1e-6)};
    for (int k = 0; k < 4; k++) {
        const double most = k % 2 ? height : width;
        box[k] = (int)fmin(fmax(ends[k], 1), most);
    }
}

static void put_object(ws_text *t, const ws_export *e, const wsam_instance *a, int width,
                       int height)
{
    int box[4];
    ws_voc_write_box(a, width, height, box);
    ws_text_printf(t, "  <object>\n");
    put_element(t, "    ", "name", e->d->class_names[a->class_index]);
    ws_text_printf(t,
                   "    <pose>Unspecified</pose>\n    <truncated>0</truncated>\n"
                   "    <difficult>%d</difficult>\n",
                   a->crowd != 0);
    ws_text_printf(t,
                   "    <bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax><ymax>%d</ymax>"
                   "</bndbox>\n  </object>\n",
                   box[0], box[1], box[2], box[3]);
}

/* ---- the pixels ---- */

static int by_area(const void *a, const void *b)
{
    const ws_voc_order *p = a, *q = b;
    if (p->area != q->area)
        return p->area < q->area ? 1 : -1; /* large first: later ones cover them */
    return (p->number > q->number) - (p->number < q->number);
}

wsam_status ws_voc_write_paint(const wsam_instance *const *objects, size_t n, int height, int width,
                               uint8_t *rows, wsam_error *error)
{
    ws_voc_order *order = malloc((n + 1) * sizeof *order);
    size_t painted = 0;
    wsam_status status = WSAM_OK;
    memset(rows, 0, (size_t)height * (size_t)width);
    for (size_t i = 0; i < n && order; i++)
        if (objects[i]->counts && i < WS_VOC_MOST)
            order[painted++] = (ws_voc_order){objects[i]->area, (unsigned)i + 1};
    if (!order)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu objects", n);
    if (painted)
        qsort(order, painted, sizeof *order, by_area);
    for (size_t k = 0; k < painted && !status; k++) {
        uint8_t *mask = ws_outline_bytes_of_mask(objects[order[k].number - 1], height, width);
        if (!mask)
            status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
        for (size_t p = 0; mask && p < (size_t)height * (size_t)width; p++)
            if (mask[p])
                rows[p] = (uint8_t)order[k].number;
        free(mask);
    }
    free(order);
    return status;
}

typedef struct page {
    ws_export *e;
    size_t image;
    const wsam_instance **objects;
    size_t n;
    uint8_t *rows;
} page;

static wsam_status write_png(const page *p, const char *folder, wsam_error *error)
{
    const wsam_coco_document *d = p->e->d;
    const int width = d->sizes[2 * p->image], height = d->sizes[2 * p->image + 1];
    char *name;
    wsam_error own = {0};
    if (!error)
        error = &own;
    wsam_status status = ws_export_name(folder, d->file_names[p->image], ".png", &name, error);
    FILE *f = status ? NULL : ws_export_open(p->e, name, error);
    if (!status && !f)
        status = error->status ? error->status : WSAM_ERR_IO;
    if (!status)
        status = ws_palette_write(p->rows, height, width, f, error);
    if (!status)
        status = ws_outputs_close(&p->e->out, error);
    free(name);
    return status;
}

/* Both PNG files; the second is the first with classes in the place of objects. */
static wsam_status write_pixels(page *p, wsam_error *error)
{
    const wsam_coco_document *d = p->e->d;
    const int width = d->sizes[2 * p->image], height = d->sizes[2 * p->image + 1];
    const size_t pixels = (size_t)height * (size_t)width;
    p->rows = malloc(pixels);
    if (!p->rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", d->file_names[p->image]);
    wsam_status status = ws_voc_write_paint(p->objects, p->n, height, width, p->rows, error);
    if (!status)
        status = write_png(p, "SegmentationObject/", error);
    for (size_t i = 0; i < pixels && !status; i++)
        if (p->rows[i])
            p->rows[i] = (uint8_t)(p->objects[p->rows[i] - 1]->class_index + 1);
    return status ? status : write_png(p, "SegmentationClass/", error);
}

/* ---- an image ---- */

static wsam_status write_xml(const page *p, wsam_error *error)
{
    const wsam_coco_document *d = p->e->d;
    const int width = d->sizes[2 * p->image], height = d->sizes[2 * p->image + 1];
    const char *slash = strrchr(d->file_names[p->image], '/');
    char *name;
    ws_text t = {0};
    wsam_status status =
        ws_export_name("Annotations/", d->file_names[p->image], ".xml", &name, error);
    ws_text_printf(&t, "<annotation>\n");
    put_element(&t, "  ", "filename", slash ? slash + 1 : d->file_names[p->image]);
    put_element(&t, "  ", "path", d->file_names[p->image]);
    ws_text_printf(&t,
                   "  <size><width>%d</width><height>%d</height><depth>3</depth></size>\n"
                   "  <segmented>1</segmented>\n",
                   width, height);
    for (size_t i = 0; i < p->n; i++)
        put_object(&t, p->e, p->objects[i], width, height);
    ws_text_printf(&t, "</annotation>\n");
    if (!status)
        status = ws_export_file(p->e, name, &t, error);
    free(t.text);
    free(name);
    return status;
}

static wsam_status write_image(ws_export *e, size_t image, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    page p = {e, image, NULL, 0, NULL};
    int masks = 0;
    p.objects = malloc((d->first[image + 1] - d->first[image] + 1) * sizeof *p.objects);
    if (!p.objects)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", d->file_names[image]);
    for (size_t k = d->first[image]; k < d->first[image + 1]; k++)
        if (ws_export_wanted(e, &d->instances.items[k]))
            p.objects[p.n++] = &d->instances.items[k];
    for (size_t i = 0; i < p.n; i++) {
        e->counts->objects++;
        e->counts->boxes += !p.objects[i]->counts;
        e->counts->lost += e->options.no_side_file && p.objects[i]->counts && i >= WS_VOC_MOST;
        masks |= p.objects[i]->counts != NULL;
    }
    wsam_status status = write_xml(&p, error);
    if (!status && masks)
        status = write_pixels(&p, error);
    free(p.rows);
    free(p.objects);
    return status;
}

/* "name:red,green,blue::" a line; the two empty fields are parts and actions. A colon separates and
 * cannot be quoted: a set with one in a class name goes without the file. */
static wsam_status write_label_map(ws_export *e, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    ws_text t = {0};
    ws_text_printf(&t, "# label:color_rgb:parts:actions\nbackground:0,0,0::\n");
    for (size_t i = 0; i < d->n_classes; i++) {
        uint8_t rgb[3];
        ws_palette_colour((unsigned)i + 1, rgb);
        if (strpbrk(d->class_names[i], ":\n")) {
            free(t.text);
            return WSAM_OK;
        }
        ws_text_printf(&t, "%s:%d,%d,%d::\n", d->class_names[i], rgb[0], rgb[1], rgb[2]);
    }
    wsam_status status = ws_export_file(e, "labelmap.txt", &t, error);
    free(t.text);
    return status;
}

wsam_status ws_voc_write(ws_export *e, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    ws_text names = {0};
    wsam_status status = ws_export_unique(e, "Annotations/", ".xml", error);
    if (!status && d->n_classes > WS_VOC_MOST)
        status = ws_fail(error, WSAM_ERR_UNSUPPORTED,
                         "PASCAL VOC's PNG files hold %d classes; there are %zu", WS_VOC_MOST,
                         d->n_classes);
    for (size_t i = 0; i < d->n_images && !status; i++) {
        char *name;
        if (!e->chosen[i])
            continue;
        status = ws_export_name("", d->file_names[i], "\n", &name, error);
        if (!status) {
            ws_text_put(&names, name, strlen(name));
            status = write_image(e, i, error);
        }
        free(name);
    }
    if (!status)
        status = ws_export_file(e, "ImageSets/Segmentation/all.txt", &names, error);
    if (!status)
        status = write_label_map(e, error);
    free(names.text);
    return status;
}
