/* pipeline/labels/labels_coco.c - the classes of images from a COCO data set. */
#include "pipeline/labels/labels.h"
#include "weaksam/stages.h"

static wsam_status add_image(ws_label_rows *rows, const wsam_coco_document *d, size_t i,
                             wsam_error *error)
{
    wsam_status status = WSAM_OK;
    if (d->first[i] == d->first[i + 1])
        return ws_label_add(rows, d->file_names[i], NULL, i + 1, error);
    for (size_t k = d->first[i]; k < d->first[i + 1] && !status; k++)
        status = ws_label_add(rows, d->file_names[i],
                              d->class_names[d->instances.items[k].class_index], i + 1, error);
    return status;
}

wsam_status ws_labels_coco(ws_label_rows *rows, wsam_error *error)
{
    wsam_coco_document *d;
    wsam_status status = wsam_coco_load(rows->path, NULL, &d, error);
    if (status)
        return status;
    rows->kind = "a COCO data set";
    for (size_t i = 0; i < d->n_images && !status; i++)
        status = add_image(rows, d, i, error);
    wsam_coco_free(d);
    return status;
}
