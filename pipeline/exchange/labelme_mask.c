/* pipeline/exchange/labelme_mask.c - see labelme_mask.h. The PNG is grey, 0 and 255, as large as the
 * box; any palette or grey PNG is read, where what is not 0 belongs to the mask. */
#include "pipeline/exchange/labelme_mask.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "pipeline/coco/outline.h"
#include "pipeline/exchange/palette_png.h"
#include "pipeline/picture/picture.h"

/* The PNG of the pixels of `rows` inside a box, as base64. */
static wsam_status put_png(ws_text *t, const uint8_t *rows, size_t stride, const int box[4],
                           wsam_error *error)
{
    char *bytes = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&bytes, &n);
    const wsam_picture picture = {.pixels = rows + (size_t)box[1] * stride + box[0],
                                  .width = box[2] - box[0] + 1,
                                  .height = box[3] - box[1] + 1,
                                  .channels = 1,
                                  .stride = stride};
    wsam_status status =
        f ? ws_png_write(&picture, f, error) : ws_fail(error, WSAM_ERR_MEMORY, "no memory");
    if (f && fclose(f) != 0 && !status)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a PNG");
    if (!status)
        ws_base64_put(t, (const unsigned char *)bytes, n);
    free(bytes);
    return status;
}

wsam_status ws_labelme_mask_put(ws_text *t, const wsam_instance *a, int width, int height,
                                wsam_error *error)
{
    uint8_t *rows = ws_outline_bytes_of_mask(a, height, width);
    int box[4] = {width, height, -1, -1};
    if (!rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = &rows[(size_t)y * (size_t)width + (size_t)x];
            if (!*p)
                continue;
            *p = 255;
            box[0] = x < box[0] ? x : box[0];
            box[1] = y < box[1] ? y : box[1];
            box[2] = x > box[2] ? x : box[2];
            box[3] = y;
        }
    wsam_status status = WSAM_OK;
    if (box[2] < 0) {
        status = ws_fail(error, WSAM_ERR_FORMAT, "a mask without a pixel");
    } else {
        ws_text_printf(t, "\"shape_type\":\"mask\",\"points\":[[%d,%d],[%d,%d]],\"mask\":\"",
                       box[0], box[1], box[2], box[3]);
        status = put_png(t, rows, (size_t)width, box, error);
        ws_text_put(t, "\"", 1);
    }
    free(rows);
    return status;
}

static wsam_status place(const uint8_t *part, const int box[4], int width, int height,
                         wsam_instance *a, wsam_error *error)
{
    const size_t row = (size_t)(box[2] - box[0] + 1);
    uint8_t *rows = calloc((size_t)width, (size_t)height);
    if (!rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    for (int y = box[1]; y <= box[3]; y++)
        memcpy(rows + (size_t)y * (size_t)width + box[0], part + (size_t)(y - box[1]) * row, row);
    const wsam_status status = ws_outline_mask_of_bytes(rows, height, width, a, error);
    free(rows);
    return status;
}

wsam_status ws_labelme_mask_take(const cJSON *mask, const double *xy, size_t n, int width,
                                 int height, wsam_instance *a, wsam_error *error)
{
    const char *text = cJSON_GetStringValue(mask);
    int box[4];
    size_t size;
    uint8_t *part = NULL;
    if (!text || n != 4)
        return ws_fail(error, WSAM_ERR_FORMAT, "a mask needs two points and a PNG");
    for (int k = 0; k < 4; k++) {
        const int side = k % 2 ? height : width;
        if (!(xy[k] > -0.5 && xy[k] < side - 0.5))
            return ws_fail(error, WSAM_ERR_FORMAT, "the mask lies outside of the image");
        box[k] = (int)floor(xy[k] + 0.5);
    }
    if (box[2] < box[0] || box[3] < box[1])
        return ws_fail(error, WSAM_ERR_FORMAT, "the mask's points are not top left, bottom right");
    unsigned char *png = ws_base64_read(text, &size);
    if (!png)
        return ws_fail(error, WSAM_ERR_FORMAT, "the mask is no base64");
    wsam_status status =
        ws_palette_read(png, size, box[3] - box[1] + 1, box[2] - box[0] + 1, &part, error);
    if (!status)
        status = place(part, box, width, height, a, error);
    free(part);
    free(png);
    return status;
}
