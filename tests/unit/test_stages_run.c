/* Proposals and instance masks on a small model. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weaksam/weaksam.h"

static char folder[64];

static const char *file(const char *name)
{
    static char path[2][128];
    static int next;
    char *p = path[next++ % 2];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void setup(void)
{
    wsam_error error = {0};
    snprintf(folder, sizeof folder, "/tmp/weaksam-propose-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert(!wsam_write_twin("sam_vit_mini", file("t.st"), 0, &error) &&
                  !wsam_convert(file("t.st"), file("sam.wsam"), NULL, &error),
              "%s", error.message);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

TestSuite(propose, .init = setup, .fini = teardown);

typedef struct fixture {
    wsam_model *model;
    wsam_proposer *proposer;
    wsam_segmenter *segmenter;
    wsam_picture picture;
    wsam_propose_options options;
} fixture;

static void open_fixture(fixture *f, int threads)
{
    wsam_error error = {0};
    wsam_options options;
    wsam_options_default(&options);
    options.threads = threads;
    memset(f, 0, sizeof *f);
    cr_assert(!wsam_model_open(file("sam.wsam"), &options, &f->model, &error) &&
                  !wsam_picture_draw(60, 100, &f->picture, &error) &&
                  !wsam_proposer_create(f->model, &f->proposer, &error) &&
                  !wsam_segmenter_create(f->model, &f->segmenter, &error),
              "%s", error.message);
    wsam_propose_options_default(&f->options);
    /* What an untrained model says of its own masks is nothing to filter by. */
    f->options.everything.points_per_side = 4;
    f->options.everything.pred_iou_thresh = 0;
    f->options.everything.stability_score_thresh = 0;
}

static void close_fixture(fixture *f)
{
    wsam_proposer_free(f->proposer);
    wsam_segmenter_free(f->segmenter);
    wsam_picture_free(&f->picture);
    wsam_model_close(f->model);
}

/* Classes change places in the list; one point lies outside. */
static wsam_clue_point clue_points[] = {
    {10, 20, 1, 0, WSAM_SOURCE_FINE},    {50, 30, 1, 1, WSAM_SOURCE_COARSE},
    {70, 40, 1, 0, WSAM_SOURCE_COARSE},  {55, 12, 1, 1, WSAM_SOURCE_COARSE},
    {20, 50, 1, -1, WSAM_SOURCE_CROSS},  {20, 50, 1, -1, WSAM_SOURCE_CROSS},
    {100, 10, 1, 0, WSAM_SOURCE_COARSE}, {90, 55, 1, -1, WSAM_SOURCE_CROSS}};
enum { N = sizeof clue_points / sizeof clue_points[0] };
static const wsam_clue_points clues = {
    .width = 100, .height = 60, .n_classes = 2, .n = N, .points = clue_points};

static wsam_proposals *propose(fixture *f, const wsam_clue_points *points,
                               wsam_propose_stats *stats)
{
    wsam_proposals *p;
    wsam_error error = {0};
    cr_assert_eq(wsam_propose_run(f->proposer, &f->picture, NULL, points, &f->options, &p, stats,
                                  NULL, &error),
                 WSAM_OK, "%s", error.message);
    return p;
}

Test(propose, sources_in_the_published_order)
{
    fixture f;
    wsam_propose_stats s;
    open_fixture(&f, 1);
    wsam_proposals *p = propose(&f, &clues, &s);
    cr_expect_eq(s.prompts[WSAM_SOURCE_GRID], 16);
    cr_expect_eq(s.prompts[WSAM_SOURCE_COARSE], 3);
    cr_expect_eq(s.prompts[WSAM_SOURCE_FINE], 1);
    cr_expect_eq(s.prompts[WSAM_SOURCE_CLASS], 3, "coarse 1, coarse 0, fine 0");
    cr_expect_eq(s.prompts[WSAM_SOURCE_CROSS], 3);
    cr_expect_eq(s.outside, 1);
    cr_expect_geq(s.suppressed, 2, "the same point twice");
    static const wsam_source order[] = {WSAM_SOURCE_COARSE, WSAM_SOURCE_COARSE, WSAM_SOURCE_COARSE,
                                        WSAM_SOURCE_CLASS,  WSAM_SOURCE_CLASS,  WSAM_SOURCE_FINE,
                                        WSAM_SOURCE_CLASS};
    size_t at = s.proposals[WSAM_SOURCE_GRID], sum = 0;
    cr_expect_gt(at, 0);
    for (size_t i = 0; i < at; i++)
        cr_expect_eq(p->items[i].source, WSAM_SOURCE_GRID);
    for (size_t i = 0; i < 14; i++)
        cr_expect_eq(p->items[at + i].source, order[i / 2], "proposal %zu", i);
    for (size_t i = at + 14; i < p->n; i++)
        cr_expect_eq(p->items[i].source, WSAM_SOURCE_CROSS);
    for (int i = 0; i < WSAM_SOURCES; i++)
        sum += s.proposals[i];
    cr_expect_eq(sum, p->n);
    wsam_proposals_free(p);
    close_fixture(&f);
}

/* Point by point against the segmenter: masks 1 and 2, classes as one prompt. */
Test(propose, clue_masks_are_those_of_the_segmenter)
{
    fixture f;
    wsam_embedding *e;
    wsam_result *r;
    wsam_error error = {0};
    open_fixture(&f, 2);
    f.options.sources = 1u << WSAM_SOURCE_COARSE | 1u << WSAM_SOURCE_CLASS;
    wsam_proposals *p = propose(&f, &clues, NULL);
    const wsam_point alone = {50, 30, 1}, together[] = {{50, 30, 1}, {55, 12, 1}};
    const wsam_prompt prompts[] = {{.points = &alone, .n_points = 1, .multimask = 1},
                                   {.points = together, .n_points = 2, .multimask = 1}};
    cr_assert(!wsam_segmenter_encode(f.segmenter, &f.picture, &e, &error) &&
                  !wsam_segmenter_run(f.segmenter, e, prompts, 2, WSAM_WANT_MASKS, &r, &error),
              "%s", error.message);
    for (size_t i = 0; i < 4; i++) {
        const wsam_mask *m = &r->masks[i / 2 * 3 + 1 + i % 2];
        const wsam_proposal *q = &p->items[i < 2 ? i : 6 + i - 2];
        cr_expect_eq(q->area, m->area, "mask %zu", i);
        cr_expect(q->predicted_iou >= m->predicted_iou && q->predicted_iou <= m->predicted_iou);
        if (m->area)
            cr_expect_eq((int)q->box[2], m->bbox[0] + m->bbox[2] - 1);
    }
    wsam_result_free(r);
    wsam_embedding_free(e);
    wsam_proposals_free(p);
    close_fixture(&f);
}

Test(propose, threads_and_a_given_embedding_change_nothing)
{
    char *text[3];
    for (int i = 0; i < 3; i++) {
        fixture f;
        wsam_proposals *p;
        wsam_embedding *e = NULL, *kept = NULL;
        wsam_error error = {0};
        open_fixture(&f, i == 1 ? 3 : 1);
        if (i == 2)
            cr_assert_eq(wsam_segmenter_encode(f.segmenter, &f.picture, &e, &error), WSAM_OK);
        cr_assert_eq(wsam_propose_run(f.proposer, &f.picture, e, &clues, &f.options, &p, NULL,
                                      &kept, &error),
                     WSAM_OK, "%s", error.message);
        cr_expect_eq(kept == NULL, e != NULL, "a given embedding stays the caller's");
        cr_assert(!wsam_proposals_json(p, "x", &text[i]));
        wsam_proposals_free(p);
        wsam_embedding_free(kept);
        wsam_embedding_free(e);
        close_fixture(&f);
    }
    cr_expect_str_eq(text[0], text[1]);
    cr_expect_str_eq(text[0], text[2]);
    for (int i = 0; i < 3; i++)
        wsam_free(text[i]);
}

static int give_up_after(void *user, double fraction)
{
    int *left = user;
    (void)fraction;
    return (*left)-- <= 0;
}

/* In the encoder, in the grid, and between the prompts of clue points. */
Test(propose, work_is_given_up_when_that_is_asked_for)
{
    fixture f;
    wsam_proposals *p;
    wsam_error error = {0};
    int left = 1 << 30, asked[2];
    open_fixture(&f, 1);
    f.options.everything.progress = give_up_after;
    f.options.everything.progress_user = &left;
    for (int i = 0; i < 2; i++) {
        f.options.sources = i ? 1u << WSAM_SOURCE_COARSE : (1u << WSAM_SOURCES) - 1;
        left = 1 << 30;
        cr_assert_eq(wsam_propose_run(f.proposer, &f.picture, NULL, &clues, &f.options, &p, NULL,
                                      NULL, &error),
                     WSAM_OK, "%s", error.message);
        wsam_proposals_free(p);
        asked[i] = (1 << 30) - left;
        for (int k = 0; k < asked[i]; k += k < asked[i] - 3 ? asked[i] / 3 : 1) {
            left = k;
            cr_expect_eq(wsam_propose_run(f.proposer, &f.picture, NULL, &clues, &f.options, &p,
                                          NULL, NULL, &error),
                         WSAM_ERR_CANCELLED, "asked %d of %d times", k, asked[i]);
        }
    }
    cr_expect_gt(asked[1], 3);
    cr_expect_gt(asked[0], asked[1]);
    close_fixture(&f);
}

Test(propose, what_does_not_belong_together_is_refused)
{
    fixture f;
    wsam_proposals *p;
    wsam_error error = {0};
    wsam_clue_points other = clues;
    open_fixture(&f, 1);
    other.width = 99;
    cr_expect_eq(
        wsam_propose_run(f.proposer, &f.picture, NULL, &other, &f.options, &p, NULL, NULL, &error),
        WSAM_ERR_MISMATCH);
    cr_expect(strstr(error.message, "99 x 60"), "%s", error.message);
    f.options.sources = 0;
    cr_expect_eq(
        wsam_propose_run(f.proposer, &f.picture, NULL, &clues, &f.options, &p, NULL, NULL, &error),
        WSAM_ERR_ARGUMENT);
    close_fixture(&f);
}

Test(propose, instance_masks_of_boxes)
{
    fixture f;
    wsam_embedding *e;
    wsam_result *r;
    wsam_instances out;
    wsam_error error = {0};
    wsam_instance items[70] = {
        {.id = 5, .class_index = 1, .bbox = {10, 10, 40, 30}, .score = 0.5},
        {.id = 6, .class_index = 0, .bbox = {200, 10, 5, 5}, .score = 1},
        {.id = 7, .class_index = 0, .bbox = {-20, -20, 300, 300}, .score = 9}};
    for (int i = 3; i < 70; i++)
        items[i] = items[0];
    items[0].score = 3; /* as the adaptive rule leaves it: the raw score is what counts */
    items[0].raw_score = 0.5;
    const wsam_instances in = {70, items};
    open_fixture(&f, 1);
    const wsam_prompt prompts[] = {{.has_box = 1, .box = {10, 10, 50, 40}},
                                   {.has_box = 1, .box = {0, 0, 100, 60}}};
    cr_assert(!wsam_segmenter_encode(f.segmenter, &f.picture, &e, &error) &&
                  !wsam_segmenter_run(f.segmenter, e, prompts, 2, WSAM_WANT_MASKS, &r, &error) &&
                  !wsam_masks_run(f.segmenter, e, &in, &out, &error),
              "%s", error.message);
    const size_t one = r->masks[0].area > 0, two = r->masks[1].area > 0;
    cr_assert_gt(one + two, 0);
    cr_assert_eq(out.n, 68 * one + two, "none for the box outside, none for empty masks");
    for (size_t i = 0; i < out.n; i++) {
        const wsam_instance *a = &out.items[i];
        const wsam_mask *m = &r->masks[a->id == 7];
        cr_assert_eq(a->area, m->area);
        cr_expect_eq((int)a->bbox[2], m->bbox[2]);
        cr_expect(a->confidence >= 0 && a->confidence <= 1);
        cr_expect(a->id != 5 || fabs(a->confidence - out.items[out.n - 1].confidence) < 1e-12,
                  "a normalised score takes no part");
    }
    wsam_instances_clear(&out);
    wsam_result_free(r);
    wsam_embedding_free(e);
    close_fixture(&f);
}

/* What a crop showed is not asked for again. */
Test(propose, instance_masks_that_are_there_stay)
{
    fixture f;
    wsam_embedding *e;
    wsam_instances out;
    wsam_error error = {0};
    char mask[] = "042";
    wsam_instance item = {.id = 3,
                          .bbox = {10, 10, 40, 30},
                          .score = 0.5,
                          .area = 4,
                          .predicted_iou = 0.5F,
                          .stability_score = 0.25F,
                          .origin = 1,
                          .counts = mask,
                          .counts_length = strlen(mask)};
    const wsam_instances in = {1, &item};
    open_fixture(&f, 1);
    cr_assert(!wsam_segmenter_encode(f.segmenter, &f.picture, &e, &error) &&
                  !wsam_masks_run(f.segmenter, e, &in, &out, &error),
              "%s", error.message);
    cr_assert_eq(out.n, 1);
    cr_expect_str_eq(out.items[0].counts, mask);
    cr_expect_eq(out.items[0].area, 4);
    cr_expect_float_eq(out.items[0].confidence, cbrt(0.5 * 0.5 * 0.25), 1e-12);
    wsam_instances_clear(&out);
    wsam_embedding_free(e);
    close_fixture(&f);
}
