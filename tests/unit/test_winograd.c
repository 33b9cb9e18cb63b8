/* A convolution of 3x3 by Winograd's points: the same values as from patches, for any number of threads. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "tests/util/suite_graph.h"
#include "weaksam/weaksam.h"
#include "weights/builder.h"

TestSuite(winograd, .init = make_folder, .fini = remove_folder);

enum { IN_CHANNELS = 64, OUT_CHANNELS = 70, ROWS = 21, COLUMNS = 50 };
enum { VALUES = ROWS * COLUMNS * OUT_CHANNELS };

static wsam_status make_weight(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    (void)b, (void)r, (void)error;
    for (size_t i = 0; i < OUT_CHANNELS * 9 * IN_CHANNELS; i++)
        out[i] = (float)((i * 104729) % 2003) / 1001.5f - 1.0f;
    return WSAM_OK;
}

static wsam_status make_bias(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    (void)b, (void)r, (void)error;
    for (int i = 0; i < OUT_CHANNELS; i++)
        out[i] = (float)i;
    return WSAM_OK;
}

static float *convolved(wsam_lowering lowering, int threads)
{
    static const int32_t shape[3] = {ROWS, COLUMNS, IN_CHANNELS};
    return graph_output("conv", shape, lowering, threads, VALUES, NULL);
}

/* A convolution; `in_between`: whose map is not what the graph hands out, but pooled, of single pixels. */
static void write_model(wsam_file_type type, int in_between)
{
    const int32_t shape[3] = {ROWS, COLUMNS, IN_CHANNELS};
    const uint32_t dims[4] = {OUT_CHANNELS, 3, 3, IN_CHANNELS}, one[1] = {OUT_CHANNELS};
    ws_ref x;
    ws_builder *b = graph_begin("conv", type, shape, &x);
    const ws_recipe weight = ws_builder_recipe_new(make_weight),
                    bias = ws_builder_recipe_new(make_bias);
    const ws_ref w = ws_store_made(b, WS_ROLE_LINEAR, "w", 4, dims, &weight);
    ws_ref y =
        ws_conv(b, "conv", x, w, ws_store_made(b, WS_ROLE_EXACT, "b", 1, one, &bias), 1, 1, 1);
    if (in_between) {
        y = ws_op(b, "max_pool2d", "pool", WS_UNARY_INPUTS, &y);
        ws_attr_int(b, "kernel", 1);
        ws_attr_int(b, "stride", 1);
        ws_attr_int(b, "pad", 0);
    }
    ws_output(b, "out", y);
    graph_write(b, "conv");
}

/* By points for any number of threads the same; not by patches, but as close as it has to be: the
 * distance. */
static double check_points(wsam_file_type type, int in_between, double limit)
{
    write_model(type, in_between);
    float *points = convolved(WSAM_LOWERING_AUTO, 1), *more = convolved(WSAM_LOWERING_AUTO, 3),
          *patches = convolved(WSAM_LOWERING_PLAIN, 1);
    const double d = graph_distance(points, patches, VALUES);
    cr_expect_eq(memcmp(points, more, VALUES * sizeof *points), 0);
    cr_expect(d > 0.0, "both are computed alike");
    cr_expect(d < limit, "%g", d);
    free(points);
    free(more);
    free(patches);
    return d;
}

Test(winograd, points_give_the_convolution)
{
    check_points(WSAM_FILE_F32, 0, 1e-6);
}

/* Inputs and weights are rounded to 1/127 of their largest, by patches and by points: the last map by
 * 36 points, which have twice the error, others by 16. */
Test(winograd, points_in_int8_give_the_convolution)
{
    const double last = check_points(WSAM_FILE_INT8, 0, 0.03);
    const double between = check_points(WSAM_FILE_INT8, 1, 0.015);
    cr_expect(last > 1.5 * between, "%g and %g", last, between);
}
