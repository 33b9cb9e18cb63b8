/* What kernels and runtime serve alone: a weight file's encoder, run on a made-up input.
 *
 * usage: minimal MODEL.wsam
 * build: cc minimal.c $(pkg-config --cflags --libs weaksam), against an install of MINIMAL=1 */
#include <stdio.h>
#include <stdlib.h>
#include <weaksam/kernels.h>
#include <weaksam/masks.h>
#include <weaksam/model.h>

static wsam_status run(wsam_model *model, wsam_error *error)
{
    wsam_session *session = NULL;
    wsam_image *state = NULL;
    wsam_tensor out = {.data = NULL};
    int64_t side = 0;
    if (!wsam_model_int(model, "picture.size", &side))
        return WSAM_ERR_UNSUPPORTED;
    const size_t n = (size_t)(side * side * 3);
    float *pixels = malloc(n * sizeof *pixels);
    if (!pixels)
        return WSAM_ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        pixels[i] = (float)(i % 255) / 127.0f - 1.0f;
    const wsam_tensor in = {"image", WSAM_F32, 3, {side, side, 3}, pixels};
    wsam_status status = wsam_session_create(model, "image_encoder", &session, error);
    if (!status)
        status = wsam_session_reserve(session, NULL, 0, error);
    if (!status)
        status = wsam_image_create(model, "image_encoder", NULL, 0, &state, error);
    if (!status)
        status = wsam_session_bind(session, &in, 1, state, error);
    if (!status)
        status = wsam_image_output(state, "embedding", &out, error);
    double sum = 0.0;
    for (int64_t i = 0; !status && i < out.shape[0] * out.shape[1] * out.shape[2]; i++)
        sum += (double)((const float *)out.data)[i] * (double)(i % 7 + 1);
    if (!status)
        printf("%s %lld x %lld x %lld %.17g\n", wsam_model_isa(model), (long long)out.shape[0],
               (long long)out.shape[1], (long long)out.shape[2], sum);
    wsam_image_free(state);
    wsam_session_free(session);
    free(pixels);
    return status;
}

int main(int argc, char **argv)
{
    const float a[4] = {0, 0, 2, 2}, b[4] = {1, 0, 3, 2};
    wsam_model *model = NULL;
    wsam_error error = {WSAM_OK, ""};
    if (argc != 2)
        return 2;
    printf("%s %.9g\n", wsam_version(), (double)wsam_box_iou(a, b));
    wsam_status status = wsam_model_open(argv[1], NULL, &model, &error);
    if (!status)
        status = run(model, &error);
    wsam_model_close(model);
    if (status)
        fprintf(stderr, "%s: %s\n", wsam_status_string(status), error.message);
    return status != WSAM_OK;
}
