/* tests/util/util_toy_use.c - see util_toy.h: opening and running what was written. */
#include <string.h>

#include "tests/util/util_toy.h"
#include "weaksam/model.h"

wsam_status toy_open(const unsigned char *file, size_t size, int skip_checksums, wsam_error *error)
{
    wsam_options options;
    wsam_model *model = NULL;
    wsam_options_default(&options);
    options.threads = 1;
    options.isa = "c";
    options.skip_checksums = skip_checksums;
    memset(error, 0, sizeof *error);
    const wsam_status status = wsam_model_open_memory(file, size, &options, &model, error);
    wsam_model_close(model);
    return status;
}

wsam_status toy_use(const unsigned char *file, size_t size, wsam_error *error)
{
    float image[4 * 4 * 8], vectors[2 * 8], low_res[2 * 4 * 4];
    for (int i = 0; i < 4 * 4 * 8; i++)
        image[i] = (float)(i % 7) - 3.0f;
    for (int i = 0; i < 2 * 8; i++)
        vectors[i] = (float)(i % 5) - 2.0f;
    const wsam_dim dims[] = {{"points", 2}, {"prompts", 1}};
    const wsam_tensor pixels = {"image", WSAM_F32, 3, {4, 4, 8}, image};
    const wsam_tensor prompt = {"vectors", WSAM_F32, 3, {1, 2, 8}, vectors};
    wsam_tensor out = {"low_res", WSAM_F32, 4, {1, 2, 4, 4}, low_res}, embedding;
    wsam_options options;
    wsam_model *model = NULL;
    wsam_session *encoder = NULL, *decoder = NULL;
    wsam_image *encoded = NULL, *bound = NULL;
    wsam_options_default(&options);
    options.threads = 1;
    options.isa = "c";
    options.max_memory = 64 << 20;
    memset(error, 0, sizeof *error);
    wsam_status status = wsam_model_open_memory(file, size, &options, &model, error);
    if (status)
        return status;
    if ((status = wsam_session_create(model, "small_encoder", &encoder, error)) ||
        (status = wsam_session_reserve(encoder, NULL, 0, error)) ||
        (status = wsam_image_create(model, "small_encoder", NULL, 0, &encoded, error)) ||
        (status = wsam_session_bind(encoder, &pixels, 1, encoded, error)) ||
        (status = wsam_image_output(encoded, "embedding", &embedding, error)))
        goto done;
    embedding.name = "embedding";
    if ((status = wsam_session_create(model, "tiny_decoder", &decoder, error)) ||
        (status = wsam_session_reserve(decoder, dims, 2, error)) ||
        (status = wsam_image_create(model, "tiny_decoder", dims, 2, &bound, error)) ||
        (status = wsam_session_bind(decoder, &embedding, 1, bound, error)) ||
        (status = wsam_session_run(decoder, bound, dims, 2, &prompt, 1, &out, 1, error)))
        goto done;
done:
    wsam_image_free(bound);
    wsam_image_free(encoded);
    wsam_session_free(decoder);
    wsam_session_free(encoder);
    wsam_model_close(model);
    return status;
}
