#include "tests/fuzz/picture.h"

#include <stdlib.h>
#include <string.h>

#include "weaksam/picture.h"

unsigned fuzz_picture(const uint8_t *data, size_t size, const void *magic, size_t magic_bytes)
{
    unsigned sum = 0;
    const wsam_picture_limits limits = {.max_pixels = 1 << 18, .max_jpeg_scans = 20};
    wsam_picture picture;
    wsam_error error;
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    memcpy(copy, magic, magic_bytes < size ? magic_bytes : size);
    if (!wsam_picture_decode(copy, size, &limits, &picture, &error)) {
        for (int y = 0; y < picture.height; y++)
            for (int x = 0; x < picture.width * picture.channels; x++)
                sum += picture.pixels[(size_t)y * picture.stride + (size_t)x];
        wsam_picture_free(&picture);
    }
    free(copy);
    return sum;
}
