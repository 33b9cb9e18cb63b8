/* Clue networks: points against direct versions, the maps against a plain computation of the whole
 * network in double precision, and the same bytes for any number of threads. */
#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/util_clues.h"
#include "tests/util/util_safetensors.h"
#include "weaksam/weaksam.h"

static char folder[] = "/tmp/weaksam-clues-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[4][256];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, 256, "%s/%s", folder, name);
    return p;
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/weaksam-clues-XXXXXX");
    if (!mkdtemp(folder))
        abort();
}

static void remove_folder(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        abort();
}

TestSuite(clues, .init = make_folder, .fini = remove_folder);

/* A twin of the family and its weight file; the checkpoint stays as FAMILY.safetensors. */
static wsam_model *open_model(const char *family, wsam_file_type type, int threads,
                              uint64_t max_memory)
{
    char checkpoint[256], file[256];
    wsam_convert_options o;
    wsam_options options;
    wsam_error error;
    wsam_model *model = NULL;
    snprintf(checkpoint, sizeof checkpoint, "%s/%s.safetensors", folder, family);
    snprintf(file, sizeof file, "%s/%s.wsam", folder, family);
    wsam_convert_options_default(&o);
    o.type = type;
    cr_assert_eq(wsam_write_twin(family, checkpoint, 0, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_convert(checkpoint, file, &o, &error), WSAM_OK, "%s", error.message);
    wsam_options_default(&options);
    options.threads = threads;
    options.max_memory = max_memory;
    cr_assert_eq(wsam_model_open(file, &options, &model, &error), WSAM_OK, "%s", error.message);
    return model;
}

/* ---- peaks and clusters ---- */

/* Noise on few levels, so that there are ties and plateaus. */
static void draw_map(float *map, int n, unsigned seed)
{
    for (int i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        map[i] = (float)(seed >> 24) / 255.0f;
    }
}

static void compare_peaks(int height, int width, const wsam_peak_params *p, unsigned seed)
{
    float *map = malloc((size_t)height * (size_t)width * sizeof *map);
    wsam_clue_point *got = malloc((size_t)p->most * sizeof *got),
                    *want = malloc((size_t)p->most * sizeof *want);
    cr_assert(map && got && want);
    draw_map(map, height * width, seed);
    int n;
    cr_assert(!wsam_peaks(map, height, width, p, got, &n));
    const int m = direct_peaks(map, height, width, p, want);
    cr_assert_eq(n, m, "%d x %d, window %d: %d points instead of %d", width, height, p->window, n,
                 m);
    for (int i = 0; i < n; i++)
        cr_expect(got[i].x >= want[i].x && got[i].x <= want[i].x && got[i].y >= want[i].y &&
                      got[i].y <= want[i].y,
                  "window %d, point %d: (%g,%g) instead of (%g,%g)", p->window, i, got[i].x,
                  got[i].y, want[i].x, want[i].y);
    free(map);
    free(got);
    free(want);
}

Test(clues, peaks_are_those_of_a_direct_search)
{
    static const int sizes[][2] = {{1, 1}, {1, 50}, {50, 1}, {33, 64}, {65, 97}, {130, 70}};
    static const int windows[] = {1, 3, 5, 17, 65, 129, 1001};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
            const wsam_peak_params published = {windows[w], 0.9, 25, -1};
            const wsam_peak_params loose = {windows[w], 0.0, 7, 3};
            compare_peaks(sizes[s][0], sizes[s][1], &published, (unsigned)(7 * s + w));
            compare_peaks(sizes[s][0], sizes[s][1], &loose, (unsigned)(100 + 7 * s + w));
        }
}

Test(clues, a_flat_map_has_peaks_in_row_major_order)
{
    const wsam_peak_params p = {5, 0.9, 4, 0};
    float map[6 * 5];
    wsam_clue_point points[4];
    for (int i = 0; i < 30; i++)
        map[i] = 1.0f;
    int n;
    cr_assert(!wsam_peaks(map, 6, 5, &p, points, &n));
    cr_assert_eq(n, 4);
    cr_expect(points[3].x > 2.5 && points[3].y < 0.5);
    for (int i = 0; i < 30; i++)
        map[i] = 0.0f;
    cr_expect(!wsam_peaks(map, 6, 5, &p, points, &n));
    cr_expect_eq(n, 0);
}

static int means_of(const double *points, size_t n, int k, uint64_t seed, double *centres)
{
    int found;
    cr_assert(!wsam_kmeans(points, n, k, seed, centres, &found));
    return found;
}

Test(clues, k_means_finds_separate_groups_and_repeats_itself)
{
    double points[60][2], first[3][2], again[3][2];
    for (int i = 0; i < 60; i++) {
        points[i][0] = 100.0 * (i % 3) + i % 7;
        points[i][1] = 50.0 * (i % 3) + i % 5;
    }
    cr_assert_eq(means_of(points[0], 60, 3, 0, first[0]), 3);
    cr_assert_eq(means_of(points[0], 60, 3, 0, again[0]), 3);
    cr_expect_eq(memcmp(first, again, sizeof first), 0);
    int seen = 0;
    for (int i = 0; i < 3; i++) {
        const int group = (int)(first[i][0] / 100.0 + 0.25);
        seen |= 1 << group;
        cr_expect(fabs(first[i][0] - 100.0 * group - 3.0) < 0.3);
        cr_expect(fabs(first[i][1] - 50.0 * group - 2.0) < 0.3);
    }
    cr_expect_eq(seen, 7);
}

Test(clues, k_means_has_no_more_centres_than_points_differ)
{
    const double points[5][2] = {{1, 2}, {1, 2}, {3, 4}, {1, 2}, {3, 4}};
    double centres[4][2];
    cr_expect_eq(means_of(points[0], 5, 4, 0, centres[0]), 2);
    cr_expect_eq(means_of(points[0], 5, 1, 9, centres[0]), 1);
    cr_expect(fabs(centres[0][0] - 1.8) < 1e-12 && fabs(centres[0][1] - 2.8) < 1e-12);
    cr_expect_eq(means_of(points[0], 0, 1, 0, centres[0]), 0);
}

/* ---- the network ---- */

static double relative(const double *want, const float *got, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        difference += (want[i] - (double)got[i]) * (want[i] - (double)got[i]);
        norm += want[i] * want[i];
    }
    return sqrt(difference / norm);
}

/* All outputs of one view of h x w pixels against the direct computation. */
static void compare_network(const char *family, direct_fusion fusion, int h, int w,
                            wsam_file_type type, double limit)
{
    char name[64];
    wsam_error error;
    wsam_model *model = open_model(family, type, 2, 0);
    wsam_session *session;
    wsam_image *state;
    float *image = malloc((size_t)(h * w * 3) * sizeof *image);
    draw_map(image, h * w * 3, 3);
    snprintf(name, sizeof name, "%s.safetensors", family);
    st_file *checkpoint = st_open(path_of(name));
    direct_maps *want = direct_network(checkpoint, family_heads(family), fusion, image, h, w);
    const wsam_dim dims[2] = {{"height", h}, {"width", w}};
    const wsam_tensor in = {"image", WSAM_F32, 3, {h, w, 3}, image};
    cr_assert_eq(wsam_session_create(model, "clues", &session, &error), WSAM_OK);
    cr_assert_eq(wsam_session_reserve(session, dims, 2, &error), WSAM_OK);
    cr_assert_eq(wsam_image_create(model, "clues", dims, 2, &state, &error), WSAM_OK);
    cr_assert_eq(wsam_session_bind(session, &in, 1, state, &error), WSAM_OK);
    static const char *const outputs[4] = {"logits", "coarse", "fused", "fine"};
    const double *const values[4] = {want->logits, want->coarse, want->fused, want->fine};
    for (int i = 0; i < 4; i++) {
        wsam_tensor t;
        cr_assert_eq(wsam_image_output(state, outputs[i], &t, &error), WSAM_OK);
        const size_t n = (size_t)want->classes * (i ? (size_t)(want->h * want->w) : 1);
        const double e = relative(values[i], t.data, n);
        cr_expect(e <= limit, "%s %d x %d %s: %g", family, w, h, outputs[i], e);
    }
    direct_free(want);
    st_close(checkpoint);
    wsam_image_free(state);
    wsam_session_free(session);
    wsam_model_close(model);
    free(image);
}

/* Square at the stored grid, other shapes with a remainder, and one patch. */
Test(clues, maps_are_those_of_a_direct_computation)
{
    static const int sizes[][2] = {{64, 64}, {67, 90}, {16, 16}, {112, 50}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int h = sizes[i][0], w = sizes[i][1];
        compare_network("weaktr_mini", DIRECT_BY_TOKENS, h, w, WSAM_FILE_F32, 2e-5);
        compare_network("weaktr_features_mini", DIRECT_BY_FEATURES, h, w, WSAM_FILE_F32, 2e-5);
        compare_network("weaktr_plain_mini", DIRECT_ALIKE, h, w, WSAM_FILE_F32, 2e-5);
        compare_network("weaktr_stem_mini", DIRECT_ALIKE, h, w, WSAM_FILE_F32, 2e-5);
    }
    compare_network("weaktr_stem_mini", DIRECT_ALIKE, 40, 40, WSAM_FILE_F32, 2e-5);
}

Test(clues, smaller_types_stay_close)
{
    compare_network("weaktr_mini", DIRECT_BY_TOKENS, 67, 90, WSAM_FILE_BF16, 0.03);
    compare_network("weaktr_mini", DIRECT_BY_TOKENS, 67, 90, WSAM_FILE_INT8, 0.1);
    compare_network("weaktr_stem_mini", DIRECT_ALIKE, 67, 90, WSAM_FILE_INT8, 0.1);
}

/* ---- pictures ---- */

static char *run_text(const char *family, int threads, const wsam_clues_params *params,
                      const char *tensors)
{
    wsam_error error;
    wsam_model *model = open_model(family, WSAM_FILE_F32, threads, 0);
    wsam_clues *clues;
    wsam_clues_result *result;
    wsam_picture picture;
    const int32_t labels[] = {2, 0, 2};
    cr_assert_eq(wsam_picture_draw(150, 211, &picture, &error), WSAM_OK);
    cr_assert_eq(wsam_clues_create(model, &clues, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_clues_run(clues, &picture, labels, 3, params, &result, &error), WSAM_OK, "%s",
                 error.message);
    cr_expect_eq(result->n, 2);
    cr_expect_eq(result->classes[1], 2);
    result->points->image = strdup("a.png");
    char *text;
    cr_assert(!wsam_points_json(result->points, &text));
    cr_assert_eq(wsam_clues_save_tensors(clues, result, tensors, &error), WSAM_OK);
    wsam_clues_result_free(result);
    wsam_clues_free(clues);
    wsam_model_close(model);
    wsam_picture_free(&picture);
    return text;
}

static int same_files(const char *a, const char *b)
{
    char command[600];
    snprintf(command, sizeof command, "cmp -s '%s' '%s'", a, b);
    return system(command) == 0;
}

Test(clues, any_number_of_threads_gives_the_same_bytes)
{
    static const int threads[] = {2, 3, 7};
    wsam_clues_params params;
    wsam_clues_params_default(&params);
    params.maps = WSAM_CLUES_COARSE | WSAM_CLUES_FINE | WSAM_CLUES_CROSS;
    params.size = 128;
    char *one = run_text("weaktr_mini", 1, &params, path_of("1.safetensors"));
    for (int i = 0; i < 3; i++) {
        char *text = run_text("weaktr_mini", threads[i], &params, path_of("n.safetensors"));
        cr_expect_str_eq(text, one);
        cr_expect(same_files(path_of("1.safetensors"), path_of("n.safetensors")));
        wsam_free(text);
    }
    wsam_free(one);
}

Test(clues, points_and_maps_are_in_pixels_of_the_picture)
{
    wsam_clues_params params;
    wsam_clues_params_default(&params);
    params.size = 96;
    params.n_layers = 2;
    params.layers[0] = 1;
    params.points_per_cluster = 0;
    params.maps = WSAM_CLUES_FINE | WSAM_CLUES_CROSS;
    char *text = run_text("weaktr_plain_mini", 2, &params, path_of("m.safetensors"));
    wsam_clue_points *points;
    wsam_error error;
    size_t n;
    cr_assert_eq(wsam_points_parse(text, strlen(text) - 1, "points", 1, &points, &error), WSAM_OK,
                 "%s", error.message);
    cr_expect_eq(points->width, 211);
    cr_expect(points->n > 3);
    st_file *file = st_open(path_of("m.safetensors"));
    const double *fine = st_values(file, "fine.class 2", &n);
    cr_assert_eq(n, 150 * 211);
    for (size_t i = 0; i < points->n; i++) {
        const wsam_clue_point *p = &points->points[i];
        if (p->source == WSAM_SOURCE_FINE && p->class_index == 1)
            cr_expect(fabs(fine[(int)p->y * 211 + (int)p->x] - p->score) < 1e-6);
        if (p->source == WSAM_SOURCE_CROSS)
            cr_expect(p->class_index == 0 || p->class_index == 1);
    }
    st_values(file, "cross.class 0", &n);
    cr_expect_eq(n, 6 * 150 * 211, "two layers of three heads");
    st_close(file);
    wsam_clue_points_free(points);
    wsam_free(text);
}

Test(clues, without_labels_the_logits_choose)
{
    wsam_error error;
    wsam_model *model = open_model("weaktr_mini", WSAM_FILE_F32, 1, 0);
    wsam_clues *clues;
    wsam_clues_result *result;
    wsam_picture picture;
    wsam_clues_params params;
    wsam_clues_params_default(&params);
    cr_assert_eq(wsam_picture_draw(64, 64, &picture, &error), WSAM_OK);
    cr_assert_eq(wsam_clues_create(model, &clues, &error), WSAM_OK);
    params.least_logit = 0.0;
    cr_assert_eq(wsam_clues_run(clues, &picture, NULL, 0, &params, &result, &error), WSAM_OK);
    size_t above = 0;
    for (size_t i = 0; i < result->n_classes; i++)
        above += result->logits[i] > 0.0f;
    cr_expect_eq(result->n, above);
    cr_expect(above > 0 && above < result->n_classes);
    const double weight = result->fine[0].weight;
    cr_expect(weight > 0.5 && weight < 1.0);
    wsam_clues_result_free(result);
    params.least_logit = 1e9; /* nobody: no points, and no fallback */
    cr_assert_eq(wsam_clues_run(clues, &picture, NULL, 0, &params, &result, &error), WSAM_OK);
    cr_expect_eq(result->n, 0);
    cr_expect_eq(result->points->n, 0);
    wsam_clues_result_free(result);
    wsam_clues_free(clues);
    wsam_model_close(model);
    wsam_picture_free(&picture);
}

/* ---- refusals ---- */

static void refused(wsam_clues *c, const wsam_picture *p, const int32_t *labels, size_t n,
                    const wsam_clues_params *params, wsam_status status)
{
    wsam_clues_result *result;
    wsam_error error = {0};
    cr_expect_eq(wsam_clues_run(c, p, labels, n, params, &result, &error), status);
    cr_expect_null(result);
    cr_expect(strlen(error.message) > 0);
}

Test(clues, refuses_what_makes_no_sense)
{
    wsam_error error;
    wsam_model *model = open_model("weaktr_mini", WSAM_FILE_F32, 1, 0);
    wsam_clues *clues;
    wsam_picture picture;
    wsam_clues_params params;
    const int32_t wrong[] = {20};
    cr_assert_eq(wsam_picture_draw(40, 40, &picture, &error), WSAM_OK);
    cr_assert_eq(wsam_clues_create(model, &clues, &error), WSAM_OK);
    refused(clues, &picture, wrong, 1, NULL, WSAM_ERR_ARGUMENT);
    wsam_clues_params_default(&params);
    params.cross.window = 128;
    refused(clues, &picture, wrong, 0, &params, WSAM_ERR_ARGUMENT);
    wsam_clues_params_default(&params);
    params.n_layers = 1;
    params.layers[0] = 3;
    refused(clues, &picture, wrong, 0, &params, WSAM_ERR_ARGUMENT);
    wsam_clues_free(clues);
    wsam_model_close(model);
    wsam_picture_free(&picture);
    model = open_model("sam_vit_mini", WSAM_FILE_F32, 1, 0);
    cr_expect_eq(wsam_clues_create(model, &clues, &error), WSAM_ERR_MISMATCH);
    wsam_model_close(model);
}

Test(clues, a_plan_above_the_memory_limit_is_refused)
{
    wsam_error error;
    wsam_model *model = open_model("weaktr_mini", WSAM_FILE_F32, 1, 3000000);
    wsam_clues *clues;
    wsam_picture picture;
    wsam_clues_params params;
    wsam_clues_result *result;
    const int32_t label = 1;
    wsam_clues_params_default(&params);
    cr_assert_eq(wsam_picture_draw(400, 400, &picture, &error), WSAM_OK);
    cr_assert_eq(wsam_clues_create(model, &clues, &error), WSAM_OK, "%s", error.message);
    params.size = 0;
    refused(clues, &picture, &label, 1, &params, WSAM_ERR_LIMIT);
    params.size = 64;
    cr_expect_eq(wsam_clues_run(clues, &picture, &label, 1, &params, &result, &error), WSAM_OK,
                 "%s", error.message);
    wsam_clues_result_free(result);
    wsam_clues_free(clues);
    wsam_model_close(model);
    wsam_picture_free(&picture);
}

static int give_up_after(void *user, double fraction)
{
    int *left = user;
    (void)fraction;
    return (*left)-- <= 0;
}

/* Asked within the first view, between views, and while maps become points. */
Test(clues, work_is_given_up_when_that_is_asked_for)
{
    wsam_error error;
    wsam_model *model = open_model("weaktr_mini", WSAM_FILE_F32, 1, 0);
    wsam_clues *clues;
    wsam_picture picture;
    wsam_clues_params params;
    wsam_clues_result *result;
    const int32_t label = 1;
    int left = INT_MAX;
    wsam_clues_params_default(&params);
    params.size = 64;
    params.progress = give_up_after;
    params.progress_user = &left;
    cr_assert_eq(wsam_picture_draw(64, 64, &picture, &error), WSAM_OK);
    cr_assert_eq(wsam_clues_create(model, &clues, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_clues_run(clues, &picture, &label, 1, &params, &result, &error), WSAM_OK);
    wsam_clues_result_free(result);
    const int asked = INT_MAX - left;
    cr_assert_gt(asked, 20);
    for (int i = 0; i < asked; i += i < asked - 8 ? asked / 4 : 1) {
        left = i;
        cr_expect_eq(wsam_clues_run(clues, &picture, &label, 1, &params, &result, &error),
                     WSAM_ERR_CANCELLED, "asked %d times", i);
    }
    params.progress = NULL;
    cr_assert_eq(wsam_clues_run(clues, &picture, &label, 1, &params, &result, &error), WSAM_OK);
    wsam_clues_result_free(result);
    wsam_clues_free(clues);
    wsam_model_close(model);
    wsam_picture_free(&picture);
}

Test(clues, class_names_are_kept_and_counted)
{
    static const char *const names[] = {"a cat", "\"dog\"", "kea"};
    wsam_error error;
    wsam_convert_options o;
    wsam_model *model = open_model("weaktr_plain_mini", WSAM_FILE_F32, 1, 0);
    wsam_clues *clues;
    wsam_model_close(model);
    wsam_convert_options_default(&o);
    o.classes = names;
    o.n_classes = 2;
    const char *checkpoint = path_of("weaktr_plain_mini.safetensors"), *file = path_of("c.wsam");
    cr_expect_eq(wsam_convert(checkpoint, file, &o, &error), WSAM_ERR_MISMATCH);
    o.n_classes = 3;
    cr_assert_eq(wsam_convert(checkpoint, file, &o, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_model_open(file, NULL, &model, &error), WSAM_OK);
    cr_assert_eq(wsam_clues_create(model, &clues, &error), WSAM_OK);
    cr_expect_eq(wsam_clues_class_count(clues), 3);
    cr_expect_eq(wsam_clues_class_find(clues, "\"dog\""), 1);
    cr_expect_eq(wsam_clues_class_find(clues, "dog"), -1);
    cr_expect_str_eq(wsam_clues_class_name(clues, 2), "kea");
    wsam_clues_free(clues);
    wsam_model_close(model);
    const char *const twice[] = {"kea", "kea", "cat"};
    o.classes = twice;
    cr_expect_eq(wsam_convert(checkpoint, file, &o, &error), WSAM_ERR_ARGUMENT);
}

/* Uniform fusion: the file of a network with a learned one gives what one without gives. */
Test(clues, uniform_fusion)
{
    static const char *const families[] = {"weaktr_mini", "weaktr_features_mini"};
    for (int f = 0; f < 2; f++) {
        char checkpoint[256], file[256];
        wsam_convert_options o;
        wsam_error error = {0};
        snprintf(checkpoint, sizeof checkpoint, "%s/%s.safetensors", folder, families[f]);
        snprintf(file, sizeof file, "%s/uniform.wsam", folder);
        wsam_convert_options_default(&o);
        o.uniform_fusion = 1;
        cr_assert_eq(wsam_write_twin(families[f], checkpoint, 0, &error), WSAM_OK, "%s",
                     error.message);
        cr_assert_eq(wsam_convert(checkpoint, file, &o, &error), WSAM_OK, "%s", error.message);
        wsam_model *model = NULL;
        wsam_session *session = NULL;
        wsam_image *state = NULL;
        wsam_tensor t;
        enum { SIDE = 48 };
        static float image[SIDE * SIDE * 3];
        for (int i = 0; i < SIDE * SIDE * 3; i++)
            image[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
        const wsam_dim dims[] = {{"height", SIDE}, {"width", SIDE}};
        const wsam_tensor in = {"image", WSAM_F32, 3, {SIDE, SIDE, 3}, image};
        cr_assert(!wsam_model_open(file, NULL, &model, &error), "%s", error.message);
        cr_assert(!wsam_session_create(model, "clues", &session, &error));
        cr_assert(!wsam_session_reserve(session, dims, 2, &error));
        cr_assert(!wsam_image_create(model, "clues", dims, 2, &state, &error));
        cr_assert(!wsam_session_bind(session, &in, 1, state, &error));
        st_file *values = st_open(checkpoint);
        cr_assert_not_null(values);
        direct_maps *want = direct_network(values, 4, DIRECT_ALIKE, image, SIDE, SIDE);
        cr_assert(!wsam_image_output(state, "fine", &t, &error));
        for (int i = 0; i < want->h * want->w * want->classes; i++)
            cr_expect_float_eq(((const float *)t.data)[i], want->fine[i],
                               1e-4 * (fabs(want->fine[i]) + 0.01));
        direct_free(want);
        st_close(values);
        wsam_image_free(state);
        wsam_session_free(session);
        wsam_model_close(model);
    }
}
