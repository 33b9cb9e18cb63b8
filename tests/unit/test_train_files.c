/* tests/unit/test_train_files.c - the feature cache, a whole run of both stages on it, and the head
 * that comes out, run by the runtime in f32 and int8. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/half.h"
#include "pipeline/train/features.h"
#include "pipeline/train/pca.h"
#include "pipeline/train/random.h"
#include "weaksam/weaksam.h"

enum { PICTURES = 24, SIDE = 20, CHANNELS = 12, KEPT = 6, BOXES = 20, PIXELS = 16 * SIDE };

static char folder[64];

static const char *path_of(const char *name)
{
    static char path[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static void setup(void)
{
    strcpy(folder, "/tmp/weaksam-files-XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    cr_assert(!system(command));
}

TestSuite(train_files, .init = setup, .fini = teardown);

/* A map where the cells of the object have the channel of its class. */
typedef struct scene {
    float map[SIDE * SIDE * CHANNELS], boxes[BOXES][4];
    int32_t label;
    float truth[4];
    char name[16];
} scene;

static float uniform(uint64_t key, uint64_t *i, float lo, float hi)
{
    return lo + (hi - lo) * ws_uniform(key, (*i)++);
}

static void make_scene(scene *s, size_t at)
{
    const uint64_t key = ws_key(5, 1, at, 0);
    uint64_t i = 0;
    s->label = (int32_t)(at % 2);
    snprintf(s->name, sizeof s->name, "p%02d.png", (int)at);
    const int x = (int)uniform(key, &i, 0, 11), y = (int)uniform(key, &i, 0, 11);
    s->truth[0] = (float)(16 * x);
    s->truth[1] = (float)(16 * y);
    s->truth[2] = s->truth[0] + 128;
    s->truth[3] = s->truth[1] + 128;
    for (int cell = 0; cell < SIDE * SIDE; cell++) {
        const int cx = cell % SIDE, cy = cell / SIDE;
        const int inside = cx >= x && cx < x + 8 && cy >= y && cy < y + 8;
        /* corners in channels of their own: a part looks other than the whole */
        const int corner = inside && (cx < x + 2 || cx >= x + 6) && (cy < y + 2 || cy >= y + 6);
        for (int c = 0; c < CHANNELS; c++)
            s->map[cell * CHANNELS + c] =
                uniform(key, &i, -0.2f, 0.2f) +
                ((corner ? c == 4 + s->label : inside && c == s->label) ? 2.0f : 0.0f);
    }
    for (int b = 0; b < BOXES; b++) {
        const float size = b < 5 ? 128.0f : uniform(key, &i, 40, 100);
        const float bx = b < 5 ? s->truth[0] + uniform(key, &i, -12, 12)
                               : uniform(key, &i, 0, (float)PIXELS - size);
        const float by = b < 5 ? s->truth[1] + uniform(key, &i, -12, 12)
                               : uniform(key, &i, 0, (float)PIXELS - size);
        const float box[4] = {bx, by, bx + size, by + size};
        memcpy(s->boxes[b], box, sizeof box);
    }
}

static wsam_feature_map map_of(const scene *s)
{
    return (wsam_feature_map){.source = "toy",
                              .height = SIDE,
                              .width = SIDE,
                              .channels = CHANNELS,
                              .row = SIDE * CHANNELS,
                              .scale_x = 1.0f / 16,
                              .scale_y = 1.0f / 16,
                              .values = s->map};
}

static wsam_features *make_cache(const scene *scenes, size_t n)
{
    const wsam_feature_source source = {"toy", KEPT, 320};
    wsam_features_writer *w;
    wsam_features *f;
    wsam_error error = {0};
    cr_assert(!wsam_features_create(path_of("cache"), &source, 1, &w, &error), "%s", error.message);
    for (size_t i = 0; i < n; i++) {
        const wsam_feature_map map = map_of(&scenes[i]);
        cr_assert(!wsam_features_add(w, scenes[i].name, PIXELS, PIXELS, &map, &error));
    }
    cr_assert(!wsam_features_finish(w, WSAM_OK, 1, 2, &error), "%s", error.message);
    cr_assert(access(path_of("cache.raw"), F_OK));
    cr_assert(!wsam_features_open(path_of("cache"), &f, &error), "%s", error.message);
    return f;
}

Test(train_files, halves)
{
    for (uint32_t h = 0; h < 65536; h++) {
        const float f = ws_half_to_float((uint16_t)h);
        if (!isnan(f))
            cr_assert_eq(ws_half_from_float(f), h);
    }
    cr_assert_eq(ws_half_from_float(65519.0f), 0x7bff);
    cr_assert_eq(ws_half_from_float(65520.0f), 0x7c00);
    cr_assert_eq(ws_half_from_float(0x1.002p0f), 0x3c00); /* ties to even */
    cr_assert_eq(ws_half_from_float(0x1.006p0f), 0x3c02);
    cr_assert_eq(ws_half_from_float(0x1p-25f), 0);
    cr_assert_eq(ws_half_from_float(0x1.8p-24f), 2);
}

/* Variance 4, 1 and 0 along known directions. */
Test(train_files, components)
{
    static const float x[4][3] = {{1, 5, 0}, {1, -3, 0}, {3, 1, 0}, {-1, 1, 0}};
    ws_pca pca;
    float weight[6], bias[2];
    cr_assert(!ws_pca_create(&pca, 3, NULL));
    ws_pca_add(&pca, 4, x[0], 1);
    cr_assert(!ws_pca_solve(&pca, 2, weight, bias, NULL));
    ws_pca_free(&pca);
    /* variances 8 and 2: rho^2 = 5; mean (1, 1, 0) */
    const float by = 1.0f / sqrtf(5.0f);
    const float want[6] = {0, by, 0, by, 0, 0};
    for (int i = 0; i < 6; i++)
        cr_assert(fabsf(weight[i] - want[i]) < 1e-6f);
    cr_assert(fabsf(bias[0] + by) < 1e-6f && fabsf(bias[1] + by) < 1e-6f);
}

Test(train_files, cache_and_damage)
{
    static scene scenes[3];
    wsam_error error = {0};
    int width, height;
    for (size_t i = 0; i < 3; i++)
        make_scene(&scenes[i], i);
    wsam_features *f = make_cache(scenes, 3), *damaged;
    cr_assert_eq(wsam_features_count(f), 3);
    cr_assert_str_eq(wsam_features_image(f, 2, &width, &height), "p02.png");
    cr_assert(width == PIXELS && height == PIXELS && !wsam_features_image(f, 3, NULL, NULL));
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(wsam_features_find(f, scenes[i].name), i);
    cr_assert(wsam_features_find(f, "p0") == SIZE_MAX && wsam_features_find(f, "q") == SIZE_MAX);
    const size_t size = f->size;
    unsigned char *bytes = malloc(size);
    memcpy(bytes, f->bytes, size);
    wsam_features_close(f);
    for (size_t at = 0; at < size; at = at < 64 ? at + 1 : at + size / 50) {
        FILE *out = fopen(path_of("damaged"), "wb");
        fwrite(bytes, 1, at, out);
        fclose(out);
        cr_assert(wsam_features_open(path_of("damaged"), &damaged, &error) != WSAM_OK);
        cr_assert(strstr(error.message, "damaged"));
    }
    free(bytes);
}

/* A box's scores are its own, however many there are: more than one run of the graph takes. */
static void check_many(wsam_head *head, const wsam_features *f, const scene *scenes,
                       const float *want)
{
    enum { MANY = 15 * BOXES };
    static float many[MANY][4], scores[MANY * 2], boxes[MANY * 8];
    for (size_t i = 0; i < MANY; i++)
        memcpy(many[i], scenes[0].boxes[i % BOXES], sizeof many[i]);
    cr_assert(
        !wsam_head_run_cached(head, f, 0, MANY, (const float(*)[4])many, scores, boxes, NULL));
    for (size_t i = 0; i < 15; i++)
        cr_assert_arr_eq(scores + i * BOXES * 2, want, BOXES * 2 * sizeof *want);
}

static void run_head(const char *file, const wsam_features *f, const scene *scenes, float *scores,
                     float *boxes, int cached)
{
    wsam_model *model;
    wsam_head *head;
    wsam_error error = {0};
    cr_assert(!wsam_model_open(file, NULL, &model, &error), "%s", error.message);
    cr_assert(!wsam_head_create(model, &head, &error), "%s", error.message);
    cr_assert_eq(wsam_head_class_count(head), 2);
    cr_assert_str_eq(wsam_head_class_name(head, 1), "square");
    cr_assert_str_eq(wsam_head_source(head, 0), "toy");
    for (size_t i = 0; i < PICTURES; i++) {
        const wsam_feature_map map = map_of(&scenes[i]);
        const float(*b)[4] = (const float(*)[4])scenes[i].boxes;
        float *s = scores + i * BOXES * 2, *o = boxes + i * BOXES * 8;
        cr_assert(!(cached ? wsam_head_run_cached(head, f, i, BOXES, b, s, o, &error)
                           : wsam_head_run(head, &map, PIXELS, PIXELS, BOXES, b, s, o, &error)),
                  "%s", error.message);
    }
    if (cached)
        check_many(head, f, scenes, scores);
    wsam_head_free(head);
    wsam_model_close(model);
}

static double overlap(const double bbox[4], const float truth[4])
{
    const double w = fmin(bbox[0] + bbox[2], (double)truth[2]) - fmax(bbox[0], (double)truth[0]);
    const double h = fmin(bbox[1] + bbox[3], (double)truth[3]) - fmax(bbox[1], (double)truth[1]);
    const double both = fmax(w, 0) * fmax(h, 0);
    return both / (bbox[2] * bbox[3] + 128.0 * 128.0 - both);
}

/* Pictures whose best detection of its class overlaps the object by more than `least`. */
static int right_ones(const scene *scenes, const float *scores, const float *boxes, double least)
{
    int right = 0;
    for (size_t i = 0; i < PICTURES; i++) {
        wsam_instances found;
        wsam_detect_options o;
        wsam_detect_options_default(&o);
        o.min_score = 0.0;
        o.only = &scenes[i].label;
        o.n_only = 1;
        cr_assert(!wsam_detect(scores + i * BOXES * 2, boxes + i * BOXES * 8, BOXES, 2, &o, &found,
                               NULL));
        right += found.n && overlap(found.items[0].bbox, scenes[i].truth) > least;
        wsam_instances_clear(&found);
    }
    return right;
}

static void train(const wsam_features *f, const wsam_train_set *set, wsam_train_stage stage)
{
    wsam_train_options o;
    wsam_error error = {0};
    wsam_train_options_default(stage, &o);
    o.hidden = 32;
    o.bins = 3;
    o.epochs = 40;
    o.batch = 6;
    o.rate = 3e-3;
    o.dropout = 0.0;
    o.cell_drop = 0.0;
    o.threads = 2;
    o.roi_drop = WSAM_TRAIN_DROP_NONE;
    o.state = path_of(stage == WSAM_TRAIN_MIL ? "state1" : "state2");
    cr_assert(!wsam_train(f, set, &o, path_of(stage == WSAM_TRAIN_MIL ? "mil.wsam" : "head.wsam"),
                          &error),
              "%s", error.message);
}

typedef struct steps {
    uint64_t fitting, training;
    uint64_t stop; /* after so many of fitting; 0: never */
} steps;

static int count_steps(void *user, const wsam_train_progress *p)
{
    steps *s = user;
    if (p->fitting)
        s->fitting++;
    else
        s->training++;
    return s->stop && s->fitting >= s->stop;
}

/* A head of few units: 600 iterations of it take a second. */
static wsam_status fit_set(const wsam_features *f, const wsam_train_set *set, const char *state,
                           steps *s, wsam_train_fit *fit)
{
    wsam_train_options o;
    wsam_error error = {0};
    wsam_train_options_default(WSAM_TRAIN_MIL, &o);
    cr_assert_eq(o.epochs, 0);
    o.hidden = 16;
    o.bins = 2;
    o.batch = 6;
    o.rate = 3e-3;
    o.threads = 2;
    o.state = state;
    o.fit = fit;
    o.progress = count_steps;
    o.progress_user = s;
    return wsam_train(f, set, &o, path_of("fit.wsam"), &error);
}

/* Small sets are trained long enough, and two heads that saw half of them say what they know. */
Test(train_files, fitted_to_a_small_set, .timeout = 120)
{
    static const char *const names[2] = {"circle", "square"};
    static const int32_t classes[2] = {0, 1};
    scene *scenes = calloc(PICTURES, sizeof *scenes);
    wsam_train_picture pictures[PICTURES];
    const wsam_train_set set = {2, names, PICTURES, pictures};
    wsam_train_fit fit, again;
    steps s = {.stop = 5};
    for (size_t i = 0; i < PICTURES; i++) {
        make_scene(&scenes[i], i);
        pictures[i] = (wsam_train_picture){.image = scenes[i].name,
                                           .n_boxes = BOXES,
                                           .boxes = (const float(*)[4])scenes[i].boxes,
                                           .n_labels = 1,
                                           .labels = &scenes[i].label,
                                           .n_truth = 1,
                                           .truth = (const float(*)[4]) & scenes[i].truth,
                                           .truth_classes = &classes[scenes[i].label]};
    }
    wsam_features *f = make_cache(scenes, PICTURES);
    cr_expect_eq(fit_set(f, &set, path_of("fitstate"), &s, &fit), WSAM_ERR_CANCELLED);
    s = (steps){0};
    cr_assert_eq(fit_set(f, &set, path_of("fitstate"), &s, &fit), WSAM_OK);
    cr_expect(s.training == fit.iterations && fit.iterations >= 600, "%d", (int)fit.iterations);
    cr_expect(s.fitting >= 900 && s.fitting <= 1210, "%d", (int)s.fitting);
    cr_expect_eq(fit.pairs, PICTURES);
    cr_expect(fit.label_ap > 0.9 && fit.chance > 0.4 && fit.chance < 0.6, "%g", fit.label_ap);
    cr_expect(fit.agreement > 0.7 && fit.truth_agreement > 0.7, "%g %g", fit.agreement,
              fit.truth_agreement);
    s = (steps){0};
    cr_assert_eq(fit_set(f, &set, path_of("fitstate"), &s, &again), WSAM_OK);
    cr_expect(s.fitting == 0 && again.iterations == fit.iterations, "kept in the state folder");
    wsam_features_close(f);
    free(scenes);
}

/* Twelve scenes, of which those from the seventh on have no proposals, no labels (NULL), or
 * labels that name no class. */
typedef enum rest { REST_ABSENT, REST_UNLABELLED, REST_EMPTY } rest;

static char *head_bytes(const wsam_features *f, const scene *scenes, rest kind, size_t *size)
{
    static const char *const names[2] = {"circle", "square"};
    static const int32_t none[1];
    wsam_train_picture pictures[12];
    const wsam_train_set set = {2, names, 12, pictures};
    wsam_train_options o;
    wsam_error error = {0};
    wsam_train_options_default(WSAM_TRAIN_MIL, &o);
    o.hidden = 8;
    o.bins = 2;
    o.epochs = 2;
    for (size_t i = 0; i < 12; i++) {
        pictures[i] = (wsam_train_picture){.image = scenes[i].name,
                                           .n_boxes = i < 6 || kind != REST_ABSENT ? BOXES : 0,
                                           .boxes = (const float(*)[4])scenes[i].boxes,
                                           .n_labels = 1,
                                           .labels = &scenes[i].label};
        if (i >= 6)
            pictures[i].n_labels = 0;
        if (i >= 6)
            pictures[i].labels = kind == REST_EMPTY ? none : NULL;
    }
    cr_assert(!wsam_train(f, &set, &o, path_of("rest.wsam"), &error), "%s", error.message);
    FILE *in = fopen(path_of("rest.wsam"), "rb");
    char *bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, in);
    fclose(in);
    return bytes;
}

Test(train_files, pictures_that_nobody_labelled)
{
    static scene scenes[12];
    size_t size[3];
    char *bytes[3];
    for (size_t i = 0; i < 12; i++)
        make_scene(&scenes[i], i);
    wsam_features *f = make_cache(scenes, 12);
    for (int kind = REST_ABSENT; kind <= REST_EMPTY; kind++)
        bytes[kind] = head_bytes(f, scenes, (rest)kind, &size[kind]);
    cr_assert(size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0,
              "they are no negatives");
    cr_assert(size[0] == size[2] && memcmp(bytes[0], bytes[2], size[0]) != 0,
              "an empty list is an answer");
    for (int i = 0; i < 3; i++)
        free(bytes[i]);
    wsam_features_close(f);
}

/* Whether there is a checkpoint after the first iteration of an epoch. */
static int look(void *user, const wsam_train_progress *p)
{
    int *seen = user;
    if (p->iteration == 2)
        *seen = !access(path_of("timed/last.safetensors"), F_OK);
    return p->iteration == 3;
}

/* Within an epoch a checkpoint comes when its time has; a stop leaves one, too. */
Test(train_files, checkpoints_by_the_clock)
{
    static scene scenes[8];
    static const char *const names[2] = {"circle", "square"};
    static const double every[2] = {1e-9, 600.0};
    wsam_train_picture pictures[8];
    const wsam_train_set set = {2, names, 8, pictures};
    wsam_train_options o;
    wsam_error error = {0};
    char state[128];
    int seen = -1;
    for (size_t i = 0; i < 8; i++) {
        make_scene(&scenes[i], i);
        pictures[i] = (wsam_train_picture){.image = scenes[i].name,
                                           .n_boxes = BOXES,
                                           .boxes = (const float(*)[4])scenes[i].boxes,
                                           .n_labels = 1,
                                           .labels = &scenes[i].label};
    }
    wsam_features *f = make_cache(scenes, 8);
    wsam_train_options_default(WSAM_TRAIN_MIL, &o);
    o.hidden = 8;
    o.bins = 2;
    o.batch = 1;
    o.epochs = 2;
    snprintf(state, sizeof state, "%s", path_of("timed")); /* its buffers are used in turn */
    o.state = state;
    o.progress = look;
    o.progress_user = &seen;
    for (int i = 0; i < 2; i++) {
        o.checkpoint_seconds = every[i];
        cr_assert_eq(wsam_train(f, &set, &o, path_of("timed.wsam"), &error), WSAM_ERR_CANCELLED);
        cr_assert_eq(seen, !i);
        cr_assert(!unlink(path_of("timed/last.safetensors")), "none after a stop");
    }
    wsam_features_close(f);
}

/* No loss follows the last update: a decay that overflows shows in the parameters alone. */
Test(train_files, parameters_that_are_not_finite)
{
    static scene scenes[2];
    static const char *const names[2] = {"circle", "square"};
    wsam_train_picture pictures[2];
    const wsam_train_set set = {2, names, 2, pictures};
    wsam_train_options o;
    wsam_error error = {0};
    for (size_t i = 0; i < 2; i++) {
        make_scene(&scenes[i], i);
        pictures[i] = (wsam_train_picture){.image = scenes[i].name,
                                           .n_boxes = BOXES,
                                           .boxes = (const float(*)[4])scenes[i].boxes,
                                           .n_labels = 1,
                                           .labels = &scenes[i].label};
    }
    wsam_features *f = make_cache(scenes, 2);
    wsam_train_options_default(WSAM_TRAIN_MIL, &o);
    o.hidden = 8;
    o.bins = 2;
    o.epochs = 1;
    o.decay = 1e39;
    cr_assert_eq(wsam_train(f, &set, &o, path_of("bad.wsam"), &error), WSAM_ERR_LIMIT);
    cr_assert(strstr(error.message, "not finite"), "%s", error.message);
    cr_assert(access(path_of("bad.wsam"), F_OK));
    wsam_features_close(f);
}

Test(train_files, both_stages)
{
    static scene scenes[PICTURES];
    static wsam_train_picture pictures[PICTURES];
    static float scores[3][PICTURES * BOXES * 2], boxes[3][PICTURES * BOXES * 8];
    static const char *const names[2] = {"circle", "square"};
    const wsam_train_set set = {2, names, PICTURES, pictures};
    wsam_convert_options to_int8;
    wsam_error error = {0};
    for (size_t i = 0; i < PICTURES; i++) {
        make_scene(&scenes[i], i);
        pictures[i] = (wsam_train_picture){.image = scenes[i].name,
                                           .n_boxes = BOXES,
                                           .boxes = (const float(*)[4])scenes[i].boxes,
                                           .n_labels = 1,
                                           .labels = &scenes[i].label,
                                           .n_truth = 1,
                                           .truth = (const float(*)[4]) & scenes[i].truth,
                                           .truth_classes = &scenes[i].label};
    }
    wsam_features *f = make_cache(scenes, PICTURES);
    train(f, &set, WSAM_TRAIN_MIL);
    run_head(path_of("mil.wsam"), f, scenes, scores[0], boxes[0], 1);
    /* on the object: whether the whole or a part wins is tested with made-up features */
    cr_assert(right_ones(scenes, scores[0], boxes[0], 0.05) == PICTURES);
    train(f, &set, WSAM_TRAIN_RETRAIN);
    run_head(path_of("head.wsam"), f, scenes, scores[0], boxes[0], 1);
    run_head(path_of("head.wsam"), f, scenes, scores[1], boxes[1], 0);
    cr_assert(right_ones(scenes, scores[0], boxes[0], 0.5) == PICTURES);
    for (size_t i = 0; i < PICTURES * BOXES * 2; i++)
        cr_assert(fabsf(scores[0][i] - scores[1][i]) < 2e-3f);
    wsam_convert_options_default(&to_int8);
    to_int8.type = WSAM_FILE_INT8;
    cr_assert(!wsam_convert(path_of("head.safetensors"), path_of("head8.wsam"), &to_int8, &error),
              "%s", error.message);
    cr_assert(!wsam_verify(path_of("head8.wsam"), &error), "%s", error.message);
    run_head(path_of("head8.wsam"), f, scenes, scores[2], boxes[2], 0);
    cr_assert(right_ones(scenes, scores[2], boxes[2], 0.5) == PICTURES);
    cr_assert(!access(path_of("head.wsam.svg"), F_OK));
    cr_assert(!access(path_of("state2/epoch-40.json"), F_OK));
    cr_assert(!access(path_of("state2/pgt_suspects.json"), F_OK));
    wsam_features_close(f);
}
