/* The oneDNN backend where it cannot do what was asked. The Makefile links this suite with --wrap
 * for the two functions of oneDNN that a run may see fail. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/backend_onednn.h"
#include "tests/util/util_toy.h"
#include "weaksam/model.h"

static int out_of_memory; /* oneDNN's answer to the next execution */

int __real_dnnl_primitive_execute(const void *primitive, void *stream, int n, const void *args);
int __wrap_dnnl_primitive_execute(const void *primitive, void *stream, int n, const void *args);

int __wrap_dnnl_primitive_execute(const void *primitive, void *stream, int n, const void *args)
{
    enum { DNNL_OUT_OF_MEMORY = 1 };
#ifdef WS_HAVE_ONEDNN
    if (!out_of_memory)
        return __real_dnnl_primitive_execute(primitive, stream, n, args);
#endif
    (void)primitive, (void)stream, (void)n, (void)args;
    return DNNL_OUT_OF_MEMORY;
}

static wsam_status open_toy(unsigned char **file, const char *isa, wsam_model **model,
                            wsam_error *error)
{
    toy t;
    size_t size;
    wsam_options options;
    toy_init(&t);
    *file = toy_write(&t, &size);
    wsam_options_default(&options);
    options.backend = WSAM_BACKEND_ONEDNN;
    options.isa = isa;
    return wsam_model_open_memory(*file, size, &options, model, error);
}

Test(onednn, a_failed_run_is_an_error)
{
    float image[4 * 4 * 8] = {0};
    const wsam_tensor pixels = {"image", WSAM_F32, 3, {4, 4, 8}, image};
    unsigned char *file;
    wsam_model *model;
    wsam_session *session;
    wsam_image *encoded;
    wsam_tensor view;
    wsam_error error;
    if (!ws_onednn_built())
        cr_skip_test("built without oneDNN (Debian package libdnnl-dev)");
    cr_assert(!open_toy(&file, NULL, &model, &error), "%s", error.message);
    cr_assert(!wsam_session_create(model, "small_encoder", &session, &error), "%s", error.message);
    cr_assert(!wsam_session_reserve(session, NULL, 0, &error), "%s", error.message);
    cr_assert(!wsam_image_create(model, "small_encoder", NULL, 0, &encoded, &error));
    cr_expect(!wsam_session_bind(session, &pixels, 1, encoded, &error), "%s", error.message);
    out_of_memory = 1;
    cr_expect_eq(wsam_session_bind(session, &pixels, 1, encoded, &error), WSAM_ERR_MEMORY);
    cr_expect(strstr(error.message, "oneDNN"), "%s", error.message);
    cr_expect(wsam_image_output(encoded, "embedding", &view, &error),
              "a failed bind left a result");
    out_of_memory = 0;
    cr_expect(!wsam_session_bind(session, &pixels, 1, encoded, &error), "%s", error.message);
    wsam_image_free(encoded);
    wsam_session_free(session);
    wsam_model_close(model);
    free(file);
}

Test(onednn, its_level_is_settled_once_and_only_lowered)
{
    unsigned char *file;
    wsam_model *model;
    wsam_error error;
    if (!ws_onednn_built())
        cr_skip_test("built without oneDNN (Debian package libdnnl-dev)");
    if (!wsam_isa_supported("avx512"))
        cr_skip_test("needs a machine with avx512");
    cr_assert(!open_toy(&file, "avx2", &model, &error), "%s", error.message);
    cr_expect_str_eq(ws_onednn_isa(), "avx2");
    wsam_model_close(model);
    free(file);
    cr_expect(!open_toy(&file, "avx512", &model, &error), "more may be asked for: %s",
              error.message);
    wsam_model_close(model);
    free(file);
    cr_expect_eq(open_toy(&file, "c", &model, &error), WSAM_ERR_UNSUPPORTED);
    cr_expect(strstr(error.message, "cannot be lowered"), "%s", error.message);
    free(file);
}
