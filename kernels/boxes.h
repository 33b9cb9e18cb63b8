/* kernels/boxes.h - boxes: overlap, and for detectors anchors, deltas and masks drawn into boxes.
 * Plain C at every level: some thousand boxes an image. */
#ifndef WS_KERNELS_BOXES_H
#define WS_KERNELS_BOXES_H

#include <stddef.h>
#include <stdint.h>

/* IoU of boxes x0, y0, x1, y1; NaN for two without an area. Here, as suppression asks for it some
 * n^2 / 2 times. */
static inline float ws_box_iou(const float *a, const float *b)
{
    const float x0 = a[0] > b[0] ? a[0] : b[0], y0 = a[1] > b[1] ? a[1] : b[1];
    const float x1 = a[2] < b[2] ? a[2] : b[2], y1 = a[3] < b[3] ? a[3] : b[3];
    const float w = x1 > x0 ? x1 - x0 : 0, h = y1 > y0 ? y1 - y0 : 0;
    const float both = w * h;
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}
/* The same of boxes whose last pixel is inside (the +1 convention); 0 where they do not meet. */
float ws_box_iou_inclusive(const float *a, const float *b);

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
