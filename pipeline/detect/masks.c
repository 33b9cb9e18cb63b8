/* pipeline/detect/masks.c - the masks of what a detector found, as run lengths. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/detect/detector.h"
#include "runtime/run/threads.h"

/* What a worker draws with. */
typedef struct desk {
    void *scratch;
    uint64_t *bits;
} desk;

typedef struct job {
    const wsam_detector *d;
    float *values; /* [n][side][side] */
    wsam_detections *out;
    desk *desks;
    size_t words;
} job;

static wsam_status new_desks(const job *j, int threads, int side, wsam_error *error)
{
    for (int i = 0; i < threads; i++) {
        j->desks[i].scratch = malloc(ws_paste_scratch(side, j->out->height, j->out->width));
        j->desks[i].bits = malloc(j->words * sizeof(uint64_t));
        if (!j->desks[i].scratch || !j->desks[i].bits)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for masks");
    }
    return WSAM_OK;
}

/* The run lengths of bits, in memory of their size; n stays 0 where there is none. */
static void encode(const uint64_t *bits, int height, int width, wsam_rle *rle)
{
    wsam_rle r = {.height = height, .width = width};
    if (wsam_rle_from_bits(bits, height, width, NULL, 0, 0, &r) != WSAM_ERR_LIMIT)
        return;
    r.capacity = r.n;
    r.counts = malloc(r.n * sizeof *r.counts);
    if (!r.counts)
        return;
    if (wsam_rle_from_bits(bits, height, width, NULL, 0, 0, &r) == WSAM_OK)
        *rle = r;
    else
        free(r.counts);
}

static void draw(void *arg, int i, int worker)
{
    const job *j = arg;
    const int side = 2 * j->d->mask_bins;
    const desk *own = &j->desks[worker];
    float *mask = j->values + (size_t)i * (size_t)(side * side);
    wsam_detection *item = &j->out->items[i];
    ws_paste_mask(j->d->rules == WS_DETECTOR_TORCHVISION ? WS_PASTE_RESIZED : WS_PASTE_SAMPLED,
                  mask, side, item->box, j->out->height, j->out->width, own->scratch, own->bits);
    encode(own->bits, j->out->height, j->out->width, &item->mask);
}

/* Which channel of the mask head shows a class. */
static size_t channel_of(const wsam_detector *d, int32_t class_index)
{
    if (d->mask_classes == 1)
        return 0;
    return (size_t)class_index + (d->rules == WS_DETECTOR_TORCHVISION ? 1 : 0);
}

static wsam_status draw_all(job *j, wsam_error *error)
{
    const int threads = j->d->threads;
    j->words = wsam_bits_words(j->out->height, j->out->width);
    j->desks = calloc((size_t)threads, sizeof *j->desks);
    if (!j->desks)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for masks");
    wsam_status status = new_desks(j, threads, 2 * j->d->mask_bins, error);
    if (!status)
        ws_parallel_for(threads, (int)j->out->n, draw, j);
    for (size_t i = 0; i < j->out->n && !status; i++)
        if (!j->out->items[i].mask.counts)
            status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for masks");
    for (int i = 0; i < threads; i++) {
        free(j->desks[i].scratch);
        free(j->desks[i].bits);
    }
    free(j->desks);
    return status;
}

wsam_status ws_detector_mask_values(wsam_detector *d, const ws_detector_maps *maps,
                                    const ws_detector_box *kept, size_t n, float *values,
                                    wsam_error *error)
{
    const size_t pixels = (size_t)(4 * d->mask_bins * d->mask_bins);
    float(*boxes)[4] = malloc((n + 1) * sizeof *boxes);
    size_t *channels = calloc(n + 1, sizeof *channels);
    wsam_status status =
        boxes && channels ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for masks");
    for (size_t i = 0; i < n && !status; i++) {
        memcpy(boxes[i], kept[i].resized, sizeof boxes[i]);
        channels[i] = channel_of(d, kept[i].class_index);
    }
    if (!status)
        status =
            ws_detector_mask_head(d, maps, (const float(*)[4])boxes, channels, n, values, error);
    for (size_t k = 0; k < n * pixels && !status; k++)
        values[k] = 1.0f / (1.0f + expf(-values[k]));
    free(boxes);
    free(channels);
    return status;
}

wsam_status ws_detector_draw_masks(const wsam_detector *d, float *values, wsam_detections *out,
                                   wsam_error *error)
{
    job j = {.d = d, .out = out, .values = values};
    return draw_all(&j, error);
}

wsam_status ws_detector_masks(wsam_detector *d, const ws_detector_maps *maps,
                              const ws_detector_box *kept, wsam_detections *out, wsam_error *error)
{
    const size_t pixels = (size_t)(4 * d->mask_bins * d->mask_bins);
    float *values = malloc((out->n * pixels + 1) * sizeof *values);
    wsam_status status = values ? ws_detector_mask_values(d, maps, kept, out->n, values, error)
                                : ws_fail(error, WSAM_ERR_MEMORY, "no memory for masks");
    if (!status)
        status = ws_detector_draw_masks(d, values, out, error);
    free(values);
    return status;
}
