/* pipeline/exchange/voc.h - what writing and reading PASCAL VOC share. */
#ifndef WS_PIPELINE_EXCHANGE_VOC_H
#define WS_PIPELINE_EXCHANGE_VOC_H

#include "pipeline/exchange/exchange.h"
#include "pipeline/exchange/palette_png.h"

/* Objects of one image, and classes: 0 is the background, 255 the border of the published set. */
enum { WS_VOC_MOST = 254 };

typedef struct ws_voc_order {
    uint64_t area;
    unsigned number;
} ws_voc_order;

wsam_status ws_voc_write(ws_export *e, wsam_error *error);
wsam_status ws_voc_read(ws_import *in, wsam_error *error);

/* Rows of the numbers of objects, from 1; those from WS_VOC_MOST on are not painted. */
wsam_status ws_voc_write_paint(const wsam_instance *const *objects, size_t n, int height, int width,
                               uint8_t *rows, wsam_error *error);
/* xmin, ymin, xmax, ymax: counted from 1, ends included. */
void ws_voc_write_box(const wsam_instance *a, int width, int height, int box[4]);

#endif
