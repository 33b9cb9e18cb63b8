/* The whole pipeline on a small model: embeddings, groups of prompts, results. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/segment/segmenter.h"
#include "runtime/model.h"
#include "weaksam/weaksam.h"

static char folder[64];

static const char *file(const char *name)
{
    static char path[4][128];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

/* Small twins of two families, converted. */
static void setup(void)
{
    wsam_error error = {0};
    snprintf(folder, sizeof folder, "/tmp/weaksam-run-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(wsam_write_twin("sam_vit_mini", file("t.st"), 0, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(wsam_convert(file("t.st"), file("sam.wsam"), NULL, &error), WSAM_OK, "%s",
                 error.message);
    unlink(file("t.st"));
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

TestSuite(run, .init = setup, .fini = teardown);

typedef struct fixture {
    wsam_model *model;
    wsam_segmenter *segmenter;
    wsam_picture picture;
    wsam_embedding *embedding;
} fixture;

static void open_fixture(fixture *f, int threads, uint64_t max_memory)
{
    wsam_error error = {0};
    wsam_options options;
    wsam_options_default(&options);
    options.threads = threads;
    options.max_memory = max_memory;
    memset(f, 0, sizeof *f);
    cr_assert(!wsam_model_open(file("sam.wsam"), &options, &f->model, &error) &&
                  !wsam_picture_draw(120, 200, &f->picture, &error) &&
                  !wsam_segmenter_create(f->model, &f->segmenter, &error) &&
                  !wsam_segmenter_encode(f->segmenter, &f->picture, &f->embedding, &error),
              "%s", error.message);
}

static void close_fixture(fixture *f)
{
    wsam_embedding_free(f->embedding);
    wsam_segmenter_free(f->segmenter);
    wsam_picture_free(&f->picture);
    wsam_model_close(f->model);
}

enum { PROMPTS = 14, LOW = 64 };
static const wsam_point points[] = {{60, 60, 1}, {150, 50, 0}, {10, 110, 1}};
static float mask_values[LOW * LOW];

/* Every kind, mixed; more of one shape than a group holds. */
static void make_prompts(wsam_prompt *p)
{
    for (int i = 0; i < LOW * LOW; i++)
        mask_values[i] = (float)(i % 23) - 11.0f;
    for (int i = 0; i < PROMPTS; i++) {
        p[i] = (wsam_prompt){.points = points + i % 3, .n_points = 1, .multimask = i % 5 != 0};
        if (i % 4 == 1)
            p[i] = (wsam_prompt){.has_box = 1, .box = {10, 10, 100 + i, 90}};
        if (i % 7 == 3)
            p[i] = (wsam_prompt){.points = points, .n_points = 3, .multimask = 1};
        if (i == 6 || i == 11) {
            p[i].mask = mask_values;
            p[i].mask_side = LOW;
        }
    }
}

static wsam_result *run(fixture *f, const wsam_prompt *p, size_t n)
{
    wsam_error error = {0};
    wsam_result *r = NULL;
    cr_assert_eq(wsam_segmenter_run(f->segmenter, f->embedding, p, n,
                                    WSAM_WANT_LOW_RES | WSAM_WANT_MASKS, &r, &error),
                 WSAM_OK, "%s", error.message);
    return r;
}

static void expect_same_mask(const wsam_mask *a, const wsam_mask *b, const char *what)
{
    cr_expect_arr_eq(&a->predicted_iou, &b->predicted_iou, sizeof(float), "%s", what);
    cr_expect_arr_eq(&a->stability_score, &b->stability_score, sizeof(float), "%s", what);
    cr_expect_arr_eq(a->low_res, b->low_res, LOW * LOW * sizeof(float), "%s", what);
    cr_expect(a->area == b->area && a->rle.n == b->rle.n, "%s", what);
    cr_expect_arr_eq(a->rle.counts, b->rle.counts, a->rle.n * sizeof *a->rle.counts, "%s", what);
}

Test(run, alone_or_among_others_with_any_threads)
{
    wsam_prompt p[PROMPTS];
    fixture one, three;
    make_prompts(p);
    open_fixture(&one, 1, 0);
    open_fixture(&three, 3, 0);
    wsam_result *all = run(&three, p, PROMPTS);
    cr_assert_eq(all->n_prompts, PROMPTS);
    cr_expect(all->height == 120 && all->width == 200 && all->low_h == LOW);
    for (size_t i = 0; i < PROMPTS; i++) {
        wsam_result *alone = run(&one, &p[i], 1);
        cr_assert_eq(all->first[i + 1] - all->first[i], alone->n);
        for (size_t m = 0; m < alone->n; m++) {
            cr_expect_eq(all->masks[all->first[i] + m].prompt, i);
            expect_same_mask(&all->masks[all->first[i] + m], &alone->masks[m], "alone");
        }
        wsam_result_free(alone);
    }
    wsam_result_free(all);
    close_fixture(&one);
    close_fixture(&three);
}

/* A model that is open has its decoder: the first click neither lowers nor packs. */
Test(run, the_first_prompt_only_runs)
{
    const wsam_prompt click = {.points = points, .n_points = 1, .multimask = 1};
    fixture f;
    open_fixture(&f, 1, 0);
    const wsam_session *session = f.segmenter->decoders[0].session;
    cr_assert_not_null(session);
    const void *arena = session->arena;
    const uint64_t packed = ws_packs_bytes(f.model->packs);
    cr_expect(session->is_reserved && arena);
    wsam_result_free(run(&f, &click, 1));
    cr_expect_eq(ws_packs_bytes(f.model->packs), packed);
    cr_expect(f.segmenter->decoders[0].session == session && session->arena == arena);
    close_fixture(&f);
}

/* Under a memory limit an encoder may use all of it: the decoder waits for its first prompt. */
Test(run, a_memory_limit_leaves_the_decoder_to_its_first_prompt)
{
    const wsam_prompt click = {.points = points, .n_points = 1, .multimask = 1};
    fixture f;
    open_fixture(&f, 1, (uint64_t)1 << 30);
    cr_expect_null(f.segmenter->decoders[0].session);
    wsam_result_free(run(&f, &click, 1));
    cr_expect_not_null(f.segmenter->decoders[0].session);
    close_fixture(&f);
}

Test(run, area_box_and_runs_belong_together)
{
    wsam_prompt p[PROMPTS];
    fixture f;
    make_prompts(p);
    open_fixture(&f, 2, 0);
    wsam_result *r = run(&f, p, PROMPTS);
    for (size_t i = 0; i < r->n; i++) {
        const wsam_mask *m = &r->masks[i];
        int32_t box[4];
        wsam_error error = {0};
        cr_expect_eq(wsam_rle_validate(&m->rle, &error), WSAM_OK, "%s", error.message);
        cr_expect_eq(wsam_rle_area(&m->rle), m->area);
        if (wsam_rle_box(&m->rle, box))
            cr_expect(box[0] == m->bbox[0] && box[1] == m->bbox[1] &&
                      box[2] - box[0] + 1 == m->bbox[2] && box[3] - box[1] + 1 == m->bbox[3]);
        else
            cr_expect(m->bbox[2] == 0 && m->bbox[3] == 0);
    }
    wsam_result_free(r);
    close_fixture(&f);
}

Test(run, an_embedding_survives_its_file)
{
    wsam_prompt p[PROMPTS];
    fixture f;
    wsam_error error = {0};
    wsam_embedding *kept;
    int grid, channels, grid2, channels2;
    make_prompts(p);
    open_fixture(&f, 2, 0);
    wsam_result *want = run(&f, p, 1);
    cr_assert_eq(wsam_embedding_save(f.embedding, file("e.st"), &error), WSAM_OK, "%s",
                 error.message);
    cr_assert_eq(wsam_embedding_load(file("e.st"), &kept, &error), WSAM_OK, "%s", error.message);
    const float *a = wsam_embedding_data(f.embedding, &grid, &channels);
    const float *b = wsam_embedding_data(kept, &grid2, &channels2);
    cr_assert(grid == grid2 && channels == channels2);
    cr_expect_arr_eq(a, b, (size_t)(grid * grid * channels) * sizeof *a);
    cr_expect_str_eq(wsam_embedding_model(kept), wsam_model_string(f.model, "model.id"));
    wsam_embedding_free(f.embedding);
    f.embedding = kept;
    wsam_result *got = run(&f, p, 1);
    expect_same_mask(&want->masks[0], &got->masks[0], "from a file");
    wsam_result_free(want);
    wsam_result_free(got);
    close_fixture(&f);
}

/* Where `from` is found in the file, it is replaced by `to` of equal length. */
static void patch_file(const char *path, const char *from, const char *to)
{
    FILE *f = fopen(path, "r+b");
    char head[1024];
    cr_assert_not_null(f);
    const size_t n = fread(head, 1, sizeof head, f), k = strlen(from);
    for (size_t i = 0; i + k <= n; i++)
        if (memcmp(head + i, from, k) == 0) {
            fseek(f, (long)i, SEEK_SET);
            fwrite(to, 1, k, f);
        }
    fclose(f);
}

Test(run, a_foreign_embedding_is_refused)
{
    static const char *const patches[][2] = {{"\"model_id\":\"", "\"model_id\":\"#"},
                                             {"\"width\":\"200\"", "\"width\":\"201\""}};
    wsam_prompt p[PROMPTS];
    make_prompts(p);
    for (int i = 0; i < 2; i++) {
        fixture f;
        wsam_error error = {0};
        wsam_embedding *e;
        wsam_result *r;
        char from[64], to[64];
        open_fixture(&f, 1, 0);
        snprintf(from, sizeof from, "%s%.1s", patches[i][0],
                 i ? "," : wsam_embedding_model(f.embedding));
        snprintf(to, sizeof to, "%s%s", patches[i][1], i ? "," : "");
        cr_assert_eq(wsam_embedding_save(f.embedding, file("e.st"), &error), WSAM_OK);
        patch_file(file("e.st"), from, to);
        cr_assert_eq(wsam_embedding_load(file("e.st"), &e, &error), WSAM_OK, "%s", error.message);
        cr_expect_eq(wsam_segmenter_run(f.segmenter, e, p, 1, 0, &r, &error), WSAM_ERR_MISMATCH);
        cr_expect_not_null(strstr(error.message, "e.st"), "%s", error.message);
        cr_expect_null(r);
        wsam_embedding_free(e);
        close_fixture(&f);
    }
}

Test(run, logits_of_a_result_serve_as_mask_prompt)
{
    wsam_prompt p[PROMPTS];
    fixture f;
    wsam_error error = {0};
    float *mask;
    int side;
    make_prompts(p);
    open_fixture(&f, 2, 0);
    wsam_result *r = run(&f, &p[2], 1);
    cr_assert_eq(r->n, 3);
    cr_assert_eq(wsam_result_save_tensors(r, file("r.st"), &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_mask_load(file("r.st"), &mask, &side, &error), WSAM_OK, "%s", error.message);
    size_t best = 0;
    for (size_t i = 1; i < 3; i++)
        best = r->masks[i].predicted_iou > r->masks[best].predicted_iou ? i : best;
    cr_assert_eq(side, LOW);
    cr_expect_arr_eq(mask, r->masks[best].low_res, LOW * LOW * sizeof *mask);
    wsam_free(mask);
    wsam_result_free(r);
    close_fixture(&f);
}

Test(run, a_file_without_a_mask_is_refused)
{
    static const char header[] = "{\"low_res\":{\"dtype\":\"F32\",\"shape\":[0,8,8],"
                                 "\"data_offsets\":[0,0]}}";
    const unsigned char size[8] = {sizeof header - 1};
    wsam_error error = {0};
    float *mask;
    int side;
    FILE *f = fopen(file("none.st"), "wb");
    cr_assert(f && fwrite(size, 8, 1, f) == 1 && fputs(header, f) >= 0 && !fclose(f));
    cr_expect_eq(wsam_mask_load(file("none.st"), &mask, &side, &error), WSAM_ERR_FORMAT);
    cr_expect_not_null(strstr(error.message, "no mask"), "'%s'", error.message);
    cr_expect_null(mask);
}

Test(run, a_folder_appears_whole_or_not_at_all)
{
    wsam_prompt p[PROMPTS];
    fixture f;
    wsam_error error = {0};
    make_prompts(p);
    open_fixture(&f, 2, 0);
    wsam_result *r = run(&f, p, 3);
    cr_expect_eq(wsam_result_save_folder(r, NULL, &f.picture, file("out"), &error), WSAM_OK, "%s",
                 error.message);
    cr_expect_eq(access(file("out/overlay.png"), R_OK), 0);
    cr_expect_eq(access(file("out/masks.json"), R_OK), 0);
    cr_expect_eq(access(file("out/mask_2_2.png"), R_OK), 0);
    const wsam_picture other = {10, 10, 1, 10, f.picture.pixels, NULL};
    cr_expect_eq(wsam_result_save_folder(r, NULL, &other, file("none"), &error), WSAM_ERR_ARGUMENT);
    cr_expect_neq(access(file("none"), F_OK), 0);
    wsam_result_free(r);
    close_fixture(&f);
}

static int stop(void *user, double fraction)
{
    (void)fraction;
    return ++*(int *)user > 1;
}

Test(run, progress_may_cancel)
{
    wsam_prompt p[PROMPTS];
    fixture f;
    wsam_error error = {0};
    wsam_result *r;
    int calls = 0;
    make_prompts(p);
    open_fixture(&f, 1, 0);
    wsam_segmenter_set_progress(f.segmenter, stop, &calls);
    cr_expect_eq(wsam_segmenter_run(f.segmenter, f.embedding, p, PROMPTS, 0, &r, &error),
                 WSAM_ERR_CANCELLED);
    cr_expect_null(r);
    close_fixture(&f);
}

typedef struct stream_check {
    const wsam_result *want;
    size_t seen, stop_at;
    int same;
} stream_check;

static int take_mask(void *user, const wsam_mask *m)
{
    stream_check *c = user;
    const wsam_mask *want = &c->want->masks[c->want->first[m->prompt] + (size_t)m->index];
    c->same &= m->area == want->area && m->rle.n == want->rle.n &&
               memcmp(m->low_res, want->low_res, LOW * LOW * sizeof(float)) == 0 &&
               memcmp(m->rle.counts, want->rle.counts, m->rle.n * sizeof *m->rle.counts) == 0;
    return ++c->seen == c->stop_at;
}

Test(run, streamed_masks_are_those_of_a_result)
{
    wsam_prompt p[PROMPTS];
    fixture f;
    wsam_error error = {0};
    make_prompts(p);
    open_fixture(&f, 2, 0);
    wsam_result *want = run(&f, p, PROMPTS);
    stream_check all = {.want = want, .same = 1}, some = {.want = want, .same = 1, .stop_at = 5};
    const unsigned both = WSAM_WANT_LOW_RES | WSAM_WANT_MASKS;
    cr_assert_eq(
        wsam_segmenter_stream(f.segmenter, f.embedding, p, PROMPTS, both, take_mask, &all, &error),
        WSAM_OK, "%s", error.message);
    cr_expect(all.same && all.seen == want->n);
    cr_expect_eq(
        wsam_segmenter_stream(f.segmenter, f.embedding, p, PROMPTS, both, take_mask, &some, &error),
        WSAM_ERR_CANCELLED);
    cr_expect(some.same && some.seen == 5);
    cr_expect_eq(
        wsam_segmenter_stream(f.segmenter, f.embedding, p, PROMPTS, both, NULL, NULL, &error),
        WSAM_ERR_ARGUMENT);
    wsam_result_free(want);
    close_fixture(&f);
}

/* ---- masks in the caller's memory ---- */

typedef struct canvas {
    unsigned char *pixels; /* [masks][height][stride] */
    size_t stride, n;
    uint64_t area;
} canvas;

static int paint(void *user, const wsam_mask *m)
{
    canvas *c = user;
    wsam_rle_decode(&m->rle, 255, c->pixels + c->n++ * 120 * c->stride, c->stride);
    c->area += m->area;
    return 0;
}

Test(run, masks_go_to_memory_of_the_caller)
{
    enum { STRIDE = 211, BYTES = 3 * 120 * STRIDE };
    static unsigned char pixels[BYTES];
    const wsam_prompt p = {.points = points, .n_points = 1, .multimask = 1};
    canvas c = {.pixels = pixels, .stride = STRIDE};
    fixture f;
    wsam_error error = {0};
    uint64_t area = 0, outside = 0;
    memset(pixels, 7, sizeof pixels);
    open_fixture(&f, 2, 0);
    cr_assert_eq(
        wsam_segmenter_stream(f.segmenter, f.embedding, &p, 1, WSAM_WANT_MASKS, paint, &c, &error),
        WSAM_OK, "%s", error.message);
    for (size_t i = 0; i < BYTES; i++) {
        area += pixels[i] == 255;
        outside += i % STRIDE >= 200 && pixels[i] != 7;
    }
    cr_expect(c.n == 3 && area == c.area && area > 0 && outside == 0);
    close_fixture(&f);
}

/* 4095 points are 4096 with the padding, which is what the graph takes. */
Test(run, the_most_points_of_a_prompt)
{
    static wsam_point many[4096];
    wsam_prompt p = {.points = many, .n_points = 4095, .multimask = 1};
    fixture f;
    wsam_error error = {0};
    wsam_result *r = NULL;
    for (int i = 0; i < 4096; i++)
        many[i] = (wsam_point){i % 200, i / 200, i % 2};
    open_fixture(&f, 2, 0);
    wsam_result_free(run(&f, &p, 1));
    p.n_points++;
    cr_expect_eq(wsam_segmenter_run(f.segmenter, f.embedding, &p, 1, 0, &r, &error),
                 WSAM_ERR_LIMIT);
    cr_expect(strstr(error.message, "prompt 0") && strstr(error.message, "4095"), "%s",
              error.message);
    close_fixture(&f);
}

typedef struct worker {
    fixture *f;
    const wsam_prompt *prompts;
    const wsam_result *want;
    int good;
} worker;

/* A segmenter of its own, the model and the embedding of all. */
static void *work(void *arg)
{
    worker *w = arg;
    wsam_error error = {0};
    wsam_segmenter *own = NULL;
    wsam_result *r = NULL;
    w->good = !wsam_segmenter_create(w->f->model, &own, &error) &&
              !wsam_segmenter_run(own, w->f->embedding, w->prompts, PROMPTS, WSAM_WANT_LOW_RES, &r,
                                  &error);
    for (size_t i = 0; w->good && i < r->n; i++)
        w->good =
            memcmp(r->masks[i].low_res, w->want->masks[i].low_res, LOW * LOW * sizeof(float)) == 0;
    wsam_result_free(r);
    wsam_segmenter_free(own);
    return NULL;
}

Test(run, one_embedding_serves_several_threads)
{
    wsam_prompt p[PROMPTS];
    fixture f;
    pthread_t threads[3];
    worker workers[3];
    make_prompts(p);
    open_fixture(&f, 1, 0);
    wsam_result *want = run(&f, p, PROMPTS);
    for (int i = 0; i < 3; i++) {
        workers[i] = (worker){&f, p, want, 0};
        cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        cr_expect(workers[i].good);
    }
    wsam_result_free(want);
    close_fixture(&f);
}

/* ---- everything mode: masks of the scores that pass, and no other work ---- */

/* Every mask of 25 points with a score above the threshold. */
static wsam_everything_result *all_masks(fixture *f, double threshold, int batch)
{
    wsam_error error = {0};
    wsam_everything *e = NULL;
    wsam_everything_result *r = NULL;
    wsam_everything_options o;
    wsam_everything_options_default(&o);
    o.points_per_side = 5;
    o.points_per_batch = batch;
    o.pred_iou_thresh = threshold;
    o.stability_score_thresh = 0;
    o.box_nms_thresh = 2; /* nothing is suppressed */
    cr_assert(!wsam_everything_create(f->model, &e, &error) &&
                  !wsam_everything_collect(e, &f->picture, &o, &r, NULL, &error),
              "%s", error.message);
    wsam_everything_free(e);
    return r;
}

static void expect_those_above(const wsam_everything_result *all,
                               const wsam_everything_result *some, float threshold)
{
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++) {
        const wsam_everything_record *a = &all->records[i], *b = &some->records[n];
        if (!(a->predicted_iou > threshold))
            continue;
        cr_assert_lt(n++, some->n);
        cr_expect(a->area == b->area && a->counts_length == b->counts_length);
        cr_expect_arr_eq(a->counts, b->counts, a->counts_length);
        cr_expect_arr_eq(&a->predicted_iou, &b->predicted_iou, sizeof(float));
    }
    cr_expect_eq(n, some->n);
}

Test(run, the_iou_filter_changes_no_mask_that_passes)
{
    static const int batches[] = {64, 7, 1};
    fixture f;
    open_fixture(&f, 2, 0);
    wsam_everything_result *all = all_masks(&f, 0, 64);
    cr_assert_eq(all->n, 75);
    for (size_t k = 0; k < 6; k++) { /* in order of falling scores */
        const float threshold = all->records[k < 3 ? 3 : 40].predicted_iou;
        if (k >= 3 && !(threshold > 0))
            continue;
        cr_assert_gt(threshold, 0);
        wsam_everything_result *some = all_masks(&f, (double)threshold, batches[k % 3]);
        cr_expect_lt(some->n, all->n);
        expect_those_above(all, some, threshold);
        wsam_everything_result_free(some);
    }
    wsam_everything_result_free(all);
    close_fixture(&f);
}
