/* pipeline/exchange/palette_png.h - PNG files whose pixels are numbers of objects or classes. */
#ifndef WS_PIPELINE_EXCHANGE_PALETTE_PNG_H
#define WS_PIPELINE_EXCHANGE_PALETTE_PNG_H

#include <stdio.h>

#include "base/error.h"

/* Rows of palette numbers, with PASCAL VOC's colours. */
wsam_status ws_palette_write(const uint8_t *rows, int height, int width, FILE *stream,
                             wsam_error *error);

/* The numbers of a palette or grey PNG of 8 bits or fewer, as they stand in the file; free(*rows).
 * The size has to be height x width, which also bounds the memory. */
wsam_status ws_palette_read(const void *bytes, size_t size, int height, int width, uint8_t **rows,
                            wsam_error *error);

/* PASCAL VOC's colour of number n: the bits of n, three at a time, from the top down. */
void ws_palette_colour(unsigned n, uint8_t rgb[3]);

#endif
