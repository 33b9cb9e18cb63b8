/* pipeline/train/detect.c - detections of a picture from scores and boxes per class. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kernels/float_scope.h"
#include "pipeline/train/losses.h"
#include "weaksam/train.h"

void wsam_detect_options_default(wsam_detect_options *o)
{
    *o = (wsam_detect_options){.min_score = 0.05, .nms = 0.5, .most = 100};
}

typedef struct found {
    double score, box[4];
    size_t at; /* proposal */
    int32_t class_index;
    int kept;
} found;

static int best_first(const void *x, const void *y)
{
    const found *a = x, *b = y;
    if (a->score > b->score || a->score < b->score)
        return a->score > b->score ? -1 : 1;
    if (a->class_index != b->class_index)
        return a->class_index < b->class_index ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static int by_class(const void *x, const void *y)
{
    const found *a = x, *b = y;
    if (a->class_index != b->class_index)
        return a->class_index < b->class_index ? -1 : 1;
    return best_first(x, y);
}

static int wanted(const wsam_detect_options *o, size_t class_index)
{
    for (size_t i = 0; i < o->n_only; i++)
        if (o->only[i] == (int32_t)class_index)
            return 1;
    return !o->only;
}

/* Boxes of one class with a score, from `list` on; those that NMS leaves come first. */
static size_t class_boxes(const float *scores, const float *boxes, size_t n, size_t n_classes,
                          size_t c, const wsam_detect_options *o, found *list)
{
    size_t m = 0, kept = 0;
    for (size_t i = 0; i < n; i++) {
        const float *b = boxes + 4 * (i * n_classes + c);
        found f = {.score = (double)scores[i * n_classes + c], .at = i, .class_index = (int32_t)c};
        for (int k = 0; k < 4; k++)
            f.box[k] = (double)b[k];
        if (f.score > o->min_score && f.box[2] > f.box[0] && f.box[3] > f.box[1])
            list[m++] = f;
    }
    if (m)
        qsort(list, m, sizeof *list, best_first);
    for (size_t i = 0; i < m; i++) {
        int free_of_better = 1;
        for (size_t k = 0; k < kept && free_of_better; k++)
            free_of_better = ws_losses_box_iou(list[i].box, list[k].box) <= o->nms;
        if (free_of_better)
            list[kept++] = list[i];
    }
    return kept;
}

wsam_status wsam_detect(const float *scores, const float *boxes, size_t n, size_t n_classes,
                        const wsam_detect_options *options, wsam_instances *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_detect_options defaults;
    wsam_detect_options_default(&defaults);
    const wsam_detect_options *o = options ? options : &defaults;
    found *list = malloc((n * n_classes + 1) * sizeof *list);
    size_t m = 0;
    *out = (wsam_instances){0};
    if (!list)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", n);
    for (size_t c = 0; c < n_classes; c++)
        if (wanted(o, c))
            m += class_boxes(scores, boxes, n, n_classes, c, o, list + m);
    if (m > o->most && o->most) {
        qsort(list, m, sizeof *list, best_first);
        m = o->most;
        qsort(list, m, sizeof *list, by_class);
    }
    out->items = calloc(m + 1, sizeof *out->items);
    if (!out->items) {
        free(list);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", m);
    }
    out->n = m;
    for (size_t i = 0; i < m; i++) {
        const double *b = list[i].box;
        out->items[i] = (wsam_instance){.class_index = list[i].class_index,
                                        .bbox = {b[0], b[1], b[2] - b[0], b[3] - b[1]},
                                        .score = list[i].score};
    }
    free(list);
    return WSAM_OK;
}
