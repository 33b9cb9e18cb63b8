/* Results do not depend on how the calling program rounds, and its mode is what it was afterwards. */
#include <criterion/criterion.h>
#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_small.h"
#include "weaksam/weaksam.h"

static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
enum { MODES = 4 };

static wsam_model *model_of(small_role role)
{
    static unsigned char *bytes[SMALL_ROLES];
    small_file *f = malloc(sizeof *f);
    wsam_options options;
    wsam_model *model;
    wsam_error error;
    size_t size;
    cr_assert(f);
    small_init(f, role);
    free(bytes[role]); /* of a model that is closed by now */
    bytes[role] = small_write(f, &size);
    free(f);
    wsam_options_default(&options);
    options.threads = 2;
    cr_assert(!wsam_model_open_memory(bytes[role], size, &options, &model, &error), "%s",
              error.message);
    return model;
}

static char *segment(void)
{
    const wsam_point points[2] = {{3.1, 4.7, 1}, {9.3, 2.9, 0}};
    const wsam_prompt prompts[2] = {{.points = points, .n_points = 2, .multimask = 1},
                                    {.has_box = 1, .box = {1.3, 1.7, 8.1, 9.9}}};
    wsam_model *model = model_of(SMALL_SEGMENTER);
    wsam_picture picture = {0};
    wsam_segmenter *s;
    wsam_embedding *e;
    wsam_result *r;
    wsam_error error;
    char *json;
    cr_assert(!wsam_picture_draw(37, 53, &picture, &error));
    cr_assert(!wsam_segmenter_create(model, &s, &error));
    cr_assert(!wsam_segmenter_encode(s, &picture, &e, &error), "%s", error.message);
    cr_assert(!wsam_segmenter_run(s, e, prompts, 2, WSAM_WANT_MASKS, &r, &error), "%s",
              error.message);
    cr_assert(!wsam_result_json(r, NULL, &json));
    wsam_result_free(r);
    wsam_embedding_free(e);
    wsam_segmenter_free(s);
    wsam_picture_free(&picture);
    wsam_model_close(model);
    return json;
}

static char *everything(void)
{
    wsam_model *model = model_of(SMALL_SEGMENTER);
    wsam_everything_options o;
    wsam_everything *e;
    wsam_everything_result *r;
    wsam_picture picture = {0};
    wsam_error error;
    char *json;
    wsam_everything_options_default(&o);
    o.points_per_side = 3;
    o.pred_iou_thresh = o.stability_score_thresh = 0;
    cr_assert(!wsam_picture_draw(37, 53, &picture, &error));
    cr_assert(!wsam_everything_create(model, &e, &error), "%s", error.message);
    cr_assert(!wsam_everything_collect(e, &picture, &o, &r, NULL, &error), "%s", error.message);
    cr_assert(!wsam_everything_json(r, "a.png", &json));
    wsam_everything_result_free(r);
    wsam_everything_free(e);
    wsam_picture_free(&picture);
    wsam_model_close(model);
    return json;
}

static char *clues(void)
{
    wsam_model *model = model_of(SMALL_CLUES);
    wsam_picture picture = {0};
    wsam_clues *c;
    wsam_clues_result *r;
    wsam_clues_params p;
    wsam_error error;
    wsam_clues_params_default(&p);
    p.size = 31;
    p.least_logit = -100;
    p.n_layers = 1;
    p.layers[0] = 0;
    p.coarse.threshold = p.fine.threshold = p.cross.threshold = 0;
    cr_assert(!wsam_picture_draw(37, 53, &picture, &error));
    cr_assert(!wsam_clues_create(model, &c, &error), "%s", error.message);
    cr_assert(!wsam_clues_run(c, &picture, NULL, 0, &p, &r, &error), "%s", error.message);
    char *text = calloc(1, 128 * (r->points->n + 4));
    cr_assert(text && r->n && r->points->n);
    size_t at = (size_t)sprintf(text, "%a\n", (double)r->logits[0]);
    for (size_t i = 0; i < r->points->n; i++)
        at += (size_t)sprintf(text + at, "%a %a %a\n", r->points->points[i].x,
                              r->points->points[i].y, r->points->points[i].score);
    wsam_clues_result_free(r);
    wsam_clues_free(c);
    wsam_picture_free(&picture);
    wsam_model_close(model);
    return text;
}

/* Numbers that are read and written again, and what is between: pseudo labels of scored boxes. */
static char *proposals(void)
{
    static const char line[] =
        "{\"image\":\"a.png\",\"width\":96,\"height\":64,\"proposals\":[{\"box\":[0.1,0.2,30.3,40.7],"
        "\"source\":\"grid\",\"predicted_iou\":0.123456789,\"stability_score\":0.987654321}]}";
    wsam_proposals *p;
    wsam_error error;
    char *json;
    cr_assert(!wsam_proposals_parse(line, strlen(line), "fuzz", 1, &p, &error), "%s",
              error.message);
    cr_assert(!wsam_proposals_json(p, "a.png", &json));
    wsam_proposals_free(p);
    return json;
}

static void same_in_every_mode(char *(*fn)(void))
{
    char *texts[MODES];
    for (int i = 0; i < MODES; i++) {
        fesetround(modes[i]);
        texts[i] = fn();
        cr_expect_eq(fegetround(), modes[i]);
    }
    fesetround(FE_TONEAREST);
    for (int i = 1; i < MODES; i++)
        cr_expect_str_eq(texts[i], texts[0]);
    for (int i = 0; i < MODES; i++)
        wsam_free(texts[i]);
}

Test(rounding, segment)
{
    same_in_every_mode(segment);
}

Test(rounding, everything)
{
    same_in_every_mode(everything);
}

Test(rounding, clues)
{
    same_in_every_mode(clues);
}

Test(rounding, proposals)
{
    same_in_every_mode(proposals);
}
