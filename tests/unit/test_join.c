/* Products that are computed together, block by block of rows: the bits of one after the other. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model.h"
#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "tests/util/suite_graph.h"
#include "weaksam/weaksam.h"

TestSuite(join, .init = make_folder, .fini = remove_folder);

/* Rows for more blocks than are cut by columns, and results wider than what they are made of. */
enum { HEIGHT = 32, WIDTH = 41, NARROW = 16, WIDE = 80, VALUES = HEIGHT * WIDTH * WIDE };

static wsam_status make_weight(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    (void)b, (void)error;
    for (int64_t i = 0; i < r->arg[0] * r->arg[1]; i++)
        out[i] = (float)((i * 104729 + 17) % 2003) / 1001.5f - 1.0f;
    return WSAM_OK;
}

static ws_ref product(ws_builder *b, const char *name, ws_ref x, uint32_t in, uint32_t out)
{
    const uint32_t dims[4] = {out, 1, 1, in};
    ws_recipe weight = ws_builder_recipe_new(make_weight);
    weight.arg[0] = out;
    weight.arg[1] = in;
    return ws_conv(b, name, x, ws_store_made(b, WS_ROLE_LINEAR, name, 4, dims, &weight),
                   WS_REF_NONE, 1, 0, 1);
}

/* Three products, each of the rows that the one before makes, and a fourth of the same as the third. */
static wsam_model *open_model(int threads)
{
    static const int32_t shape[3] = {HEIGHT, WIDTH, NARROW};
    wsam_options options;
    ws_ref x;
    ws_builder *b = graph_begin("rows", WSAM_FILE_F32, shape, &x);
    const ws_ref two = product(b, "two", product(b, "one", x, NARROW, NARROW), NARROW, NARROW);
    const ws_ref three = product(b, "three", two, NARROW, WIDE);
    const ws_ref four = product(b, "four", two, NARROW, WIDE);
    ws_output(b, "out", ws_activation(b, "relu", ws_add(b, "sum", four, three), "relu"));
    graph_write(b, "rows");
    wsam_options_default(&options);
    options.threads = threads;
    return graph_open("rows", &options);
}

static void count(void *user, const ws_exec *x, const ws_step *s)
{
    (void)x, (void)s;
    ++*(int *)user;
}

/* The result, and how many steps follow another. With an observer, who sees them alone. */
static size_t run(int threads, int *seen, float out[VALUES])
{
    static float x[HEIGHT * WIDTH * NARROW];
    const wsam_tensor in = {"x", WSAM_F32, 3, {HEIGHT, WIDTH, NARROW}, x};
    wsam_error error = {0};
    wsam_tensor view;
    wsam_session *s = NULL;
    wsam_image *image = NULL;
    wsam_model *model = open_model(threads);
    size_t joined = 0;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)((i * 7919) % 1009) / 504.5f - 1.0f;
    ws_model_observe(model, seen ? count : NULL, seen);
    must(wsam_session_create(model, "rows", &s, &error), &error);
    must(wsam_session_reserve(s, NULL, 0, &error), &error);
    must(wsam_image_create(model, "rows", NULL, 0, &image, &error), &error);
    must(wsam_session_bind(s, &in, 1, image, &error), &error);
    must(wsam_image_output(image, "out", &view, &error), &error);
    memcpy(out, view.data, VALUES * sizeof *out);
    for (size_t i = 0; i < s->program->n_steps; i++) {
        joined += (size_t)s->program->steps[i].follows;
        cr_expect_geq(s->seconds[i], 0.0, "step %zu has no time", i);
    }
    wsam_image_free(image);
    wsam_session_free(s);
    wsam_model_close(model);
    return joined;
}

Test(join, rows_are_those_of_products_one_by_one)
{
    static float alone[VALUES], together[VALUES], more[VALUES];
    int seen = 0;
    cr_expect_geq(run(1, &seen, alone), 2);
    cr_expect_geq(seen, 4);
    run(1, NULL, together);
    run(3, NULL, more);
    cr_expect_eq(memcmp(alone, together, sizeof alone), 0);
    cr_expect_eq(memcmp(alone, more, sizeof alone), 0);
}
