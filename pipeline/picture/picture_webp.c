/* pipeline/picture/picture_webp.c - WebP through libwebp: lossy and lossless, one frame. */
#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>

#include "pipeline/picture/picture.h"

/* RIFF, size, WEBP; then chunks of a name, a size and as many bytes, padded to an even number. */
enum { RIFF = 12, CHUNK = 8 };

static size_t chunk_size(const uint8_t *chunk)
{
    return (size_t)chunk[4] | (size_t)chunk[5] << 8 | (size_t)chunk[6] << 16 |
           (size_t)chunk[7] << 24;
}

/* Some writers put "Exif\0\0" before the TIFF block, as JPEG has it. */
static int orientation_of(const uint8_t *bytes, size_t size)
{
    static const char prefix[6] = "Exif\0";
    for (size_t at = RIFF; at < size && size - at >= CHUNK;) {
        const uint8_t *chunk = bytes + at, *body = chunk + CHUNK;
        const size_t left = size - at - CHUNK, n = chunk_size(chunk);
        if (n > left)
            return 1;
        if (memcmp(chunk, "EXIF", 4) == 0) {
            const size_t skip = n >= 6 && memcmp(body, prefix, 6) == 0 ? 6 : 0;
            return ws_picture_exif_orientation(body + skip, n - skip);
        }
        at += CHUNK + n + (n & 1);
    }
    return 1;
}

wsam_status ws_webp_decode(const void *bytes, size_t size, const wsam_picture_limits *limits,
                           wsam_picture *picture, int *orientation, wsam_error *error)
{
    WebPBitstreamFeatures f;
    uint8_t *pixels;
    const VP8StatusCode code = WebPGetFeatures(bytes, size, &f);
    if (code != VP8_STATUS_OK)
        return ws_fail(error, WSAM_ERR_FORMAT, "WebP: the header is damaged or truncated");
    if (f.has_animation)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "WebP: an animation; expected one frame");
    if (f.height < 1 || f.width < 1)
        return ws_fail(error, WSAM_ERR_FORMAT, "WebP: sides of %d x %d", f.width, f.height);
    wsam_status status = ws_picture_check((uint64_t)f.height, (uint64_t)f.width, limits, error);
    if (!status)
        status = ws_picture_new(f.height, f.width, picture, &pixels, error);
    if (status)
        return status;
    /* rows are written as they are decoded: those of a truncated file would be black */
    if (!WebPDecodeRGBInto(bytes, size, pixels, picture->stride * (size_t)f.height,
                           (int)picture->stride))
        return ws_fail(error, WSAM_ERR_FORMAT, "WebP: damaged or truncated");
    *orientation = orientation_of(bytes, size);
    return WSAM_OK;
}
