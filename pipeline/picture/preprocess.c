/* pipeline/picture/preprocess.c - from 8-bit pixels to the encoder's input, by the rules of the
 * model. */
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/float_scope.h"
#include "kernels/resize.h"
#include "pipeline/picture/picture.h"
#include "pipeline/segment/model_rules.h"
#include "runtime/run/threads.h"

typedef struct job {
    const ws_rules *rules;
    const wsam_kernels *kernels;
    const wsam_picture *picture; /* resized already, unless the rule is to stretch */
    float *input;
    float table[3][256]; /* normalised value of every byte */
    float *rows;         /* stretch: [threads][picture row, two square rows] */
    size_t rows_stride;
} job;

/* ---- longest side: every value by table, zeros right and below ---- */

static void pad_row(void *arg, int y, int worker)
{
    const job *j = arg;
    const wsam_picture *p = j->picture;
    const size_t row = (size_t)j->rules->size * 3;
    float *to = j->input + (size_t)y * row;
    int x = 0;
    (void)worker;
    if (y < p->height) {
        const uint8_t *from = p->pixels + (size_t)y * p->stride;
        const int green = p->channels == 3 ? 1 : 0, blue = p->channels == 3 ? 2 : 0;
        for (; x < p->width; x++, from += p->channels) {
            to[3 * x] = j->table[0][from[0]];
            to[3 * x + 1] = j->table[1][from[green]];
            to[3 * x + 2] = j->table[2][from[blue]];
        }
    }
    memset(to + 3 * x, 0, ((size_t)(j->rules->size - x)) * 3 * sizeof *to);
}

static wsam_status run_padded(job *j, int threads, const wsam_transform *t, wsam_error *error)
{
    const wsam_picture *given = j->picture;
    wsam_picture resized = {0};
    wsam_status status = ws_resize(j->kernels, threads, given, t->content_height, t->content_width,
                                   WSAM_FILTER_BILINEAR, &resized, error);
    if (status)
        return status;
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            j->table[c][v] = ((float)v / j->rules->unit - j->rules->mean[c]) / j->rules->std[c];
    j->picture = &resized;
    ws_parallel_for(threads, j->rules->size, pad_row, j);
    j->picture = given;
    wsam_picture_free(&resized);
    return WSAM_OK;
}

/* ---- stretch: bilinear on floats, row by row, so that no float picture is kept ---- */

/* One picture row in units, resized to the square's width. */
static void stretch_across(const job *j, int row, float *pixels, float *out)
{
    const wsam_picture *p = j->picture;
    const uint8_t *from = p->pixels + (size_t)row * p->stride;
    for (int x = 0; x < p->width; x++)
        for (int c = 0; c < 3; c++)
            pixels[3 * x + c] = (float)from[p->channels == 3 ? 3 * x + c : x] / j->rules->unit;
    j->kernels->resize.bilinear_row_f32(1, p->width, 3, pixels, 1, j->rules->size, 0, out);
}

static void stretch_row(void *arg, int y, int worker)
{
    const job *j = arg;
    const int size = j->rules->size;
    const ws_linear_tap v = ws_linear_tap_at(j->picture->height, size, y);
    float *pixels = j->rows + (size_t)worker * j->rows_stride;
    float *top = pixels + (size_t)j->picture->width * 3, *low = top + (size_t)size * 3;
    float *to = j->input + (size_t)y * (size_t)size * 3;
    stretch_across(j, v.i0, pixels, top);
    stretch_across(j, v.i1, pixels, low);
    for (int i = 0; i < size * 3; i++) {
        const float value = v.l0 * top[i] + v.l1 * low[i];
        to[i] = (value - j->rules->mean[i % 3]) / j->rules->std[i % 3];
    }
}

static wsam_status run_stretched(job *j, int threads, wsam_error *error)
{
    j->rows_stride = ((size_t)j->picture->width + 2 * (size_t)j->rules->size) * 3;
    j->rows = malloc((size_t)threads * j->rows_stride * sizeof *j->rows);
    if (!j->rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for rows of the image");
    ws_parallel_for(threads, j->rules->size, stretch_row, j);
    free(j->rows);
    return WSAM_OK;
}

wsam_status ws_preprocess(const ws_rules *rules, const wsam_kernels *kernels, int threads,
                          const wsam_picture *picture, const wsam_transform *t, float *input,
                          wsam_error *error)
{
    job j = {.rules = rules, .kernels = kernels, .picture = picture, .input = input};
    return rules->stretch ? run_stretched(&j, threads, error) : run_padded(&j, threads, t, error);
}

wsam_status wsam_model_preprocess(const wsam_model *model, const wsam_picture *picture,
                                  float *input, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_rules r;
    wsam_transform t;
    wsam_status status = ws_picture_valid(picture, error);
    const wsam_kernels *kernels = ws_kernels_find(wsam_model_isa(model), error);
    if (!kernels)
        return WSAM_ERR_UNSUPPORTED;
    if (!status)
        status = ws_model_rules_read(model, &r, error);
    if (!status)
        status = ws_model_rules_transform(&r, picture->height, picture->width, &t, error);
    if (!status)
        status = ws_preprocess(&r, kernels, wsam_model_threads(model), picture, &t, input, error);
    return status;
}
