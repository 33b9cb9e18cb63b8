/* pipeline/picture/picture.c - pictures in memory: making, checking, turning upright, drawing. */
#include "pipeline/picture/picture.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"

enum { MAX_SIDE = 65535 }; /* also JPEG's own */

wsam_picture_limits ws_picture_limits(const wsam_picture_limits *limits)
{
    wsam_picture_limits l = {0};
    if (limits)
        l = *limits;
    if (!l.max_pixels)
        l.max_pixels = 100000000;
    if (!l.max_file_bytes)
        l.max_file_bytes = (uint64_t)512 << 20;
    if (!l.max_jpeg_scans)
        l.max_jpeg_scans = 100;
    return l;
}

wsam_status ws_picture_check(uint64_t height, uint64_t width, const wsam_picture_limits *limits,
                             wsam_error *error)
{
    if (height < 1 || width < 1 || height > MAX_SIDE || width > MAX_SIDE)
        return ws_fail(error, WSAM_ERR_LIMIT, "an image of %llu x %llu: sides of 1 to %d",
                       (unsigned long long)width, (unsigned long long)height, MAX_SIDE);
    if (height * width > limits->max_pixels)
        return ws_fail(error, WSAM_ERR_LIMIT,
                       "an image of %llu x %llu pixels; the limit is %llu pixels",
                       (unsigned long long)width, (unsigned long long)height,
                       (unsigned long long)limits->max_pixels);
    return WSAM_OK;
}

wsam_status ws_picture_new(int height, int width, wsam_picture *picture, uint8_t **bytes,
                           wsam_error *error)
{
    const size_t stride = (size_t)width * 3;
    *bytes = calloc((size_t)height, stride);
    if (!*bytes)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for an image of %d x %d", width, height);
    *picture = (wsam_picture){height, width, 3, stride, *bytes, *bytes};
    return WSAM_OK;
}

wsam_status ws_picture_valid(const wsam_picture *p, wsam_error *error)
{
    if (!p || !p->pixels || p->height < 1 || p->width < 1 || p->height > MAX_SIDE ||
        p->width > MAX_SIDE)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "an image without pixels, or with sides beyond %d",
                       MAX_SIDE);
    if ((p->channels != 1 && p->channels != 3) ||
        p->stride < (size_t)p->width * (size_t)p->channels)
        return ws_fail(
            error, WSAM_ERR_ARGUMENT,
            "an image with %d channels and rows %zu bytes apart: expected 1 or 3 channels "
            "and whole rows",
            p->channels, p->stride);
    return WSAM_OK;
}

void wsam_picture_free(wsam_picture *picture)
{
    if (!picture)
        return;
    free(picture->memory);
    memset(picture, 0, sizeof *picture);
}

/* ---- orientation ---- */

static unsigned get(const uint8_t *p, int bytes, int big)
{
    unsigned v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (unsigned)p[i] << 8 * (big ? bytes - 1 - i : i);
    return v;
}

int ws_picture_exif_orientation(const uint8_t *tiff, size_t size)
{
    /* of the integer types: byte, short, long, and signed ones; writers use them all */
    static const int bytes[] = {0, 1, 0, 2, 4, 0, 1, 0, 2, 4};
    if (size < 14 || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0))
        return 1;
    const int big = tiff[0] == 'M';
    const size_t directory = get(tiff + 4, 4, big);
    if (directory > size - 2)
        return 1;
    const size_t entries = get(tiff + directory, 2, big);
    for (size_t i = 0; i < entries && directory + 2 + 12 * (i + 1) <= size; i++) {
        const uint8_t *entry = tiff + directory + 2 + 12 * i;
        const unsigned type = get(entry + 2, 2, big);
        if (get(entry, 2, big) != 0x0112 || type >= sizeof bytes / sizeof *bytes || !bytes[type])
            continue;
        const unsigned value = get(entry + 8, bytes[type], big);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Orientations 5 to 8 exchange rows and columns; then 2, 3, 6, 7 mirror x and 3, 4, 7, 8 mirror y
 * of the upright picture. */
wsam_status ws_picture_orient(wsam_picture *picture, int orientation, wsam_error *error)
{
    const int swap = orientation >= 5;
    const int mirror_x =
        orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    const int mirror_y =
        orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    const int h = swap ? picture->width : picture->height;
    const int w = swap ? picture->height : picture->width;
    wsam_picture out;
    uint8_t *bytes;
    if (orientation == 1)
        return WSAM_OK;
    const wsam_status status = ws_picture_new(h, w, &out, &bytes, error);
    if (status)
        return status;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const int a = mirror_x ? w - 1 - x : x, b = mirror_y ? h - 1 - y : y;
            const size_t row = (size_t)(swap ? a : b), column = (size_t)(swap ? b : a);
            memcpy(bytes, picture->pixels + row * picture->stride + column * 3, 3);
            bytes += 3;
        }
    wsam_picture_free(picture);
    *picture = out;
    return WSAM_OK;
}

/* ---- drawing ---- */

static void draw_pixel(double u, double v, int grain, uint8_t *rgb)
{
    /* Disk and box stand where the picture of 640 x 480 has (213,240) and (427,240). */
    const double dx = (u - 0.333) * 4.0 / 3.0, dy = v - 0.5;
    const double hill = 0.72 + 0.05 * (u - 0.3) * (u - 0.3);
    double r = 150 + 60 * v, g = 185 + 40 * v, b = 235;
    if (v > hill)
        r = 70 + 90 * u, g = 130 - 60 * (v - hill), b = 60;
    if (u > 0.54 && u < 0.79 && v > 0.26 && v < 0.79)
        r = 45, g = 75 + 60 * (v - 0.26), b = 170;
    if (u > 0.61 && u < 0.72 && v > 0.36 && v < 0.5)
        r = 245, g = 225, b = 140;
    if (dx * dx + dy * dy < 0.04)
        r = 225 - 220 * (dx + 0.2) * (dy + 0.2), g = 60 + 80 * (0.2 - dy), b = 45;
    rgb[0] = (uint8_t)((int)r + grain);
    rgb[1] = (uint8_t)((int)g + grain);
    rgb[2] = (uint8_t)((int)b + grain);
}

wsam_status wsam_picture_draw(int height, int width, wsam_picture *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    uint8_t *bytes;
    memset(out, 0, sizeof *out);
    if (height < 16 || width < 16 || height > 16384 || width > 16384)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "a drawn image has sides of 16 to 16384");
    const wsam_status status = ws_picture_new(height, width, out, &bytes, error);
    if (status)
        return status;
    uint32_t noise = 12345;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, bytes += 3) {
            noise = noise * 1664525u + 1013904223u;
            draw_pixel((x + 0.5) / width, (y + 0.5) / height, (int)(noise >> 29), bytes);
        }
    return WSAM_OK;
}
