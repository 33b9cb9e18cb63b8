/* tests/unit/test_everything_calls.c - how the mask generator is called: division of the work,
 * options, errors, memory, progress. It is fed by a formula instead of a model. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/util/util_scene.h"

static wsam_everything_options options(void)
{
    wsam_everything_options o;
    wsam_everything_options_default(&o);
    o.points_per_side = 12;
    o.points_per_batch = 10;
    o.pred_iou_thresh = 0.3;
    o.stability_score_thresh = 0.5;
    return o;
}

/* ---- same bytes for any division of the work ---- */

typedef struct digested {
    uint64_t value;
    size_t n;
} digested;

static int digest(void *user, const wsam_everything_record *r)
{
    digested *d = user;
    char text[1 << 16];
    const size_t n = wsam_everything_record_json(r, text, sizeof text);
    cr_assert_leq(n, sizeof text);
    for (size_t i = 0; i < n; i++)
        d->value = (d->value ^ (uint8_t)text[i]) * 0x100000001b3u;
    d->n++;
    return 0;
}

Test(everything, threads_and_batches_have_no_influence)
{
    static const int threads[] = {1, 2, 3, 7}, batches[] = {1, 5, 64, 1000};
    uint64_t first = 0;
    for (int i = 0; i < 4; i++) {
        scene s = {.height = 300, .width = 450, .seed = 11};
        const ws_logits_source source = scene_source(&s, threads[i]);
        wsam_everything_options o = options();
        o.points_per_batch = batches[i];
        o.crop_n_layers = 1;
        digested d = {.value = 0xcbf29ce484222325u};
        cr_assert_eq(ws_everything(&source, 300, 450, &o, digest, &d, NULL, NULL), WSAM_OK);
        cr_assert_gt(d.n, 10);
        first = i ? first : d.value;
        cr_assert_eq(d.value, first);
    }
}

/* Points that confident masks cover are not asked, and what is found does not depend on who asked when.
 */
Test(everything, a_hierarchical_grid_asks_less_whoever_works)
{
    static const int threads[] = {1, 2, 3, 7}, batches[] = {1, 5, 64, 1000};
    uint64_t first = 0;
    for (int i = 0; i < 4; i++) {
        scene s = {.height = 300, .width = 450, .seed = 11};
        const ws_logits_source source = scene_source(&s, threads[i]);
        wsam_everything_options o = options();
        wsam_everything_stats full, some;
        o.points_per_side = 24;
        o.points_per_batch = batches[i];
        digested d = {.value = 0xcbf29ce484222325u}, all = {0};
        cr_assert_eq(ws_everything(&source, 300, 450, &o, digest, &all, &full, NULL), WSAM_OK);
        o.hierarchical = 1;
        o.confident_logit = 3;
        cr_assert_eq(ws_everything(&source, 300, 450, &o, digest, &d, &some, NULL), WSAM_OK);
        cr_assert_eq(full.prompts, 24 * 24);
        cr_assert_lt(some.prompts, 24 * 24 * 9 / 10);
        cr_assert_gt(some.prompts, 36);
        cr_assert_leq(d.n, all.n);
        first = i ? first : d.value;
        cr_assert_eq(d.value, first);
    }
}

/* ---- errors ---- */

static int stop(void *user, const wsam_everything_record *record)
{
    (void)user, (void)record;
    return 1;
}

static int cancel(void *user, double fraction)
{
    (void)user;
    return fraction > 0.5;
}

Test(everything, errors_end_the_call)
{
    scene s = {.height = 300, .width = 450, .seed = 1};
    const ws_logits_source source = scene_source(&s, 2);
    wsam_everything_options o = options();
    wsam_error error = {0};
    cr_assert_eq(ws_everything(&source, 300, 450, &o, stop, NULL, NULL, &error),
                 WSAM_ERR_CANCELLED);
    o.progress = cancel;
    cr_assert_eq(ws_everything(&source, 300, 450, &o, stop, NULL, NULL, &error),
                 WSAM_ERR_CANCELLED);
    o = options();
    s.batches = 0;
    s.fail_at = 3;
    cr_assert_eq(ws_everything(&source, 300, 450, &o, stop, NULL, NULL, &error), WSAM_ERR_LIMIT);
    o.crop_n_layers = 9;
    cr_assert_eq(ws_everything(&source, 300, 450, &o, stop, NULL, NULL, &error), WSAM_ERR_ARGUMENT);
    cr_assert(strstr(error.message, "crop_n_layers"));
}

/* What is refused leaves zeros in the statistics. */
static void refused(const wsam_everything_options *o, const char *word)
{
    scene s = {.height = 300, .width = 450, .seed = 1};
    const ws_logits_source source = scene_source(&s, 2);
    wsam_error error = {0};
    wsam_everything_stats stats;
    memset(&stats, 0xff, sizeof stats);
    cr_expect_eq(ws_everything(&source, 300, 450, o, stop, NULL, &stats, &error),
                 WSAM_ERR_ARGUMENT);
    cr_expect_not_null(strstr(error.message, word), "%s", error.message);
    cr_expect(stats.prompts == 0 && stats.peak_bytes == 0 && !(stats.encode_s > 0));
}

Test(everything, options_out_of_range)
{
    static const double bad[] = {NAN, INFINITY, -0.001, 1.001};
    double points[4] = {0, 0.5, 1, 0.25};
    const double *const grids[] = {points, points}, *const none[] = {points, NULL};
    const size_t sizes[] = {2, 2};
    wsam_everything_options o = options();
    o.crop_n_layers = 1;
    o.point_grids = grids;
    refused(&o, "point_grids"); /* without sizes */
    o.point_grid_sizes = sizes;
    for (int i = 0; i < 4; i++) {
        points[3] = bad[i];
        refused(&o, "point_grids");
    }
    points[3] = 0;
    o.point_grids = none;
    refused(&o, "point_grids");
    o.hierarchical = 1;
    refused(&o, "hierarchical");
    o = options();
    o.hierarchical = 1;
    o.confident_logit = NAN;
    refused(&o, "confident_logit");
    o = options();
    o.pred_iou_thresh = NAN;
    refused(&o, "pred_iou_thresh");
    o = options();
    o.box_nms_thresh = NAN;
    refused(&o, "box_nms_thresh");
}

/* ---- memory ---- */

static int ignore(void *user, const wsam_everything_record *record)
{
    (void)user, (void)record;
    return 0;
}

static wsam_everything_stats stats_of(const wsam_everything_options *o, wsam_status want)
{
    scene s = {.height = 300, .width = 450, .seed = 1};
    const ws_logits_source source = scene_source(&s, 2);
    wsam_everything_stats stats;
    cr_assert_eq(ws_everything(&source, 300, 450, o, ignore, NULL, &stats, NULL), want);
    return stats;
}

Test(everything, peak_memory_counts_the_clean_up)
{
    wsam_everything_options o = options();
    const uint64_t before = stats_of(&o, WSAM_OK).peak_bytes;
    o.min_mask_region_area = 30;
    cr_assert_gt(stats_of(&o, WSAM_OK).peak_bytes, before + 1000);
}

/* Masks that must stay are made group by group, not all of them before the limit is looked at. */
Test(everything, the_limit_of_mask_memory_is_kept_on_the_way)
{
    wsam_everything_options o = options();
    o.pred_iou_thresh = 0;
    o.stability_score_thresh = 0;
    o.box_nms_thresh = 1;
    o.crop_n_layers = 1;
    o.mask_memory = 1000;
    const wsam_everything_stats stats = stats_of(&o, WSAM_ERR_LIMIT);
    cr_assert_leq(stats.recomputed, 20);
}

/* ---- progress ---- */

typedef struct clock_hand {
    double last;
    int calls, stop_at, forward;
} clock_hand;

static int watch(void *user, double fraction)
{
    clock_hand *c = user;
    c->forward &= fraction >= c->last && fraction <= 1;
    c->last = fraction;
    return ++c->calls == c->stop_at;
}

/* Through decoding, clean-up and results, and every call may be the last. */
Test(everything, progress_runs_forward_and_cancels_anywhere)
{
    wsam_everything_options o = options();
    clock_hand whole = {.forward = 1};
    o.points_per_side = 6;
    o.crop_n_layers = 1;
    o.min_mask_region_area = 30;
    o.progress = watch;
    o.progress_user = &whole;
    const wsam_everything_stats stats = stats_of(&o, WSAM_OK);
    cr_assert(whole.forward && whole.last > 0.9);
    const int decoding = 5 + (36 + 9) / 10 * 5; /* a call per crop, and per batch of it */
    cr_assert_geq(whole.calls, decoding + (int)((stats.after_crops + 63) / 64) + 1);
    for (int i = 1; i <= whole.calls; i++) {
        clock_hand part = {.forward = 1, .stop_at = i};
        o.progress_user = &part;
        stats_of(&o, WSAM_ERR_CANCELLED);
        cr_assert_eq(part.calls, i);
    }
}

Test(everything, a_record_is_json)
{
    static const char counts[] = "T35\\9S10P5UGhi3";
    const wsam_everything_record record = {.height = 10,
                                           .width = 20,
                                           .counts = counts,
                                           .counts_length = sizeof counts - 1,
                                           .area = 7,
                                           .bbox = {1, 2, 3, 4},
                                           .predicted_iou = 0.1f,
                                           .stability_score = 0.75f,
                                           .point = {0.1, 5.5},
                                           .crop_box = {0, 1, 20, 9}};
    char text[512];
    const size_t n = wsam_everything_record_json(&record, text, sizeof text);
    cr_assert_lt(n, sizeof text);
    char small[10];
    cr_assert_eq(wsam_everything_record_json(&record, small, sizeof small), n);
    cJSON *json = cJSON_ParseWithLength(text, n);
    cr_assert(json);
    const cJSON *segmentation = cJSON_GetObjectItem(json, "segmentation");
    cr_assert_str_eq(cJSON_GetObjectItem(segmentation, "counts")->valuestring, counts);
    cr_assert_eq(cJSON_GetArrayItem(cJSON_GetObjectItem(segmentation, "size"), 1)->valueint, 20);
    cr_assert_eq(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "bbox"), 3)->valueint, 4);
    cr_assert_float_eq((float)cJSON_GetObjectItem(json, "predicted_iou")->valuedouble, 0.1f, 0);
    const cJSON *point = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "point_coords"), 0);
    cr_assert_float_eq(cJSON_GetArrayItem(point, 0)->valuedouble, 0.1, 0);
    cJSON_Delete(json);
}
