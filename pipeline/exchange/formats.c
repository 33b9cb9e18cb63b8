/* pipeline/exchange/formats.c - see formats.h. */
#include "pipeline/exchange/formats.h"

static const ws_format *const formats[WSAM_EXCHANGE_FORMATS] = {
    &ws_format_coco,    &ws_format_yolo,         &ws_format_voc,
    &ws_format_labelme, &ws_format_label_studio, &ws_format_cvat};

const ws_format *ws_formats_find(wsam_exchange_format format)
{
    return (unsigned)format < WSAM_EXCHANGE_FORMATS ? formats[format] : NULL;
}

const char *wsam_exchange_name(wsam_exchange_format format)
{
    const ws_format *f = ws_formats_find(format);
    return f ? f->name : NULL;
}
