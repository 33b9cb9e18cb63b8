/* The mask generator on small models: division of the work, little memory, progress, many pictures.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void convert(const char *family, int image_size, int heads, wsam_file_type type,
                    const char *name)
{
    wsam_error error = {0};
    wsam_convert_options o;
    wsam_convert_options_default(&o);
    o.type = type;
    o.image_size = image_size;
    o.heads = heads;
    cr_assert(!wsam_write_twin(family, file("t.st"), 0, &error) &&
                  !wsam_convert(file("t.st"), file(name), &o, &error),
              "%s", error.message);
    unlink(file("t.st"));
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/weaksam-all-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void setup_sam(void)
{
    setup();
    convert("sam_vit_mini", 0, 0, WSAM_FILE_F32, "sam.wsam");
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

static wsam_model *open_model(const char *name, int threads, uint64_t max_memory)
{
    wsam_error error = {0};
    wsam_options options;
    wsam_model *model = NULL;
    wsam_options_default(&options);
    options.threads = threads;
    options.max_memory = max_memory;
    cr_assert(!wsam_model_open(file(name), &options, &model, &error), "%s", error.message);
    return model;
}

/* Everything passes: name-derived weights predict little. */
static wsam_everything_options all_options(int side, int batch)
{
    wsam_everything_options o;
    wsam_everything_options_default(&o);
    o.points_per_side = side;
    o.points_per_batch = batch;
    o.pred_iou_thresh = 0;
    o.stability_score_thresh = 0;
    o.box_nms_thresh = o.crop_nms_thresh = 1;
    return o;
}

static wsam_picture draw(int height, int width)
{
    wsam_picture p;
    cr_assert_eq(wsam_picture_draw(height, width, &p, NULL), WSAM_OK);
    return p;
}

static char *all_masks(wsam_model *model, const wsam_picture *p, const wsam_everything_options *o)
{
    wsam_error error = {0};
    wsam_everything *e = NULL;
    wsam_everything_result *r = NULL;
    cr_assert(!wsam_everything_create(model, &e, &error) &&
                  !wsam_everything_collect(e, p, o, &r, NULL, &error),
              "%s", error.message);
    cr_assert_gt(r->n, 3);
    char *text;
    cr_assert(!wsam_everything_json(r, "p", &text));
    wsam_everything_result_free(r);
    wsam_everything_free(e);
    return text;
}

/* ---- the same bytes for any division of the work ---- */

static const wsam_point points[] = {{60, 60, 1}, {150, 50, 1}, {10, 110, 1}};
enum { PROMPTS = 12 };

static void make_prompts(wsam_prompt *p)
{
    for (int i = 0; i < PROMPTS; i++) {
        p[i] = (wsam_prompt){.points = points + i % 3, .n_points = 1, .multimask = i % 5 != 0};
        if (i % 4 == 1)
            p[i] = (wsam_prompt){.has_box = 1, .box = {10, 10, 100 + i, 90}};
        if (i % 4 == 3)
            p[i] = (wsam_prompt){.points = points, .n_points = 3, .multimask = 1};
    }
}

/* JSON of the masks of all prompts: scores, areas, boxes, run lengths. Prompts run together when
 * `step` is PROMPTS, else `step` at a time. */
static void prompted(wsam_model *model, const wsam_picture *picture, size_t step, char *out,
                     size_t size)
{
    wsam_prompt p[PROMPTS];
    wsam_error error = {0};
    wsam_segmenter *s = NULL;
    wsam_embedding *e = NULL;
    size_t n = 0;
    make_prompts(p);
    cr_assert(!wsam_segmenter_create(model, &s, &error) &&
                  !wsam_segmenter_encode(s, picture, &e, &error),
              "%s", error.message);
    for (size_t i = 0; i < PROMPTS; i += step) {
        wsam_result *r = NULL;
        cr_assert(!wsam_segmenter_run(s, e, p + i, PROMPTS - i < step ? PROMPTS - i : step,
                                      WSAM_WANT_MASKS, &r, &error),
                  "%s", error.message);
        for (size_t m = 0; m < r->n; m++) {
            const wsam_mask *k = &r->masks[m];
            char counts[8192];
            const size_t length = wsam_rle_to_string(&k->rle, counts, sizeof counts);
            cr_assert_lt(length, sizeof counts);
            n += (size_t)snprintf(out + n, size - n, "%zu %d %a %a %.*s\n", k->prompt + i, k->index,
                                  (double)k->predicted_iou, (double)k->stability_score, (int)length,
                                  counts);
            cr_assert_lt(n, size);
        }
        wsam_result_free(r);
    }
    wsam_embedding_free(e);
    wsam_segmenter_free(s);
}

static void same_for_any_division(const char *name)
{
    enum { ROOM = 1 << 19 };
    static const int threads[] = {1, 2, 3, 7}, batches[] = {64, 5, 1, 4};
    static const size_t steps[] = {PROMPTS, 1, 5, 7};
    static char first[ROOM], again[ROOM];
    wsam_picture p = draw(120, 200);
    char *want = NULL;
    for (int i = 0; i < 4; i++) {
        wsam_model *model = open_model(name, threads[i], 0);
        wsam_everything_options o = all_options(3, batches[i]);
        o.crop_n_layers = 1;
        o.crop_n_points_downscale_factor = 3;
        o.min_mask_region_area = 10;
        char *got = all_masks(model, &p, &o);
        prompted(model, &p, steps[i], i ? again : first, ROOM);
        wsam_model_close(model);
        if (!i) {
            want = got;
            continue;
        }
        cr_expect_str_eq(got, want, "%s: everything with %d threads", name, threads[i]);
        cr_expect_str_eq(again, first, "%s: prompts with %d threads", name, threads[i]);
        wsam_free(got);
    }
    wsam_free(want);
    wsam_picture_free(&p);
}

static const struct {
    const char *name;
    wsam_file_type type;
} types[] = {{"f32", WSAM_FILE_F32}, {"bf16", WSAM_FILE_BF16}, {"int8", WSAM_FILE_INT8}};

Test(generator, same_bytes_of_sam_in_every_type, .init = setup, .fini = teardown)
{
    for (int i = 0; i < 3; i++) {
        convert("sam_vit_mini", 0, 0, types[i].type, types[i].name);
        same_for_any_division(types[i].name);
    }
}

Test(generator, same_bytes_of_efficient_sam_in_every_type, .init = setup, .fini = teardown)
{
    for (int i = 0; i < 3; i++) {
        convert("efficient_sam_mini", 256, 2, types[i].type, types[i].name);
        same_for_any_division(types[i].name);
    }
}

/* ---- memory ---- */

/* The least limit, in steps, that lets a point decoder of groups of one work. */
static uint64_t least_limit(const wsam_picture *p)
{
    for (uint64_t limit = 8u << 20;; limit += 1u << 20) {
        wsam_error error = {0};
        wsam_everything *e = NULL;
        wsam_everything_result *r = NULL;
        const wsam_everything_options o = all_options(2, 1);
        wsam_model *model = open_model("sam.wsam", 1, limit);
        cr_assert(!wsam_everything_create(model, &e, &error));
        const wsam_status status = wsam_everything_collect(e, p, &o, &r, NULL, &error);
        cr_assert(!status || status == WSAM_ERR_LIMIT, "%s", error.message);
        wsam_everything_result_free(r);
        wsam_everything_free(e);
        wsam_model_close(model);
        if (!status)
            return limit;
    }
}

Test(generator, groups_shrink_to_the_memory_limit, .init = setup_sam, .fini = teardown)
{
    wsam_picture p = draw(120, 200);
    const wsam_everything_options o = all_options(9, 64);
    wsam_model *free_model = open_model("sam.wsam", 1, 0);
    wsam_model *tight = open_model("sam.wsam", 1, least_limit(&p));
    char *want = all_masks(free_model, &p, &o), *got = all_masks(tight, &p, &o);
    cr_expect_str_eq(got, want);
    wsam_free(want);
    wsam_free(got);
    wsam_model_close(tight);
    wsam_model_close(free_model);
    wsam_picture_free(&p);
}

/* What could not be opened for one picture is not there for the next one either. */
Test(generator, a_decoder_that_does_not_fit_fails_every_time, .init = setup_sam, .fini = teardown)
{
    wsam_picture p = draw(120, 200);
    const uint64_t limit = least_limit(&p);
    wsam_model *whole = open_model("sam.wsam", 1, 0);
    wsam_model *model = open_model("sam.wsam", 1, limit - (1u << 20));
    wsam_error error = {0};
    wsam_everything *e = NULL;
    wsam_proposer *proposer = NULL;
    wsam_segmenter *s = NULL;
    wsam_embedding *embedding = NULL;
    wsam_propose_options o;
    wsam_propose_options_default(&o);
    o.sources = 1u << WSAM_SOURCE_GRID;
    cr_assert(!wsam_segmenter_create(whole, &s, &error) &&
              !wsam_segmenter_encode(s, &p, &embedding, &error));
    cr_assert(!wsam_everything_create(model, &e, &error) &&
              !wsam_proposer_create(model, &proposer, &error));
    for (int i = 0; i < 3; i++) {
        wsam_everything_result *r = NULL;
        wsam_proposals *proposals = NULL;
        cr_expect_eq(wsam_everything_collect(e, &p, NULL, &r, NULL, &error), WSAM_ERR_LIMIT);
        cr_expect_eq(
            wsam_propose_run(proposer, &p, embedding, NULL, &o, &proposals, NULL, NULL, &error),
            WSAM_ERR_LIMIT, "%s", error.message);
        cr_expect(!r && !proposals);
    }
    wsam_embedding_free(embedding);
    wsam_segmenter_free(s);
    wsam_proposer_free(proposer);
    wsam_everything_free(e);
    wsam_model_close(model);
    wsam_model_close(whole);
    wsam_picture_free(&p);
}

/* ---- progress ---- */

typedef struct clock_hand {
    int calls, stop_at, encoding;
    double last;
} clock_hand;

static int watch(void *user, double fraction)
{
    clock_hand *c = user;
    cr_expect(fraction >= c->last && fraction <= 1);
    c->last = fraction;
    c->encoding += fraction < 0.15; /* of one prompt's work, the encoder has more */
    return ++c->calls == c->stop_at;
}

Test(generator, the_encoder_tells_progress_and_can_be_cancelled, .init = setup_sam,
     .fini = teardown)
{
    wsam_picture p = draw(120, 200);
    wsam_error error = {0};
    wsam_everything *e = NULL;
    wsam_everything_result *r = NULL;
    wsam_model *model = open_model("sam.wsam", 2, 0);
    wsam_everything_options o = all_options(2, 64);
    clock_hand whole = {0}, part = {.stop_at = 3};
    o.progress = watch;
    o.progress_user = &whole;
    cr_assert(!wsam_everything_create(model, &e, &error) &&
              !wsam_everything_collect(e, &p, &o, &r, NULL, &error));
    wsam_everything_result_free(r);
    cr_expect_gt(whole.encoding, 10);
    cr_expect_gt(whole.last, 0.9);
    o.progress_user = &part;
    cr_expect_eq(wsam_everything_collect(e, &p, &o, &r, NULL, &error), WSAM_ERR_CANCELLED);
    cr_expect(part.calls == 3 && !r);
    o.progress = NULL; /* the next call starts anew, without the old function */
    cr_assert(!wsam_everything_collect(e, &p, &o, &r, NULL, &error), "%s", error.message);
    cr_expect_eq(part.calls, 3);
    wsam_everything_result_free(r);
    wsam_everything_free(e);
    wsam_model_close(model);
    wsam_picture_free(&p);
}

/* ---- many pictures ---- */

enum { PICTURES = 11, BAD = 4 };

typedef struct receiver {
    char *texts[PICTURES];
    size_t next, stop_at;
    int failures;
} receiver;

static wsam_status make(void *user, const wsam_everything_item *item, char **text,
                        wsam_error *error)
{
    (void)user, (void)error;
    return wsam_everything_json(item->result, item->path, text);
}

static int put(void *user, size_t index, const char *text, const wsam_error *failure)
{
    receiver *r = user;
    cr_expect_eq(index, r->next++);
    cr_expect_eq(index == BAD, failure != NULL);
    cr_expect(!failure || strstr(failure->message, "bad.png"));
    r->failures += failure != NULL;
    r->texts[index] = text ? strdup(text) : NULL;
    return r->next == r->stop_at;
}

static wsam_status run_many(const char *const *paths, int workers, const wsam_everything_options *o,
                            receiver *r, wsam_everything_stats *stats)
{
    wsam_model *model = open_model("sam.wsam", 1, 0);
    const wsam_everything_batch batch = {.paths = paths,
                                         .n = PICTURES,
                                         .workers = workers,
                                         .options = o,
                                         .make = make,
                                         .put = put,
                                         .user = r};
    const wsam_status status = wsam_everything_many(model, &batch, stats, NULL);
    wsam_model_close(model);
    return status;
}

static void write_pictures(const char **paths)
{
    static char names[PICTURES][160];
    for (int i = 0; i < PICTURES; i++) {
        wsam_picture p = draw(60 + 7 * i, 90 + i);
        snprintf(names[i], sizeof names[i], "%s/%s%d.png", folder, i == BAD ? "bad.png" : "p", i);
        paths[i] = names[i];
        if (i != BAD)
            cr_assert_eq(wsam_picture_save(&p, names[i], NULL), WSAM_OK);
        wsam_picture_free(&p);
    }
}

static void forget(receiver *r)
{
    for (int i = 0; i < PICTURES; i++)
        free(r->texts[i]);
}

Test(generator, many_pictures_give_what_one_gives, .init = setup_sam, .fini = teardown)
{
    const char *paths[PICTURES];
    const wsam_everything_options o = all_options(3, 64);
    receiver want = {0};
    wsam_everything_stats one, several;
    write_pictures(paths);
    cr_assert_eq(run_many(paths, 1, &o, &want, &one), WSAM_OK);
    cr_assert(want.next == PICTURES && want.failures == 1);
    for (int workers = 2; workers <= 16; workers += 7) {
        receiver got = {0};
        cr_assert_eq(run_many(paths, workers, &o, &got, &several), WSAM_OK);
        cr_assert_eq(got.next, PICTURES);
        for (int i = 0; i < PICTURES; i++)
            if (i != BAD)
                cr_expect_str_eq(got.texts[i], want.texts[i]);
        cr_expect_eq(several.kept, one.kept);
        cr_expect_gt(several.peak_bytes, one.peak_bytes);
        forget(&got);
    }
    forget(&want);
}

Test(generator, many_pictures_can_be_stopped, .init = setup_sam, .fini = teardown)
{
    const char *paths[PICTURES];
    wsam_everything_options o = all_options(3, 64);
    write_pictures(paths);
    for (int workers = 1; workers <= 3; workers += 2) {
        receiver r = {.stop_at = 3}, s = {0};
        clock_hand c = {.stop_at = 4};
        o.progress = NULL;
        cr_expect_eq(run_many(paths, workers, &o, &r, NULL), WSAM_ERR_CANCELLED);
        cr_expect_eq(r.next, 3);
        o.progress = watch;
        o.progress_user = &c;
        cr_expect_eq(run_many(paths, workers, &o, &s, NULL), WSAM_ERR_CANCELLED);
        cr_expect(c.calls == 4 && s.next < PICTURES);
        forget(&r);
        forget(&s);
    }
}
