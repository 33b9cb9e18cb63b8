/* pipeline/detect/proposals.c - from the RPN's maps to boxes that may hold something. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/sort.h"
#include "pipeline/detect/detector.h"
#include "runtime/run/threads.h"
#include "weaksam/masks.h"

/* A level's candidates, best first; those that NMS leaves come first. */
typedef struct level {
    size_t n;
    float boxes[WS_DETECTOR_PROPOSALS][4], scores[WS_DETECTOR_PROPOSALS];
} level;

typedef struct work {
    const wsam_detector *d;
    const ws_detector_input *in;
    const ws_detector_maps *maps;
    level levels[WS_DETECTOR_LEVELS];
    uint64_t *scratch[WS_DETECTOR_LEVELS];
    uint32_t indices[WS_DETECTOR_LEVELS][WS_DETECTOR_PROPOSALS];
} work;

/* Pixels between the anchors of a level. torchvision divides, in integers; its last level has fewer
 * than 64 where the padded side is no multiple of 64. */
static float stride_of(const wsam_detector *d, int at, int padded, int64_t cells)
{
    return (float)(d->rules == WS_DETECTOR_TORCHVISION ? padded / cells : (int64_t)4 << at);
}

static int is_kept(const wsam_detector *d, const float box[4], float score)
{
    const float w = box[2] - box[0], h = box[3] - box[1];
    if (d->rules == WS_DETECTOR_TORCHVISION)
        return w >= 1e-3f && h >= 1e-3f;
    return w > 0.0f && h > 0.0f && (d->rules == WS_DETECTOR_MMDETECTION || isfinite(score));
}

/* The best anchors of a level become boxes, without those that have no area. */
static void decode_level(work *w, int at)
{
    const wsam_detector *d = w->d;
    const wsam_tensor *objectness = &w->maps->objectness[at], *deltas = &w->maps->deltas[at];
    const ws_box_rule rule = {{1.0f, 1.0f, 1.0f, 1.0f}, d->rules == WS_DETECTOR_MMDETECTION};
    const int64_t cells_x = objectness->shape[1], ratios = objectness->shape[2];
    const size_t n = (size_t)(objectness->shape[0] * cells_x * ratios);
    const float stride_y = stride_of(d, at, w->in->padded_height, objectness->shape[0]);
    const float stride_x = stride_of(d, at, w->in->padded_width, cells_x);
    const float *scores = objectness->data, *values = deltas->data;
    float anchors[WS_BOX_RATIOS][4];
    level *l = &w->levels[at];
    ws_box_anchors((float)(32 << at), d->rules == WS_DETECTOR_TORCHVISION, anchors);
    const size_t k =
        ws_sort_top_k(scores, n, WS_DETECTOR_PROPOSALS, w->scratch[at], w->indices[at]);
    for (size_t i = 0; i < k; i++) {
        const size_t index = w->indices[at][i], cell = index / (size_t)ratios;
        const float y = (float)(cell / (size_t)cells_x) * stride_y;
        const float x = (float)(cell % (size_t)cells_x) * stride_x;
        const float *a = anchors[index % (size_t)ratios];
        const float from[4] = {a[0] + x, a[1] + y, a[2] + x, a[3] + y};
        float *box = l->boxes[l->n];
        ws_box_decode(&rule, from, values + 4 * index, box);
        ws_box_clip((float)w->in->resized_width, (float)w->in->resized_height, box);
        l->scores[l->n] = scores[index];
        l->n += (size_t)is_kept(d, box, scores[index]);
    }
}

static void suppress(work *w, int at)
{
    level *l = &w->levels[at];
    const uint32_t *indices = w->indices[at];
    const size_t kept =
        wsam_box_nms(l->boxes[0], l->scores, l->n, 0.7, w->scratch[at], w->indices[at]);
    for (size_t i = 0; i < kept; i++) { /* indices rise: they were best first */
        memmove(l->boxes[i], l->boxes[indices[i]], sizeof l->boxes[i]);
        l->scores[i] = l->scores[indices[i]];
    }
    l->n = kept;
}

static void find_on_level(void *arg, int at, int worker)
{
    (void)worker;
    decode_level(arg, at);
    suppress(arg, at);
}

/* The best of all levels; a finer level first among equal scores. */
static size_t merge(const work *w, float boxes[WS_DETECTOR_PROPOSALS][4])
{
    size_t at[WS_DETECTOR_LEVELS] = {0}, n = 0;
    for (; n < WS_DETECTOR_PROPOSALS; n++) {
        int best = -1;
        for (int i = 0; i < WS_DETECTOR_LEVELS; i++) {
            const level *l = &w->levels[i];
            if (at[i] < l->n && (best < 0 || l->scores[at[i]] > w->levels[best].scores[at[best]]))
                best = i;
        }
        if (best < 0)
            break;
        memcpy(boxes[n], w->levels[best].boxes[at[best]++], sizeof boxes[n]);
    }
    return n;
}

wsam_status ws_detector_proposals(const wsam_detector *d, const ws_detector_input *in,
                                  const ws_detector_maps *maps,
                                  float boxes[WS_DETECTOR_PROPOSALS][4], size_t *n,
                                  wsam_error *error)
{
    work *w = calloc(1, sizeof *w);
    int ok = w != NULL;
    *n = 0;
    for (int i = 0; ok && i < WS_DETECTOR_LEVELS; i++) {
        const int64_t *shape = maps->objectness[i].shape;
        const size_t anchors = (size_t)(shape[0] * shape[1] * shape[2]);
        w->scratch[i] = malloc((anchors + WS_DETECTOR_PROPOSALS) * sizeof *w->scratch[i]);
        ok = w->scratch[i] != NULL;
    }
    if (ok) {
        w->d = d;
        w->in = in;
        w->maps = maps;
        ws_parallel_for(d->threads, WS_DETECTOR_LEVELS, find_on_level, w);
        *n = merge(w, boxes);
    }
    for (int i = 0; w && i < WS_DETECTOR_LEVELS; i++)
        free(w->scratch[i]);
    free(w);
    return ok ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for proposals");
}
