/* tests/unit/test_tokens.c - clue heads on tokens: gradients of every layer and of the loss, what
 * the scores say, learning with any threads and after a stop, and the file that comes of it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/tokens/clue_train.h"
#include "pipeline/train/random.h"
#include "tests/util/suite_folder.h"

/* ---- the head in double ---- */

#include "tests/util/double_products.h"

static void gelu_forward(product_space *space, size_t n, const double *x, double *y)
{
    (void)space;
    for (size_t i = 0; i < n; i++)
        y[i] = 0.5 * x[i] * (1.0 + erf(x[i] / sqrt(2.0)));
}

static void bell(product_space *space, size_t n, const double *x, double *y)
{
    (void)space;
    for (size_t i = 0; i < n; i++)
        y[i] = exp(-0.5 * x[i] * x[i]) / sqrt(2.0 * 3.14159265358979323846);
}

#include "pipeline/tokens/clue_network_template.h"

enum {
    HEIGHT = 5,
    WIDTH = 4,
    N = HEIGHT * WIDTH,
    CLASSES = 3,
    OUT = CLASSES * WS_CLUE_OUTPUTS,
    IN = 6,
    HIDDEN = 5,
    PARAMETERS = HIDDEN * (IN + 1) + OUT * (HIDDEN + 1)
};

static const uint8_t shown[CLASSES] = {1, 0, 1};
static const double positive[CLASSES] = {1.0, 2.0, 3.5};
static const ws_clue_loss loss_of = {
    .cells = {HEIGHT, WIDTH, CLASSES}, .shown = shown, .positive = positive, .smooth = 0.05};

static void fill(double *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 4.0 * (double)ws_uniform(seed, i) - 2.0;
}

static double loss_at(const double *values, double *gradient)
{
    double scratch[4 * N];
    return ws_clue_loss_image(&loss_of, values, gradient, NULL, scratch);
}

static void expect_close(double got, double wants, size_t i)
{
    cr_expect(fabs(got - wants) < 1e-6 * fmax(1.0, fabs(wants)), "value %zu: %g, not %g", i, got,
              wants);
}

Test(tokens, gradient_of_the_loss)
{
    static double values[N * OUT], gradient[N * OUT], unused[N * OUT];
    const double step = 1e-5;
    fill(values, N * OUT, 1);
    loss_at(values, gradient);
    for (size_t i = 0; i < N * OUT; i++) {
        const double held = values[i];
        values[i] = held + step;
        const double above = loss_at(values, unused);
        values[i] = held - step;
        const double below = loss_at(values, unused);
        values[i] = held;
        expect_close(gradient[i], (above - below) / (2.0 * step), i);
    }
}

static clue_layers layers_in(double *block)
{
    clue_layers l = {.in = IN, .hidden = HIDDEN, .out = OUT};
    l.w[0] = block;
    l.b[0] = l.w[0] + HIDDEN * IN;
    l.w[1] = l.b[0] + HIDDEN;
    l.b[1] = l.w[1] + OUT * HIDDEN;
    return l;
}

typedef struct head_run {
    double x[N * IN], before[N * HIDDEN], h[N * HIDDEN], y[N * OUT], dy[N * OUT];
} head_run;

static double run_head(head_run *r, double *parameters)
{
    const clue_layers l = layers_in(parameters);
    const clue_rows rows = {r->x, r->before, r->h, r->y};
    int space = 0;
    clue_forward(&space, &l, N, &rows);
    return loss_at(r->y, r->dy);
}

Test(tokens, gradients_of_both_layers)
{
    static head_run r;
    static double parameters[PARAMETERS], gradient[PARAMETERS], dh[N * HIDDEN], bells[N * HIDDEN];
    double sums[OUT];
    const double step = 1e-5;
    int space = 0;
    fill(r.x, N * IN, 2);
    fill(parameters, PARAMETERS, 3);
    run_head(&r, parameters);
    const clue_layers l = layers_in(parameters);
    clue_layers to = layers_in(gradient);
    const clue_rows rows = {r.x, r.before, r.h, r.y};
    clue_backward(&space, &l, N, &rows, r.dy, dh, bells, sums, &to);
    for (size_t i = 0; i < PARAMETERS; i++) {
        const double held = parameters[i];
        parameters[i] = held + step;
        const double above = run_head(&r, parameters);
        parameters[i] = held - step;
        const double below = run_head(&r, parameters);
        parameters[i] = held;
        expect_close(gradient[i], (above - below) / (2.0 * step), i);
    }
}

/* ---- scores ---- */

Test(tokens, a_map_adds_its_neighbours_taps)
{
    static double values[N * OUT];
    double map[N];
    const ws_clue_cells cells = {HEIGHT, WIDTH, CLASSES};
    values[(2 * WIDTH + 1) * OUT + WS_CLUE_OUTPUTS + 0] =
        3.0; /* class 1, the tap to the upper left */
    ws_clue_loss_map_branch(&cells, 1, values, map);
    for (int i = 0; i < N; i++)
        cr_expect_float_eq(map[i], i == 3 * WIDTH + 2 ? 3.0 : 0.0, 1e-12, "cell %d", i);
}

Test(tokens, scores_of_a_small_object)
{
    static double values[N * OUT];
    double map[N], attention[N], sorted[N], s[2];
    const ws_clue_cells cells = {HEIGHT, WIDTH, CLASSES};
    values[7 * OUT + 4] = 6.0; /* the middle tap of class 0 */
    values[7 * OUT + WS_CLUE_ATTENTION] = 50.0;
    values[7 * OUT + WS_CLUE_VALUE] = 2.5;
    ws_clue_loss_map_branch(&cells, 0, values, map);
    ws_clue_loss_attention(&cells, 0, values, attention);
    ws_clue_loss_scores(&cells, 0, values, map, attention, sorted, s);
    /* the best 3 of 20 cells are 6, 0 and 0; equal ones count all, and all others are 0 */
    cr_expect_float_eq(s[0], 0.5 * (6.0 / N + 6.0), 1e-12);
    cr_expect_float_eq(s[1], 2.5, 1e-9);
}

/* ---- learning ---- */

TestSuite(token_files, .init = make_folder, .fini = remove_folder);

enum { IMAGES = 24, CHANNELS = 16, SIDE = 5, CELLS = SIDE * SIDE };

/* Cells of noise; in those of an image of class k, one has a large channel k. */
static void make_cells(ws_region_set *set, wsam_labels *labels, int channels)
{
    static size_t first[IMAGES + 1];
    static int32_t classes[IMAGES];
    static char names[2][8] = {"left", "right"}, *list[2] = {names[0], names[1]};
    static char images[IMAGES][16], *files[IMAGES], paths[IMAGES][128];
    static float rows[CELLS * 2 * 64];
    const char *records[IMAGES];
    const ws_region_layout layout = {
        .n_groups = 2,
        .count = 2 * (size_t)channels,
        .groups = {{"backbone", 0, (uint32_t)channels},
                   {"mirrored", (uint32_t)channels, (uint32_t)channels}}};
    wsam_proposal items[CELLS];
    wsam_error error;
    const size_t row = 2 * (size_t)channels;
    for (size_t i = 0; i < IMAGES; i++) {
        const int kind = (int)(i % 3); /* 2: neither */
        for (size_t k = 0; k < CELLS * row; k++)
            rows[k] = ws_uniform(i + 1, k) - 0.5f;
        for (size_t v = 0; v < 2 && kind < 2; v++)
            rows[(i * 7 % CELLS) * row + v * (size_t)channels + (size_t)kind] = 8.0f;
        for (size_t k = 0; k < CELLS; k++) {
            const float x = (float)(k % SIDE * 10), y = (float)(k / SIDE * 10);
            items[k] = (wsam_proposal){.box = {x, y, x + 9, y + 9}};
        }
        const wsam_proposals p = {.width = 50, .height = 50, .n = CELLS, .items = items};
        snprintf(images[i], sizeof images[i], "%02zu.png", i);
        char *path = ws_region_path(in_folder(""), images[i], "regions");
        snprintf(paths[i], sizeof paths[i], "%s", path);
        free(path);
        records[i] = paths[i];
        cr_assert_eq(ws_region_file_save(paths[i], &p, &layout, rows, &error), WSAM_OK);
        files[i] = images[i];
        first[i + 1] = first[i];
        if (kind < 2)
            classes[first[i + 1]++] = kind;
    }
    *labels = (wsam_labels){.n = IMAGES,
                            .images = files,
                            .first = first,
                            .classes = classes,
                            .n_classes = 2,
                            .names = list};
    if (set) {
        cr_assert_eq(ws_region_set_gather(in_folder("all"), records, IMAGES, &error), WSAM_OK);
        cr_assert_eq(ws_region_set_open(in_folder("all"), set, &error), WSAM_OK);
    }
}

typedef struct stop_at {
    double fraction;
} stop_at;

static int stop(void *user, double fraction)
{
    return fraction >= ((const stop_at *)user)->fraction;
}

/* At an instruction-set level; NULL: the best. */
static wsam_status train_at(const char *isa, const ws_region_set *set, const wsam_labels *labels,
                            int threads, const char *state, stop_at *at, ws_clue_head *head)
{
    static uint32_t use[IMAGES];
    static float losses[40];
    wsam_error error;
    ws_clue_train_options o;
    const wsam_kernels *kernels;
    for (uint32_t i = 0; i < IMAGES; i++)
        use[i] = i;
    cr_assert_eq(wsam_kernels_for(isa, &kernels, &error), WSAM_OK);
    ws_clue_train_defaults(&o);
    o.hidden = 32;
    o.epochs = 40;
    o.threads = threads;
    o.state = state;
    o.losses = losses;
    o.progress = at ? stop : NULL;
    o.progress_user = at;
    const wsam_status status = ws_clue_train(head, set, labels, use, IMAGES, &o, kernels, &error);
    if (!status)
        cr_expect(losses[39] < 0.8f * losses[0], "%g, then %g", (double)losses[0],
                  (double)losses[39]);
    return status;
}

static wsam_status train(const ws_region_set *set, const wsam_labels *labels, int threads,
                         const char *state, stop_at *at, ws_clue_head *head)
{
    return train_at(NULL, set, labels, threads, state, at, head);
}

/* Levels that multiply bf16 round operands to it: other bytes than with f32, and weights near. */
Test(token_files, products_are_bf16_where_the_machine_has_them)
{
    static const char *const levels[] = {"avx512bf16", "amx", "i8mm"};
    ws_region_set set;
    wsam_labels labels;
    ws_clue_head exact, rounded;
    make_cells(&set, &labels, CHANNELS);
    cr_assert_eq(train_at("c", &set, &labels, 1, NULL, NULL, &exact), WSAM_OK);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        double difference = 0.0, all = 0.0;
        if (wsam_isa_missing(levels[i]))
            continue;
        cr_assert_eq(train_at(levels[i], &set, &labels, 1, NULL, NULL, &rounded), WSAM_OK);
        for (size_t k = 0; k < exact.count; k++) {
            const double a = (double)exact.block[k], b = (double)rounded.block[k];
            difference += (a - b) * (a - b);
            all += a * a;
        }
        cr_expect(difference > 1e-10 * all && difference < 1e-2 * all, "%s: %g of %g", levels[i],
                  difference, all);
        ws_clue_head_free(&rounded);
    }
    ws_clue_head_free(&exact);
    ws_region_set_close(&set);
}

Test(token_files, the_same_bytes_with_any_threads)
{
    static const int threads[] = {2, 3, 7};
    ws_region_set set;
    wsam_labels labels;
    ws_clue_head one, other;
    make_cells(&set, &labels, CHANNELS);
    cr_assert_eq(train(&set, &labels, 1, NULL, NULL, &one), WSAM_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(train(&set, &labels, threads[i], NULL, NULL, &other), WSAM_OK);
        cr_expect_arr_eq(one.block, other.block, one.count * sizeof(float), "%d threads",
                         threads[i]);
        ws_clue_head_free(&other);
    }
    ws_clue_head_free(&one);
    ws_region_set_close(&set);
}

Test(token_files, goes_on_where_it_was_stopped)
{
    ws_region_set set;
    wsam_labels labels;
    ws_clue_head one, other;
    stop_at half = {0.5};
    make_cells(&set, &labels, CHANNELS);
    cr_assert_eq(train(&set, &labels, 1, NULL, NULL, &one), WSAM_OK);
    cr_assert_eq(train(&set, &labels, 1, in_folder("state"), &half, &other), WSAM_ERR_CANCELLED);
    cr_assert_eq(access(in_folder("state"), F_OK), 0, "its state is written when it is stopped");
    cr_assert_eq(train(&set, &labels, 3, in_folder("state"), NULL, &other), WSAM_OK);
    cr_expect_arr_eq(one.block, other.block, one.count * sizeof(float));
    ws_clue_head_free(&one);
    ws_clue_head_free(&other);
    ws_region_set_close(&set);
}
