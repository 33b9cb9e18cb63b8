/* tests/util/util_small_use.c - see util_small.h: what pipelines do with a weight file. */
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_small.h"
#include "weaksam/weaksam.h"

enum { HEIGHT = 16, WIDTH = 21 };

static wsam_status use_segmenter(wsam_model *model, const wsam_picture *picture, wsam_error *error)
{
    const wsam_point points[2] = {{3, 4, 1}, {9, 2, 0}};
    wsam_prompt prompts[3] = {{.points = points, .n_points = 2, .multimask = 1},
                              {.has_box = 1, .box = {1, 1, 8, 9}},
                              {.points = points, .n_points = 1}};
    wsam_segmenter *s = NULL;
    wsam_embedding *e = NULL;
    wsam_result *r = NULL, *refined = NULL;
    char *json = NULL;
    wsam_status status = wsam_segmenter_create(model, &s, error);
    if (!status)
        status = wsam_segmenter_encode(s, picture, &e, error);
    if (!status)
        status =
            wsam_segmenter_run(s, e, prompts, 3, WSAM_WANT_MASKS | WSAM_WANT_LOW_RES, &r, error);
    if (!status)
        status = wsam_result_json(r, NULL, &json);
    if (!status && r->masks[0].low_res) { /* an answer refines the next question */
        prompts[2].mask = r->masks[0].low_res;
        prompts[2].mask_side = r->low_h;
        status = wsam_segmenter_run(s, e, &prompts[2], 1, WSAM_WANT_MASKS, &refined, error);
    }
    wsam_result_free(refined);
    wsam_free(json);
    wsam_result_free(r);
    wsam_embedding_free(e);
    wsam_segmenter_free(s);
    return status;
}

static wsam_status use_clues(wsam_model *model, const wsam_picture *picture, wsam_error *error)
{
    wsam_clues *clues = NULL;
    wsam_clues_result *r = NULL;
    wsam_clues_params p;
    wsam_clues_params_default(&p);
    p.size = 0;
    p.n_scales = 2;
    p.least_logit = -100;
    p.n_layers = 1;
    p.layers[0] = 0;
    p.maps = WSAM_CLUES_FINE | WSAM_CLUES_COARSE | WSAM_CLUES_CROSS | WSAM_CLUES_TOKENS;
    wsam_status status = wsam_clues_create(model, &clues, error);
    if (!status)
        status = wsam_clues_run(clues, picture, NULL, 0, &p, &r, error);
    wsam_clues_result_free(r);
    wsam_clues_free(clues);
    return status;
}

static wsam_status use_head(wsam_model *model, wsam_error *error)
{
    enum { SIDE = 5, CHANNELS = 16, BOXES = 3, MOST = 1000 };
    static const float boxes[BOXES][4] = {{0, 0, 4, 4}, {2, 1, 9, 9}, {1, 5, 12, 10}};
    static float values[SIDE * SIDE * CHANNELS];
    wsam_head *head = NULL;
    wsam_feature_map maps[4];
    for (int i = 0; i < 4; i++)
        maps[i] = (wsam_feature_map){.source = "sam",
                                     .height = SIDE,
                                     .width = SIDE,
                                     .channels = CHANNELS,
                                     .row = SIDE * CHANNELS,
                                     .scale_x = 0.4f,
                                     .scale_y = 0.4f,
                                     .values = values};
    wsam_status status = wsam_head_create(model, &head, error);
    if (!status) {
        const size_t classes = wsam_head_class_count(head);
        float *scores = malloc(BOXES * classes * sizeof *scores);
        float *out = malloc(BOXES * classes * 4 * sizeof *out);
        if (!scores || !out || classes > MOST)
            abort();
        status = wsam_head_run(head, maps, WIDTH, HEIGHT, BOXES, boxes, scores, out, error);
        free(scores);
        free(out);
    }
    wsam_head_free(head);
    return status;
}

static wsam_status use_detector(wsam_model *model, const wsam_picture *picture, wsam_error *error)
{
    wsam_detector *d = NULL;
    wsam_detections *r = NULL;
    wsam_instances list = {0};
    wsam_detector_params p;
    wsam_detector_params_default(&p);
    p.min_score = 0;
    p.most = 5;
    p.short_side = 32;
    p.long_side = 64;
    wsam_status status = wsam_detector_create(model, &d, error);
    if (!status)
        status = wsam_detector_run(d, picture, &p, &r, error);
    if (!status)
        status = wsam_detections_instances(r, &list, error);
    wsam_instances_clear(&list);
    wsam_detections_free(r);
    wsam_detector_free(d);
    return status;
}

static wsam_status use_mist(wsam_model *model, const wsam_picture *picture, wsam_error *error)
{
    static const float boxes[3][4] = {{0, 0, 9, 9}, {3, 2, 21, 15}, {-4, 5, 90, 90}};
    wsam_mist *m = NULL;
    wsam_mist_views *v = NULL;
    wsam_instances list = {0};
    wsam_mist_params p;
    wsam_mist_params_default(&p);
    p.n_scales = 1;
    p.scales[0] = 40;
    p.min_side = 2;
    wsam_status status = wsam_mist_create(model, &m, error);
    if (!status)
        status = wsam_mist_run(m, picture, 3, boxes, &p, &v, error);
    if (!status)
        status = wsam_mist_detect(v, picture->height, picture->width, &p, &list, error);
    wsam_instances_clear(&list);
    wsam_mist_views_free(v);
    wsam_mist_free(m);
    return status;
}

static wsam_status use_backbone(wsam_model *model, const wsam_picture *picture, wsam_error *error)
{
    wsam_backbone *b = NULL;
    wsam_backbone_result *r = NULL;
    wsam_backbone_params p;
    wsam_backbone_params_default(&p);
    p.long_side = 24;
    p.mirror = 1;
    wsam_status status = wsam_backbone_create(model, &b, error);
    if (!status)
        status = wsam_backbone_run(b, picture, &p, &r, error);
    wsam_backbone_result_free(r);
    wsam_backbone_free(b);
    return status;
}

static wsam_status use_everything(wsam_model *model, const wsam_picture *picture, wsam_error *error)
{
    wsam_everything_options o;
    wsam_everything *e = NULL;
    wsam_everything_result *r = NULL;
    wsam_everything_options_default(&o);
    o.points_per_side = 2;
    wsam_status status = wsam_everything_create(model, &e, error);
    if (!status)
        status = wsam_everything_collect(e, picture, &o, &r, NULL, error);
    wsam_everything_result_free(r);
    wsam_everything_free(e);
    return status;
}

wsam_status small_use(const unsigned char *bytes, size_t size, small_role role, wsam_error *error)
{
    wsam_options options;
    wsam_model *model = NULL;
    wsam_picture picture = {0};
    wsam_options_default(&options);
    options.threads = 1;
    options.max_memory = 64 << 20;
    wsam_status status = wsam_model_open_memory(bytes, size, &options, &model, error);
    if (status)
        return status;
    status = wsam_picture_draw(HEIGHT, WIDTH, &picture, error);
    if (!status && role == SMALL_SEGMENTER)
        status = use_segmenter(model, &picture, error);
    if (!status && role == SMALL_SEGMENTER)
        status = use_everything(model, &picture, error);
    if (!status && role == SMALL_CLUES)
        status = use_clues(model, &picture, error);
    if (!status && role == SMALL_HEAD)
        status = use_head(model, error);
    if (!status && role == SMALL_DETECTOR)
        status = use_detector(model, &picture, error);
    if (!status && role == SMALL_MIST)
        status = use_mist(model, &picture, error);
    if (!status && role == SMALL_BACKBONE)
        status = use_backbone(model, &picture, error);
    wsam_picture_free(&picture);
    wsam_model_close(model);
    return status;
}
