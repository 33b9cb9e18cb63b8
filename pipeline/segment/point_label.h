/* pipeline/segment/point_label.h - the label of a point, as files and the command line give it. */
#ifndef WS_PIPELINE_SEGMENT_POINT_LABEL_H
#define WS_PIPELINE_SEGMENT_POINT_LABEL_H

/* 0 beside the object, 1 on it; anything else is refused (returns 0), not rounded. */
static inline int ws_point_label(double value, int *label)
{
    *label = value > 0.5;
    return !(value < 0) && !(value > 0 && value < 1) && !(value > 1) && value <= 1;
}

#endif
