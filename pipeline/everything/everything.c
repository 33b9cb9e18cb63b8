/* pipeline/everything/everything.c - the mask generator on a model: its public functions. */
#include "base/locale.h"
#include "kernels/float_scope.h"
#include "pipeline/everything/point_decoder.h"

#include "base/error.h"
#include "kernels/cpu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wsam_everything {
    wsam_model *model;
    ws_point_decoder decoder;
    wsam_segmenter *segmenter;
    const wsam_picture *picture;        /* of the current run */
    size_t group;                       /* prompts per decoder call at most */
    int last_crop;                      /* no other crop follows: the encoder's memory can go */
    double preprocess_ms, segmenter_ms; /* of the run; the segmenter's own count */
};

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
                                         .mask_memory = (uint64_t)64 << 20,
                                         .confident_logit = 8.5};
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
    const int n = isfinite(score)
                      ? ws_locale_print(text, sizeof text, ",\"%s\":%.9g", name, (double)score)
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
    n = ws_locale_print(line, sizeof line, ",\"point_coords\":[[%.17g,%.17g]]", r->point[0],
                        r->point[1]);
    put(&s, line, (size_t)n);
    put_score(&s, "stability_score", r->stability_score);
    put_box(&s, "crop_box", r->crop_box);
    put(&s, "}", 1);
    return s.n;
}

wsam_status wsam_everything_create(wsam_model *model, wsam_everything **out, wsam_error *error)
{
    ws_rules rules;
    *out = NULL;
    const wsam_status status = ws_model_rules_read(model, &rules, error);
    if (status)
        return status;
    wsam_everything *e = calloc(1, sizeof *e);
    if (!e)
        return ws_fail(error, WSAM_ERR_MEMORY, "everything: no memory");
    e->model = model;
    *out = e;
    return WSAM_OK;
}

void wsam_everything_free(wsam_everything *e)
{
    if (!e)
        return;
    ws_point_decoder_close(&e->decoder);
    wsam_segmenter_free(e->segmenter);
    free(e);
}

static wsam_picture crop_of(const wsam_picture *p, const int32_t crop[4])
{
    wsam_picture view = *p;
    view.memory = NULL;
    view.width = crop[2] - crop[0];
    view.height = crop[3] - crop[1];
    view.pixels += (size_t)crop[1] * p->stride + (size_t)crop[0] * (size_t)p->channels;
    return view;
}

/* ws_logits_source.begin_crop. With a single crop the encoder's working memory is given back before
 * the decoder's is taken. */
static wsam_status begin_crop(void *user, const int32_t crop[4], wsam_mask_geometry *geometry,
                              wsam_progress_fn progress, void *progress_user, wsam_error *error)
{
    wsam_everything *e = user;
    const wsam_picture view = crop_of(e->picture, crop);
    wsam_embedding *embedding = NULL;
    wsam_status status = WSAM_OK;
    if (!e->segmenter)
        status = wsam_segmenter_create(e->model, &e->segmenter, error);
    if (!status) {
        wsam_segmenter_set_progress(e->segmenter, progress, progress_user);
        status = wsam_segmenter_encode(e->segmenter, &view, &embedding, error);
        wsam_segmenter_set_progress(e->segmenter, NULL, NULL);
    }
    if (e->segmenter) {
        wsam_timing timing;
        wsam_segmenter_timing(e->segmenter, &timing);
        e->preprocess_ms += timing.preprocess_ms - e->segmenter_ms;
        e->segmenter_ms = timing.preprocess_ms;
    }
    if (e->last_crop) {
        e->segmenter_ms = 0;
        wsam_segmenter_free(e->segmenter);
        e->segmenter = NULL;
    }
    if (!status)
        status = ws_point_decoder_ready(&e->decoder, e->model, e->group, error);
    if (!status)
        status = ws_point_decoder_bind(&e->decoder, embedding, geometry, error);
    wsam_embedding_free(embedding);
    return status;
}

static wsam_status decode(void *user, size_t n, const double *points, float min_iou, float *iou,
                          float *logits, wsam_error *error)
{
    wsam_everything *e = user;
    return ws_point_decoder_run(&e->decoder, n, points, min_iou, iou, logits, error);
}

wsam_status wsam_everything_run(wsam_everything *e, const wsam_picture *picture,
                                const wsam_everything_options *options, wsam_everything_fn fn,
                                void *user, wsam_everything_stats *stats, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_everything_options defaults;
    ws_rules rules;
    wsam_everything_options_default(&defaults);
    if (stats)
        *stats = (wsam_everything_stats){0};
    const wsam_everything_options *o = options ? options : &defaults;
    wsam_status status = ws_model_rules_read(e->model, &rules, error);
    const wsam_kernels *kernels = ws_kernels_find(wsam_model_isa(e->model), error);
    if (status || !kernels)
        return status ? status : WSAM_ERR_UNSUPPORTED;
    e->picture = picture;
    e->group = (size_t)(o->points_per_batch > 0 ? o->points_per_batch : 1);
    e->last_crop = o->crop_n_layers == 0;
    e->preprocess_ms = 0;
    const ws_logits_source source = {.user = e,
                                     .kernels = kernels,
                                     .threads = wsam_model_threads(e->model),
                                     .masks = WS_ANSWERS,
                                     .rule = {.inclusive = rules.inclusive},
                                     .begin_crop = begin_crop,
                                     .decode = decode};
    status = ws_everything(&source, picture->height, picture->width, o, fn, user, stats, error);
    e->picture = NULL;
    if (stats) {
        stats->preprocess_s = e->preprocess_ms / 1e3;
        stats->encode_s -= stats->preprocess_s;
    }
    return status;
}
