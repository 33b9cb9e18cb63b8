/* tests/golden/golden_clues.c - the clue network of published size against tensors that the
 * official PyTorch modules gave (float32) on the same name-derived weights.
 *
 * usage: golden_clues GOLDEN WORK
 *
 * Every GOLDEN/weaktr.*.safetensors: one view of its picture (the test card, or
 * GOLDEN/../photos/FILE) at native size through the graph `clues`. Output is TAP. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_safetensors.h"
#include "tests/util/util_trace.h"
#include "weaksam/weaksam.h"

/* Relative L2 errors: f32, and what the smaller types have been seen to stay below. */
static const struct type {
    const char *name;
    wsam_file_type type;
    double limit;
} types[] = {
    {"f32", WSAM_FILE_F32, 1e-4}, {"bf16", WSAM_FILE_BF16, 0.01}, {"int8", WSAM_FILE_INT8, 0.05}};

static int failures;

static void verdict(const char *file, const char *type, const char *what, double error,
                    double limit)
{
    const int ok = error <= limit;
    failures += !ok;
    printf("%s - golden %s %s (%s): %.2e\n", ok ? "ok" : "not ok", file, what, type, error);
    fflush(stdout);
}

static void must(wsam_status status, const wsam_error *error)
{
    if (!status)
        return;
    printf("not ok - golden clues: %s\n", error->message);
    exit(1);
}

static float *draw_card(int w, int h, const double *mean, const double *std)
{
    float *image = malloc((size_t)w * (size_t)h * 3 * sizeof *image), *to = image;
    if (!image)
        abort();
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++, to += 3) {
            const int dx = x - w / 3, dy = y - h / 2;
            int rgb[3] = {(5 * x + 3 * y) & 255, (x * x + y * y) >> 6 & 255, (x ^ y) & 255};
            if (dx * dx + dy * dy < (h / 5) * (h / 5))
                rgb[0] = 220, rgb[1] = 40, rgb[2] = 30;
            if (abs(x - 2 * w / 3) < w / 8 && abs(y - h / 2) < h / 4)
                rgb[0] = 30, rgb[1] = 60, rgb[2] = 200;
            for (int c = 0; c < 3; c++)
                to[c] = ((float)rgb[c] / 255.0f - (float)mean[c]) / (float)std[c];
        }
    return image;
}

static float *load_photo(const char *path, int w, int h, const double *mean, const double *std)
{
    wsam_picture p;
    wsam_error error;
    must(wsam_picture_load(path, NULL, &p, &error), &error);
    if (p.width != w || p.height != h) {
        printf("not ok - %s is not %d x %d\n", path, w, h);
        exit(1);
    }
    float *image = malloc((size_t)w * (size_t)h * 3 * sizeof *image);
    for (size_t i = 0; image && i < (size_t)w * (size_t)h; i++)
        for (size_t c = 0; c < 3; c++)
            image[3 * i + c] =
                ((float)p.pixels[i / (size_t)w * p.stride + i % (size_t)w * 3 + c] / 255.0f -
                 (float)mean[c]) /
                (float)std[c];
    wsam_picture_free(&p);
    return image;
}

/* Golden maps are [K][h][w]; those of the graph [h][w][K] where `last` is K, else alike. */
static double relative_error(st_file *golden, const char *name, const wsam_image *state,
                             const char *output, int classes_last)
{
    wsam_tensor t;
    wsam_error error;
    size_t n, m = 1;
    const double *want = st_values(golden, name, &n);
    must(wsam_image_output(state, output, &t, &error), &error);
    for (int d = 0; d < t.rank; d++)
        m *= (size_t)t.shape[d];
    if (!want || n != m)
        return NAN;
    const size_t k = classes_last ? (size_t)t.shape[2] : 1, plane = m / k;
    const float *got = t.data;
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double d = want[i] - (double)got[classes_last ? i % plane * k + i / plane : i];
        difference += d * d;
        norm += want[i] * want[i];
    }
    return sqrt(difference / norm);
}

static void compare(st_file *golden, const char *file, const struct type *type,
                    const wsam_image *state)
{
    static const struct {
        const char *golden, *output;
        int last;
    } tensors[] = {{"logits", "logits", 0},    {"coarse", "coarse", 1},
                   {"fine", "fine", 1},        {"fused_cross", "fused", 1},
                   {"cross_l8", "cross_8", 0}, {"cross_l9", "cross_9", 0}};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++)
        verdict(
            file, type->name, tensors[i].golden,
            relative_error(golden, tensors[i].golden, state, tensors[i].output, tensors[i].last),
            type->limit);
}

static void run_file(const char *folder, const char *file, const struct type *type,
                     const char *model_path)
{
    char path[1200];
    wsam_error error;
    wsam_model *model;
    wsam_session *session;
    wsam_image *state;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    st_file *golden = st_open(path);
    if (!golden) {
        printf("ok - golden %s # SKIP not there\n", file);
        return;
    }
    must(wsam_model_open(model_path, NULL, &model, &error), &error);
    const int w = atoi(st_note(golden, "width")), h = atoi(st_note(golden, "height"));
    const double *mean = wsam_model_numbers(model, "picture.mean", &n);
    const double *std = wsam_model_numbers(model, "picture.std", &n);
    const char *photo = st_note(golden, "image");
    snprintf(path, sizeof path, "%s/../photos/%s", folder, photo);
    float *image =
        strstr(photo, ".jpg") ? load_photo(path, w, h, mean, std) : draw_card(w, h, mean, std);
    const wsam_dim dims[] = {{"height", h}, {"width", w}};
    const wsam_tensor in = {"image", WSAM_F32, 3, {h, w, 3}, image};
    must(wsam_session_create(model, "clues", &session, &error), &error);
    must(wsam_session_reserve(session, dims, 2, &error), &error);
    must(wsam_image_create(model, "clues", dims, 2, &state, &error), &error);
    must(wsam_session_bind(session, &in, 1, state, &error), &error);
    compare(golden, file, type, state);
    wsam_image_free(state);
    wsam_session_free(session);
    wsam_model_close(model);
    free(image);
    st_close(golden);
}

/* After a failure: the first operator that differs, on the test card. */
static void explain(const char *model, double tolerance)
{
    wsam_picture card = {0};
    wsam_error error;
    must(wsam_picture_draw(480, 640, &card, &error), &error);
    util_trace_explain(model, &card, tolerance);
    wsam_picture_free(&card);
}

int main(int argc, char **argv)
{
    char checkpoint[1200], model[1200];
    wsam_error error;
    if (argc != 3) {
        fprintf(stderr, "usage: golden_clues GOLDEN WORK\n");
        return 2;
    }
    snprintf(checkpoint, sizeof checkpoint, "%s/weaktr.safetensors", argv[2]);
    snprintf(model, sizeof model, "%s/weaktr.wsam", argv[2]);
    must(wsam_write_twin("weaktr", checkpoint, 0, &error), &error);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        wsam_convert_options options;
        wsam_convert_options_default(&options);
        options.type = types[i].type;
        const int before = failures;
        must(wsam_convert(checkpoint, model, &options, &error), &error);
        run_file(argv[1], "weaktr.card.safetensors", &types[i], model);
        run_file(argv[1], "weaktr.dog.safetensors", &types[i], model);
        if (failures > before)
            explain(model, types[i].limit);
    }
    return failures != 0;
}
