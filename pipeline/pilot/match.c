/* pipeline/pilot/match.c - see match.h. */
#include "pipeline/pilot/match.h"
#include "pipeline/coco/box_overlap.h"

#include <stdlib.h>

static const double loose = 0.1;

typedef struct place {
    double score;
    size_t at;
} place;

static int by_score(const void *a, const void *b)
{
    const place *p = a, *q = b;
    if (p->score < q->score || p->score > q->score)
        return p->score > q->score ? -1 : 1;
    return (p->at > q->at) - (p->at < q->at);
}

static void explain(ws_pilot_box *d, const ws_pilot_box *objects, size_t m, double iou)
{
    double best = 0;
    d->cause = WS_PILOT_NOTHING;
    for (size_t k = 0; k < m; k++) {
        const double v = ws_box_overlap_iou(d->box, objects[k].box);
        if (objects[k].class_index == d->class_index && v >= iou)
            d->cause = WS_PILOT_TWICE;
        else if (d->cause != WS_PILOT_TWICE && v >= iou && v > best) {
            d->cause = WS_PILOT_CONFUSED;
            d->other = objects[k].class_index;
            best = v;
        } else if (d->cause == WS_PILOT_NOTHING && v >= loose &&
                   objects[k].class_index == d->class_index)
            d->cause = WS_PILOT_LOOSE;
    }
}

static void settle(ws_pilot_box *d, ws_pilot_box *objects, size_t m, double iou)
{
    double best = iou;
    ws_pilot_box *mine = NULL;
    for (size_t k = 0; k < m; k++) {
        const double v = objects[k].found || objects[k].class_index != d->class_index
                             ? -1
                             : ws_box_overlap_iou(d->box, objects[k].box);
        if (v >= best) {
            best = v;
            mine = &objects[k];
        }
    }
    if (mine) {
        mine->found = 1;
        d->cause = WS_PILOT_HIT;
    } else {
        explain(d, objects, m, iou);
    }
}

wsam_status ws_pilot_match(ws_pilot_box *detections, size_t n, ws_pilot_box *objects, size_t m,
                           double iou, wsam_error *error)
{
    place *order = malloc((n + 1) * sizeof *order);
    if (!order)
        return ws_no_memory(error, "a pilot");
    for (size_t i = 0; i < n; i++)
        order[i] = (place){detections[i].score, i};
    if (n)
        qsort(order, n, sizeof *order, by_score);
    for (size_t i = 0; i < n; i++)
        settle(&detections[order[i].at], objects, m, iou);
    free(order);
    return WSAM_OK;
}
