/* tests/util/suite_graph.c - see suite_graph.h. */
#include "tests/util/suite_graph.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "weights/writer.h"

ws_builder *graph_begin(const char *name, wsam_file_type type, const int32_t shape[3], ws_ref *x)
{
    wsam_convert_options options;
    wsam_error error = {0};
    wsam_convert_options_default(&options);
    options.type = type;
    ws_builder *b = ws_builder_new(NULL, &options, &error);
    cr_assert_not_null(b, "%s", error.message);
    ws_graph_begin(b, name);
    *x = ws_input(b, "x", WSAM_F32, WSAM_RATE_IMAGE, 3, shape);
    return b;
}

static const char *file_of(const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.wsam", name);
    return in_folder(file);
}

void graph_write(ws_builder *b, const char *name)
{
    wsam_error error = {0};
    must(ws_writer_write(b, file_of(name), &error), &error);
    ws_builder_free(b);
}

wsam_model *graph_open(const char *name, const wsam_options *options)
{
    wsam_model *model = NULL;
    wsam_error error = {0};
    must(wsam_model_open(file_of(name), options, &model, &error), &error);
    return model;
}

static float *made_up(const int32_t shape[3])
{
    const size_t n = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    float *x = malloc(n * sizeof *x);
    cr_assert_not_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * 7919) % 1009) / 504.5f - 1.0f;
    return x;
}

float *graph_output(const char *name, const int32_t shape[3], wsam_lowering lowering, int threads,
                    size_t values, uint64_t *bytes)
{
    wsam_options options;
    wsam_error error = {0};
    wsam_session *session = NULL;
    wsam_image *image = NULL;
    wsam_tensor out;
    float *x = made_up(shape), *y = malloc(values * sizeof *y);
    const wsam_tensor in = {"x", WSAM_F32, 3, {shape[0], shape[1], shape[2]}, x};
    wsam_options_default(&options);
    options.lowering = lowering;
    options.threads = threads;
    wsam_model *model = graph_open(name, &options);
    must(wsam_session_create(model, name, &session, &error), &error);
    if (bytes)
        must(wsam_plan_bytes(model, name, NULL, 0, bytes, &error), &error);
    must(wsam_session_reserve(session, NULL, 0, &error), &error);
    must(wsam_image_create(model, name, NULL, 0, &image, &error), &error);
    must(wsam_session_bind(session, &in, 1, image, &error), &error);
    must(wsam_image_output(image, "out", &out, &error), &error);
    cr_assert_eq(out.type, WSAM_F32);
    cr_assert_not_null(y);
    memcpy(y, out.data, values * sizeof *y);
    wsam_image_free(image);
    wsam_session_free(session);
    wsam_model_close(model);
    free(x);
    return y;
}

double graph_distance(const float *x, const float *y, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - (double)y[i];
        difference += d * d;
        norm += (double)y[i] * (double)y[i];
    }
    cr_assert(norm > 0.0);
    return sqrt(difference / norm);
}
