/* pipeline/exchange/label_studio_rle.h - Label Studio's own run lengths for brush masks.
 *
 * A stream of bits: 32 bits the number of values (four a pixel, RGBA, row by row), 5 bits the size
 * of a value minus 1, four times 4 bits the sizes of lengths minus 1. Then blocks: 1 bit whether the
 * block is a run, 2 bits which size its length has, the length minus 1, and the value once (a run)
 * or as often as the length says. Published with label-studio-converter (brush.py), which takes it
 * from thi.ng/rle-pack. */
#ifndef WS_PIPELINE_EXCHANGE_LABEL_STUDIO_RLE_H
#define WS_PIPELINE_EXCHANGE_LABEL_STUDIO_RLE_H

#include "base/error.h"
#include "base/text.h"

/* Rows of bytes (0 or not) as a list of numbers: "[0,1,...]". */
void ws_label_studio_rle_put(ws_text *t, const uint8_t *rows, size_t pixels);

/* The alpha channel of exactly `pixels` pixels: rows of 0 and 1. */
wsam_status ws_label_studio_rle_read(const uint8_t *bytes, size_t n, uint8_t *rows, size_t pixels,
                                     wsam_error *error);

#endif
