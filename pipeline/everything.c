/* pipeline/everything.c - options and records of the mask generator. */
#include "weaksam/everything.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void wsam_everything_options_default(wsam_everything_options *options)
{
    *options = (wsam_everything_options){.points_per_side = 32,
                                         .points_per_batch = 64,
                                         .pred_iou_thresh = 0.88,
                                         .stability_score_thresh = 0.95,
                                         .stability_score_offset = 1.0,
                                         .box_nms_thresh = 0.7,
                                         .crop_nms_thresh = 0.7,
                                         .crop_overlap_ratio = 512.0 / 1500,
                                         .crop_n_points_downscale_factor = 1,
                                         .mask_memory = (uint64_t)64 << 20};
}

/* The text goes to `text` as far as it fits; `n` counts on. */
typedef struct sink {
    char *text;
    size_t n, capacity;
} sink;

static void put(sink *s, const char *text, size_t n)
{
    if (s->n < s->capacity)
        memcpy(s->text + s->n, text, n < s->capacity - s->n ? n : s->capacity - s->n);
    s->n += n;
}

/* COCO's alphabet holds one character that JSON escapes. */
static void put_counts(sink *s, const char *counts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (counts[i] == '\\')
            put(s, "\\", 1);
        put(s, counts + i, 1);
    }
}

/* Nine digits give a float back; JSON has no NaN. */
static void put_score(sink *s, const char *name, float score)
{
    char text[64];
    const int n = isfinite(score) ? snprintf(text, sizeof text, ",\"%s\":%.9g", name, (double)score)
                                  : snprintf(text, sizeof text, ",\"%s\":null", name);
    put(s, text, (size_t)n);
}

static void put_box(sink *s, const char *name, const int32_t box[4])
{
    char text[96];
    const int n =
        snprintf(text, sizeof text, ",\"%s\":[%d,%d,%d,%d]", name, box[0], box[1], box[2], box[3]);
    put(s, text, (size_t)n);
}

size_t wsam_everything_record_json(const wsam_everything_record *r, char *text, size_t capacity)
{
    sink s = {.text = text, .capacity = capacity};
    char line[128];
    int n = snprintf(line, sizeof line, "{\"segmentation\":{\"size\":[%d,%d],\"counts\":\"",
                     r->height, r->width);
    put(&s, line, (size_t)n);
    put_counts(&s, r->counts, r->counts_length);
    n = snprintf(line, sizeof line, "\"},\"area\":%llu", (unsigned long long)r->area);
    put(&s, line, (size_t)n);
    put_box(&s, "bbox", r->bbox);
    put_score(&s, "predicted_iou", r->predicted_iou);
    n = snprintf(line, sizeof line, ",\"point_coords\":[[%.17g,%.17g]]", r->point[0], r->point[1]);
    put(&s, line, (size_t)n);
    put_score(&s, "stability_score", r->stability_score);
    put_box(&s, "crop_box", r->crop_box);
    put(&s, "}", 1);
    return s.n;
}
