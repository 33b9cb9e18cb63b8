/* tests/util/util_scene.c - see util_scene.h. */
#include "tests/util/util_scene.h"
#include "kernels/cpu.h"

#include <math.h>
#include <string.h>

uint32_t scene_mix(uint32_t a, uint32_t b)
{
    uint32_t h = a * 0x9e3779b1u ^ (b + 0x85ebca6bu) * 0xc2b2ae35u;
    h ^= h >> 15;
    h *= 0x2c1b3c6du;
    return h ^ h >> 13;
}

void scene_geometry(const scene *s, wsam_mask_geometry *g)
{
    const int h = s->crop[3] - s->crop[1], w = s->crop[2] - s->crop[0];
    const double scale = SCENE_SQUARE * 1.0 / (h > w ? h : w);
    *g = (wsam_mask_geometry){.filter =
                                  s->bicubic ? WSAM_UPSCALE_BICUBIC : WSAM_UPSCALE_BILINEAR_TWICE,
                              .low_h = SCENE_LOW,
                              .low_w = SCENE_LOW,
                              .square_h = SCENE_SQUARE,
                              .square_w = SCENE_SQUARE,
                              .crop_h = (int)(h * scale + 0.5),
                              .crop_w = (int)(w * scale + 0.5),
                              .out_h = h,
                              .out_w = w};
}

/* Objects stand on a coarse grid of the picture; a point answers with the object next to it, in
 * three sizes, with some specks and holes. Predicted IoUs have few values, so that there are ties.
 */
float scene_answer(const scene *s, const double point[2], int mask, float *logits)
{
    const double cell = 50;
    const double px = point[0] + s->crop[0], py = point[1] + s->crop[1];
    const int ox = (int)(px / cell), oy = (int)(py / cell);
    const uint32_t object = scene_mix(s->seed, (uint32_t)(ox * 131 + oy)),
                   own = scene_mix(object, (uint32_t)px);
    wsam_mask_geometry g;
    scene_geometry(s, &g);
    const double scale = (double)SCENE_LOW / SCENE_SQUARE * g.crop_w / g.out_w; /* picture to low */
    const double cx = ((ox + 0.5) * cell + object % 9 - s->crop[0]) * scale;
    const double cy = ((oy + 0.5) * cell + object / 9 % 9 - s->crop[1]) * scale;
    const double radius = (12 + object % 11 + 9 * mask) * scale, slope = 1 + own % 5;
    for (int y = 0; y < SCENE_LOW; y++)
        for (int x = 0; x < SCENE_LOW; x++) {
            const double dx = x + 0.5 - cx, dy = (y + 0.5 - cy) * (1 + object % 3 * 0.3);
            double v = (radius - sqrt(dx * dx + dy * dy)) * slope;
            const uint32_t speck =
                scene_mix(object + (uint32_t)mask, (uint32_t)(y * SCENE_LOW + x));
            if (speck % 211 == 0)
                v = -v;
            if (s->bicubic && fabs(v) < 4)
                v = 0;
            logits[y * SCENE_LOW + x] = (float)v;
        }
    if (own % 23 == 0)
        for (int i = 0; i < SCENE_LOW * SCENE_LOW; i++)
            logits[i] = -5; /* an empty mask */
    return (float)(own % 13) / 16 + 0.25f + (float)mask / 64;
}

static wsam_status begin_crop(void *user, const int32_t crop[4], wsam_mask_geometry *g,
                              wsam_progress_fn progress, void *progress_user, wsam_error *error)
{
    scene *s = user;
    (void)error, (void)progress, (void)progress_user;
    memcpy(s->crop, crop, sizeof s->crop);
    scene_geometry(s, g);
    return WSAM_OK;
}

static wsam_status decode(void *user, size_t n, const double *points, float min_iou, float *iou,
                          float *logits, wsam_error *error)
{
    scene *s = user;
    (void)error;
    s->batches++;
    if (s->fail_at && (size_t)s->batches == s->fail_at)
        return WSAM_ERR_LIMIT;
    for (size_t i = 0; i < n * SCENE_MASKS; i++) {
        float *out = logits + i * SCENE_LOW * SCENE_LOW;
        iou[i] = scene_answer(s, points + 2 * (i / SCENE_MASKS), (int)(i % SCENE_MASKS), out);
        if (!(iou[i] > min_iou))
            for (int k = 0; k < SCENE_LOW * SCENE_LOW; k++)
                out[k] = NAN; /* nobody may look */
    }
    return WSAM_OK;
}

ws_logits_source scene_source(scene *s, int threads)
{
    return (ws_logits_source){.user = s,
                              .kernels = ws_kernels_find(NULL, NULL),
                              .threads = threads,
                              .masks = SCENE_MASKS,
                              .rule = {.inclusive = s->bicubic},
                              .begin_crop = begin_crop,
                              .decode = decode};
}
