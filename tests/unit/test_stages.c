/* Scores, pseudo labels and RoI drop by hand-made cases. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weaksam/weaksam.h"

static void near(double got, double want, const char *what)
{
    cr_expect(fabs(got - want) <= 1e-6 * (1 + fabs(want)), "%s: %.9g, not %.9g", what, got, want);
}

/* ---- pseudo labels ---- */

static wsam_instance box(int class_index, double x, double y, double w, double h, double score)
{
    return (wsam_instance){.class_index = class_index, .bbox = {x, y, w, h}, .score = score};
}

static wsam_instances pgt(const wsam_instance *items, size_t n, const wsam_pgt_options *options)
{
    wsam_instance copy[16];
    wsam_instances in = {n, copy}, out;
    wsam_error error = {0};
    memcpy(copy, items, n * sizeof *items);
    cr_assert_eq(wsam_pgt(&in, NULL, 0, options, &out, &error), WSAM_OK, "%s", error.message);
    return out;
}

static const wsam_instance apart[] = {{.bbox = {0, 0, 10, 10}, .score = 0.80},
                                      {.bbox = {20, 0, 10, 10}, .score = 0.50},
                                      {.bbox = {40, 0, 10, 10}, .score = 0.20},
                                      {.bbox = {60, 0, 10, 10}, .score = 0.05}};

/* Range 0.75: 1.067, 0.667, 0.267, 0.067 against 0.3. */
Test(pgt, the_threshold_is_relative_to_the_range)
{
    wsam_instances out = pgt(apart, 4, NULL);
    cr_assert_eq(out.n, 2);
    near(out.items[0].score, 0.80 / (0.75 + 1e-8), "first");
    near(out.items[1].score, 0.50 / (0.75 + 1e-8), "second");
    near(out.items[1].bbox[0], 20, "second box");
    wsam_instances_clear(&out);
    cr_expect_null(out.items);
}

Test(pgt, the_lowest_is_not_subtracted)
{
    /* Range 0.2: 5 and 4; with the minimum subtracted the second would be 0. */
    const wsam_instance two[] = {box(0, 0, 0, 9, 9, 1.0), box(0, 20, 0, 9, 9, 0.8)};
    wsam_pgt_options options;
    wsam_pgt_options_default(&options);
    options.keep = 4.5;
    wsam_instances out = pgt(two, 2, &options);
    cr_expect_eq(out.n, 1);
    wsam_instances_clear(&out);
    options.keep = 3.5;
    out = pgt(two, 2, &options);
    cr_expect_eq(out.n, 2);
    wsam_instances_clear(&out);
}

Test(pgt, the_best_of_a_class_stays_whatever_its_score)
{
    wsam_pgt_options options;
    wsam_pgt_options_default(&options);
    options.keep = 1e6;
    wsam_instances out = pgt(apart, 4, &options);
    cr_expect_eq(out.n, 1);
    near(out.items[0].bbox[0], 0, "the best");
    wsam_instances_clear(&out);
    const wsam_instance one[] = {box(3, 1, 2, 3, 4, 0.01)};
    out = pgt(one, 1, NULL);
    cr_expect_eq(out.n, 1);
    wsam_instances_clear(&out);
}

/* What was measured stays beside the score that the rule compares; no range divides by nothing. */
Test(pgt, raw_scores_stay_beside_normalised_ones)
{
    wsam_instances out = pgt(apart, 4, NULL);
    cr_assert_eq(out.n, 2);
    near(out.items[0].raw_score, 0.80, "the best's raw score");
    near(out.items[1].raw_score, 0.50, "the second's raw score");
    near(wsam_instance_evidence(&out.items[0]), 0.80, "its evidence");
    wsam_instances_clear(&out);
    const wsam_instance one[] = {box(3, 1, 2, 3, 4, 0.041)};
    out = pgt(one, 1, NULL);
    cr_assert_eq(out.n, 1);
    near(out.items[0].score, 1, "the score of a single box");
    near(out.items[0].raw_score, 0.041, "its raw score");
    wsam_instances again = pgt(out.items, out.n, NULL);
    near(again.items[0].raw_score, 0.041, "which a second pass keeps");
    wsam_instances_clear(&again);
    wsam_instances_clear(&out);
    const wsam_instance equal[] = {box(0, 0, 0, 9, 9, 0.5), box(0, 20, 0, 9, 9, 0.5),
                                   box(1, 0, 0, 9, 9, 0.0)};
    out = pgt(equal, 3, NULL);
    cr_assert_eq(out.n, 3);
    near(out.items[1].score, 1, "equal scores");
    near(out.items[2].score, 0, "a score of nothing");
    wsam_instances_clear(&out);
}

/* The contained box goes, the best one included; a box that goes still removes others. */
Test(pgt, contained_boxes_go_all_at_once)
{
    const wsam_instance nest[] = {box(0, 2, 2, 4, 4, 0.9), box(0, 1, 1, 8, 8, 0.8),
                                  box(0, 0, 0, 20, 20, 0.7), box(1, 2, 2, 4, 4, 0.1)};
    wsam_instances out = pgt(nest, 4, NULL);
    cr_assert_eq(out.n, 2);
    near(out.items[0].bbox[2], 20, "the outermost");
    cr_expect_eq(out.items[1].class_index, 1, "another class does not matter");
    wsam_instances_clear(&out);
}

Test(pgt, a_surer_box_stays_in_a_weaker_one)
{
    const wsam_instance nest[] = {box(0, 1, 1, 8, 8, 0.8), box(0, 2, 2, 4, 4, 0.9),
                                  box(0, 1, 1, 3, 3, 0.7), box(0, 0, 0, 20, 20, 0.6)};
    wsam_pgt_options options;
    wsam_pgt_options_default(&options);
    options.surer = 1;
    wsam_instances out = pgt(nest, 4, &options);
    cr_assert_eq(out.n, 3);
    near(out.items[0].bbox[2], 8, "not in the surest");
    near(out.items[1].bbox[2], 4, "the surest");
    near(out.items[2].bbox[2], 20, "around all");
    wsam_instances_clear(&out);
}

Test(pgt, containment_is_of_the_box_that_goes)
{
    /* 8.4 of 10 columns inside: kept at 0.85, dropped at 0.84. */
    const wsam_instance two[] = {box(0, 0, 0, 100, 10, 0.9), box(0, 91.6, 0, 10, 10, 0.8)};
    wsam_pgt_options options;
    wsam_pgt_options_default(&options);
    wsam_instances out = pgt(two, 2, &options);
    cr_expect_eq(out.n, 2);
    wsam_instances_clear(&out);
    options.contained = 0.8399;
    out = pgt(two, 2, &options);
    cr_assert_eq(out.n, 1);
    near(out.items[0].bbox[2], 100, "the large one");
    wsam_instances_clear(&out);
}

Test(pgt, equal_boxes_contain_each_other)
{
    const wsam_instance two[] = {box(0, 0, 0, 9, 9, 0.9), box(0, 0, 0, 9, 9, 0.8)};
    wsam_instances out = pgt(two, 2, NULL);
    cr_expect_eq(out.n, 0);
    wsam_instances_clear(&out);
}

Test(pgt, order_is_that_of_the_input_and_the_best_need_not_be_first)
{
    const wsam_instance mixed[] = {box(1, 0, 0, 9, 9, 0.1), box(0, 20, 0, 9, 9, 0.5),
                                   box(1, 40, 0, 9, 9, 0.9), box(0, 60, 0, 9, 9, 0.6)};
    wsam_instances out = pgt(mixed, 4, NULL);
    cr_assert_eq(out.n, 3);
    near(out.items[0].bbox[0], 20, "first");
    near(out.items[1].bbox[0], 40, "second");
    near(out.items[2].bbox[0], 60, "third");
    wsam_instances_clear(&out);
}

Test(pgt, labels_decide_about_classes)
{
    wsam_instance items[] = {box(2, 0, 0, 9, 9, 0.9), box(5, 20, 0, 9, 9, 0.8)};
    const wsam_instances in = {2, items};
    const int32_t labels[] = {7, 5};
    wsam_instances out;
    wsam_error error;
    cr_assert_eq(wsam_pgt(&in, labels, 2, NULL, &out, &error), WSAM_OK);
    cr_assert_eq(out.n, 1);
    cr_expect_eq(out.items[0].class_index, 5);
    wsam_instances_clear(&out);
    cr_assert_eq(wsam_pgt(&in, labels, 0, NULL, &out, &error), WSAM_OK);
    cr_expect_eq(out.n, 0);
    wsam_instances_clear(&out);
}

Test(pgt, baselines)
{
    const wsam_instance items[] = {box(0, 0.6, 0.6, 9.7, 9.7, 0.3), box(0, 20, 0, 9, 9, 0.25),
                                   box(0, 40, 0, 9, 9, 0.15), box(1, 60, 0, 9, 9, 0.0)};
    wsam_pgt_options options;
    wsam_pgt_options_default(&options);
    options.method = WSAM_PGT_TOP1;
    wsam_instances out = pgt(items, 4, &options);
    cr_assert_eq(out.n, 1, "a score of 0 is no label");
    near(out.items[0].score, 0.3, "scores stay");
    wsam_instances_clear(&out);
    options.method = WSAM_PGT_TOP2;
    out = pgt(items, 4, &options);
    cr_assert_eq(out.n, 3);
    near(out.items[0].bbox[0], 0, "truncated");
    near(out.items[0].bbox[2], 10, "truncated end");
    wsam_instances_clear(&out);
    options.method = WSAM_PGT_FIXED;
    out = pgt(items, 4, &options);
    cr_assert_eq(out.n, 3, "two above 0.2, and the best of the other class");
    near(out.items[1].score, 0.25, "not divided");
    wsam_instances_clear(&out);
}

Test(pgt, numbers_that_are_none_are_refused)
{
    wsam_instance item = box(0, 0, 0, 9, 9, (double)NAN);
    const wsam_instances in = {1, &item};
    wsam_instances out;
    wsam_error error;
    cr_expect_eq(wsam_pgt(&in, NULL, 0, NULL, &out, &error), WSAM_ERR_ARGUMENT);
    cr_expect(strstr(error.message, "box 0"), "%s", error.message);
}

/* ---- scores ---- */

enum { SIDE = 40 };

static float map_values[SIDE * SIDE];

/* A filled rectangle, inclusive corners. */
static void fill(int x0, int y0, int x1, int y1, float value)
{
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++)
            map_values[y * SIDE + x] = value;
}

static const wsam_clue_map map = {
    .class_index = 4, .height = SIDE, .width = SIDE, .values = map_values, .weight = 1};

static wsam_instances scores(wsam_proposal *items, size_t n, const wsam_score_options *options)
{
    wsam_proposals p = {.width = SIDE, .height = SIDE, .n = n, .items = items};
    const wsam_score_input input = {.proposals = &p, .maps = &map, .n_maps = 1};
    wsam_scorer scorer;
    wsam_instances out;
    wsam_error error = {0};
    wsam_evidence_scorer(NULL, &scorer);
    cr_assert_eq(wsam_score_proposals(&scorer, &input, options, &out, &error), WSAM_OK, "%s",
                 error.message);
    return out;
}

static char *rectangle(int x0, int y0, int x1, int y1)
{
    static uint8_t bytes[SIDE * SIDE];
    uint32_t counts[4 * SIDE];
    wsam_rle rle = {SIDE, SIDE, 0, 4 * SIDE, counts};
    memset(bytes, 0, sizeof bytes);
    for (int y = y0; y <= y1; y++)
        memset(bytes + y * SIDE + x0, 1, (size_t)(x1 - x0 + 1));
    cr_assert_eq(wsam_rle_encode(bytes, SIDE, &rle), WSAM_OK);
    char *text = calloc(1, wsam_rle_to_string(&rle, NULL, 0) + 1);
    wsam_rle_to_string(&rle, text, wsam_rle_to_string(&rle, NULL, 0));
    return text;
}

/* Surround 20 x 20 of a 10 x 10 mask: p = 1/4, spread sqrt(3/16 + 0.04), squared; and the IoU. */
Test(score, the_formula_by_hand)
{
    fill(10, 10, 19, 19, 1);
    wsam_proposal p = {.box = {10, 10, 19, 19}, .predicted_iou = 0.81F};
    wsam_instances out = scores(&p, 1, NULL);
    cr_assert_eq(out.n, 1);
    near(out.items[0].score, 0.1875 / (0.1875 + 0.04) * 0.81, "box");
    near(out.items[0].bbox[2], 10, "width of an inclusive box");
    cr_expect_eq(out.items[0].class_index, 4);
    const double of_box = out.items[0].score;
    wsam_instances_clear(&out);
    p.counts = rectangle(10, 10, 19, 19);
    p.counts_length = strlen(p.counts);
    out = scores(&p, 1, NULL);
    near(out.items[0].score, of_box, "a mask that fills its box");
    wsam_instances_clear(&out);
    free(p.counts);
}

/* A soft map, high in the middle of the object as such maps are. */
static void soft_object(void)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const double dx = (x - 19.5) / 10, dy = (y - 19.5) / 10;
            const int inside = fabs(dx) <= 1 && fabs(dy) <= 1;
            map_values[y * SIDE + x] =
                (float)((inside ? 0.5 : 0.1) + 0.4 * exp(-2 * (dx * dx + dy * dy)));
        }
}

Test(score, the_whole_object_wins_over_parts_and_over_object_and_background)
{
    wsam_score_options options;
    wsam_score_options_default(&options);
    options.nms = 1;
    soft_object();
    wsam_proposal p[] = {{.box = {10, 10, 29, 29}, .predicted_iou = 1},
                         {.box = {15, 15, 24, 24}, .predicted_iou = 1},
                         {.box = {10, 10, 19, 29}, .predicted_iou = 1},
                         {.box = {5, 5, 34, 34}, .predicted_iou = 1},
                         {.box = {0, 0, 39, 39}, .predicted_iou = 1},
                         {.box = {0, 0, 9, 9}, .predicted_iou = 1}};
    wsam_instances out = scores(p, sizeof p / sizeof p[0], &options);
    cr_assert_geq(out.n, 4);
    near(out.items[0].bbox[0], 10, "the object first");
    near(out.items[0].bbox[2], 20, "the object's width");
    cr_expect_gt(out.items[0].score, 1.2 * out.items[1].score);
    wsam_instances_clear(&out);
}

Test(score, maps_of_other_sizes_lie_over_the_whole_picture)
{
    static const float small[4] = {0, 1, 0, 1}; /* the right half */
    const wsam_clue_map half = {.height = 2, .width = 2, .values = small, .weight = 0.5};
    wsam_proposal p[] = {{.box = {20, 0, 39, 39}, .predicted_iou = 1},
                         {.box = {0, 0, 19, 39}, .predicted_iou = 1}};
    wsam_proposals all = {.width = SIDE, .height = SIDE, .n = 2, .items = p};
    const wsam_score_input input = {.proposals = &all, .maps = &half, .n_maps = 1};
    wsam_scorer scorer;
    wsam_instances out;
    wsam_error error;
    wsam_evidence_scorer(NULL, &scorer);
    cr_assert_eq(wsam_score_proposals(&scorer, &input, NULL, &out, &error), WSAM_OK);
    cr_assert_eq(out.n, 1);
    near(out.items[0].bbox[0], 20, "the right half");
    cr_expect(out.items[0].score > 0.2 && out.items[0].score < 0.5, "halved by the weight: %g",
              out.items[0].score);
    wsam_instances_clear(&out);
}

/* Prompted with its box, the whole image would not show it again. */
Test(score, a_mask_of_a_crop_stays_with_its_box)
{
    fill(10, 10, 19, 19, 1);
    char *mask = rectangle(10, 10, 19, 18);
    wsam_proposal p[] = {
        {.box = {10, 10, 19, 19}, .predicted_iou = 0.8F, .counts = mask, .area = 90, .cropped = 1},
        {.box = {30, 10, 39, 19}, .predicted_iou = 0.8F, .counts = mask, .area = 90}};
    p[0].counts_length = p[1].counts_length = strlen(mask);
    fill(30, 10, 39, 19, 1);
    wsam_score_options few;
    wsam_score_options_default(&few);
    wsam_instances out = scores(p, 2, &few), labels;
    wsam_error error = {0};
    cr_assert_eq(out.n, 2);
    cr_assert_eq(wsam_pgt(&out, NULL, 0, NULL, &labels, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(labels.n, 2);
    const wsam_instance *of_crop = &labels.items[labels.items[0].bbox[0] > 20];
    const wsam_instance *of_image = &labels.items[labels.items[0].bbox[0] < 20];
    cr_assert_not_null(of_crop->counts);
    cr_expect_str_eq(of_crop->counts, mask);
    cr_expect_eq(of_crop->area, 90);
    cr_expect_null(of_image->counts);
    wsam_instances_clear(&labels);
    wsam_instances_clear(&out);
    free(mask);
}

/* A scorer with a table of its own that also moves the boxes. */
static wsam_status table(void *user, const wsam_score_input *input, float *out, float *boxes,
                         wsam_error *error)
{
    (void)error;
    memcpy(out, user, input->proposals->n * input->n_maps * sizeof *out);
    boxes[0] += 1;
    return WSAM_OK;
}

Test(score, duplicates_nms_and_the_limit)
{
    float values[] = {0.5F, 0.9F, 0.4F, 0.3F, 0.3F, -1};
    const wsam_scorer scorer = {.user = values, .score = table};
    wsam_proposal p[] = {{.box = {0, 0, 9, 9}},   {.box = {0, 0, 9, 9}},
                         {.box = {0, 0, 9, 8}},   {.box = {20, 0, 29, 9}},
                         {.box = {0, 20, 9, 29}}, {.box = {30, 30, 39, 39}}};
    wsam_proposals all = {.width = SIDE, .height = SIDE, .n = 6, .items = p};
    const wsam_score_input input = {.proposals = &all, .maps = &map, .n_maps = 1};
    wsam_score_options options;
    wsam_instances out;
    wsam_error error;
    wsam_score_options_default(&options);
    options.most = 2;
    cr_assert_eq(wsam_score_proposals(&scorer, &input, &options, &out, &error), WSAM_OK);
    /* 0.9 is a duplicate's, 0.4 suppressed, -1 no score; 0.3 and 0.3 tie at the limit. */
    cr_assert_eq(out.n, 3);
    near(out.items[0].score, 0.5, "the first of equal boxes");
    near(out.items[0].bbox[0], 1, "the scorer's box");
    near(out.items[2].score, (double)0.3F, "a tie stays");
    wsam_instances_clear(&out);
}

Test(score, a_picture_without_classes_or_proposals_has_no_boxes)
{
    wsam_proposals none = {.width = SIDE, .height = SIDE};
    const wsam_score_input input = {.proposals = &none};
    wsam_scorer scorer;
    wsam_instances out;
    wsam_error error;
    wsam_evidence_scorer(NULL, &scorer);
    cr_assert_eq(wsam_score_proposals(&scorer, &input, NULL, &out, &error), WSAM_OK);
    cr_expect_eq(out.n, 0);
    wsam_instances_clear(&out);
}

/* ---- RoI drop ---- */

/* Background, both low, classification high, regression high, both high, at the threshold, NaN. */
enum { ROIS = 7 };
static const float cls_loss[ROIS] = {9, 1, 5, 1, 5, 4, (float)NAN};
static const float reg_loss[ROIS] = {9, 1, 1, 5, 5, 4, 5};
static const uint8_t foreground[ROIS] = {0, 1, 1, 1, 1, 1, 1};

static void drop(wsam_roi_drop_rule rule, int64_t iteration, size_t n, const char *cls,
                 const char *reg)
{
    wsam_roi_drop_options options;
    uint8_t keep_cls[ROIS], keep_reg[ROIS];
    wsam_roi_drop_options_default(&options);
    options.rule = rule;
    cr_expect_eq(wsam_roi_drop(cls_loss, reg_loss, foreground, ROIS, iteration, &options, keep_cls,
                               keep_reg),
                 n);
    for (int i = 0; i < ROIS; i++) {
        cr_expect_eq(keep_cls[i], cls[i] - '0', "classification of RoI %d", i);
        cr_expect_eq(keep_reg[i], reg[i] - '0', "regression of RoI %d", i);
    }
}

Test(roi_drop, joint)
{
    drop(WSAM_ROI_DROP_JOINT, 2000, 2, "1111010", "0111010");
}

Test(roi_drop, independent)
{
    drop(WSAM_ROI_DROP_INDEPENDENT, 2000, 4, "1100010", "0110010");
}

Test(roi_drop, not_before_the_warm_up_and_not_when_off)
{
    drop(WSAM_ROI_DROP_JOINT, 1999, 0, "1111111", "0111111");
    drop(WSAM_ROI_DROP_OFF, 99999, 0, "1111111", "0111111");
}
