/* pipeline/segment/prompt_tokens.c - from a prompt in pixels to the tokens that a decoder graph
 * takes. */
#include <math.h>

#include "pipeline/segment/model_rules.h"

enum { LABEL_PADDING = -1, LABEL_CORNER_0 = 2, LABEL_CORNER_1 = 3 };

/* A picture's size beyond its edges is odd but possible; further away is a mistake. */
static int within(double v, int side)
{
    return isfinite(v) && v >= -(double)side && v <= 2.0 * side;
}

static wsam_status check_point(const ws_rules *r, const wsam_transform *t, const wsam_point *p,
                               size_t index, size_t i, wsam_error *error)
{
    if (!within(p->x, t->width) || !within(p->y, t->height))
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "prompt %zu: point %zu (%g,%g) is far outside the image of %d x %d", index,
                       i, p->x, p->y, t->width, t->height);
    if (p->label != 0 && p->label != 1)
        return ws_fail(
            error, WSAM_ERR_ARGUMENT,
            "prompt %zu: point %zu has label %d: expected 1 (foreground) or 0 (background)", index,
            i, p->label);
    if (p->label == 0 && !r->negative_points)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                       "prompt %zu: point %zu is background; this model has no background points",
                       index, i);
    return WSAM_OK;
}

static wsam_status check_box(const wsam_transform *t, const double *b, size_t index,
                             wsam_error *error)
{
    if (!within(b[0], t->width) || !within(b[2], t->width) || !within(b[1], t->height) ||
        !within(b[3], t->height))
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "prompt %zu: box (%g,%g,%g,%g) is far outside the image of %d x %d", index,
                       b[0], b[1], b[2], b[3], t->width, t->height);
    if (b[0] > b[2] || b[1] > b[3])
        return ws_fail(
            error, WSAM_ERR_ARGUMENT,
            "prompt %zu: box (%g,%g,%g,%g): expected x0,y0,x1,y1 with x0 <= x1, y0 <= y1", index,
            b[0], b[1], b[2], b[3]);
    return WSAM_OK;
}

static wsam_status check_mask(const ws_rules *r, const wsam_prompt *p, size_t index,
                              wsam_error *error)
{
    const size_t n = (size_t)r->mask_size * (size_t)r->mask_size;
    if (!r->mask_size)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "prompt %zu: this model takes no mask prompts",
                       index);
    if (p->mask_side != r->mask_size)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "prompt %zu: a mask of %d x %d; this model needs %d x %d", index,
                       p->mask_side, p->mask_side, r->mask_size, r->mask_size);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(p->mask[i]))
            return ws_fail(error, WSAM_ERR_ARGUMENT,
                           "prompt %zu: the mask holds values that are not finite", index);
    return WSAM_OK;
}

/* Of the decoders' graphs, where padding and corners of a box are points, too. */
size_t ws_prompt_tokens_most_points(const ws_rules *r, int has_box)
{
    const size_t most = r->fixed_points ? (size_t)r->fixed_points : 4096;
    return most - (has_box ? 2 : r->pad_without_box && !r->fixed_points);
}

wsam_status ws_prompt_tokens_check(const ws_rules *r, const wsam_transform *t, const wsam_prompt *p,
                                   size_t index, wsam_error *error)
{
    const size_t given = p->n_points + (p->has_box ? 2 : 0);
    wsam_status status = WSAM_OK;
    if (given == 0)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "prompt %zu: expected points, a box, or both",
                       index);
    if (!r->fixed_points && p->n_points > ws_prompt_tokens_most_points(r, p->has_box))
        return ws_fail(error, WSAM_ERR_LIMIT, "prompt %zu: %zu points; the limit is %zu", index,
                       p->n_points, ws_prompt_tokens_most_points(r, p->has_box));
    if (r->fixed_points && given > (size_t)r->fixed_points)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                       "prompt %zu: this model takes %d points, where a box counts as two", index,
                       r->fixed_points);
    for (size_t i = 0; i < p->n_points && !status; i++)
        status = check_point(r, t, &p->points[i], index, i, error);
    if (!status && p->has_box)
        status = check_box(t, p->box, index, error);
    if (!status && p->mask)
        status = check_mask(r, p, index, error);
    return status;
}

/* Where their number is fixed, what is left of it is padding. */
static int needs_padding(const ws_rules *r, const wsam_prompt *p)
{
    return r->pad_without_box && !r->fixed_points && !p->has_box;
}

size_t ws_prompt_tokens(const ws_rules *r, const wsam_prompt *p)
{
    if (r->fixed_points)
        return (size_t)r->fixed_points;
    return p->n_points + (needs_padding(r, p) ? 1 : 0) + (p->has_box ? 2 : 0);
}

/* Into the square, then to [0,1] with the pixel's centre. The roundings to f32 stand where the
 * original predictors have them: SAM scales in double, EfficientSAM in f32 (and takes negative
 * coordinates for padding). */
static void put(const ws_rules *r, const wsam_transform *t, double x, double y, float out[2])
{
    const float size = (float)r->size;
    float u, v;
    if (r->stretch) {
        const float fx = (float)x, fy = (float)y;
        u = fx >= 0.0f ? fx * size / (float)t->width : -1.0f;
        v = fy >= 0.0f ? fy * size / (float)t->height : -1.0f;
    } else {
        u = (float)(x * ((double)t->content_width / t->width));
        v = (float)(y * ((double)t->content_height / t->height));
    }
    out[0] = (u + 0.5f) / size;
    out[1] = (v + 0.5f) / size;
}

void ws_prompt_tokens_points(const ws_rules *r, const wsam_transform *t, const wsam_prompt *p,
                             float *points, int32_t *labels)
{
    const size_t tokens = ws_prompt_tokens(r, p);
    size_t n = 0;
    for (; n < p->n_points; n++) {
        put(r, t, p->points[n].x, p->points[n].y, points + 2 * n);
        labels[n] = p->points[n].label;
    }
    if (needs_padding(r, p)) {
        points[2 * n] = points[2 * n + 1] = 0.0f; /* never looked at: the label's row replaces it */
        labels[n++] = LABEL_PADDING;
    }
    for (int corner = 0; p->has_box && corner < 2; corner++, n++) {
        put(r, t, p->box[2 * corner], p->box[2 * corner + 1], points + 2 * n);
        labels[n] = corner ? LABEL_CORNER_1 : LABEL_CORNER_0;
    }
    for (; n < tokens; n++) { /* the code of (-1,-1) is part of the result */
        points[2 * n] = points[2 * n + 1] = (-1.0f + 0.5f) / (float)r->size;
        labels[n] = LABEL_PADDING;
    }
}
