/* kernels/boxes.c - overlap of boxes, anchors and box deltas. */
#include "kernels/boxes.h"
#include "weaksam/masks.h"

#include <math.h>

/* ---- overlap ---- */

float wsam_box_iou(const float *a, const float *b)
{
    return ws_box_iou(a, b);
}

float ws_box_iou_inclusive(const float *a, const float *b)
{
    const float x0 = a[0] > b[0] ? a[0] : b[0], y0 = a[1] > b[1] ? a[1] : b[1];
    const float x1 = a[2] < b[2] ? a[2] : b[2], y1 = a[3] < b[3] ? a[3] : b[3];
    const float w = x1 - x0 + 1, h = y1 - y0 + 1;
    if (w <= 0 || h <= 0)
        return 0;
    const float area_a = (a[2] - a[0] + 1) * (a[3] - a[1] + 1);
    const float area_b = (b[2] - b[0] + 1) * (b[3] - b[1] + 1);
    return w * h / (area_a + area_b - w * h);
}

/* ---- detectors ---- */

void ws_box_anchors(float size, int rounded, float boxes[WS_BOX_RATIOS][4])
{
    static const float ratios[WS_BOX_RATIOS] = {0.5f, 1.0f, 2.0f};
    for (int i = 0; i < WS_BOX_RATIOS; i++) {
        const float tall = sqrtf(ratios[i]), w = 1.0f / tall * size / 2.0f, h = tall * size / 2.0f;
        const float box[4] = {-w, -h, w, h};
        for (int k = 0; k < 4; k++)
            boxes[i][k] = rounded ? nearbyintf(box[k]) : box[k];
    }
}

/* log(1000 / 16) */
#define MOST_GROWTH 4.135166556742356f

void ws_box_decode(const ws_box_rule *rule, const float from[4], const float deltas[4],
                   float box[4])
{
    float d[4];
    const float w = from[2] - from[0], h = from[3] - from[1];
    const float cx = from[0] + 0.5f * w, cy = from[1] + 0.5f * h;
    for (int k = 0; k < 4; k++)
        d[k] = deltas[k] / rule->weights[k];
    for (int k = 2; k < 4; k++) {
        d[k] = d[k] > MOST_GROWTH ? MOST_GROWTH : d[k];
        d[k] = rule->bound_below && d[k] < -MOST_GROWTH ? -MOST_GROWTH : d[k];
    }
    const float x = d[0] * w + cx, y = d[1] * h + cy;
    const float half_w = 0.5f * (expf(d[2]) * w), half_h = 0.5f * (expf(d[3]) * h);
    box[0] = x - half_w;
    box[1] = y - half_h;
    box[2] = x + half_w;
    box[3] = y + half_h;
}

void ws_box_clip(float width, float height, float box[4])
{
    for (int k = 0; k < 4; k++) {
        const float most = k % 2 ? height : width;
        box[k] = box[k] > 0.0f ? box[k] : 0.0f; /* also NaN */
        box[k] = box[k] < most ? box[k] : most;
    }
}
