/* Prompt files, and prompts as tokens. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "pipeline/segment/model_rules.h"

static wsam_status parse(const char *text, wsam_prompt_list **list, wsam_error *error)
{
    memset(error, 0, sizeof *error);
    return wsam_prompts_parse(text, strlen(text), "p.jsonl", 1, list, error);
}

Test(prompts, every_field)
{
    wsam_prompt_list *l;
    wsam_error error;
    cr_assert_eq(parse("{\"id\":\"a\\\"b\",\"points\":[[1,2.5,0],[3,4]],\"box\":[5,6,7,8],"
                       "\"multimask\":false,\"mask\":\"m.st\",\"other\":[1]}\r\n"
                       "  \n"
                       "{\"box\":[1,2,3,4],\"points\":null}",
                       &l, &error),
                 WSAM_OK, "%s", error.message);
    cr_assert_eq(l->n, 2);
    const wsam_prompt *p = &l->prompts[0];
    cr_assert_eq(p->n_points, 2);
    cr_expect(fabs(p->points[0].y - 2.5) < 1e-12 && p->points[0].label == 0);
    cr_expect_eq(p->points[1].label, 1);
    cr_expect(p->has_box && fabs(p->box[3] - 8) < 1e-12 && !p->multimask);
    cr_expect_str_eq(l->ids[0], "\"a\\\"b\"");
    cr_expect_str_eq(l->masks[0], "m.st");
    cr_expect_str_eq(l->ids[1], "1");
    cr_expect_eq(l->prompts[1].multimask, 1);
    wsam_prompts_free(l);
}

Test(prompts, errors_name_file_line_and_field)
{
    static const struct {
        const char *text, *word;
    } bad[] = {{"", "no prompts"},
               {"{\"id\":1}", "p.jsonl:1"},
               {"\n\n{", "p.jsonl:3"},
               {"[]", "object"},
               {"{\"points\":[[1,2,2]]}", "points"},
               {"{\"points\":[[1,2,0.5]]}", "points"},
               {"{\"points\":[[1]]}", "points"},
               {"{\"points\":[[1,\"2\"]]}", "points"},
               {"{\"points\":7}", "points"},
               {"{\"points\":[[1,1e999]]}", "p.jsonl:1"},
               {"{\"box\":[1,2,3]}", "box"},
               {"{\"box\":[1,2,3,NaN]}", "JSON"},
               {"{\"box\":[1,2,3,4],\"multimask\":1}", "multimask"},
               {"{\"box\":[1,2,3,4],\"mask\":\"\"}", "mask"},
               {"{\"box\":[1,2,3,4]} x", "JSON"},
               {"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
                "]]]]]]}",
                "deep"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        wsam_prompt_list *l;
        wsam_error error;
        cr_expect_neq(parse(bad[i].text, &l, &error), WSAM_OK, "%s", bad[i].text);
        cr_expect_null(l);
        cr_expect_not_null(strstr(error.message, bad[i].word), "%s: %s", bad[i].text,
                           error.message);
    }
}

/* ---- tokens ---- */

static const ws_rules sam = {
    .size = 1024, .pad_without_box = 1, .mask_size = 256, .negative_points = 1};
static const ws_rules efficient = {.size = 1024, .stretch = 1, .fixed_points = 6};
static const wsam_point points[] = {{320, 240, 1}, {10, 20, 0}};

static void expect_token(const float *p, const int32_t *labels, int i, double x, double y,
                         int label)
{
    cr_expect_float_eq(p[2 * i], (float)x, 1e-7, "x of token %d: %g", i, (double)p[2 * i]);
    cr_expect_float_eq(p[2 * i + 1], (float)y, 1e-7, "y of token %d: %g", i, (double)p[2 * i + 1]);
    cr_expect_eq(labels[i], label, "label of token %d: %d", i, labels[i]);
}

Test(prompts, points_are_padded_without_a_box)
{
    const wsam_prompt p = {.points = points, .n_points = 2};
    wsam_transform t;
    wsam_error error;
    float xy[8];
    int32_t labels[4];
    cr_assert_eq(ws_model_rules_transform(&sam, 480, 640, &t, &error), WSAM_OK);
    cr_expect(t.content_height == 768 && t.content_width == 1024);
    cr_assert_eq(ws_prompt_tokens(&sam, &p), 3);
    ws_prompt_tokens_points(&sam, &t, &p, xy, labels);
    expect_token(xy, labels, 0, 512.5 / 1024, 384.5 / 1024, 1);
    expect_token(xy, labels, 1, 16.5 / 1024, 32.5 / 1024, 0);
    cr_expect_eq(labels[2], -1);
}

Test(prompts, a_box_is_two_corners_after_the_points)
{
    const wsam_prompt p = {.points = points, .n_points = 1, .has_box = 1, .box = {0, 0, 640, 480}};
    wsam_transform t;
    wsam_error error;
    float xy[6];
    int32_t labels[3];
    cr_assert_eq(ws_model_rules_transform(&sam, 480, 640, &t, &error), WSAM_OK);
    cr_assert_eq(ws_prompt_tokens(&sam, &p), 3);
    ws_prompt_tokens_points(&sam, &t, &p, xy, labels);
    expect_token(xy, labels, 0, 512.5 / 1024, 384.5 / 1024, 1);
    expect_token(xy, labels, 1, 0.5 / 1024, 0.5 / 1024, 2);
    expect_token(xy, labels, 2, 1024.5 / 1024, 768.5 / 1024, 3);
}

Test(prompts, a_fixed_number_is_filled_up)
{
    const wsam_prompt p = {.points = points, .n_points = 1};
    wsam_transform t;
    wsam_error error;
    float xy[12];
    int32_t labels[6];
    cr_assert_eq(ws_model_rules_transform(&efficient, 480, 640, &t, &error), WSAM_OK);
    cr_assert_eq(ws_prompt_tokens(&efficient, &p), 6);
    ws_prompt_tokens_points(&efficient, &t, &p, xy, labels);
    expect_token(xy, labels, 0, 512.5 / 1024, 512.5 / 1024, 1);
    for (int i = 1; i < 6; i++)
        expect_token(xy, labels, i, -0.5 / 1024, -0.5 / 1024, -1);
}

Test(prompts, what_a_model_cannot_take_is_refused)
{
    const double far[4] = {NAN, INFINITY, 1e30, -641};
    const wsam_prompt none = {0}, negative = {.points = points, .n_points = 2};
    const wsam_prompt upside = {.has_box = 1, .box = {5, 5, 4, 6}};
    const wsam_point many[7] = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1},
                                {1, 1, 1}, {1, 1, 1}, {1, 1, 1}};
    const wsam_prompt seven = {.points = many, .n_points = 7};
    static const float values[256 * 256];
    const wsam_prompt small = {.points = points, .n_points = 1, .mask = values, .mask_side = 128};
    const wsam_prompt full = {.points = points, .n_points = 1, .mask = values, .mask_side = 256};
    wsam_transform t;
    wsam_error error;
    cr_assert_eq(ws_model_rules_transform(&sam, 480, 640, &t, &error), WSAM_OK);
    cr_expect_eq(ws_prompt_tokens_check(&sam, &t, &none, 0, &error), WSAM_ERR_ARGUMENT);
    cr_expect_eq(ws_prompt_tokens_check(&sam, &t, &upside, 0, &error), WSAM_ERR_ARGUMENT);
    cr_expect_eq(ws_prompt_tokens_check(&sam, &t, &negative, 0, &error), WSAM_OK);
    cr_expect_eq(ws_prompt_tokens_check(&efficient, &t, &negative, 0, &error),
                 WSAM_ERR_UNSUPPORTED);
    cr_expect_eq(ws_prompt_tokens_check(&sam, &t, &seven, 0, &error), WSAM_OK);
    cr_expect_eq(ws_prompt_tokens_check(&efficient, &t, &seven, 0, &error), WSAM_ERR_UNSUPPORTED);
    cr_expect_eq(ws_prompt_tokens_check(&sam, &t, &small, 0, &error), WSAM_ERR_ARGUMENT);
    cr_expect_eq(ws_prompt_tokens_check(&sam, &t, &full, 0, &error), WSAM_OK);
    cr_expect_eq(ws_prompt_tokens_check(&efficient, &t, &full, 0, &error), WSAM_ERR_UNSUPPORTED);
    for (int i = 0; i < 4; i++) {
        const wsam_point p = {far[i], 3, 1};
        const wsam_prompt one = {.points = &p, .n_points = 1};
        cr_expect_eq(ws_prompt_tokens_check(&sam, &t, &one, 7, &error), WSAM_ERR_ARGUMENT);
        cr_expect_not_null(strstr(error.message, "prompt 7"));
    }
}

Test(prompts, the_most_points)
{
    static wsam_point many[4097];
    wsam_transform t;
    wsam_error error;
    cr_assert_eq(ws_model_rules_transform(&sam, 480, 640, &t, &error), WSAM_OK);
    for (size_t i = 0; i < 4097; i++)
        many[i] = (wsam_point){(double)(i % 640), 3, 1};
    for (int box = 0; box < 2; box++) {
        const size_t most = box ? 4094 : 4095;
        wsam_prompt p = {.points = many, .n_points = most, .has_box = box, .box = {1, 1, 5, 5}};
        cr_expect_eq(ws_prompt_tokens_check(&sam, &t, &p, 7, &error), WSAM_OK);
        cr_expect_eq(ws_prompt_tokens(&sam, &p), 4096);
        p.n_points++;
        cr_expect_eq(ws_prompt_tokens_check(&sam, &t, &p, 7, &error), WSAM_ERR_LIMIT);
        cr_expect(strstr(error.message, "prompt 7") && strstr(error.message, box ? "4094" : "4095"),
                  "%s", error.message);
    }
}

Test(prompts, size_rule)
{
    static const int cases[][4] = {{453, 680, 682, 1024},   {333, 500, 682, 1024},
                                   {427, 640, 683, 1024},   {534, 800, 684, 1024},
                                   {1080, 1920, 576, 1024}, {1800, 1200, 1024, 683}};
    wsam_transform t;
    wsam_error error = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(ws_model_rules_transform(&sam, cases[i][0], cases[i][1], &t, &error), WSAM_OK);
        cr_expect(t.content_height == cases[i][2] && t.content_width == cases[i][3]);
    }
    cr_expect_eq(ws_model_rules_transform(&sam, 3000, 1, &t, &error), WSAM_ERR_UNSUPPORTED);
    cr_expect_not_null(strstr(error.message, "thin"));
}
