/* An image state in the memory of its session: the values of one that stands apart, in less of it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model.h"
#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "tests/util/suite_graph.h"
#include "weaksam/weaksam.h"

TestSuite(image_arena, .init = make_folder, .fini = remove_folder);

enum { SIDE = 24, CHANNELS = 8, VALUES = SIDE * SIDE * CHANNELS };

static wsam_status make_weight(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    (void)b, (void)r, (void)error;
    for (size_t i = 0; i < CHANNELS * 9 * CHANNELS; i++)
        out[i] = ((float)((i * 104729) % 2003) / 1001.5f - 1.0f) / 5.0f;
    return WSAM_OK;
}

static ws_ref conv(ws_builder *b, const char *name, ws_ref x)
{
    const uint32_t dims[4] = {CHANNELS, 3, 3, CHANNELS};
    const ws_recipe weight = ws_builder_recipe_new(make_weight);
    return ws_conv(b, name, x, ws_store_made(b, WS_ROLE_LINEAR, name, 4, dims, &weight),
                   WS_REF_NONE, 1, 1, 1);
}

/* Five convolutions, of which the third's result is handed out like the last one's; `prompts`: and a
 * value of each prompt. */
static wsam_model *open_model(int prompts)
{
    static const int32_t shape[3] = {SIDE, SIDE, CHANNELS};
    wsam_options options;
    ws_ref x;
    ws_builder *b = graph_begin("maps", WSAM_FILE_F32, shape, &x);
    const ws_ref early = conv(b, "two", conv(b, "one", conv(b, "zero", x)));
    ws_output(b, "early", early);
    ws_output(b, "late", conv(b, "four", conv(b, "three", early)));
    if (prompts)
        ws_output(b, "each",
                  ws_activation(b, "relu", ws_input(b, "y", WSAM_F32, WSAM_RATE_PROMPT, 3, shape),
                                "relu"));
    graph_write(b, "maps");
    wsam_options_default(&options);
    options.threads = 2;
    return graph_open("maps", &options);
}

/* Both outputs of an image whose values are `factor` times made-up ones. */
static void bind(wsam_session *s, wsam_image *image, float factor, float out[2][VALUES])
{
    static const char *const names[2] = {"early", "late"};
    static float x[VALUES];
    wsam_error error = {0};
    wsam_tensor view;
    const wsam_tensor in = {"x", WSAM_F32, 3, {SIDE, SIDE, CHANNELS}, x};
    for (size_t i = 0; i < VALUES; i++)
        x[i] = factor * ((float)((i * 7919) % 1009) / 504.5f - 1.0f);
    must(wsam_session_bind(s, &in, 1, image, &error), &error);
    for (int i = 0; i < 2; i++) {
        must(wsam_image_output(image, names[i], &view, &error), &error);
        memcpy(out[i], view.data, sizeof out[i]);
    }
}

Test(image_arena, values_are_those_of_a_state_apart)
{
    static float want[2][VALUES], got[2][VALUES];
    wsam_error error = {0};
    wsam_session *apart = NULL, *whole = NULL;
    wsam_image *image = NULL, *inside = NULL;
    wsam_model *model = open_model(0);
    must(wsam_session_create(model, "maps", &apart, &error), &error);
    must(wsam_session_reserve(apart, NULL, 0, &error), &error);
    must(wsam_image_create(model, "maps", NULL, 0, &image, &error), &error);
    must(wsam_session_create(model, "maps", &whole, &error), &error);
    must(ws_image_state_create_in(whole, NULL, 0, &inside, &error), &error);
    for (int i = 1; i < 3; i++) {
        bind(apart, image, (float)i, want);
        bind(whole, inside, (float)i, got);
        cr_expect_eq(memcmp(want, got, sizeof want), 0, "image %d", i);
    }
    cr_expect_lt(whole->plans[0].bytes, apart->plans[0].bytes + sizeof want);
    wsam_image_free(image);
    wsam_image_free(inside);
    wsam_session_free(apart);
    wsam_session_free(whole);
    wsam_model_close(model);
}

Test(image_arena, prompts_would_overwrite_it)
{
    wsam_error error = {0};
    wsam_session *s = NULL;
    wsam_image *image = NULL;
    wsam_model *model = open_model(1);
    must(wsam_session_create(model, "maps", &s, &error), &error);
    cr_expect_eq(ws_image_state_create_in(s, NULL, 0, &image, &error), WSAM_ERR_ARGUMENT);
    cr_expect_null(image);
    wsam_session_free(s);
    wsam_model_close(model);
}
