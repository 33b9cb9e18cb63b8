/* The forms of attention between few tokens and many rows (runtime/steps/steps_cross_attention.c,
 * low_rank_rows.c), each against operator by operator, on a mask decoder of the published size. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/util_safetensors.h"
#include "tests/util/util_twin.h"
#include "weaksam/weaksam.h"

enum { GRID = 64, WIDTH = 256, SIDE = 256, PROMPTS = 2 };

static char folder[64], model_path[96], checkpoint[96];

static void setup(void)
{
    wsam_error error = {0};
    snprintf(folder, sizeof folder, "/tmp/weaksam-tokens-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(checkpoint, sizeof checkpoint, "%s/t.st", folder);
    snprintf(model_path, sizeof model_path, "%s/m.wsam", folder);
    cr_assert(!wsam_write_twin("mobile_sam", checkpoint, 0, &error) &&
                  !wsam_convert(checkpoint, model_path, NULL, &error),
              "%s", error.message);
}

static void teardown(void)
{
    unlink(checkpoint);
    unlink(model_path);
    rmdir(folder);
}

TestSuite(tokens, .init = setup, .fini = teardown);

/* Logits of one mask, and scores, of `prompts` prompts from number `first` on with so many points.
 * The session has been reserved for `reserved` points. */
static float *decode(wsam_lowering lowering, int threads, int64_t first, int64_t prompts,
                     int64_t points, int64_t reserved)
{
    wsam_error error = {0};
    wsam_options options;
    wsam_model *model = NULL;
    wsam_session *session = NULL;
    wsam_image *image = NULL;
    const wsam_dim most[] = {{"prompts", prompts}, {"points", reserved}, {"masks", 1}};
    const wsam_dim dims[] = {{"prompts", prompts}, {"points", points}, {"masks", 1}};
    const size_t area = SIDE * SIDE;
    float *embedding = malloc(GRID * GRID * WIDTH * sizeof *embedding);
    float *xy = malloc(sizeof *xy * 2 * (size_t)(PROMPTS * points));
    int32_t *labels = malloc(sizeof *labels * (size_t)(PROMPTS * points));
    float *out = malloc(sizeof *out * (size_t)prompts * (area + 1));
    cr_assert(embedding && xy && labels && out);
    twin_uniform("tokens.embedding", GRID * GRID * WIDTH, embedding);
    twin_uniform("tokens.points", 2 * (size_t)(PROMPTS * points), xy);
    for (int64_t i = 0; i < PROMPTS * points; i++) {
        xy[2 * i] = 512.0f + 500.0f * xy[2 * i];
        xy[2 * i + 1] = 512.0f + 500.0f * xy[2 * i + 1];
        labels[i] = i % points == points - 1 ? -1 : (int32_t)(i % 2);
    }
    wsam_options_default(&options);
    options.lowering = lowering;
    options.threads = threads;
    const wsam_tensor bound = {"embedding", WSAM_F32, 3, {GRID, GRID, WIDTH}, embedding};
    const wsam_tensor in[] = {
        {"points", WSAM_F32, 3, {prompts, points, 2}, xy + 2 * first * points},
        {"labels", WSAM_S32, 2, {prompts, points}, labels + first * points}};
    wsam_tensor results[] = {{"low_res", WSAM_F32, 4, {prompts, 1, SIDE, SIDE}, out},
                             {"iou", WSAM_F32, 2, {prompts, 1}, out + (size_t)prompts * area}};
    cr_assert(!wsam_model_open(model_path, &options, &model, &error) &&
                  !wsam_session_create(model, "mask_decoder", &session, &error) &&
                  !wsam_session_reserve(session, most, 3, &error) &&
                  !wsam_image_create(model, "mask_decoder", dims, 3, &image, &error) &&
                  !wsam_session_bind(session, &bound, 1, image, &error) &&
                  !wsam_session_run(session, image, dims, 3, in, 2, results, 2, &error),
              "%s", error.message);
    wsam_image_free(image);
    wsam_session_free(session);
    wsam_model_close(model);
    free(embedding);
    free(xy);
    free(labels);
    return out;
}

static double relative(const float *a, const float *b, size_t n)
{
    double difference = 0.0, size = 0.0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / size);
}

/* 2 points are 7 tokens: both levels pay. 8 are 13: the first one does. 25 are 30: rows are stored
 * and projected. */
Test(tokens, every_form_is_the_plain_result)
{
    static const int64_t points[] = {2, 8, 25};
    for (int i = 0; i < 3; i++) {
        float *plain = decode(WSAM_LOWERING_PLAIN, 2, 0, PROMPTS, points[i], points[i]);
        float *fused = decode(WSAM_LOWERING_AUTO, 2, 0, PROMPTS, points[i], points[i]);
        const double error = relative(fused, plain, PROMPTS * (SIDE * SIDE + 1));
        cr_expect(error < 2e-5, "%d points: %g", (int)points[i], error);
        free(plain);
        free(fused);
    }
}

/* A decoder of three layers: rows of the third are stored, behind rows of a level that are closer
 * together and whose place they must not take. */
Test(tokens, a_third_layer_is_the_plain_result)
{
    wsam_error error = {0};
    st_file *two = st_open(checkpoint);
    cr_assert(two &&
              st_write_doubled(two, checkpoint, "transformer.layers.1.", "transformer.layers.2."));
    st_close(two);
    cr_assert(!wsam_convert(checkpoint, model_path, NULL, &error), "%s", error.message);
    float *plain = decode(WSAM_LOWERING_PLAIN, 2, 0, PROMPTS, 2, 2);
    float *fused = decode(WSAM_LOWERING_AUTO, 2, 0, PROMPTS, 2, 2);
    const double deviation = relative(fused, plain, PROMPTS * (SIDE * SIDE + 1));
    cr_expect(deviation < 2e-5, "%g", deviation);
    free(plain);
    free(fused);
}

/* The bytes depend neither on threads nor on the other prompts nor on what was reserved. */
Test(tokens, the_same_bytes_for_any_grouping)
{
    static const int64_t points[] = {2, 25};
    static const int threads[] = {1, 3, 7};
    for (int i = 0; i < 2; i++) {
        const size_t area = SIDE * SIDE;
        float *two = decode(WSAM_LOWERING_AUTO, 2, 0, PROMPTS, points[i], points[i]);
        for (int k = 0; k < 3; k++) {
            float *one = decode(WSAM_LOWERING_AUTO, threads[k], 1, 1, points[i], 25);
            cr_expect_arr_eq(one, two + area, area * sizeof *one);
            cr_expect_arr_eq(one + area, two + 2 * area + 1, sizeof *one);
            free(one);
        }
        free(two);
    }
}
