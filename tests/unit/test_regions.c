/* tests/unit/test_regions.c - regions: what masks say, the losses and their gradients, learning,
 * judging, and who learns. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/dataset/lease.h"
#include "pipeline/regions/judge.h"
#include "pipeline/regions/mil_loss.h"
#include "pipeline/regions/network.h"
#include "pipeline/regions/refine.h"
#include "pipeline/regions/region_describe.h"
#include "pipeline/regions/region_evidence.h"
#include "pipeline/train/random.h"
#include "tests/util/suite_folder.h"
#include "weaksam/masks.h"

TestSuite(region_files, .init = make_folder, .fini = remove_folder);

/* ---- losses ---- */

enum { N = 7, C = 3, ROW = 2 * C };

static void fill(double *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 4.0 * (double)ws_uniform(seed, i) - 2.0;
}

static const uint8_t shown[C] = {1, 0, 1};
static const double positive[C] = {1.0, 2.0, 3.5};
static const ws_region_loss loss_of = {.n = N,
                                       .classes = C,
                                       .row = ROW,
                                       .shown = shown,
                                       .positive = positive,
                                       .smooth = 0.05,
                                       .attended = 0.75,
                                       .any = 1.5};

typedef double (*loss_fn)(const double *values, double *gradient);

static double mil(const double *values, double *gradient)
{
    double attended[C], any[C];
    return ws_region_mil_loss(&loss_of, values, gradient, attended, any);
}

static double targets(const double *values, double *gradient)
{
    double target[N * C], weight[N * C];
    fill(target, N * C, 3);
    fill(weight, N * C, 4);
    for (int i = 0; i < N * C; i++) {
        target[i] = 0.25 * (target[i] + 2.0);
        weight[i] = fabs(weight[i]);
    }
    memset(gradient, 0, N * ROW * sizeof *gradient);
    return ws_region_target_loss(&loss_of, values, target, weight, gradient);
}

static void check_gradient(loss_fn loss)
{
    double values[N * ROW], gradient[N * ROW], unused[N * ROW];
    const double step = 1e-5;
    fill(values, N * ROW, 1);
    loss(values, gradient);
    for (int i = 0; i < N * ROW; i++) {
        const double held = values[i];
        values[i] = held + step;
        const double above = loss(values, unused);
        values[i] = held - step;
        const double below = loss(values, unused);
        values[i] = held;
        const double wants = (above - below) / (2.0 * step);
        cr_expect(fabs(gradient[i] - wants) < 1e-6 * fmax(1.0, fabs(wants)), "value %d: %g, not %g",
                  i, gradient[i], wants);
    }
}

Test(regions, gradients_of_the_losses)
{
    check_gradient(mil);
    check_gradient(targets);
}

Test(regions, both_probabilities_of_a_picture)
{
    double attended[C], any[C], gradient[N * ROW], values[N * ROW] = {0};
    values[ROW] = 2.0;      /* region 1, class 0 */
    values[ROW + C] = 50.0; /* and all attention on it */
    ws_region_mil_loss(&loss_of, values, gradient, attended, any);
    const double p = 1.0 / (1.0 + exp(-2.0));
    cr_expect_float_eq(attended[0], p, 1e-12);
    cr_expect_float_eq(attended[1], 0.5, 1e-12);
    cr_expect_float_eq(any[0], 1.0 - (1.0 - p) * pow(0.5, N - 1), 1e-12);
    cr_expect_float_eq(any[1], 1.0 - pow(0.5, N), 1e-12);
}

Test(regions, targets_follow_the_best_region)
{
    float boxes[N][4] = {{0, 0, 10, 10},  {1, 0, 11, 10},  {50, 50, 60, 60}, {80, 80, 90, 90},
                         {30, 0, 40, 10}, {0, 30, 10, 40}, {60, 0, 70, 10}};
    double values[N * ROW], gradient[N * ROW] = {0}, work[2 * N * C + N];
    for (int i = 0; i < N * ROW; i++)
        values[i] = -3.0;
    values[0] = 3.0;       /* region 0 is of class 0 */
    values[2 * ROW] = 2.5; /* and another one of it */
    values[3 * ROW] = 0.0; /* a doubtful one: 0.5 of a best of 0.95 */
    ws_region_refine(&loss_of, boxes, values, gradient, work);
    cr_expect(gradient[0] < 0.0, "the best is told to be more so");
    cr_expect(gradient[ROW] < 0.0, "and what overlaps it");
    cr_expect(gradient[2 * ROW] < 0.0, "and the second instance");
    cr_expect(gradient[3 * ROW] < 0.0, "half as probable: an instance, too");
    cr_expect(gradient[4 * ROW] > 0.0, "others are not");
    cr_expect(gradient[1] > 0.0, "nor anything of a class that the picture does not show");
}

/* ---- numbers of a mask ---- */

typedef struct drawn {
    uint8_t pixels[96 * 96 * 3], mask[96 * 96];
    wsam_picture picture;
    wsam_proposal proposal;
    char counts[4096];
} drawn;

/* An L of two bars, turned by quarters, on a grey ground. */
static void draw(drawn *d, int quarters, int hole)
{
    uint32_t runs[1024];
    wsam_rle rle = {.height = 96, .width = 96, .capacity = 1024, .counts = runs};
    memset(d, 0, sizeof *d);
    memset(d->pixels, 90, sizeof d->pixels);
    for (int v = 0; v < 96; v++)
        for (int u = 0; u < 96; u++) {
            const int x = quarters % 2 ? 95 - v : u, y = quarters % 2 ? u : v;
            const int in = (u >= 20 && u < 32 && v >= 15 && v < 80) ||
                           (u >= 20 && u < 60 && v >= 64 && v < 80);
            if (!in || (hole && u >= 24 && u < 28 && v >= 30 && v < 40))
                continue;
            d->mask[y * 96 + x] = 1;
            d->pixels[(y * 96 + x) * 3] = 200;
        }
    d->picture = (wsam_picture){
        .height = 96, .width = 96, .channels = 3, .stride = (size_t)96 * 3, .pixels = d->pixels};
    cr_assert_eq(wsam_rle_encode(d->mask, 96, &rle), WSAM_OK);
    d->proposal.counts_length = wsam_rle_to_string(&rle, d->counts, sizeof d->counts);
    d->proposal.counts = d->counts;
}

static void describe(drawn *d, float *row)
{
    wsam_error error;
    const wsam_proposals p = {.width = 96, .height = 96, .n = 1, .items = &d->proposal};
    cr_assert_eq(ws_regions_describe(&d->picture, &p, NULL, 0, row, &error), WSAM_OK);
}

enum { SQUARE = WS_SQUARE_CELLS * WS_SQUARE_CELLS, NUMBERS = WS_SHAPE_NUMBERS + WS_LOOK_NUMBERS };

static double difference(const float *a, const float *b, size_t from, size_t to)
{
    double sum = 0.0;
    for (size_t i = from; i < to; i++)
        sum += fabs((double)(a[i] - b[i]));
    return sum / (double)(to - from);
}

Test(regions, turning_changes_what_depends_on_it)
{
    static drawn upright, turned;
    static float a[NUMBERS], b[NUMBERS];
    draw(&upright, 0, 0);
    draw(&turned, 1, 0);
    describe(&upright, a);
    describe(&turned, b);
    cr_expect(difference(a, b, 0, SQUARE) > 0.2);
    cr_expect(difference(a, b, SQUARE, SQUARE + 144) < 0.05, "the frame of the axes turns, too");
    cr_expect(difference(a, b, SQUARE + 144, SQUARE + 152) < 0.02, "distances stay");
    cr_expect(difference(a, b, SQUARE + 152, SQUARE + 172) < 0.05, "so does the outline");
    for (int i = 0; i < NUMBERS; i++)
        cr_expect(isfinite(a[i]));
    cr_expect_float_eq((double)a[SQUARE + 172], log(65 * 12 + 28 * 16) - 2 * log(96), 1e-5);
}

Test(regions, holes_and_colours_are_seen)
{
    static drawn plain, pierced;
    static float a[NUMBERS], b[NUMBERS];
    draw(&plain, 0, 0);
    draw(&pierced, 0, 1);
    describe(&plain, a);
    describe(&pierced, b);
    cr_expect(!(a[WS_SHAPE_NUMBERS - 1] > 0.0f));
    cr_expect_float_eq((double)b[WS_SHAPE_NUMBERS - 1], 40.0 / (65 * 12 + 28 * 16), 1e-6);
    const float *colours = a + NUMBERS - 20; /* mean, spread, contrast of red, green, blue */
    cr_expect_float_eq((double)colours[0], 200.0 / 255.0, 1e-5);
    cr_expect_float_eq((double)colours[2], 110.0 / 255.0, 1e-5);
    cr_expect_float_eq((double)colours[3], 90.0 / 255.0, 1e-5);
    cr_expect_float_eq((double)colours[5], 0.0, 1e-5);
}

Test(regions, maps_are_pooled_inside_the_mask)
{
    static drawn d;
    static float row[NUMBERS + 4];
    float values[2 * 2 * 2] = {1, 10, 2, 20, 3, 30, 4, 40}; /* [y][x][channel] */
    const wsam_feature_map map = {.source = "sam",
                                  .height = 2,
                                  .width = 2,
                                  .channels = 2,
                                  .row = 4,
                                  .scale_x = 1.0f / 48,
                                  .scale_y = 1.0f / 48,
                                  .values = values};
    wsam_error error;
    draw(&d, 0, 0);
    const wsam_proposals p = {.width = 96, .height = 96, .n = 1, .items = &d.proposal};
    cr_assert_eq(ws_regions_describe(&d.picture, &p, &map, 1, row, &error), WSAM_OK);
    const double n = 65 * 12 + 28 * 16, above = 33 * 12, right = 12 * 16;
    const double mean = (above * 1 + (n - above - right) * 3 + right * 4) / n;
    cr_expect_float_eq((double)row[NUMBERS], mean, 1e-4);
    cr_expect_float_eq((double)row[NUMBERS + 1], 10 * mean, 1e-3);
    const double square = (above * 1 + (n - above - right) * 9 + right * 16) / n;
    cr_expect_float_eq((double)row[NUMBERS + 2], sqrt(square - mean * mean), 1e-3);
}

/* ---- learning ---- */

enum { PICTURES = 24, REGIONS = 5, FEATURES = 12 };

/* Pictures of five random regions; in those of class k one has a large number k. */
static void make_set(ws_region_layout *layout, wsam_labels *labels)
{
    static size_t first[PICTURES + 1];
    static int32_t classes[PICTURES];
    static char names[2][8] = {"left", "right"}, *list[2] = {names[0], names[1]};
    static char images[PICTURES][16], *files[PICTURES];
    wsam_error error;
    wsam_proposal items[REGIONS];
    *layout = (ws_region_layout){
        .n_groups = 2, .count = FEATURES, .groups = {{"shape", 0, 8}, {"look", 8, 4}}};
    for (size_t i = 0; i < PICTURES; i++) {
        float rows[REGIONS * FEATURES];
        const int kind = (int)(i % 3); /* 2: neither */
        for (size_t k = 0; k < REGIONS * FEATURES; k++)
            rows[k] = ws_uniform(i + 1, k) - 0.5f;
        if (kind < 2)
            rows[(i % REGIONS) * FEATURES + (size_t)kind] = 3.0f;
        for (size_t k = 0; k < REGIONS; k++)
            items[k] = (wsam_proposal){.box = {0, 0, (float)(k + 5), 9}};
        const wsam_proposals p = {.width = 16, .height = 16, .n = REGIONS, .items = items};
        snprintf(images[i], sizeof images[i], "%02zu.png", i);
        char *path = ws_region_path(in_folder(""), images[i], "regions");
        cr_assert_eq(ws_region_file_save(path, &p, layout, rows, &error), WSAM_OK, "%s",
                     error.message);
        free(path);
        files[i] = images[i];
        first[i + 1] = first[i];
        if (kind < 2)
            classes[first[i + 1]++] = kind;
    }
    *labels = (wsam_labels){.n = PICTURES,
                            .images = files,
                            .first = first,
                            .classes = classes,
                            .n_classes = 2,
                            .names = list};
}

static char *read_file(const char *name, size_t *size)
{
    FILE *f = fopen(in_folder(name), "rb");
    cr_assert(f, "%s", name);
    char *bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

static wsam_judgement *learn(const wsam_labels *labels, int threads, const char *out)
{
    wsam_regions_learn_options o;
    wsam_judgement *j = NULL;
    wsam_error error;
    wsam_regions_learn_default(&o);
    o.folder = in_folder("");
    o.epochs = 40;
    o.threads = threads;
    o.segmenter = "none";
    cr_assert_eq(wsam_regions_learn(labels, &o, in_folder(out), &j, &error), WSAM_OK, "%s",
                 error.message);
    return j;
}

Test(region_files, learns_and_gives_the_same_bytes_with_any_threads)
{
    static const int threads[] = {2, 3, 7};
    ws_region_layout layout;
    wsam_labels labels;
    size_t size, other_size;
    make_set(&layout, &labels);
    wsam_judgement *j = learn(&labels, 1, "one.wsam");
    cr_expect(j->map > 0.8, "mAP %g", j->map);
    cr_expect(j->folds == 5 && j->judged == PICTURES);
    wsam_judgement_free(j);
    char *one = read_file("one.wsam", &size), *words = read_file("one.judgement.txt", &other_size);
    cr_expect(strstr(words, "5-fold cross-validation") != NULL);
    free(words);
    for (int i = 0; i < 3; i++) {
        wsam_judgement_free(learn(&labels, threads[i], "other.wsam"));
        char *other = read_file("other.wsam", &other_size);
        cr_expect(size == other_size && memcmp(one, other, size) == 0, "%d threads", threads[i]);
        free(other);
    }
    free(one);
}

Test(region_files, a_clue_file_gives_what_was_learnt)
{
    ws_region_layout layout;
    wsam_labels labels;
    wsam_model *model;
    wsam_error error;
    ws_region_network net;
    float rows[2 * FEATURES] = {0}, regions[4];
    double picture[2];
    make_set(&layout, &labels);
    wsam_judgement_free(learn(&labels, 1, "clues.wsam"));
    cr_assert_eq(wsam_model_open(in_folder("clues.wsam"), NULL, &model, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect(wsam_is_region_clues(model));
    cr_assert_eq(ws_region_network_create(&net, model, NULL, NULL, &error), WSAM_ERR_MISMATCH);
    cr_expect(strstr(error.message, "another segmenter"), "%s", error.message);
    wsam_model_close(model);
    wsam_regions_learn_options o;
    wsam_regions_learn_default(&o);
    o.folder = in_folder("");
    cr_assert_eq(wsam_regions_learn(&labels, &o, in_folder("free.wsam"), NULL, &error), WSAM_OK);
    cr_assert_eq(wsam_model_open(in_folder("free.wsam"), NULL, &model, &error), WSAM_OK);
    cr_assert_eq(ws_region_network_create(&net, model, NULL, NULL, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect_eq(net.n_classes, 2);
    cr_expect_str_eq(net.names[1], "right");
    rows[FEATURES + 1] = 3.0f;
    cr_assert_eq(ws_region_network_run(&net, &layout, 2, rows, regions, picture, &error), WSAM_OK);
    cr_expect(regions[3] > 0.5f && regions[1] < 0.5f && regions[2] < 0.5f, "%g %g %g",
              (double)regions[3], (double)regions[1], (double)regions[2]);
    cr_expect(picture[1] > picture[0]);
    ws_region_network_free(&net);
    wsam_model_close(model);
}

Test(region_files, damaged_regions_are_refused)
{
    ws_region_layout layout;
    ws_region_set set;
    wsam_labels labels;
    wsam_error error;
    size_t size;
    make_set(&layout, &labels);
    char *first = ws_region_path(in_folder(""), "00.png", "regions");
    const char *const files[] = {first, "/nonexistent"};
    cr_assert_eq(ws_region_set_gather(in_folder("all"), files, 2, &error), WSAM_OK);
    cr_assert_eq(ws_region_set_open(in_folder("all"), &set, &error), WSAM_OK);
    cr_expect(set.n == 2 && set.pictures[0].n == REGIONS && !set.pictures[1].n);
    free(first);
    ws_region_set_close(&set);
    char *bytes = read_file("all", &size);
    for (size_t cut = 1; cut < size; cut += 37) {
        FILE *f = fopen(in_folder("cut"), "wb");
        fwrite(bytes, 1, size - cut, f);
        fclose(f);
        cr_expect_neq(ws_region_set_open(in_folder("cut"), &set, &error), WSAM_OK);
    }
    for (size_t at = 0; at < 32; at++) {
        FILE *f = fopen(in_folder("bent"), "wb");
        bytes[at] ^= 0x41;
        fwrite(bytes, 1, size, f);
        fclose(f);
        bytes[at] ^= 0x41;
        if (ws_region_set_open(in_folder("bent"), &set, &error) == WSAM_OK)
            ws_region_set_close(&set); /* a byte that says nothing */
    }
    free(bytes);
}

Test(region_files, nothing_to_learn_is_said)
{
    ws_region_layout layout;
    wsam_labels labels;
    wsam_error error;
    wsam_regions_learn_options o;
    make_set(&layout, &labels);
    size_t none[PICTURES + 1] = {0};
    wsam_regions_learn_default(&o);
    o.folder = in_folder("");
    labels.first = none;
    cr_expect_eq(wsam_regions_learn(&labels, &o, in_folder("x.wsam"), NULL, &error),
                 WSAM_ERR_MISMATCH);
    cr_expect(strstr(error.message, "no image has a class"), "%s", error.message);
    cr_expect_neq(access(in_folder("x.wsam"), F_OK), 0);
}

/* ---- judging ---- */

Test(regions, average_precision)
{
    uint32_t order[6];
    const double scores[] = {0.9, 0.8, 0.7, 0.6, 0.5, 0.5};
    cr_expect_float_eq(
        ws_judge_average_precision(6, scores, (const uint8_t[]){1, 0, 1, 0, 0, 0}, order),
        (1.0 + 2.0 / 3.0) / 2.0, 1e-12);
    cr_expect_float_eq(
        ws_judge_average_precision(6, scores, (const uint8_t[]){0, 0, 0, 0, 0, 1}, order),
        1.0 / 6.0, 1e-12);
    cr_expect(ws_judge_average_precision(6, scores, (const uint8_t[]){1, 1, 1, 1, 1, 1}, order) <
              0.0);
    /* 4 pairs of the first, and a tie of the other */
    cr_expect_float_eq(ws_judge_roc_area(6, scores, (const uint8_t[]){1, 0, 0, 0, 1, 0}), 4.5 / 8.0,
                       1e-12);
    cr_expect(ws_judge_roc_area(6, scores, (const uint8_t[]){0, 0, 0, 0, 0, 0}) < 0.0);
}

Test(regions, every_class_is_held_out_and_learnt_from)
{
    enum { MANY = 200 };
    static size_t first[MANY + 1];
    static int32_t classes[MANY];
    static char name[] = "x", *names[4] = {name, name, name, name};
    ws_split s;
    wsam_error error;
    int held[4] = {0}, all = 0;
    for (size_t i = 0; i < MANY; i++) {
        first[i + 1] = i + 1;
        classes[i] = i < 10 ? 3 : (int32_t)(i % 3);
    }
    wsam_labels l = {.n = MANY, .first = first, .classes = classes, .n_classes = 4, .names = names};
    cr_assert_eq(ws_split_create(&l, 1, &s, &error), WSAM_OK);
    cr_expect(!s.cross && s.parts == 1);
    for (size_t i = 0; i < MANY; i++)
        if (s.part[i] == 0) {
            held[classes[i]]++;
            all++;
        }
    cr_expect_eq(all, MANY * 15 / 100);
    for (int c = 0; c < 4; c++)
        cr_expect(held[c] >= (c == 3 ? 1 : 8), "class %d: %d", c, held[c]);
    ws_split_free(&s);
    l.n = 30;
    cr_assert_eq(ws_split_create(&l, 1, &s, &error), WSAM_OK);
    cr_expect(s.cross && s.parts == 5);
    for (size_t i = 0; i < l.n; i++)
        cr_expect(s.part[i] >= 0 && s.part[i] < 5);
    ws_split_free(&s);
}

Test(regions, sentences_for_classes_that_cannot_be_judged)
{
    wsam_error error;
    wsam_judgement *j = calloc(1, sizeof *j);
    j->classes = calloc(3, sizeof *j->classes);
    j->n_classes = 3;
    j->pictures = 30;
    const size_t pictures[] = {30, 1, 12};
    for (int i = 0; i < 3; i++)
        j->classes[i] = (wsam_class_judgement){.name = strdup(i ? "bolt" : "nut"),
                                               .pictures = pictures[i],
                                               .ap = i == 2 ? 0.41 : -1,
                                               .low = 0.3,
                                               .high = 0.55,
                                               .confused_with = i == 2 ? 0 : -1,
                                               .confusions = i == 2 ? 9 : 0};
    j->sources = strdup("shape");
    cr_assert_eq(ws_judgement_sentences(j, &error), WSAM_OK);
    cr_expect(strstr(j->classes[0].sentence, "in every image"));
    cr_expect(strstr(j->classes[1].sentence, "a single image"));
    cr_expect(strstr(j->classes[2].sentence, "too few images, or it looks like 'nut'"));
    cr_expect(strstr(j->classes[2].sentence, "9 images"));
    char *text;
    cr_assert_eq(wsam_judgement_text(j, &text), WSAM_OK);
    cr_expect(strstr(text, "0.41  0.30 to 0.55"), "%s", text);
    free(text);
    wsam_judgement_free(j);
}

/* ---- leases ---- */

/* ---- scores ---- */

Test(regions, an_unstable_mask_scores_less)
{
    float scores[4 * 2] = {0.8f, 0.1f, 0.8f, 0.1f, 0.8f, 0.1f, 0.8f, 0.1f}, got[4], boxes[4 * 4];
    wsam_proposal items[4] = {{.stability_score = 1.0f},
                              {.stability_score = 0.25f},
                              {.stability_score = NAN},
                              {.stability_score = 0.81f}};
    const wsam_proposals proposals = {.width = 8, .height = 8, .n = 4, .items = items};
    const wsam_clue_map map = {.class_index = 0};
    const wsam_score_input input = {.proposals = &proposals, .maps = &map, .n_maps = 1};
    const ws_region_evidence evidence = {.n_classes = 2, .scores = scores};
    wsam_scorer scorer;
    wsam_error error;
    ws_region_evidence_scorer(&evidence, &scorer);
    cr_assert_eq(scorer.score(scorer.user, &input, got, boxes, &error), WSAM_OK);
    const float want[4] = {0.8f, 0.4f, 0.0f, 0.72f};
    for (int i = 0; i < 4; i++)
        cr_expect_float_eq(got[i], want[i], 1e-6f);
}

Test(region_files, a_lease_has_one_owner_until_it_is_gone)
{
    ws_lease a, b;
    wsam_error error;
    cr_assert_eq(ws_lease_create(&a, in_folder("lease"), &error), WSAM_OK);
    cr_assert_eq(ws_lease_create(&b, in_folder("lease"), &error), WSAM_OK);
    b.patience = 0.05;
    cr_expect_eq(ws_lease_ask(&a, &error), WS_LEASE_OWNED);
    cr_expect_eq(ws_lease_ask(&a, &error), WS_LEASE_OWNED);
    cr_expect_eq(ws_lease_ask(&b, &error), WS_LEASE_OTHERS);
    a.raised = -1e9;
    cr_expect_eq(ws_lease_keep(&a), 1);
    usleep(60000);
    cr_expect_eq(ws_lease_ask(&b, &error), WS_LEASE_OTHERS, "the counter was raised since");
    usleep(60000);
    cr_expect_eq(ws_lease_ask(&b, &error), WS_LEASE_OWNED, "it was not");
    a.raised = -1e9;
    cr_expect_eq(ws_lease_keep(&a), 0, "the first has lost it");
    ws_lease_release(&a);
    cr_expect_eq(access(in_folder("lease"), F_OK), 0, "what is another's stays");
    ws_lease_release(&b);
    cr_expect_neq(access(in_folder("lease"), F_OK), 0);
    cr_assert_eq(ws_lease_create(&a, "/nonexistent/lease", &error), WSAM_OK);
    cr_expect_eq(ws_lease_ask(&a, &error), WS_LEASE_FAILED);
    ws_lease_release(&a);
}
