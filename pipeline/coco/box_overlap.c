/* pipeline/coco/box_overlap.c - see box_overlap.h. */
#include "pipeline/coco/box_overlap.h"

#include <math.h>

double ws_box_overlap(const double a[4], const double b[4])
{
    const double w = fmin(a[0] + a[2], b[0] + b[2]) - fmax(a[0], b[0]);
    const double h = fmin(a[1] + a[3], b[1] + b[3]) - fmax(a[1], b[1]);
    return w > 0 && h > 0 ? w * h : 0;
}

double ws_box_overlap_iou(const double a[4], const double b[4])
{
    const double both = ws_box_overlap(a, b);
    return both > 0 ? both / (a[2] * a[3] + b[2] * b[3] - both) : 0;
}
