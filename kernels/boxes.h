/* kernels/boxes.h - boxes of detectors: anchors, deltas, and masks drawn
 * into boxes. Plain C at every level: some thousand boxes an image. */
#ifndef WS_KERNELS_BOXES_H
#define WS_KERNELS_BOXES_H

#include <stddef.h>
#include <stdint.h>

enum { WS_BOX_RATIOS = 3 };

/* The anchors of one size around (0,0): height to width 0.5, 1 and 2 at an area of size^2.
 * `rounded`: corners become integers, half to even. */
void ws_box_anchors(float size, int rounded, float boxes[WS_BOX_RATIOS][4]);

/* How deltas become boxes. Sizes grow by at most 1000/16. */
typedef struct ws_box_rule {
    float weights[4]; /* what deltas of x, y, width, height are divided by */
    int bound_below;  /* sizes shrink by at most that, too */
} ws_box_rule;

void ws_box_decode(const ws_box_rule *rule, const float from[4], const float deltas[4],
                   float box[4]);

/* Cuts at 0, 0, width, height. */
void ws_box_clip(float width, float height, float box[4]);

/* How a mask of side x side probabilities is drawn into its box. */
typedef enum ws_paste_rule {
    WS_PASTE_SAMPLED, /* detectron2, mmdetection: the box as it is, cells sampled at pixel centres */
    WS_PASTE_RESIZED  /* torchvision: the box grown and cut to integers, a ring of zeros around */
} ws_paste_rule;

/* Bytes of scratch for a mask. */
size_t ws_paste_scratch(int side, int height, int width);

/* Bits (masks.h) of the pixels of an image of height x width whose probability is 0.5 or more; `box`
 * in its pixels. bits[wsam_bits_words(height, width)] is written whole. */
void ws_paste_mask(ws_paste_rule rule, const float *mask, int side, const float box[4], int height,
                   int width, void *scratch, uint64_t *bits);

#endif
