/* kernels/mask_bits.c - packed bits from and to rows of bytes. */
#include "weaksam/masks.h"

#include <string.h>

/* A word is 64 rows of one column: run lengths of COCO go down the columns, so that they are
 * counted by words. */
size_t wsam_bits_words(int height, int width)
{
    return ((size_t)height + 63) / 64 * (size_t)width;
}

void wsam_bits_from_bytes(const uint8_t *bytes, size_t stride, int height, int width,
                          uint64_t *bits)
{
    memset(bits, 0, wsam_bits_words(height, width) * sizeof *bits);
    for (int y = 0; y < height; y++) {
        const uint8_t *row = bytes + (size_t)y * stride;
        /* A row of bytes goes into one bit of every word of its band: both are read and written in
         * order. */
        uint64_t *band = bits + (size_t)(y / 64) * (size_t)width;
        for (int x = 0; x < width; x++)
            band[x] |= (uint64_t)(row[x] != 0) << (y % 64);
    }
}

void wsam_bits_to_bytes(const uint64_t *bits, int height, int width, uint8_t value, uint8_t *bytes,
                        size_t stride)
{
    for (int y = 0; y < height; y++) {
        uint8_t *row = bytes + (size_t)y * stride;
        const uint64_t *band = bits + (size_t)(y / 64) * (size_t)width;
        for (int x = 0; x < width; x++)
            row[x] = band[x] >> (y % 64) & 1 ? value : 0;
    }
}
