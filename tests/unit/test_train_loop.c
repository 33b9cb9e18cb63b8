/* tests/unit/test_train_loop.c - the loop of both stages on made-up features: what it learns, that
 * threads and interruptions change nothing, and what it refuses. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/cpu.h"
#include "pipeline/train/checkpoint.h"
#include "pipeline/train/log.h"
#include "pipeline/train/random.h"
#include "pipeline/train/train_report.h"

enum { IMAGES = 60, K = 3, BOXES = 24, D = 16 };

/* Objects of 1 or 2 classes; per class the object's box, three near copies, and four parts of it
 * with a weaker feature; the rest is background. */
typedef struct world {
    ws_train_image images[IMAGES];
    float boxes[IMAGES][BOXES][4], features[IMAGES][BOXES + K][D], truth[IMAGES][K][4];
    int labels[IMAGES][K];
    ws_train_data data;
    uint64_t key, next;
} world;

static float uniform(world *w, float lo, float hi)
{
    return lo + (hi - lo) * ws_uniform(w->key, w->next++);
}

static void put(world *w, size_t image, size_t box, const float b[4], int label, float strength)
{
    memcpy(w->boxes[image][box], b, 4 * sizeof(float));
    for (int d = 0; d < D; d++)
        w->features[image][box][d] =
            uniform(w, -0.3f, 0.3f) + (label && d == label - 1 ? strength : 0.0f);
}

static size_t put_object(world *w, size_t image, size_t box, int label, float *truth)
{
    const float side = uniform(w, 80, 120), x = uniform(w, 0, 300), y = uniform(w, 0, 300);
    const float object[4] = {x, y, x + side, y + side};
    memcpy(truth, object, sizeof object);
    for (int i = 0; i < 4; i++) {
        float b[4];
        for (int j = 0; j < 4; j++)
            b[j] = object[j] + (i ? uniform(w, -0.075f, 0.075f) * side : 0.0f);
        put(w, image, box++, b, label, 1.0f);
    }
    for (int i = 0; i < 4; i++) {
        const float part = 0.45f * side;
        const float px = x + uniform(w, 0, side - part), py = y + uniform(w, 0, side - part);
        put(w, image, box++, (const float[4]){px, py, px + part, py + part}, label, 0.6f);
    }
    return box;
}

static void pool(void *user, int worker, size_t image, size_t n, const float (*boxes)[4],
                 float *rows)
{
    const world *w = user;
    (void)worker;
    const ws_train_image *im = &w->images[image];
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        while (at < BOXES && memcmp(w->boxes[image][at], boxes[i], sizeof boxes[i]) != 0)
            at++;
        for (size_t k = 0; at == BOXES && k < im->n_truth; k++)
            if (memcmp(im->truth[k], boxes[i], sizeof boxes[i]) == 0)
                at = BOXES + k;
        memcpy(rows + i * D, w->features[image][at], sizeof w->features[image][at]);
    }
}

static world *make_world(size_t n_images)
{
    world *w = calloc(1, sizeof *w);
    w->key = ws_key(11, 1, 0, 0);
    for (size_t i = 0; i < n_images; i++) {
        const size_t n = 1 + (i % 3 == 0);
        size_t box = 0;
        for (size_t k = 0; k < n; k++) {
            const int label = 1 + (int)((i + k) % K);
            w->labels[i][k] = label;
            box = put_object(w, i, box, label, w->truth[i][k]);
            memcpy(w->features[i][BOXES + k], w->features[i][box - 8], D * sizeof(float));
        }
        while (box < BOXES) {
            const float x = uniform(w, 0, 300), y = uniform(w, 0, 300);
            const float b[4] = {x, y, x + uniform(w, 30, 130), y + uniform(w, 30, 130)};
            put(w, i, box++, b, 0, 0);
        }
        w->images[i] = (ws_train_image){.n_boxes = BOXES,
                                        .n_labels = n,
                                        .n_truth = n,
                                        .boxes = w->boxes[i],
                                        .labels = w->labels[i],
                                        .truth = w->truth[i],
                                        .truth_class = w->labels[i],
                                        .first_truth = w->data.n_truth};
        w->data.n_truth += n;
    }
    w->data.n_images = n_images;
    w->data.images = w->images;
    w->data.classes = K;
    w->data.features = D;
    w->data.cells = 1;
    w->data.pool = pool;
    w->data.user = w;
    return w;
}

static ws_train_config config_for(ws_stage stage, double rate, size_t epochs, size_t batch)
{
    ws_train_config c;
    ws_trainer_defaults(stage, &c);
    c.hidden = 32;
    c.batch = batch;
    c.epochs = epochs;
    c.rate = rate;
    c.dropout = 0.0;
    c.warm_steps = 0;
    return c;
}

static void start(ws_trainer *t, const world *w, const ws_train_config *c, int threads)
{
    wsam_error error = {0};
    cr_assert(!ws_trainer_create(t, &w->data, c, ws_kernels_find(NULL, NULL), threads, &error),
              "%s", error.message);
}

static void steps(ws_trainer *t, uint64_t until)
{
    wsam_error error = {0};
    while (t->iteration < until)
        cr_assert(!ws_trainer_step(t, &error), "%s", error.message);
}

/* Share of (image, class) whose best proposal by mean refinement score lies on the object. */
static double corloc(ws_trainer *t, const world *w)
{
    size_t right = 0, all = 0;
    for (size_t i = 0; i < w->data.n_images; i++) {
        const ws_train_image *image = &w->images[i];
        double mean[BOXES][K + 1] = {{0}}, row[K + 1];
        ws_trainer_infer(t, i, BOXES, (const float(*)[4])w->boxes[i]);
        for (size_t b = 0; b < BOXES; b++)
            for (size_t k = 0; k < 3; k++) {
                double r[K + 1];
                for (size_t c = 0; c <= K; c++)
                    r[c] = (double)t->work.y[b * 17 * (K + 1) + (2 + k) * (K + 1) + c];
                ws_losses_softmax_rows(1, K + 1, r, K + 1, row);
                for (size_t c = 0; c <= K; c++)
                    mean[b][c] += row[c];
            }
        for (size_t k = 0; k < image->n_labels; k++) {
            size_t best = 0;
            double a[4], g[4];
            for (size_t b = 1; b < BOXES; b++)
                if (mean[b][image->labels[k]] > mean[best][image->labels[k]])
                    best = b;
            for (int j = 0; j < 4; j++) {
                a[j] = (double)w->boxes[i][best][j];
                g[j] = (double)w->truth[i][k][j];
            }
            right += ws_losses_box_iou(a, g) > 0.5;
            all++;
        }
    }
    return (double)right / (double)all;
}

static void check_learning(wsam_type products)
{
    world *w = make_world(IMAGES);
    ws_trainer t;
    ws_train_config c = config_for(WS_STAGE_MIL, 1e-3, 40, 4);
    c.products = products;
    start(&t, w, &c, 2);
    steps(&t, 400);
    const double share = corloc(&t, w);
    cr_assert(share >= 0.95, "CorLoc %g after 400 iterations", share);
    ws_trainer_free(&t);
    free(w);
}

Test(train_loop, learns_objects_from_image_labels)
{
    check_learning(WSAM_F32);
}

Test(train_loop, learns_objects_with_bf16_products)
{
    check_learning(WSAM_BF16);
}

Test(train_loop, fits_pseudo_labels)
{
    world *w = make_world(20);
    ws_trainer t;
    ws_train_config c = config_for(WS_STAGE_RETRAIN, 3e-3, 150, 10);
    c.hidden = 64;
    c.drop.mode = WS_DROP_NONE;
    start(&t, w, &c, 2);
    steps(&t, 300);
    const double first = (double)(t.history[0][1] + t.history[0][2]);
    const double last = (double)(t.history[299][1] + t.history[299][2]);
    cr_assert(last < 0.1 * first, "%g at first, %g at last", first, last);
    ws_trainer_free(&t);
    free(w);
}

static void run_folder(char *folder)
{
    strcpy(folder, "/tmp/weaksam-train-XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void remove_folder(const char *folder)
{
    char command[96];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    cr_assert(!system(command));
}

static const char *file_in(const char *folder, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static char *last_bytes(const char *folder, size_t *size)
{
    const char *path = file_in(folder, "last.safetensors");
    struct stat st;
    cr_assert(!stat(path, &st));
    char *bytes = malloc((size_t)st.st_size);
    FILE *f = fopen(path, "rb");
    *size = fread(bytes, 1, (size_t)st.st_size, f);
    fclose(f);
    return bytes;
}

/* The checkpoint of a run of two epochs with some threads, interrupted after `pause` iterations. */
static char *run_bytes(const world *w, ws_stage stage, wsam_type products, int threads,
                       uint64_t pause, size_t *size)
{
    char folder[64];
    ws_trainer t;
    wsam_error error = {0};
    int found;
    ws_train_config c = config_for(stage, 1e-3, 2, 7);
    c.dropout = 0.5;
    c.warm_steps = 5;
    c.drop.threshold_cls = 1.0;
    c.products = products;
    run_folder(folder);
    start(&t, w, &c, threads);
    if (pause) {
        steps(&t, pause);
        cr_assert(!ws_checkpoint_write(&t, folder, &error), "%s", error.message);
        steps(&t, pause + 1); /* lost, as by a kill */
        ws_trainer_free(&t);
        start(&t, w, &c, threads);
        cr_assert(!ws_checkpoint_read(&t, folder, 0, &found, &error) && found, "%s", error.message);
        cr_assert_eq(t.iteration, pause);
    }
    steps(&t, t.iterations);
    cr_assert(!ws_checkpoint_write(&t, folder, &error), "%s", error.message);
    char *bytes = last_bytes(folder, size);
    ws_trainer_free(&t);
    remove_folder(folder);
    return bytes;
}

static void check_same_bytes(ws_stage stage, wsam_type products)
{
    static const struct {
        int threads;
        uint64_t pause;
    } ways[] = {{2, 0}, {3, 0}, {7, 0}, {1, 3}, {2, 6}};
    world *w = make_world(28);
    size_t size, other;
    char *want = run_bytes(w, stage, products, 1, 0, &size);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char *got = run_bytes(w, stage, products, ways[i].threads, ways[i].pause, &other);
        cr_assert(size == other && memcmp(want, got, size) == 0, "%d threads, pause at %d",
                  ways[i].threads, (int)ways[i].pause);
        free(got);
    }
    free(want);
    free(w);
}

Test(train_loop, threads_and_resuming_change_nothing_mil)
{
    check_same_bytes(WS_STAGE_MIL, WSAM_F32);
}

Test(train_loop, threads_and_resuming_change_nothing_retrain)
{
    check_same_bytes(WS_STAGE_RETRAIN, WSAM_F32);
}

Test(train_loop, threads_and_resuming_change_nothing_bf16)
{
    check_same_bytes(WS_STAGE_MIL, WSAM_BF16);
}

Test(train_loop, stops_where_the_loss_is_not_finite)
{
    char folder[64];
    world *w = make_world(20);
    ws_trainer t;
    wsam_error error = {0};
    size_t before, after;
    ws_train_config c = config_for(WS_STAGE_MIL, 1e-3, 2, 4);
    run_folder(folder);
    start(&t, w, &c, 2);
    cr_assert(!ws_checkpoint_write(&t, folder, &error), "%s", error.message);
    cr_assert(access(file_in(folder, "epoch-00.safetensors"), F_OK), "no epoch has ended");
    steps(&t, 3);
    cr_assert(!ws_checkpoint_write(&t, folder, &error), "%s", error.message);
    char *want = last_bytes(folder, &before);
    for (size_t i = 0; i < 20; i++)
        w->features[i][3][2] = NAN;
    cr_assert_eq(ws_trainer_step(&t, &error), WSAM_ERR_LIMIT);
    cr_assert(strstr(error.message, "iteration 3"));
    cr_assert_eq(t.iteration, 3);
    t.head.block[7] = NAN;
    cr_assert_eq(ws_checkpoint_write(&t, folder, &error), WSAM_ERR_LIMIT);
    char *got = last_bytes(folder, &after);
    cr_assert(before == after && memcmp(want, got, before) == 0);
    free(want);
    free(got);
    ws_trainer_free(&t);
    remove_folder(folder);
    free(w);
}

/* Means over what was kept divide by what was kept. */
Test(train_loop, counts_of_an_epoch)
{
    static const char *const names[K] = {"a", "b", "c"};
    const wsam_train_set set = {K, names, 0, NULL};
    char folder[64], text[4096] = "";
    world *w = make_world(20);
    ws_trainer t;
    wsam_error error = {0};
    ws_train_config c = config_for(WS_STAGE_RETRAIN, 1e-3, 2, 4);
    run_folder(folder);
    start(&t, w, &c, 1);
    double *epoch = t.counts + WS_SPAN_EPOCH * t.n_counts;
    t.iteration = t.per_epoch;
    epoch[WS_COUNT_ROIS] = 10;
    epoch[WS_COUNT_FOREGROUND] = 6;
    epoch[WS_COUNT_DROPPED_CLS] = 2;
    epoch[WS_COUNT_DROPPED_REG] = 3;
    epoch[WS_COUNT_SUM_CLS_KEPT] = 4;
    epoch[WS_COUNT_SUM_REG_KEPT] = 6;
    cr_assert(!ws_train_report_epoch(&t, &set, folder, &error), "%s", error.message);
    FILE *f = fopen(file_in(folder, "epoch-01.json"), "rb");
    cr_assert(f && fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    cr_assert(strstr(text, "\"mean_cls_kept\":0.5,") && strstr(text, "\"mean_reg_kept\":2,"), "%s",
              text);
    ws_trainer_free(&t);
    remove_folder(folder);
    free(w);
}

Test(train_loop, refuses_a_checkpoint_of_other_options)
{
    char folder[64];
    int found;
    world *w = make_world(20);
    ws_trainer t;
    wsam_error error = {0};
    ws_train_config c = config_for(WS_STAGE_MIL, 1e-3, 2, 4);
    run_folder(folder);
    start(&t, w, &c, 1);
    cr_assert(!ws_checkpoint_read(&t, folder, 0, &found, &error) && !found);
    steps(&t, 3);
    cr_assert(!ws_checkpoint_write(&t, folder, &error));
    ws_trainer_free(&t);
    c.rate = 2e-3;
    start(&t, w, &c, 1);
    cr_assert_eq(ws_checkpoint_read(&t, folder, 0, &found, &error), WSAM_ERR_MISMATCH);
    cr_assert(!ws_checkpoint_read(&t, folder, 1, &found, &error) && found, "%s", error.message);
    cr_assert_eq(t.iteration, 3);
    ws_trainer_free(&t);
    c.rate = 1e-3;
    c.epochs = 3; /* a longer history */
    start(&t, w, &c, 1);
    cr_assert_eq(ws_checkpoint_read(&t, folder, 0, &found, &error), WSAM_ERR_MISMATCH);
    cr_assert(!ws_checkpoint_read(&t, folder, 1, &found, &error) && found, "%s", error.message);
    cr_assert(t.history[2][0] > 0.0f);
    steps(&t, t.iterations);
    ws_trainer_free(&t);
    c.hidden = 16; /* no force fits it */
    start(&t, w, &c, 1);
    cr_assert_eq(ws_checkpoint_read(&t, folder, 1, &found, &error), WSAM_ERR_MISMATCH);
    ws_trainer_free(&t);
    remove_folder(folder);
    free(w);
}

/* Sums of other levels differ in their last bits. */
Test(train_loop, refuses_a_checkpoint_of_another_level)
{
    char folder[64];
    int found;
    world *w = make_world(20);
    ws_trainer t;
    wsam_error error = {0};
    ws_train_config c = config_for(WS_STAGE_MIL, 1e-3, 2, 4);
    run_folder(folder);
    cr_assert(!ws_trainer_create(&t, &w->data, &c, ws_kernels_find("c", NULL), 1, &error));
    cr_assert(!ws_checkpoint_write(&t, folder, &error));
    ws_trainer_free(&t);
    start(&t, w, &c, 1);
    if (strcmp(t.kernels->isa, "c") != 0) {
        cr_assert_eq(ws_checkpoint_read(&t, folder, 0, &found, &error), WSAM_ERR_MISMATCH);
        cr_assert(strstr(error.message, "level 'c'"), "%s", error.message);
    }
    cr_assert(!ws_checkpoint_read(&t, folder, 1, &found, &error) && found);
    ws_trainer_free(&t);
    remove_folder(folder);
    free(w);
}

/* A disk that is full in the middle of a checkpoint: an error, the last good one as it was, and a
 * run that goes on from it once there is room. */
Test(train_loop, full_disk)
{
    char folder[64];
    int found;
    size_t before, after;
    struct rlimit limit;
    world *w = make_world(20);
    ws_trainer t;
    wsam_error error = {0};
    ws_train_config c = config_for(WS_STAGE_RETRAIN, 1e-3, 2, 4);
    run_folder(folder);
    start(&t, w, &c, 2);
    steps(&t, 3);
    cr_assert(!ws_checkpoint_write(&t, folder, &error), "%s", error.message);
    char *want = last_bytes(folder, &before);
    steps(&t, 5);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert(!getrlimit(RLIMIT_FSIZE, &limit));
    const struct rlimit little = {before / 2, limit.rlim_max};
    cr_assert(!setrlimit(RLIMIT_FSIZE, &little));
    cr_assert_eq(ws_checkpoint_write(&t, folder, &error), WSAM_ERR_IO);
    cr_assert(!setrlimit(RLIMIT_FSIZE, &limit));
    cr_assert(strstr(error.message, "last.safetensors: "), "%s", error.message);
    cr_assert(access(file_in(folder, "last.safetensors.tmp"), F_OK));
    char *got = last_bytes(folder, &after);
    cr_assert(before == after && memcmp(want, got, before) == 0);
    free(got);
    free(want);
    steps(&t, t.iterations); /* as a run that nothing disturbed */
    cr_assert(!ws_checkpoint_read(&t, folder, 0, &found, &error) && found, "%s", error.message);
    cr_assert_eq(t.iteration, 3);
    steps(&t, t.iterations);
    cr_assert(!ws_checkpoint_write(&t, folder, &error), "%s", error.message);
    got = last_bytes(folder, &after);
    ws_trainer_free(&t);
    start(&t, w, &c, 1);
    steps(&t, t.iterations);
    cr_assert(!ws_checkpoint_write(&t, folder, &error), "%s", error.message);
    want = last_bytes(folder, &before);
    cr_assert(before == after && memcmp(want, got, before) == 0);
    free(want);
    free(got);
    ws_trainer_free(&t);
    remove_folder(folder);
    free(w);
}

/* ---- the log ---- */

static char *text_in(const char *folder, const char *name)
{
    char *text = calloc(1, 1 << 18);
    FILE *f = fopen(file_in(folder, name), "rb");
    cr_assert(f && fread(text, 1, (1 << 18) - 1, f) > 0);
    fclose(f);
    return text;
}

static void log_steps(ws_trainer *t, const char *folder, uint64_t until)
{
    static const char *const names[K] = {"a", "b", "c"};
    const wsam_train_set set = {K, names, 0, NULL};
    wsam_error error = {0};
    while (t->iteration < until) {
        steps(t, t->iteration + 1);
        if (!ws_log_due(t))
            continue;
        cr_assert(!ws_log_append(t, &set, folder, &error), "%s", error.message);
        ws_trainer_counts_clear(t, WS_SPAN_INTERVAL);
    }
}

/* Lines at 100, at the epoch's end, 150, at 200 and at 300; a stop at 120 comes in between, one at
 * 190 is lost, with a line that a kill cut short. */
Test(train_loop, log_goes_on)
{
    char folder[2][64];
    int found;
    world *w = make_world(20);
    ws_trainer t;
    wsam_error error = {0};
    ws_train_config c = config_for(WS_STAGE_RETRAIN, 1e-3, 30, 2);
    c.drop = (ws_drop_rule){WS_DROP_JOINT, 0.5, 0.5};
    for (int i = 0; i < 2; i++) {
        run_folder(folder[i]);
        start(&t, w, &c, 2);
        t.per_epoch = 150; /* as if there were as many images */
        if (i) {
            log_steps(&t, folder[i], 120);
            cr_assert(!ws_checkpoint_write(&t, folder[i], &error), "%s", error.message);
            log_steps(&t, folder[i], 190);
            FILE *f = fopen(file_in(folder[i], "log.jsonl"), "ab");
            fputs("{\"iteration\":200,\"ep", f);
            fclose(f);
            cr_assert(!ws_checkpoint_read(&t, folder[i], 0, &found, &error) && found);
            cr_assert(!ws_log_cut(folder[i], t.iteration, &error), "%s", error.message);
        }
        log_steps(&t, folder[i], 300);
        ws_trainer_free(&t);
    }
    char *want = text_in(folder[0], "log.jsonl"), *got = text_in(folder[1], "log.jsonl");
    cr_assert_str_eq(want, got);
    size_t lines = 0;
    for (const char *at = want; (at = strchr(at, '\n')); at++)
        lines++;
    cr_assert_eq(lines, 4);
    cr_assert(strstr(want, "{\"iteration\":150,\"epoch\":1,\"rate\":0.001,\"image\":0,"), "%s",
              want);
    cr_assert(strstr(want, "\"over_both\":") && strstr(want, "\"classes\":{\"a\":{\"rois\":"));
    free(want);
    free(got);
    remove_folder(folder[0]);
    remove_folder(folder[1]);
    free(w);
}
