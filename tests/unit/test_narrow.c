/* Maps between int8 products are stored in bf16: as exact as int8 is, in half the memory, and the same
 * for any number of threads. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "tests/util/suite_graph.h"
#include "weaksam/weaksam.h"
#include "weights/builder.h"
#include "weights/operators.h"

TestSuite(narrow, .init = make_folder, .fini = remove_folder);

/* Widths that end in the middle of tasks and tiles. */
enum { HEIGHT = 44, WIDTH = 60, CHANNELS = 32, WIDE = 96, VALUES = HEIGHT * WIDTH * WIDE };

static wsam_status make_weight(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    size_t n = 1;
    (void)b, (void)error;
    for (int i = 0; i < 4; i++)
        n *= (size_t)r->arg[i];
    for (size_t i = 0; i < n; i++)
        out[i] = ((float)((i * 104729 + 31) % 2003) / 1001.5f - 1.0f) /
                 sqrtf((float)(n / (size_t)r->arg[0]));
    return WSAM_OK;
}

static ws_ref conv(ws_builder *b, const char *name, ws_ref x, uint32_t in, uint32_t out,
                   uint32_t kernel, int stride)
{
    const uint32_t dims[4] = {out, kernel, kernel, in};
    ws_recipe weight = ws_builder_recipe_new(make_weight);
    for (int i = 0; i < 4; i++)
        weight.arg[i] = (int64_t)dims[i];
    const ws_ref w = ws_store_made(b, WS_ROLE_LINEAR, name, 4, dims, &weight);
    return ws_conv(b, name, x, w, WS_REF_NONE, stride, (int)kernel / 2, 1);
}

/* What a detector's maps go through: patches, rows, points, a residual, pooling, the pyramid's sum. */
static void write_model(wsam_file_type type)
{
    const int32_t shape[3] = {HEIGHT, WIDTH, CHANNELS};
    ws_ref x;
    ws_builder *b = graph_begin("maps", type, shape, &x);
    ws_ref y = ws_activation(b, "relu", conv(b, "rows", x, CHANNELS, WIDE, 1, 1), "relu");
    ws_ref z = ws_activation(b, "relu2", conv(b, "points", y, WIDE, WIDE, 3, 1), "relu");
    z = ws_add(b, "add", conv(b, "more", z, WIDE, WIDE, 1, 1), y);
    const ws_ref fine = ws_activation(b, "relu3", z, "relu");
    ws_ref coarse = ws_op(b, "max_pool2d", "pool", WS_UNARY_INPUTS, &fine);
    ws_attr_int(b, "kernel", 3);
    ws_attr_int(b, "stride", 2);
    ws_attr_int(b, "pad", 1);
    coarse = ws_add(b, "sum", conv(b, "side", coarse, WIDE, WIDE, 1, 1),
                    conv(b, "strided", fine, WIDE, WIDE, 3, 2));
    const ws_ref both[] = {[WS_TOP_DOWN_FINE] = conv(b, "lateral", fine, WIDE, WIDE, 1, 1),
                           [WS_TOP_DOWN_COARSE] = coarse};
    const ws_ref merged = ws_op(b, "top_down", "merged", WS_TOP_DOWN_INPUTS, both);
    ws_ref last = conv(b, "last", merged, WIDE, WIDE, 3, 1);
    last = ws_op(b, "max_pool2d", "same", WS_UNARY_INPUTS,
                 &last); /* handed out, it has larger tiles */
    ws_attr_int(b, "kernel", 1);
    ws_attr_int(b, "stride", 1);
    ws_attr_int(b, "pad", 0);
    ws_output(b, "out", last);
    graph_write(b, "maps");
}

static float *computed(wsam_lowering lowering, int threads, uint64_t *bytes)
{
    static const int32_t shape[3] = {HEIGHT, WIDTH, CHANNELS};
    return graph_output("maps", shape, lowering, threads, VALUES, bytes);
}

Test(narrow, maps_take_less_and_lose_little)
{
    uint64_t bytes, plain_bytes;
    write_model(WSAM_FILE_F32);
    float *exact = computed(WSAM_LOWERING_PLAIN, 3, &bytes);
    write_model(WSAM_FILE_INT8);
    float *plain = computed(WSAM_LOWERING_PLAIN, 3, &plain_bytes),
          *more = computed(WSAM_LOWERING_AUTO, 3, &bytes),
          *y = computed(WSAM_LOWERING_AUTO, 1, &bytes);
    const double lost = graph_distance(y, exact, VALUES),
                 lost_by_int8 = graph_distance(plain, exact, VALUES);
    cr_expect_eq(memcmp(y, more, VALUES * sizeof *y), 0);
    cr_expect(lost < 1.5 * lost_by_int8, "%g, in f32 maps %g", lost, lost_by_int8);
    cr_expect_lt(bytes, plain_bytes / 10 * 7, "%llu bytes, plain %llu", (unsigned long long)bytes,
                 (unsigned long long)plain_bytes);
    free(exact);
    free(plain);
    free(more);
    free(y);
}
