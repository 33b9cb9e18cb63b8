/* Weight files: opened with and without right checksums, described, and run. The toy's writer gives
 * right checksums to what the fuzzer changed, so that validation is what is tested. */
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_toy.h"
#include "weaksam/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_encoder(wsam_model *model)
{
    float image[4 * 4 * 8] = {0};
    const wsam_tensor pixels = {"image", WSAM_F32, 3, {4, 4, 8}, image};
    wsam_session *session = NULL;
    wsam_image *bound = NULL;
    wsam_tensor view;
    if (!wsam_session_create(model, "small_encoder", &session, NULL) &&
        !wsam_session_reserve(session, NULL, 0, NULL) &&
        !wsam_image_create(model, "small_encoder", NULL, 0, &bound, NULL) &&
        !wsam_session_bind(session, &pixels, 1, bound, NULL))
        wsam_image_output(bound, "embedding", &view, NULL);
    wsam_image_free(bound);
    wsam_session_free(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *file = malloc(size ? size : 1);
    if (!file)
        return 0;
    if (size)
        memcpy(file, data, size);
    if (size && size % 2)
        toy_rehash(file, size - 1);
    wsam_options options;
    wsam_options_default(&options);
    options.threads = 1;
    options.isa = "c";
    options.max_memory = 64 << 20;
    wsam_error error;
    wsam_model *model = NULL;
    if (!wsam_model_open_memory(file, size % 2 ? size - 1 : size, &options, &model, &error)) {
        char *text;
        wsam_model_describe(model, &text, &error);
        wsam_free(text);
        run_encoder(model);
    }
    wsam_model_close(model);
    free(file);
    return 0;
}
