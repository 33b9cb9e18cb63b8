/* pipeline/detect/keep.c - class scores and boxes of proposals, and those that are kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/sort.h"
#include "pipeline/detect/detector.h"
#include "weaksam/masks.h"

/* Candidates of one class, and what all classes have left. */
typedef struct keeper {
    const wsam_detector *d;
    const ws_detector_input *in;
    const wsam_detector_params *params;
    const float (*proposals)[4];
    size_t n;
    float *probabilities; /* [n][slots] */
    float (*boxes)[4], *scores;
    uint64_t *scratch;
    uint32_t *indices;
    ws_detector_box *kept;
    size_t n_kept, capacity;
} keeper;

static void softmax(const float *x, size_t n, float *y)
{
    float most = x[0], sum = 0.0f;
    for (size_t i = 1; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t i = 0; i < n; i++)
        sum += y[i] = expf(x[i] - most);
    for (size_t i = 0; i < n; i++)
        y[i] /= sum;
}

/* ---- frames ---- */

/* Factors from the resized picture to the picture. */
static void to_picture(const ws_detector_input *in, float by[2])
{
    by[0] = (float)in->width / (float)in->resized_width;
    by[1] = (float)in->height / (float)in->resized_height;
}

/* mmdetection's Faster R-CNN suppresses boxes in the frame of the picture. */
static int suppresses_in_picture(const wsam_detector *d)
{
    return d->rules == WS_DETECTOR_MMDETECTION && !d->mask_bins;
}

static void scale_box(const ws_detector_input *in, const float from[4], float box[4])
{
    float by[2];
    to_picture(in, by);
    for (int k = 0; k < 4; k++)
        box[k] = from[k] * by[k % 2];
}

/* The box of the picture; 0 where nothing of it is left. */
static int finish_box(const keeper *k, ws_detector_box *b)
{
    scale_box(k->in, b->resized, b->box);
    if (k->d->rules != WS_DETECTOR_DETECTRON2)
        return 1;
    ws_box_clip((float)k->in->width, (float)k->in->height, b->box);
    return b->box[2] > b->box[0] && b->box[3] > b->box[1];
}

/* ---- a class ---- */

static size_t collect(const keeper *k, size_t slot, size_t delta, const float *deltas)
{
    const wsam_detector *d = k->d;
    const ws_box_rule rule = {{10.0f, 10.0f, 5.0f, 5.0f}, d->rules == WS_DETECTOR_MMDETECTION};
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++) {
        const float score = k->probabilities[i * d->slots + slot];
        float *box = k->boxes[n];
        if (!((double)score > k->params->min_score))
            continue;
        ws_box_decode(&rule, k->proposals[i], deltas + 4 * (i * d->deltas + delta), box);
        ws_box_clip((float)k->in->resized_width, (float)k->in->resized_height, box);
        if (d->rules == WS_DETECTOR_TORCHVISION &&
            !(box[2] - box[0] >= 1e-2f && box[3] - box[1] >= 1e-2f))
            continue;
        k->scores[n++] = score;
    }
    return n;
}

static wsam_status keep_class(keeper *k, size_t class_index, const float *deltas, wsam_error *error)
{
    const wsam_detector *d = k->d;
    const int torchvision = d->rules == WS_DETECTOR_TORCHVISION;
    const size_t slot = class_index + (size_t)torchvision;
    const size_t n = collect(k, slot, d->deltas == 1 ? 0 : slot, deltas);
    float(*frame)[4] = k->boxes;
    if (suppresses_in_picture(d)) {
        frame = k->boxes + k->n;
        for (size_t i = 0; i < n; i++)
            scale_box(k->in, k->boxes[i], frame[i]);
    }
    const size_t kept =
        wsam_box_nms(frame[0], k->scores, n, k->params->nms, k->scratch, k->indices);
    if (k->n_kept + kept > k->capacity) {
        const size_t wanted = 2 * (k->n_kept + kept);
        ws_detector_box *grown = realloc(k->kept, wanted * sizeof *grown);
        if (!grown)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", wanted);
        k->kept = grown;
        k->capacity = wanted;
    }
    for (size_t i = 0; i < kept; i++) {
        ws_detector_box b = {.score = k->scores[k->indices[i]],
                             .class_index = (int32_t)class_index};
        memcpy(b.resized, k->boxes[k->indices[i]], sizeof b.resized);
        k->kept[k->n_kept++] = b;
    }
    return WSAM_OK;
}

/* ---- all classes ---- */

/* The best `most` of all, best first, without those that vanish in the picture. */
static wsam_status keep_best(keeper *k, wsam_error *error)
{
    const size_t n = k->n_kept, most = k->params->most ? k->params->most : n;
    ws_detector_box *best = malloc((n + 1) * sizeof *best);
    float *scores = malloc((n + 1) * sizeof *scores);
    uint64_t *scratch = malloc((n + 1) * sizeof *scratch);
    uint32_t *indices = malloc((n + 1) * sizeof *indices);
    const int ok = best && scores && scratch && indices;
    size_t left = 0;
    for (size_t i = 0; ok && i < n; i++)
        scores[i] = k->kept[i].score;
    const size_t m = ok ? ws_sort_top_k(scores, n, most, scratch, indices) : 0;
    for (size_t i = 0; i < m; i++) {
        best[left] = k->kept[indices[i]];
        left += (size_t)finish_box(k, &best[left]);
    }
    free(scores);
    free(scratch);
    free(indices);
    if (!ok) {
        free(best);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", n);
    }
    free(k->kept);
    k->kept = best;
    k->n_kept = left;
    return WSAM_OK;
}

static wsam_status keep_all(keeper *k, const float *logits, const float *deltas, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < k->n; i++)
        softmax(logits + i * k->d->slots, k->d->slots, k->probabilities + i * k->d->slots);
    for (size_t c = 0; c < k->d->n_classes && !status; c++)
        status = keep_class(k, c, deltas, error);
    return status ? status : keep_best(k, error);
}

wsam_status ws_detector_keep(const wsam_detector *d, const ws_detector_input *in,
                             const wsam_detector_params *params, const float (*proposals)[4],
                             size_t n, const float *logits, const float *deltas,
                             ws_detector_box **kept, size_t *n_kept, wsam_error *error)
{
    keeper k = {.d = d, .in = in, .params = params, .proposals = proposals, .n = n};
    k.probabilities = calloc(n * d->slots + 1, sizeof *k.probabilities);
    k.boxes = malloc((2 * n + 1) * sizeof *k.boxes);
    k.scores = malloc((n + 1) * sizeof *k.scores);
    k.scratch = malloc((n + 1) * sizeof *k.scratch);
    k.indices = malloc((n + 1) * sizeof *k.indices);
    wsam_status status =
        k.probabilities && k.boxes && k.scores && k.scratch && k.indices
            ? keep_all(&k, logits, deltas, error)
            : ws_fail(error, WSAM_ERR_MEMORY, "no memory for the scores of %zu boxes", n);
    free(k.probabilities);
    free(k.boxes);
    free(k.scores);
    free(k.scratch);
    free(k.indices);
    if (status) {
        free(k.kept);
        k.kept = NULL;
        k.n_kept = 0;
    }
    *kept = k.kept;
    *n_kept = k.n_kept;
    return status;
}
