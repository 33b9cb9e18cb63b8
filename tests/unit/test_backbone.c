/* Frozen backbones: the graphs against a plain computation in double precision at many sizes, and the
 * same bytes for any number of threads. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "tests/util/util_backbone.h"
#include "weaksam/weaksam.h"
#include "weights/export/safetensors_writer.h"
#include "weights/import/source.h"

TestSuite(backbone, .init = make_folder, .fini = remove_folder);

/* ---- against double precision ---- */

static double relative(const double *want, const float *got, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        difference += (want[i] - (double)got[i]) * (want[i] - (double)got[i]);
        norm += want[i] * want[i];
    }
    return sqrt(difference / norm);
}

/* The picture as the network gets it where its sides are whole patches. */
static float *normalised(const wsam_picture *p)
{
    static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    const size_t n = (size_t)p->height * (size_t)p->width;
    float *image = malloc(n * 3 * sizeof *image);
    cr_assert_not_null(image);
    for (size_t i = 0; i < n * 3; i++) {
        const size_t row = i / 3 / (size_t)p->width, column = i / 3 % (size_t)p->width;
        image[i] = (float)((p->pixels[row * p->stride + column * 3 + i % 3] / 255.0 - mean[i % 3]) /
                           std[i % 3]);
    }
    return image;
}

/* A picture of h x w patches, none of it resized. */
static void compare_direct(const char *family, const char *mode, int patch, int h, int w)
{
    wsam_picture picture = {0};
    wsam_error error = {0};
    backbone_twin(family, "a.safetensors");
    backbone_convert("a.safetensors", "a.wsam", WSAM_FILE_F32, NULL, 0);
    must(wsam_picture_draw(h * patch < 16 ? 16 : h * patch, w * patch < 16 ? 16 : w * patch,
                           &picture, &error),
         &error);
    picture.height = h * patch;
    picture.width = w * patch;
    float *image = normalised(&picture);
    st_file *file = st_open(in_folder("a.safetensors"));
    cr_assert_not_null(file);
    direct_backbone *want =
        direct_backbone_run(file, mode, patch, image, picture.height, picture.width);
    for (int plain = 0; plain < 2; plain++) {
        wsam_model *model =
            backbone_open("a.wsam", 2, plain ? WSAM_LOWERING_PLAIN : WSAM_LOWERING_AUTO);
        wsam_backbone_result *got = backbone_run(model, &picture, (h > w ? h : w) * patch, 0);
        const size_t cells = (size_t)(h * w);
        cr_assert_eq(got->height, h);
        cr_assert_eq(got->width, w);
        cr_assert_eq(got->channels, want->width);
        cr_expect_lt(relative(want->patch_tokens, got->patch_tokens, cells * 64), 1e-5,
                     "%s %d x %d: patch tokens", family, h, w);
        cr_expect_lt(relative(want->class_token, got->class_token, 64), 1e-5, "%s %d x %d", family,
                     h, w);
        cr_expect_lt(relative(want->attention, got->attention, cells), 1e-5,
                     "%s %d x %d: attention", family, h, w);
        wsam_backbone_result_free(got);
        wsam_model_close(model);
    }
    direct_backbone_free(want);
    st_close(file);
    free(image);
    wsam_picture_free(&picture);
}

/* The stored grid, larger and smaller ones, square and not, and a single patch. */
Test(backbone, offset_positions)
{
    compare_direct("dinov2_mini", "offset", 14, 5, 5);
    compare_direct("dinov2_mini", "offset", 14, 3, 9);
    compare_direct("dinov2_mini", "offset", 14, 1, 1);
    compare_direct("dino_mini", "offset", 8, 11, 4);
}

Test(backbone, antialiased_positions)
{
    compare_direct("dinov2_reg_mini", "antialias", 14, 5, 5);
    compare_direct("dinov2_reg_mini", "antialias", 14, 2, 7);
    compare_direct("dinov2_reg_mini", "antialias", 14, 1, 3);
}

Test(backbone, size_positions)
{
    compare_direct("deit_mini", "size", 16, 4, 4);
    compare_direct("deit_mini", "size", 16, 7, 2);
    compare_direct("deit_mini", "size", 16, 2, 8);
}

/* ---- sizes, threads, mirror ---- */

Test(backbone, size_rule)
{
    static const struct {
        const char *family;
        int height, width, long_side, want_height, want_width;
    } cases[] = {
        {"dinov2_mini", 1200, 1800, 518, 350, 518}, {"dinov2_mini", 519, 333, 518, 518, 336},
        {"deit_mini", 374, 501, 448, 336, 448},     {"dinov2_mini", 480, 640, 640, 476, 644},
        {"deit_mini", 480, 640, 518, 384, 512},     {"deit_mini", 1, 60000, 160, 16, 160}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int size[2];
        wsam_backbone *backbone = NULL;
        wsam_error error = {0};
        backbone_twin(cases[i].family, "a.safetensors");
        backbone_convert("a.safetensors", "a.wsam", WSAM_FILE_F32, NULL, 0);
        wsam_model *model = backbone_open("a.wsam", 1, WSAM_LOWERING_AUTO);
        must(wsam_backbone_create(model, &backbone, &error), &error);
        must(wsam_backbone_size(backbone, cases[i].height, cases[i].width, cases[i].long_side, size,
                                &error),
             &error);
        cr_expect_eq(size[0], cases[i].want_height);
        cr_expect_eq(size[1], cases[i].want_width);
        cr_expect_eq(wsam_backbone_size(backbone, 0, 5, 100, size, &error), WSAM_ERR_ARGUMENT);
        cr_expect_eq(wsam_backbone_size(backbone, 5, 70000, 100, size, &error), WSAM_ERR_ARGUMENT);
        cr_expect_eq(wsam_backbone_size(backbone, 5, 5, 0, size, &error), WSAM_ERR_ARGUMENT);
        cr_expect_eq(wsam_backbone_size(backbone, 5, 5, 9000, size, &error), WSAM_ERR_ARGUMENT);
        wsam_backbone_free(backbone);
        wsam_model_close(model);
    }
}

Test(backbone, equal_bytes_with_any_threads)
{
    static const wsam_file_type types[] = {WSAM_FILE_F32, WSAM_FILE_BF16, WSAM_FILE_INT8};
    static const int threads[] = {1, 2, 3, 7};
    wsam_picture picture = {0};
    wsam_error error = {0};
    must(wsam_picture_draw(70, 123, &picture, &error), &error);
    backbone_twin("dinov2_reg_mini", "a.safetensors");
    for (int t = 0; t < 3; t++) {
        wsam_backbone_result *first = NULL;
        backbone_convert("a.safetensors", "a.wsam", types[t], NULL, 0);
        must(wsam_verify(in_folder("a.wsam"), &error), &error);
        for (int i = 0; i < 4; i++) {
            wsam_model *model = backbone_open("a.wsam", threads[i], WSAM_LOWERING_AUTO);
            wsam_backbone_result *r = backbone_run(model, &picture, 200, 0);
            if (first)
                cr_expect_arr_eq(r->patch_tokens, first->patch_tokens,
                                 backbone_floats(r) * sizeof(float));
            wsam_backbone_result_free(i ? r : NULL);
            if (!i)
                first = r;
            wsam_model_close(model);
        }
        wsam_backbone_result_free(first);
    }
    wsam_picture_free(&picture);
}

/* A picture mirrored by hand, against the option: the same cells in mirrored order. */
Test(backbone, mirror)
{
    wsam_picture picture = {0};
    wsam_error error = {0};
    must(wsam_picture_draw(56, 84, &picture, &error), &error);
    backbone_twin("dinov2_mini", "a.safetensors");
    backbone_convert("a.safetensors", "a.wsam", WSAM_FILE_F32, NULL, 0);
    wsam_model *model = backbone_open("a.wsam", 2, WSAM_LOWERING_AUTO);
    wsam_backbone_result *want = backbone_run(model, &picture, 84, 1);
    uint8_t *pixels = malloc((size_t)(56 * 84 * 3));
    cr_assert_not_null(pixels);
    for (int i = 0; i < 56 * 84; i++)
        memcpy(pixels + i * 3,
               picture.pixels + (size_t)(i / 84) * picture.stride + (83 - i % 84) * 3, 3);
    const wsam_picture turned = {56, 84, 3, 84 * 3, pixels, NULL};
    wsam_backbone_result *got = backbone_run(model, &turned, 84, 0);
    for (int cell = 0; cell < 4 * 6; cell++)
        cr_expect_arr_eq(want->patch_tokens + cell * 64,
                         got->patch_tokens + (cell / 6 * 6 + 5 - cell % 6) * 64,
                         64 * sizeof(float));
    cr_expect_arr_eq(want->class_token, got->class_token, 64 * sizeof(float));
    wsam_backbone_result_free(want);
    wsam_backbone_result_free(got);
    wsam_model_close(model);
    wsam_picture_free(&picture);
    free(pixels);
}

/* ---- types ---- */

static double distance(const wsam_backbone_result *want, const wsam_backbone_result *got)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < (size_t)(want->height * want->width * want->channels); i++) {
        const double d = (double)want->patch_tokens[i] - (double)got->patch_tokens[i];
        difference += d * d;
        norm += (double)want->patch_tokens[i] * (double)want->patch_tokens[i];
    }
    return sqrt(difference / norm);
}

/* int8 stays within 1.25 times of W8A8 as papers simulate it, bf16 near f32. */
Test(backbone, types)
{
    static const char *const families[] = {"dinov2_mini", "dinov2_reg_mini", "deit_mini"};
    wsam_picture picture = {0};
    wsam_error error = {0};
    must(wsam_picture_draw(224, 160, &picture, &error), &error);
    for (int f = 0; f < 3; f++) {
        wsam_backbone_result *r[4];
        backbone_twin(families[f], "a.safetensors");
        for (int i = 0; i < 4; i++) {
            static const wsam_file_type types[] = {WSAM_FILE_F32, WSAM_FILE_BF16, WSAM_FILE_INT8,
                                                   WSAM_FILE_INT8};
            backbone_convert("a.safetensors", "a.wsam", types[i], NULL, i == 3);
            wsam_model *model = backbone_open("a.wsam", 2, WSAM_LOWERING_AUTO);
            r[i] = backbone_run(model, &picture, 224, 0);
            wsam_model_close(model);
        }
        cr_expect_lt(distance(r[0], r[1]), 5e-3, "%s: bf16", families[f]);
        cr_expect_leq(distance(r[0], r[2]), 1.25 * distance(r[0], r[3]),
                      "%s: int8 %g, simulated %g", families[f], distance(r[0], r[2]),
                      distance(r[0], r[3]));
        for (int i = 0; i < 4; i++)
            wsam_backbone_result_free(r[i]);
    }
    wsam_picture_free(&picture);
}
