/* tests/unit/test_wholes.c - whole objects over their parts: which classes show by parts, and what a
 * whole takes over. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/regions/region_evidence.h"
#include "pipeline/regions/wholes.h"
#include "pipeline/train/random.h"
#include "tests/util/suite_folder.h"
#include "weaksam/regions.h"

TestSuite(wholes, .init = make_folder, .fini = remove_folder);

/* ---- taking over ---- */

enum { MARK, CARD, TABLE, SMEAR, ALONE, BOXES };

/* Inclusive ends, as proposals have them. */
static wsam_proposal items[BOXES] = {
    [MARK] = {.box = {12, 12, 17, 17}, .predicted_iou = 0.9f},
    [CARD] = {.box = {10, 10, 29, 39}, .predicted_iou = 0.6f},
    [TABLE] = {.box = {0, 0, 99, 79}, .predicted_iou = 0.9f},
    [SMEAR] = {.box = {11, 11, 20, 20}, .predicted_iou = 0.4f},
    [ALONE] = {.box = {60, 0, 79, 19}, .predicted_iou = 0.9f},
};
static const wsam_proposals proposals = {.width = 100, .height = 80, .n = BOXES, .items = items};

static void scores_of(float scores[BOXES][2])
{
    static const float one[BOXES] = {0.9f, 0.2f, 0.1f, 0.3f, 0.4f};
    for (int i = 0; i < BOXES; i++)
        scores[i][0] = scores[i][1] = one[i];
}

Test(wholes, the_smallest_whole_takes_over_in_its_class_alone)
{
    float before[BOXES][2], scores[BOXES][2];
    wsam_error error;
    scores_of(before);
    scores_of(scores);
    cr_assert_eq(ws_wholes_take_over("01", &proposals, scores[0], 2, &error), WSAM_OK);
    for (int i = 0; i < BOXES; i++)
        cr_expect_float_eq(scores[i][0], before[i][0], 0.0f);
    cr_expect_float_eq(scores[CARD][1], 1.0f - 0.8f * 0.1f, 1e-6f);
    cr_expect_float_eq(scores[MARK][1], 0.45f, 1e-6f);
    cr_expect_float_eq(scores[SMEAR][1], 0.15f, 1e-6f); /* a part, and no whole */
    cr_expect_float_eq(scores[TABLE][1], 0.1f, 0.0f);   /* too large */
    cr_expect_float_eq(scores[ALONE][1], 0.4f, 0.0f);
}

Test(wholes, nothing_is_taken_over_without_such_a_class)
{
    float before[BOXES][2], scores[BOXES][2];
    wsam_error error;
    scores_of(before);
    scores_of(scores);
    cr_assert_eq(ws_wholes_take_over(NULL, &proposals, scores[0], 2, &error), WSAM_OK);
    cr_assert_eq(ws_wholes_take_over("00", &proposals, scores[0], 2, &error), WSAM_OK);
    cr_expect_arr_eq(scores, before, sizeof scores);
}

/* ---- which classes ---- */

enum { PICTURES = 48, REGIONS = 4, FEATURES = 12 };

static const ws_region_layout layout = {
    .n_groups = 2, .count = FEATURES, .groups = {{"shape", 0, 8}, {"look", 8, 4}}};

/* Class "marked" is told by region 0, which lies in region 1; class "plain" by region 2, alone. With
 * `both` a picture in three shows both; `empty` pictures from the end show neither. */
static void make_set(wsam_labels *labels, int both, size_t empty)
{
    static const float boxes[REGIONS][4] = {
        {5, 5, 9, 9}, {2, 2, 20, 30}, {40, 2, 55, 20}, {40, 30, 60, 40}};
    static size_t first[PICTURES + 1];
    static int32_t classes[2 * PICTURES];
    static char names[2][8] = {"marked", "plain"}, *list[2] = {names[0], names[1]};
    static char images[PICTURES][16], *files[PICTURES];
    wsam_proposal regions[REGIONS];
    wsam_error error;
    memset(regions, 0, sizeof regions);
    for (size_t k = 0; k < REGIONS; k++)
        memcpy(regions[k].box, boxes[k], sizeof boxes[k]);
    const wsam_proposals p = {.width = 64, .height = 48, .n = REGIONS, .items = regions};
    for (size_t i = 0; i < PICTURES; i++) {
        const size_t kinds = i >= PICTURES - empty ? 0 : both && i % 3 == 2 ? 3 : 1 + i % 2;
        float rows[REGIONS * FEATURES];
        for (size_t k = 0; k < REGIONS * FEATURES; k++)
            rows[k] = ws_uniform(i + 1, k) - 0.5f;
        first[i + 1] = first[i];
        for (size_t kind = 0; kind < 2; kind++)
            if (kinds >> kind & 1) {
                rows[2 * kind * FEATURES + kind] = 3.0f;
                classes[first[i + 1]++] = (int32_t)kind;
            }
        snprintf(images[i], sizeof images[i], "%02zu.png", i);
        char *path = ws_region_path(in_folder(""), images[i], "regions");
        cr_assert_eq(ws_region_file_save(path, &p, &layout, rows, &error), WSAM_OK, "%s",
                     error.message);
        free(path);
        files[i] = images[i];
    }
    *labels = (wsam_labels){.n = PICTURES,
                            .n_classes = 2,
                            .images = files,
                            .names = list,
                            .first = first,
                            .classes = classes};
}

static wsam_model *learn(int both, size_t empty, ws_region_network *net)
{
    wsam_labels labels;
    wsam_regions_learn_options o;
    wsam_error error;
    wsam_model *model;
    make_set(&labels, both, empty);
    wsam_regions_learn_default(&o);
    o.folder = in_folder("");
    o.sources = "shape,look";
    cr_assert_eq(wsam_regions_learn(&labels, &o, in_folder("c.wsam"), NULL, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(wsam_model_open(in_folder("c.wsam"), NULL, &model, &error), WSAM_OK);
    cr_assert_eq(ws_region_network_create(net, model, NULL, NULL, &error), WSAM_OK, "%s",
                 error.message);
    return model;
}

static void expect_parts(int both, size_t empty, const char *parts)
{
    ws_region_network net;
    wsam_model *model = learn(both, empty, &net);
    cr_expect_str_eq(net.parts, parts);
    ws_region_network_free(&net);
    wsam_model_close(model);
}

Test(wholes, a_class_whose_best_regions_lie_in_others_shows_by_parts)
{
    expect_parts(1, 0, "10");
}

Test(wholes, beside_good_parts_a_mark_is_what_is_meant)
{
    expect_parts(0, 0, "00"); /* each picture is of one kind or of the other */
    expect_parts(1, 4, "10");
    expect_parts(1, 5, "00");
}

Test(wholes, scores_of_a_picture_are_those_of_wholes)
{
    float rows[BOXES * FEATURES] = {0}, plain[2 * BOXES];
    double picture[2];
    wsam_error error;
    wsam_proposals found = proposals;
    ws_regions regions = {.proposals = &found, .layout = layout, .rows = rows};
    ws_region_evidence evidence = {0};
    ws_region_network net;
    wsam_model *model = learn(1, 0, &net);
    rows[MARK * FEATURES] = 3.0f;
    cr_assert_eq(ws_region_network_run(&net, &layout, BOXES, rows, plain, picture, &error),
                 WSAM_OK);
    cr_assert(plain[2 * MARK] > 0.5f && plain[2 * CARD] < 0.5f);
    cr_assert_eq(ws_region_evidence_more(&net, &regions, &evidence, &error), WSAM_OK);
    cr_expect(evidence.scores[2 * CARD] > plain[2 * MARK]);
    cr_expect_float_eq(evidence.scores[2 * MARK], 0.5f * plain[2 * MARK], 1e-6f);
    cr_expect_float_eq(evidence.scores[2 * CARD + 1], plain[2 * CARD + 1], 0.0f);
    ws_region_evidence_free(&evidence);
    ws_region_network_free(&net);
    wsam_model_close(model);
}
