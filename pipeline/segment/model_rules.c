/* pipeline/segment/model_rules.c - see model_rules.h. */
#include "pipeline/segment/model_rules.h"

#include <string.h>

#include "kernels/float_scope.h"

enum { MAX_SIZE = 16384 };

/* Which of two words a key holds: 0 or 1. */
static wsam_status read_choice(const wsam_model *model, const char *key, const char *zero,
                               const char *one, int *out, wsam_error *error)
{
    const char *text = wsam_model_string(model, key);
    if (!text)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "the model has no rule '%s': not a segmenter?",
                       key);
    *out = strcmp(text, one) == 0;
    if (!*out && strcmp(text, zero) != 0)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                       "the model's rule '%s' is '%.40s': expected %s or %s", key, text, zero, one);
    return WSAM_OK;
}

static wsam_status read_int(const wsam_model *model, const char *key, int64_t max, int *out,
                            wsam_error *error)
{
    int64_t value;
    if (!wsam_model_int(model, key, &value) || value < 0 || value > max)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                       "the model's rule '%s' is missing or beyond %lld", key, (long long)max);
    *out = (int)value;
    return WSAM_OK;
}

static wsam_status read_numbers(const wsam_model *model, const char *key, size_t n, float *out,
                                wsam_error *error)
{
    size_t count;
    const double *values = wsam_model_numbers(model, key, &count);
    if (!values || count != n)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "the model's rule '%s' is not %zu numbers", key,
                       n);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)values[i];
    return WSAM_OK;
}

wsam_status ws_model_rules_read(const wsam_model *m, ws_rules *r, wsam_error *error)
{
    wsam_status status;
    memset(r, 0, sizeof *r);
    r->model_id = wsam_model_string(m, "model.id");
    if (!r->model_id)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "the model has no 'model.id'");
    if ((status =
             read_choice(m, "picture.resize", "longest_side", "stretch", &r->stretch, error)) ||
        (status = read_int(m, "picture.size", MAX_SIZE, &r->size, error)) ||
        (status = read_numbers(m, "picture.unit", 1, &r->unit, error)) ||
        (status = read_numbers(m, "picture.mean", 3, r->mean, error)) ||
        (status = read_numbers(m, "picture.std", 3, r->std, error)) ||
        (status = read_choice(m, "prompt.pad_point", "none", "without_box", &r->pad_without_box,
                              error)) ||
        (status = read_int(m, "prompt.fixed_points", 4096, &r->fixed_points, error)) ||
        (status = read_int(m, "prompt.mask_size", MAX_SIZE, &r->mask_size, error)) ||
        (status = read_int(m, "prompt.negative_points", 1, &r->negative_points, error)) ||
        (status =
             read_choice(m, "output.resize", "crop_bilinear", "bicubic", &r->bicubic, error)) ||
        (status = read_choice(m, "output.threshold", ">", ">=", &r->inclusive, error)))
        return status;
    if (r->size < 16)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "the model's 'picture.size' is %d", r->size);
    return WSAM_OK;
}

wsam_status ws_model_rules_transform(const ws_rules *r, int height, int width, wsam_transform *t,
                                     wsam_error *error)
{
    *t = (wsam_transform){height, width, r->size, r->size, r->size};
    if (r->stretch)
        return WSAM_OK;
    const double scale = r->size * 1.0 / (height > width ? height : width);
    t->content_height = (int)(height * scale + 0.5);
    t->content_width = (int)(width * scale + 0.5);
    if (t->content_height < 1 || t->content_width < 1)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                       "an image of %d x %d is too thin: a side vanishes in the model's %d x %d",
                       width, height, r->size, r->size);
    return WSAM_OK;
}

wsam_status wsam_model_transform(const wsam_model *model, int height, int width,
                                 wsam_transform *transform, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_rules r;
    wsam_status status = ws_model_rules_read(model, &r, error);
    if (!status && (height < 1 || width < 1))
        status = ws_fail(error, WSAM_ERR_ARGUMENT, "an image of %d x %d", width, height);
    return status ? status : ws_model_rules_transform(&r, height, width, transform, error);
}

wsam_mask_geometry ws_model_rules_geometry(const ws_rules *r, int side, const wsam_transform *t)
{
    return (wsam_mask_geometry){.filter =
                                    r->bicubic ? WSAM_UPSCALE_BICUBIC : WSAM_UPSCALE_BILINEAR_TWICE,
                                .low_h = side,
                                .low_w = side,
                                .square_h = t->size,
                                .square_w = t->size,
                                .crop_h = t->content_height,
                                .crop_w = t->content_width,
                                .out_h = t->height,
                                .out_w = t->width};
}
