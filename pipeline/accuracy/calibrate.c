/* pipeline/accuracy/calibrate.c - wsam_calibrate: runs the f32 encoder over pictures and watches
 * its norms.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/float_scope.h"
#include "pipeline/accuracy/verify_against.h"
#include "runtime/model.h"
#include "weaksam/accuracy.h"
#include "weaksam/picture.h"
#include "weights/calibration.h"

typedef struct watcher {
    wsam_calibration *calibration;
    wsam_status status;
    wsam_error *error;
} watcher;

/* Plain lowering: every norm is a step of its own, its rows are complete behind it. */
static void watch(void *user, const ws_exec *x, const ws_step *s)
{
    watcher *w = user;
    if (w->status || s->kind != &ws_step_layer_norm)
        return;
    const ws_op_view v = ws_step_view(x, s);
    const ws_tensor_def *weight = ws_ref_tensor(v.file, v.op->inputs[WS_NORM_WEIGHT]);
    if (weight)
        w->status = ws_calibration_add(w->calibration, weight->name, ws_step_out(x, s, 0),
                                       (size_t)ws_step_out_rows(x, s),
                                       (size_t)ws_step_out_columns(x, s), w->error);
}

/* Plain lowering: an int8 product is a step of its own, whose input is still there behind it. */
static void watch_products(void *user, const ws_exec *x, const ws_step *s)
{
    watcher *w = user;
    if (w->status || s->kind != &ws_step_gemm)
        return;
    const ws_op_view v = ws_step_view(x, s);
    const ws_tensor_def *weight = ws_ref_tensor(v.file, v.op->inputs[WS_PRODUCT_WEIGHT]);
    const ws_shape shape = ws_step_input_shape(x, s, WS_PRODUCT_X);
    if (weight && weight->type == WSAM_S8)
        w->status = ws_calibration_add(
            w->calibration, weight->name, ws_step_operand(x, &s->in[WS_STEP_ROWS], 0),
            (size_t)ws_rows(&shape), (size_t)ws_columns(&shape), w->error);
}

static wsam_status run_picture(wsam_model *model, wsam_session *session, wsam_image *image,
                               const char *path, float *input, int64_t size, wsam_error *error)
{
    wsam_picture picture = {0};
    wsam_status status = wsam_picture_load(path, NULL, &picture, error);
    if (!status)
        status = wsam_model_preprocess(model, &picture, input, error);
    wsam_picture_free(&picture);
    const wsam_tensor in = {"image", WSAM_F32, 3, {size, size, 3}, input};
    if (!status)
        status = wsam_session_bind(session, &in, 1, image, error);
    return status;
}

static wsam_status run_pictures(wsam_model *model, const char *const *paths, size_t n,
                                ws_observe_fn *observe, watcher *w, wsam_error *error)
{
    wsam_session *session = NULL;
    wsam_image *image = NULL;
    int64_t size = 0;
    if (!wsam_model_int(model, "picture.size", &size))
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "this family has no image rules");
    float *input = malloc((size_t)(size * size * 3) * sizeof *input);
    wsam_status status =
        input ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory to calibrate");
    if (!status)
        status = wsam_session_create(model, "image_encoder", &session, error);
    if (!status)
        status = wsam_session_reserve(session, NULL, 0, error);
    if (!status)
        status = wsam_image_create(model, "image_encoder", NULL, 0, &image, error);
    if (!status)
        ws_model_observe(model, observe, w);
    for (size_t i = 0; i < n && !status; i++) {
        status = run_picture(model, session, image, paths[i], input, size, error);
        if (!status)
            status = w->status;
    }
    wsam_image_free(image);
    wsam_session_free(session);
    free(input);
    return status;
}

/* Opens the file in plain lowering and runs its encoder over the pictures. */
static wsam_status watch_model(const char *path, const char *const *pictures, size_t n,
                               const wsam_options *options, ws_observe_fn *observe,
                               wsam_calibration **calibration, wsam_error *error)
{
    wsam_options run;
    wsam_model *model = NULL;
    if (options)
        run = *options;
    else
        wsam_options_default(&run);
    run.lowering = WSAM_LOWERING_PLAIN;
    run.backend = WSAM_BACKEND_NATIVE;
    wsam_calibration *c = calloc(1, sizeof *c);
    if (!c)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory to calibrate");
    wsam_status status = wsam_model_open(path, &run, &model, error);
    if (!status) {
        watcher w = {c, WSAM_OK, error};
        status = run_pictures(model, pictures, n, observe, &w, error);
    }
    wsam_model_close(model);
    if (status) {
        wsam_calibration_free(c);
        return status;
    }
    *calibration = c;
    return WSAM_OK;
}

wsam_status wsam_calibrate(const char *checkpoint, const wsam_convert_options *convert,
                           const char *const *pictures, size_t n, const wsam_options *options,
                           wsam_calibration **calibration, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    char path[1024] = "";
    *calibration = NULL;
    if (n == 0)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no image to calibrate with");
    wsam_status status = ws_verify_against_convert(checkpoint, convert, path, sizeof path, error);
    if (!status)
        status = watch_model(path, pictures, n, options, watch, calibration, error);
    if (*path)
        unlink(path);
    return status;
}

wsam_status wsam_calibrate_onnx(const char *model, const char *const *pictures, size_t n,
                                const wsam_options *options, wsam_calibration **calibration,
                                wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *calibration = NULL;
    if (n == 0)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no image to calibrate with");
    return watch_model(model, pictures, n, options, watch_products, calibration, error);
}
