/* pipeline/detect/pool.c - features of boxes from the level of the pyramid that fits each. */
#include <math.h>

#include "pipeline/detect/detector.h"
#include "runtime/run/threads.h"

/* In the order of each library's own operations: they differ near a level's limits. */
static int level_of(ws_detector_rules rules, const float box[4])
{
    const float s = sqrtf((box[2] - box[0]) * (box[3] - box[1]));
    float level;
    if (rules == WS_DETECTOR_DETECTRON2)
        level = floorf(4.0f + log2f(s / 224.0f + 1e-8f)) - 2.0f;
    else if (rules == WS_DETECTOR_MMDETECTION)
        level = floorf(log2f(s / 56.0f + 1e-6f));
    else
        level = floorf(4.0f + log2f(s / 224.0f) + 1e-6f) - 2.0f;
    if (!(level > 0.0f)) /* also NaN */
        return 0;
    return level < (float)(WS_DETECTOR_MAPS - 1) ? (int)level : WS_DETECTOR_MAPS - 1;
}

typedef struct job {
    const wsam_detector *d;
    const ws_detector_maps *maps;
    const float (*boxes)[4];
    int bins;
    size_t floats; /* of a box */
    float *out;
} job;

static void pool_box(void *arg, int i, int worker)
{
    const job *j = arg;
    const int torchvision = j->d->rules == WS_DETECTOR_TORCHVISION;
    const int level = level_of(j->d->rules, j->boxes[i]);
    const wsam_tensor *map = &j->maps->fpn[level];
    const float scale = 1.0f / (float)(4 << level);
    const wsam_roi_shape shape = {.height = (int)map->shape[0],
                                  .width = (int)map->shape[1],
                                  .channels = (int)map->shape[2],
                                  .scale_x = scale,
                                  .scale_y = scale,
                                  .bins = j->bins,
                                  .ratio = torchvision ? 2 : 0,
                                  .rule = torchvision ? WSAM_ROI_ALIGN : WSAM_ROI_ALIGN_HALF};
    (void)worker;
    const wsam_roi_kernels *k = &j->d->kernels->roi;
    float *out = j->out + (size_t)i * j->floats;
    if (map->type == WSAM_BF16)
        k->align_bf16(&shape, map->data, j->boxes[i], out, (size_t)map->shape[2]);
    else
        k->align_f32(&shape, map->data, j->boxes[i], out, (size_t)map->shape[2]);
}

void ws_detector_pool(const wsam_detector *d, const ws_detector_maps *maps, const float (*boxes)[4],
                      size_t n, int bins, float *out)
{
    job j = {d, maps, boxes, bins, (size_t)(bins * bins) * (size_t)maps->fpn[0].shape[2], out};
    ws_parallel_for(d->threads, (int)n, pool_box, &j);
}
