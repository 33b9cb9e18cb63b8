/* Error rates, intervals, calibration, costs and rules of a pilot, by values of SciPy, statsmodels and hand. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/pilot/calibrate.h"
#include "pipeline/pilot/decide.h"
#include "pipeline/pilot/match.h"
#include "weaksam/weaksam.h"

static void near(double got, double want, double error, const char *what)
{
    cr_expect(fabs(got - want) <= error, "%s: %.9g, not %.9g", what, got, want);
}

static void is_figure(ws_figure f, double value, double low, double high, double error)
{
    near(f.value, value, error, "value");
    near(f.low, low, error, "low");
    near(f.high, high, error, "high");
    cr_expect(!f.few);
}

/* ---- intervals ---- */

static const double some[10] = {3, 2, 4, 0, 0, 3, 2, 5, 1, 1},
                    all[10] = {4, 2, 5, 3, 1, 3, 4, 5, 2, 4};

/* scipy.stats.t.ppf(0.975, v) */
Test(pilot, student_t)
{
    static const double want[][2] = {{1, 12.7062},  {2, 4.30265},  {3, 3.18245},
                                     {4, 2.77645},  {7, 2.36462},  {10, 2.22814},
                                     {19, 2.09302}, {49, 2.00958}, {99, 1.98422}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        near(ws_interval_student_t(want[i][0]), want[i][1], 0.006, "t");
}

/* The formula with scipy's t: a design effect of 1.846339. */
Test(pilot, a_share_is_wilsons_with_the_effective_number)
{
    is_figure(ws_interval_share(some, all, 10, 0, 0), 0.63636364, 0.37703829, 0.83498397, 1e-5);
    is_figure(ws_interval_share(some, all, 10, 0, 0.005), 0.63636364, 0.33845545, 0.85685572, 1e-5);
}

/* 33 of 33: nothing varies, and still the interval is one; its end moves with what is alike elsewhere. */
Test(pilot, all_right_has_an_interval)
{
    is_figure(ws_interval_share(all, all, 10, 0, 0), 1, 0.86574737, 1, 1e-5);
    is_figure(ws_interval_share(all, all, 10, 0.3, 0), 1, 0.77835100, 1, 1e-5);
}

/* statsmodels' proportion_confint(40, 50, method='wilson') has z instead of t, and images of one object. */
Test(pilot, single_objects_give_wilsons_interval)
{
    static double part[2000], whole[2000];
    for (int i = 0; i < 2000; i++) {
        whole[i] = i < 50;
        part[i] = i < 40;
    }
    const ws_figure f = ws_interval_share(part, whole, 2000, 0, 0);
    near(f.low, 0.669629, 0.004, "low");
    near(f.high, 0.887562, 0.003, "high");
}

Test(pilot, few_is_said)
{
    cr_expect(ws_interval_share(some, all, 3, 0, 0).few == 0);
    cr_expect(ws_interval_share(some, all, 2, 0, 0).few, "six detections");
    const ws_figure f = ws_interval_share(some, all, 2, 0, 0);
    near(f.low, 0, 0, "low");
    near(f.high, 1, 0, "high");
}

Test(pilot, rates_of_counts)
{
    static const double count[10] = {0, 1, 0, 2, 5, 0, 0, 1, 0, 3}, none[20] = {0};
    is_figure(ws_interval_rate(count, 10, 0), 1.2, 0.45615061, 3.15685206, 1e-4);
    is_figure(ws_interval_rate(none, 20, 0), 0, 0, 0.21903748, 1e-5); /* t^2 / 20 */
}

Test(pilot, a_sum_of_rates)
{
    static const double a[10] = {0, 1, 0, 2, 5, 0, 0, 1, 0, 3},
                        b[10] = {1, 0, 1, 1, 3, 0, 1, 1, 0, 2};
    const ws_figure ra = ws_interval_rate(a, 10, 0), rb = ws_interval_rate(b, 10, 0);
    is_figure(ws_interval_sum(a, b, 10, 2, 3, &ra, &rb), 5.4, 2.52430452, 12.07816989, 1e-3);
}

/* scipy.stats.t.interval(0.95, 9, mean, sem) */
Test(pilot, means)
{
    static const double v[10] = {12, 9, 30, 14, 8, 11, 16, 9, 10, 21};
    is_figure(ws_interval_mean(v, 10), 14, 9.08996658, 18.91003342, 1e-4);
}

/* One-way analysis of variance by hand in NumPy. */
Test(pilot, alike_within_images)
{
    near(ws_interval_alike(some, all, 10), 0.32740893, 1e-8, "intraclass correlation");
    near(ws_interval_alike(all, all, 10), 0, 0, "all right");
}

/* ---- which detections are right ---- */

Test(pilot, the_surest_takes_the_object)
{
    ws_pilot_box d[] = {{{0, 0, 10, 10}, 0, 0.5, 0, 0, 0},   {{1, 0, 10, 10}, 0, 0.9, 0, 0, 0},
                        {{50, 0, 10, 10}, 1, 0.8, 0, 0, 0},  {{100, 0, 10, 10}, 0, 0.7, 0, 0, 0},
                        {{200, 0, 10, 10}, 0, 0.7, 0, 0, 0}, {{300, 0, 10, 10}, 0, 0.2, 0, 0, 0}};
    ws_pilot_box o[] = {{{0, 0, 10, 10}, 0, 1, 0, 0, 0},
                        {{50, 0, 10, 10}, 2, 1, 0, 0, 0},
                        {{107, 0, 10, 10}, 0, 1, 0, 0, 0},
                        {{300, 0, 10, 20}, 0, 1, 0, 0, 0}};
    cr_assert_eq(ws_pilot_match(d, 6, o, 4, 0.5, NULL), WSAM_OK);
    cr_expect_eq(d[0].cause, WS_PILOT_TWICE);
    cr_expect_eq(d[1].cause, WS_PILOT_HIT);
    cr_expect_eq(d[2].cause, WS_PILOT_CONFUSED);
    cr_expect_eq(d[2].other, 2);
    cr_expect_eq(d[3].cause, WS_PILOT_LOOSE); /* IoU 3/17 */
    cr_expect_eq(d[4].cause, WS_PILOT_NOTHING);
    cr_expect_eq(d[5].cause, WS_PILOT_HIT); /* IoU 0.5 is enough */
    cr_expect(o[0].found && !o[1].found && !o[2].found && o[3].found);
}

/* ---- calibration ---- */

/* 20 times 0.1 to 0.9; scikit-like fit with the same priors by scipy.optimize. */
static void nine_scores(ws_pilot_sample *s)
{
    static const int hits[2][9] = {{0, 0, 0, 1, 0, 1, 0, 1, 1}, {0, 0, 1, 0, 1, 0, 1, 1, 1}};
    cr_assert_eq(ws_pilot_sample_make(s, 20, 1, 180, NULL), WSAM_OK);
    for (size_t i = 0; i < 180; i++)
        s->detections[i] =
            (ws_pilot_detection){i / 9, 0, 0.1 * (double)(i % 9 + 1), hits[i / 90][i % 9]};
}

Test(pilot, platts_line)
{
    ws_pilot_sample s;
    ws_calibration c;
    double p[180], raw[180];
    nine_scores(&s);
    cr_assert_eq(ws_calibrate_platt(&s, &c, NULL), WSAM_OK);
    near(ws_calibrate_of(&c, 0, 0.1), 0.046437, 2e-6, "0.1");
    near(ws_calibrate_of(&c, 0, 0.5), 0.5, 2e-6, "0.5");
    near(ws_calibrate_of(&c, 0, 0.9), 0.953563, 2e-6, "0.9");
    near(ws_calibrate_score(&c, 0, 0.953563), 0.9, 1e-5, "the way back");
    for (size_t i = 0; i < s.n; i++) {
        raw[i] = s.detections[i].score;
        p[i] = ws_calibrate_of(&c, 0, raw[i]);
    }
    near(ws_cross_brier(&s, p), 0.16248174, 1e-6, "Brier score");
    near(ws_cross_brier(&s, raw), 0.16111111, 1e-8, "Brier score of the scores");
    ws_calibrate_free(&c);
    ws_pilot_sample_free(&s);
}

/* Two classes of 150 detections with 80 and 20 % hits at one score, and one of four: it stays near the mean. */
Test(pilot, classes_shrink_as_they_have_data)
{
    ws_pilot_sample s;
    ws_calibration c;
    cr_assert_eq(ws_pilot_sample_make(&s, 100, 3, 304, NULL), WSAM_OK);
    for (size_t i = 0; i < 304; i++)
        s.detections[i] = (ws_pilot_detection){i * 100 / 304,
                                               i < 150   ? 0
                                               : i < 300 ? 1
                                                         : 2,
                                               0.5, i < 300 ? (i % 5 < 4) == (i < 150) : 1};
    cr_assert_eq(ws_calibrate_fit(&s, NULL, NULL, &c, NULL), WSAM_OK);
    near(ws_calibrate_of(&c, 0, 0.5), 0.8, 0.02, "80 %");
    near(ws_calibrate_of(&c, 1, 0.5), 0.2, 0.02, "20 %");
    cr_expect(ws_calibrate_of(&c, 2, 0.5) > 0.55 && ws_calibrate_of(&c, 2, 0.5) < 0.9);
    ws_calibrate_free(&c);
    ws_pilot_sample_free(&s);
}

/* In full in the middle, four tenths of it near the top, and never so that a surer detection is less likely. */
Test(pilot, offsets_of_classes_count_for_less_near_the_top)
{
    double offset[2] = {-2, 3};
    const ws_calibration c = {
        .at = {-6, -2, 0, 2, 6}, .value = {-6, -2, 0, 2, 6}, .n_classes = 2, .offset = offset};
    near(ws_calibrate_of(&c, 0, 1 / (1 + exp(0))), 1 / (1 + exp(2)), 1e-9, "middle");
    near(ws_calibrate_of(&c, 0, 1 / (1 + exp(-4))), 1 / (1 + exp(-4 + 0.8)), 1e-9, "top");
    near(ws_calibrate_of(&c, 1, 1 / (1 + exp(-4))), 1 / (1 + exp(-4 - 1.2)), 1e-9, "top");
    for (int k = 0; k < 2; k++)
        for (int i = 1; i <= 1000; i++)
            cr_expect(ws_calibrate_of(&c, (size_t)k, 0.001 * i) >=
                      ws_calibrate_of(&c, (size_t)k, 0.001 * (i - 1)));
}

Test(pilot, a_surer_detection_is_never_less_probable)
{
    ws_pilot_sample s;
    ws_calibration c;
    cr_assert_eq(ws_pilot_sample_make(&s, 50, 1, 200, NULL), WSAM_OK);
    for (size_t i = 0; i < 200; i++) /* the middle is better than the top */
        s.detections[i] = (ws_pilot_detection){i / 4, 0, 0.005 * (double)i, i > 60 && i < 140};
    cr_assert_eq(ws_calibrate_fit(&s, NULL, NULL, &c, NULL), WSAM_OK);
    for (int i = 1; i <= 100; i++)
        cr_expect(ws_calibrate_of(&c, 0, 0.01 * i) >= ws_calibrate_of(&c, 0, 0.01 * (i - 1)));
    ws_calibrate_free(&c);
    ws_pilot_sample_free(&s);
}

/* Two groups of five, 0.1 off and 0.3 off: ten groups of one have |p - hit| each. */
Test(pilot, calibration_error_of_ten_groups)
{
    ws_pilot_sample s;
    double p[20], ece;
    cr_assert_eq(ws_pilot_sample_make(&s, 1, 1, 20, NULL), WSAM_OK);
    for (size_t i = 0; i < 20; i++) {
        s.detections[i].hit = i % 2 == 0; /* each group of two: one is right */
        p[i] = 0.3 + 0.02 * (double)(i / 2);
    }
    cr_assert_eq(ws_cross_calibration_error(&s, p, &ece, NULL), WSAM_OK);
    near(ece, 0.11, 1e-9, "ECE"); /* mean of 0.5 - (0.3 ... 0.48) */
    ws_pilot_sample_free(&s);
}

/* No image helps to judge itself: with one class and one score, the held share is that of the others. */
Test(pilot, held_probabilities_do_not_know_their_image)
{
    ws_pilot_sample s;
    ws_calibration c;
    ws_cross cross;
    cr_assert_eq(ws_pilot_sample_make(&s, 10, 1, 100, NULL), WSAM_OK);
    for (size_t i = 0; i < 100; i++)
        s.detections[i] = (ws_pilot_detection){i / 10, 0, 0.5, i < 50}; /* five images all right */
    cr_assert_eq(ws_calibrate_fit(&s, NULL, NULL, &c, NULL), WSAM_OK);
    cr_assert_eq(ws_cross_make(&s, &c, &cross, NULL), WSAM_OK);
    near(cross.held[0], 40.0 / 90, 0.01, "of an image that is right");
    near(cross.held[99], 50.0 / 90, 0.01, "of one that is wrong");
    ws_cross_free(&cross);
    ws_calibrate_free(&c);
    ws_pilot_sample_free(&s);
}

/* The sample has detections of one score alone; that surer ones are always right is known from images that a review put first. */
Test(pilot, ranked_images_calibrate_alone)
{
    ws_pilot_sample s;
    ws_calibration few, c;
    ws_cross cross;
    cr_assert_eq(ws_pilot_sample_make(&s, 210, 1, 840, NULL), WSAM_OK);
    for (size_t i = 0; i < 840; i++)
        s.detections[i] = (ws_pilot_detection){i / 4, 0, i < 40 || i % 2 ? 0.5 : 0.8,
                                               i < 40 ? i % 2 : i % 2 == 0 || i % 4 == 1};
    s.n_audit = 10;
    const ws_pilot_sample audit = ws_sample_audit(&s);
    cr_assert_eq(audit.n, 40);
    cr_assert_eq(audit.n_pictures, 10);
    cr_assert_eq(ws_calibrate_fit(&audit, NULL, NULL, &few, NULL), WSAM_OK);
    cr_assert_eq(ws_calibrate_fit(&s, NULL, NULL, &c, NULL), WSAM_OK);
    cr_expect(ws_calibrate_of(&c, 0, 0.8) > ws_calibrate_of(&few, 0, 0.8) + 0.05, "%g, without %g",
              ws_calibrate_of(&c, 0, 0.8), ws_calibrate_of(&few, 0, 0.8));
    cr_assert_eq(ws_cross_make(&s, &c, &cross, NULL), WSAM_OK);
    cr_expect(cross.held[0] < 0.6 && cross.held[39] < 0.6); /* the last of the sample */
    ws_cross_free(&cross);
    ws_calibrate_free(&few);
    ws_calibrate_free(&c);
    ws_pilot_sample_free(&s);
}

/* ... at equal scores more is right there than elsewhere: that is not taken over. */
Test(pilot, ranked_images_may_be_better_ones)
{
    ws_pilot_sample s;
    ws_calibration c;
    cr_assert_eq(ws_pilot_sample_make(&s, 200, 1, 800, NULL), WSAM_OK);
    for (size_t i = 0; i < 800; i++)
        s.detections[i] = (ws_pilot_detection){i / 4, 0, 0.5, i % 10 < (i < 400 ? 5 : 8)};
    s.n_audit = 100;
    cr_assert_eq(ws_calibrate_fit(&s, NULL, NULL, &c, NULL), WSAM_OK);
    near(ws_calibrate_of(&c, 0, 0.5), 0.5, 0.04, "the sample's share");
    ws_calibrate_free(&c);
    ws_pilot_sample_free(&s);
}

/* ---- costs ---- */

Test(pilot, bands_cost_least)
{
    static const wsam_pilot_costs all_costs[] = {
        {20, 1, 0}, {20, 1, 0.5}, {1, 1, 0.6}, {1, 5, 0.2}};
    near(ws_decide_bands(&all_costs[0]).accept, 20.0 / 21, 1e-12, "20:1");
    near(ws_decide_bands(&all_costs[1]).accept, 0.975, 1e-12, "taken");
    near(ws_decide_bands(&all_costs[1]).drop, 0.5, 1e-12, "dropped");
    near(ws_decide_bands(&all_costs[2]).accept, 0.5, 1e-12, "looking is too dear");
    for (int k = 0; k < 4; k++)
        for (int i = 0; i <= 100; i++) {
            const wsam_pilot_costs *c = &all_costs[k];
            const ws_bands b = ws_decide_bands(c);
            const double p = 0.01 * i, taken = (1 - p) * c->false_detection, dropped = p * c->miss;
            const double least = fmin(fmin(taken, dropped), c->look > 0 ? c->look : INFINITY);
            near(p >= b.accept ? taken : p >= b.drop ? c->look : dropped, least, 1e-9, "cost");
        }
}

/* accepted, looked at, found, missed, viewed, wrong */
static void counted(const ws_outcome *o, size_t i, const double want[6])
{
    const double got[6] = {o->accepted[i], o->looked[i], o->found[i],
                           o->missed[i],   o->viewed[i], o->wrong[i]};
    for (int k = 0; k < 6; k++)
        near(got[k], want[k], 0, "count");
}

Test(pilot, outcomes_are_counted)
{
    static const double p[4] = {0.9, 0.6, 0.2, 0.95};
    static const ws_bands bands = {0.8, 0.4};
    ws_pilot_sample s;
    ws_outcome o;
    cr_assert_eq(ws_pilot_sample_make(&s, 2, 2, 4, NULL), WSAM_OK);
    s.detections[0] = (ws_pilot_detection){0, 0, 0.9, 1};
    s.detections[1] = (ws_pilot_detection){0, 1, 0.6, 1};
    s.detections[2] = (ws_pilot_detection){0, 1, 0.2, 1};
    s.detections[3] = (ws_pilot_detection){1, 0, 0.9, 0};
    s.objects[0] = 1, s.objects[1] = 3, s.objects[2] = 1;
    cr_assert_eq(ws_decide_make(&s, p, &bands, SIZE_MAX, &o, NULL), WSAM_OK);
    counted(&o, 0, (const double[6]){1, 1, 2, 2, 1, 0});
    counted(&o, 1, (const double[6]){1, 0, 0, 1, 0, 1});
    ws_decide_free(&o);
    cr_assert_eq(ws_decide_make(&s, p, &bands, 1, &o, NULL), WSAM_OK);
    counted(&o, 0, (const double[6]){0, 1, 1, 2, 1, 0});
    counted(&o, 1, (const double[6]){0, 0, 0, 0, 0, 0});
    ws_decide_free(&o);
    ws_pilot_sample_free(&s);
}

/* ---- rules ---- */

static wsam_rules *rules_of(const char *text, wsam_status want)
{
    char path[] = "/tmp/weaksam-rules-XXXXXX";
    wsam_rules *rules = NULL;
    wsam_error error = {0};
    const int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    cr_expect_eq(wsam_rules_load(path, &rules, &error), want, "%s: %s", text, error.message);
    unlink(path);
    return rules;
}

static size_t left(const char *text, wsam_instance *items, size_t n, wsam_rules_counts *counts)
{
    static const char *const names[] = {"a", "b", "c"};
    static const wsam_classes classes = {.n = 3, .names = names};
    wsam_instances list = {n, items};
    wsam_rules *rules = rules_of(text, WSAM_OK);
    *counts = (wsam_rules_counts){0};
    cr_assert_eq(wsam_rules_apply(rules, &classes, 100, 50, &list, counts, NULL), WSAM_OK);
    wsam_rules_free(rules);
    return list.n;
}

static wsam_instance at(int class_index, double x, double y, double w, double h, double score)
{
    return (wsam_instance){.class_index = class_index, .bbox = {x, y, w, h}, .score = score};
}

Test(rules, sizes_and_shapes)
{
    wsam_rules_counts c;
    wsam_instance items[] = {at(0, 0, 0, 5, 5, 1), at(0, 0, 0, 50, 50, 1), at(0, 0, 0, 40, 10, 1),
                             at(1, 0, 0, 5, 5, 1), at(0, 0, 0, 10, 10, 1)};
    items[0].reviewed = WSAM_REVIEWED_ACCEPTED;
    cr_expect_eq(left("{\"all\": {\"min_area\": 30, \"max_area\": 2000, \"max_aspect\": 2}, "
                      "\"classes\": {\"b\": {\"min_area\": 20}}}",
                      items, 5, &c),
                 3);
    cr_expect(c.area == 1 && c.aspect == 1 && items[0].reviewed);
}

Test(rules, confidence_region_and_number)
{
    wsam_rules_counts c;
    wsam_instance items[] = {at(0, 0, 0, 10, 10, 0.9), at(0, 45, 20, 10, 10, 0.3),
                             at(0, 45, 20, 10, 10, 0.8), at(0, 45, 22, 10, 10, 0.9),
                             at(0, 45, 24, 10, 10, 0.7)};
    items[4].confidence = 0.2;
    cr_expect_eq(left("{\"all\": {\"min_confidence\": 0.5, \"max_per_image\": 1, "
                      "\"region\": [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]}}",
                      items, 5, &c),
                 1);
    cr_expect(c.region == 1 && c.confidence == 1 && c.number == 2,
              "boxes alone have no confidence");
    near(items[0].score, 0.9, 0, "the surest stays");
}

/* What a person drew is surer than any machine. */
Test(rules, classes_exclude_each_other)
{
    wsam_rules_counts c;
    wsam_instance items[] = {at(0, 0, 0, 10, 10, 0.4), at(1, 0, 0, 10, 10, 0.9),
                             at(2, 0, 0, 10, 10, 0.1)};
    const char *text = "{\"exclude\": [[\"a\", \"b\"]]}";
    wsam_instance copy[3];
    memcpy(copy, items, sizeof copy);
    cr_expect_eq(left(text, copy, 3, &c), 2);
    cr_expect(c.excluded == 1 && copy[0].class_index == 1 && copy[1].class_index == 2);
    items[0].reviewed = WSAM_REVIEWED_DRAWN;
    cr_expect_eq(left(text, items, 3, &c), 2);
    cr_expect(items[0].class_index == 0 && items[1].class_index == 2);
}

Test(rules, mistakes_are_named)
{
    static const char *const bad[] = {"[]",
                                      "{\"all\": {\"min_aera\": 3}}",
                                      "{\"all\": {\"min_area\": -3}}",
                                      "{\"all\": {\"min_area\": \"3\"}}",
                                      "{\"all\": {\"region\": [[0, 0], [1, 1]]}}",
                                      "{\"all\": {\"region\": [[0, 0], [1, 1], [2, 0]]}}",
                                      "{\"exclude\": [\"a\"]}",
                                      "{\"exclude\": [[\"a\", 3]]}",
                                      "{\"classes\": []}",
                                      "{\"every\": {}}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_null(rules_of(bad[i], WSAM_ERR_FORMAT));
    wsam_rules_free(rules_of("{}", WSAM_OK));
}
