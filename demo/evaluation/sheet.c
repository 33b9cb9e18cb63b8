/* demo/evaluation/sheet.c - a page of the worst answers. */
#include "demo/evaluation/sheet.h"

#include <stdlib.h>
#include <string.h>

/* The square around an instance, half as large again as its box. */
typedef struct cutout {
    int x, y, side;
} cutout;

static cutout around(const demo_scene *s, const demo_instance *i)
{
    const int w = i->box[2] - i->box[0] + 1, h = i->box[3] - i->box[1] + 1;
    const int side = (w > h ? w : h) * 3 / 2 + 16;
    (void)s;
    return (cutout){(i->box[0] + i->box[2]) / 2 - side / 2, (i->box[1] + i->box[3]) / 2 - side / 2,
                    side};
}

static int at(const unsigned char *mask, const demo_scene *s, int x, int y)
{
    return x >= 0 && y >= 0 && x < s->width && y < s->height && mask[(long)y * s->width + x];
}

static void draw(const demo_scene *s, const cutout *c, const unsigned char *mask,
                 const unsigned char color[3], unsigned char *out)
{
    for (int v = 0; v < DEMO_TILE; v++)
        for (int u = 0; u < DEMO_TILE; u++, out += 3) {
            const int x = c->x + u * c->side / DEMO_TILE, y = c->y + v * c->side / DEMO_TILE;
            const int inside = x >= 0 && y >= 0 && x < s->width && y < s->height;
            if (inside)
                memcpy(out, s->rgb + ((long)y * s->width + x) * 3, 3);
            if (at(mask, s, x, y))
                for (int k = 0; k < 3; k++)
                    out[k] = (unsigned char)((out[k] + color[k]) / 2);
        }
}

static demo_tile *make(const demo_scene *s, const demo_instance *i, const wsam_rle *found,
                       double iou)
{
    static const unsigned char green[3] = {40, 220, 60}, red[3] = {255, 50, 40};
    const size_t pixels = (size_t)s->width * (size_t)s->height;
    const int id = (int)(i - s->instances) + 1;
    demo_tile *t = calloc(1, sizeof *t);
    unsigned char *mask = malloc(pixels);
    if (t && mask) {
        const cutout c = around(s, i);
        t->iou = iou;
        for (size_t k = 0; k < pixels; k++)
            mask[k] = s->ids[k] == id;
        draw(s, &c, mask, green, t->rgb);
        wsam_rle_decode(found, 1, mask, (size_t)s->width);
        draw(s, &c, mask, red, t->rgb + sizeof t->rgb / 2);
    }
    free(mask);
    return t;
}

void demo_sheet_offer(demo_sheet *sheet, const demo_scene *s, const demo_instance *i,
                      const wsam_rle *found, double iou)
{
    if (sheet->n == DEMO_SHEET && iou >= sheet->tiles[DEMO_SHEET - 1]->iou)
        return;
    demo_tile *t = make(s, i, found, iou);
    if (!t)
        return;
    if (sheet->n == DEMO_SHEET)
        free(sheet->tiles[--sheet->n]);
    int k = sheet->n++;
    for (; k > 0 && sheet->tiles[k - 1]->iou > iou; k--)
        sheet->tiles[k] = sheet->tiles[k - 1];
    sheet->tiles[k] = t;
}

wsam_status demo_sheet_save(const demo_sheet *sheet, const char *path, wsam_error *error)
{
    enum {
        COLUMNS = 10,
        ROWS = DEMO_SHEET / COLUMNS,
        WIDTH = COLUMNS * DEMO_TILE,
        HEIGHT = ROWS * 2 * DEMO_TILE
    };
    unsigned char *rgb = calloc((size_t)WIDTH * HEIGHT, 3);
    if (!rgb)
        return WSAM_ERR_MEMORY;
    for (int k = 0; k < sheet->n; k++)
        for (int v = 0; v < 2 * DEMO_TILE; v++)
            memcpy(rgb + ((size_t)(k / COLUMNS * 2 * DEMO_TILE + v) * WIDTH +
                          (size_t)(k % COLUMNS) * DEMO_TILE) *
                             3,
                   sheet->tiles[k]->rgb + (size_t)v * DEMO_TILE * 3, (size_t)DEMO_TILE * 3);
    const wsam_picture picture = {HEIGHT, WIDTH, 3, (size_t)WIDTH * 3, rgb, NULL};
    const wsam_status status = wsam_picture_save(&picture, path, error);
    free(rgb);
    return status;
}

void demo_sheet_free(demo_sheet *sheet)
{
    for (int k = 0; k < sheet->n; k++)
        free(sheet->tiles[k]);
    sheet->n = 0;
}
