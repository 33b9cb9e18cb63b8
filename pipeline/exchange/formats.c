/* pipeline/exchange/formats.c - see formats.h. */
#include "pipeline/exchange/formats.h"

#include <string.h>

static const ws_format *const formats[WSAM_EXCHANGE_FORMATS] = {
    &ws_format_coco,    &ws_format_yolo,         &ws_format_voc,
    &ws_format_labelme, &ws_format_label_studio, &ws_format_cvat};

const ws_format *ws_format_of(wsam_exchange_format format)
{
    return (unsigned)format < WSAM_EXCHANGE_FORMATS ? formats[format] : NULL;
}

const char *wsam_exchange_name(wsam_exchange_format format)
{
    const ws_format *f = ws_format_of(format);
    return f ? f->name : NULL;
}

wsam_coco_image ws_document_image(const wsam_coco_document *d, size_t i)
{
    return (wsam_coco_image){.id = d->image_ids[i],
                             .file_name = d->file_names[i],
                             .width = d->sizes[2 * i],
                             .height = d->sizes[2 * i + 1],
                             .review = d->reviews[i],
                             .more = d->more[i]};
}

int ws_document_complete(const wsam_coco_document *d, size_t i)
{
    return d->reviews[i] == WSAM_REVIEW_COMPLETE;
}

static const char *const reviewed_names[] = {NULL, "accepted", "drawn", "rejected"};

const char *ws_reviewed_name(wsam_reviewed reviewed)
{
    return (unsigned)reviewed < 4 ? reviewed_names[reviewed] : NULL;
}

wsam_reviewed ws_reviewed_of(const char *name)
{
    for (int k = 1; k < 4 && name; k++)
        if (strcmp(name, reviewed_names[k]) == 0)
            return (wsam_reviewed)k;
    return WSAM_REVIEWED_NO;
}
