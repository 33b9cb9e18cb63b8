/* pipeline/labels/labels_coco.c - the classes of images from a COCO data set. */
#include <stdlib.h>

#include "pipeline/labels/labels.h"
#include "weaksam/stages.h"

/* Each class once. `last` has for each class the image that had it last, counted from 1. */
static wsam_status add_image(ws_label_rows *rows, const wsam_coco_document *d, size_t i,
                             size_t *last, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    if (d->first[i] == d->first[i + 1])
        return ws_label_rows_add(rows, d->file_names[i], NULL, i + 1, error);
    for (size_t k = d->first[i]; k < d->first[i + 1] && !status; k++) {
        const int32_t c = d->instances.items[k].class_index;
        if (last[c] != i + 1)
            status = ws_label_rows_add(rows, d->file_names[i], d->class_names[c], i + 1, error);
        last[c] = i + 1;
    }
    return status;
}

wsam_status ws_labels_coco(ws_label_rows *rows, wsam_error *error)
{
    wsam_coco_document *d;
    wsam_status status = wsam_coco_load(rows->path, NULL, &d, error);
    if (status)
        return status;
    size_t *last = calloc(d->n_classes + 1, sizeof *last);
    rows->kind = "a COCO data set";
    if (!last)
        status = ws_no_memory(error, rows->path);
    for (size_t i = 0; i < d->n_images && !status; i++)
        status = add_image(rows, d, i, last, error);
    free(last);
    wsam_coco_free(d);
    return status;
}
