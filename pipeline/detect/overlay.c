/* pipeline/detect/overlay.c - what a detector found, drawn over the picture. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/picture/picture.h"
#include "pipeline/segment/overlay.h"
#include "weaksam/detector.h"

static int held(float x, int most)
{
    return x > 0.0f ? (x < (float)most ? (int)x : most) : 0;
}

static void dot(const wsam_picture *p, int x, int y, const int rgb[3], uint8_t *pixels)
{
    for (int c = 0; c < 3; c++)
        pixels[3 * ((size_t)y * (size_t)p->width + (size_t)x) + (size_t)c] = (uint8_t)rgb[c];
}

static void draw_box(const wsam_picture *p, const float box[4], const int rgb[3], uint8_t *pixels)
{
    const int x0 = held(box[0], p->width - 1), x1 = held(box[2], p->width - 1);
    const int y0 = held(box[1], p->height - 1), y1 = held(box[3], p->height - 1);
    for (int x = x0; x <= x1; x++) {
        dot(p, x, y0, rgb, pixels);
        dot(p, x, y1, rgb, pixels);
    }
    for (int y = y0; y <= y1; y++) {
        dot(p, x0, y, rgb, pixels);
        dot(p, x1, y, rgb, pixels);
    }
}

wsam_status wsam_detections_overlay(const wsam_detections *r, const wsam_picture *picture,
                                    wsam_picture *out, wsam_error *error)
{
    uint8_t *pixels;
    memset(out, 0, sizeof *out);
    wsam_status status = ws_picture_valid(picture, error);
    if (!status && (picture->height != r->height || picture->width != r->width))
        status =
            ws_fail(error, WSAM_ERR_ARGUMENT, "overlay: an image of %d x %d, detections of %d x %d",
                    picture->width, picture->height, r->width, r->height);
    if (!status)
        status = ws_picture_new(r->height, r->width, out, &pixels, error);
    uint8_t *mask = status ? NULL : malloc((size_t)r->height * (size_t)r->width);
    if (!status && !mask)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for an overlay");
    if (status) {
        wsam_picture_free(out);
        return status;
    }
    ws_overlay_begin(picture, pixels);
    for (size_t i = r->n; i-- > 0;) { /* the best on top */
        int rgb[3];
        ws_overlay_colour((size_t)r->items[i].class_index, rgb);
        if (r->items[i].mask.counts) {
            wsam_rle_decode(&r->items[i].mask, 1, mask, (size_t)r->width);
            ws_overlay_mask(mask, r->height, r->width, rgb, pixels);
        }
        draw_box(picture, r->items[i].box, rgb, pixels);
    }
    free(mask);
    return WSAM_OK;
}
