/* pipeline/exchange/cvat_write.c - "CVAT for images 1.1": one XML file.
 *
 * A mask of one part without holes is a polygon, others are masks: row by row inside their box, the
 * lengths of runs that alternate from 0. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/coco/outline.h"
#include "pipeline/exchange/cvat.h"
#include "pipeline/exchange/formats.h"

static void begin_shape(ws_text *t, const ws_export *e, const wsam_instance *a, const char *kind)
{
    ws_text_printf(t, "    <%s label=\"", kind);
    ws_text_xml(t, e->d->class_names[a->class_index]);
    ws_text_printf(t, "\" source=\"%s\" occluded=\"0\" z_order=\"0\"",
                   a->reviewed ? "manual" : "auto");
}

static void end_shape(ws_text *t, const wsam_instance *a, const char *kind)
{
    const char *reviewed = ws_document_reviewed_name(a->reviewed);
    if (reviewed)
        ws_text_printf(t, ">\n      <attribute name=\"reviewed\">%s</attribute>\n    </%s>\n",
                       reviewed, kind);
    else
        ws_text_printf(t, "/>\n");
}

static void put_polygon(ws_text *t, const ws_outline *o)
{
    ws_text_printf(t, " points=\"");
    for (size_t i = 0; i < o->rings[0].points; i++)
        ws_text_printf(t, "%s%d,%d", i ? ";" : "", (int)o->xy[2 * i], (int)o->xy[2 * i + 1]);
    ws_text_put(t, "\"", 1);
}

static wsam_status put_mask(ws_text *t, const wsam_instance *a, int width, int height,
                            wsam_error *error)
{
    uint8_t *rows = ws_outline_bytes_of_mask(a, height, width);
    const int x0 = (int)a->bbox[0], y0 = (int)a->bbox[1];
    int box[4] = {x0, y0, x0 + (int)a->bbox[2] - 1, y0 + (int)a->bbox[3] - 1};
    size_t run = 0;
    int now = 0, any = 0;
    wsam_rle rle;
    if (!rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    if (!ws_counts_rle(a->counts, a->counts_length, height, width, &rle, NULL))
        wsam_rle_box(&rle, box); /* `bbox` may be another box than the mask's */
    free(rle.counts);
    ws_text_printf(t, " rle=\"");
    for (int y = box[1]; y <= box[3]; y++)
        for (int x = box[0]; x <= box[2]; x++) {
            const int set = rows[(size_t)y * (size_t)width + (size_t)x] != 0;
            if (set != now) {
                ws_text_printf(t, any ? ", %zu" : "%zu", run);
                run = 0;
                now = set;
                any = 1;
            }
            run++;
        }
    ws_text_printf(t, any ? ", %zu" : "%zu", run);
    ws_text_printf(t, "\" left=\"%d\" top=\"%d\" width=\"%d\" height=\"%d\"", box[0], box[1],
                   box[2] - box[0] + 1, box[3] - box[1] + 1);
    free(rows);
    return WSAM_OK;
}

static wsam_status put_object(ws_text *t, const ws_export *e, const wsam_instance *a, int width,
                              int height, wsam_error *error)
{
    ws_outline o = {0};
    wsam_status status = a->counts ? ws_outline_of(a, height, width, &o, error) : WSAM_OK;
    const char *kind = !a->counts ? "box" : o.n == 1 ? "polygon" : "mask";
    if (status)
        return status;
    begin_shape(t, e, a, kind);
    if (!a->counts)
        ws_text_printf(t, " xtl=\"%.10g\" ytl=\"%.10g\" xbr=\"%.10g\" ybr=\"%.10g\"", a->bbox[0],
                       a->bbox[1], a->bbox[0] + a->bbox[2], a->bbox[1] + a->bbox[3]);
    else if (o.n == 1)
        put_polygon(t, &o);
    else
        status = put_mask(t, a, width, height, error);
    end_shape(t, a, kind);
    ws_outline_free(&o);
    return status;
}

static void put_labels(ws_text *t, const wsam_coco_document *d)
{
    ws_text_printf(t, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n"
                      "  <version>1.1</version>\n  <meta>\n    <task>\n      <labels>\n");
    for (size_t i = 0; i < d->n_classes; i++) {
        ws_text_printf(t, "        <label><name>");
        ws_text_xml(t, d->class_names[i]);
        ws_text_printf(t, "</name><type>any</type><attributes><attribute><name>reviewed</name>"
                          "<mutable>False</mutable><input_type>select</input_type>"
                          "<default_value></default_value><values>\naccepted\ndrawn</values>"
                          "</attribute></attributes></label>\n");
    }
    ws_text_printf(t, "      </labels>\n    </task>\n  </meta>\n");
}

static wsam_status write_image(ws_export *e, size_t i, size_t number, FILE *f, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    wsam_status status = WSAM_OK;
    ws_text t = {0};
    if (!number)
        put_labels(&t, d);
    ws_text_printf(&t, "  <image id=\"%zu\" name=\"", number);
    ws_text_xml(&t, d->file_names[i]);
    ws_text_printf(&t, "\" width=\"%d\" height=\"%d\">\n", d->sizes[2 * i], d->sizes[2 * i + 1]);
    for (size_t k = d->first[i]; k < d->first[i + 1] && !status; k++) {
        const wsam_instance *a = &d->instances.items[k];
        if (!ws_export_wanted(e, a))
            continue;
        status = put_object(&t, e, a, d->sizes[2 * i], d->sizes[2 * i + 1], error);
        e->counts->objects++;
        e->counts->boxes += !a->counts;
    }
    ws_text_printf(&t, "  </image>\n");
    if (!status && t.failed)
        status = ws_fail(error, WSAM_ERR_MEMORY, "annotations.xml: no memory");
    if (!status && fwrite(t.text, 1, t.n, f) != t.n)
        status = ws_fail(error, WSAM_ERR_IO, "%s/annotations.xml: writing failed", e->folder);
    free(t.text);
    return status;
}

wsam_status ws_cvat_write(ws_export *e, wsam_error *error)
{
    wsam_error own = {0};
    size_t number = 0;
    if (!error)
        error = &own;
    FILE *f = ws_export_open(e, "annotations.xml", error);
    if (!f)
        return error->status ? error->status : WSAM_ERR_IO;
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < e->d->n_images && !status; i++)
        if (e->chosen[i])
            status = write_image(e, i, number++, f, error);
    fputs(number ? "</annotations>\n" : "<annotations/>\n", f);
    return status ? status : ws_outputs_close(&e->out, error);
}
