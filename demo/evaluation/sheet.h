/* demo/evaluation/sheet.h - a page of the worst answers: the picture around the instance, what it
 * shows, what was found. */
#ifndef WS_DEMO_EVALUATION_SHEET_H
#define WS_DEMO_EVALUATION_SHEET_H

#include "demo/drawing/scene.h"
#include "weaksam/masks.h"
#include "weaksam/picture.h"
#include "weaksam/segment.h"

enum { DEMO_SHEET = 20, DEMO_TILE = 128 };

typedef struct demo_tile {
    double iou;
    unsigned char
        rgb[2 * DEMO_TILE * DEMO_TILE * 3]; /* above: the truth's outline; below: the answer's */
} demo_tile;

typedef struct demo_sheet {
    int n;
    demo_tile *tiles[DEMO_SHEET]; /* worst first */
} demo_sheet;

/* Keeps the answer if it is among the worst so far. */
void demo_sheet_offer(demo_sheet *sheet, const demo_scene *scene, const demo_instance *instance,
                      const wsam_rle *found, double iou);
/* Ten columns of two tiles each, as PNG. */
wsam_status demo_sheet_save(const demo_sheet *sheet, const char *path, wsam_error *error);
void demo_sheet_free(demo_sheet *sheet);

#endif
