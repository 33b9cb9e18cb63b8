/* runtime/lower/lower_low_rank_norm.c - what the mean and variance of low-rank rows need of the
 * image (low_rank_norm.c): made once with it. */
#include <stdlib.h>
#include <string.h>

#include "kernels/few_token_attention.h"
#include "runtime/lower/lower.h"
#include "runtime/steps/cross_attention.h"

static void centre_row(size_t width, float *row)
{
    double sum = 0.0;
    for (size_t c = 0; c < width; c++)
        sum += (double)row[c];
    for (size_t c = 0; c < width; c++)
        row[c] -= (float)(sum / (double)width);
}

/* Columns of an output product [C][E], by heads, times `by` (or NULL), each less its mean. */
static void output_columns(const float *output, size_t heads, size_t inner, size_t width,
                           const float *by, float *to)
{
    for (size_t h = 0; h < heads; h++)
        for (size_t d = 0; d < inner / heads; d++) {
            const float *from = output + (h * (inner / heads) + d) * width;
            float *row = to + (d * heads + h) * width;
            for (size_t c = 0; c < width; c++)
                row[c] = from[c] * (by ? by[c] : 1.0f);
            centre_row(width, row);
        }
}

/* WS_NORM_TABLE_MEAN and what follows; the rest is zero. */
static void sum_columns(const ws_cross_attention *a, const ws_low_rank *previous, float *to)
{
    float *scale = to + WS_NORM_TABLE_SCALE * a->width,
          *shift = to + WS_NORM_TABLE_SHIFT * a->width;
    memset(to, 0, WS_NORM_TABLE_SUMS * a->width * sizeof *to);
    for (size_t c = 0; c < a->width; c++) {
        to[WS_NORM_TABLE_MEAN * a->width + c] = 1.0f / (float)a->width;
        scale[c] = previous ? -previous->weight[c] : 0.0f;
        shift[c] = previous ? previous->shift[c] + (a->out_bias ? a->out_bias[c] : 0.0f) : 0.0f;
    }
    centre_row(a->width, scale);
    centre_row(a->width, shift);
}

static const float *constant(ws_lowering *l, size_t n, float value)
{
    float *out = ws_lowering_alloc(l, n * sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = value;
    return out;
}

static ws_operand lower_variance(ws_lowering *l, uint32_t op, uint32_t base, ws_operand image,
                                 size_t width, const float *gain, const float *offset)
{
    const ws_operand out = {NULL, ws_lowering_temporary(l, WSAM_RATE_IMAGE, base, 1), 1};
    ws_step *s = ws_lowering_step(l, &ws_step_row_variance, op);
    if (!s)
        return out;
    s->rate = WSAM_RATE_IMAGE;
    s->in[WS_STEP_INPUT] = image;
    s->in[WS_STEP_INPUT].columns = (int64_t)width;
    s->out = out.buffer;
    s->row_variance.gain = gain;
    s->row_variance.offset = offset;
    s->kernel = l->program->kernels->tokens->name;
    return out;
}

void ws_lower_low_rank_norm(ws_lowering *l, uint32_t op, const ws_cross_attention *a,
                            const ws_low_rank *previous, ws_operand *in)
{
    const size_t lower = previous ? previous->inner : 0, n = a->inner + lower + WS_NORM_TABLE_SUMS;
    const uint32_t base =
        previous ? ws_low_rank_image_rows(l, previous) : ws_lowering_ref(l, op, WS_PROJECTED_Q);
    const ws_operand image = ws_lowering_operand(l, base),
                     none = ws_lowering_operand(l, WS_REF_NONE);
    const float *gain = previous ? previous->gain : constant(l, a->width, 1.0f);
    const float *offset = previous      ? previous->offset
                          : a->out_bias ? a->out_bias
                                        : constant(l, a->width, 0.0f);
    float *rows = malloc(n * a->width * sizeof *rows);
    if (!rows)
        ws_lowering_no_memory(l);
    if (rows && !l->status) {
        output_columns(a->out, a->heads, a->inner, a->width, NULL, rows);
        if (previous)
            output_columns(previous->output, previous->heads, lower, a->width, previous->weight,
                           rows + a->inner * a->width);
        sum_columns(a, previous, rows + (a->inner + lower) * a->width);
        const ws_product p = ws_lowering_packed(l, a->gemm, n, a->width, rows, gain,
                                                ws_lowering_offset(l, n, a->width, rows, offset));
        in[WS_CROSS_NORM_TABLE] = ws_lowering_table(l, op, base, image, none, &p);
        in[WS_CROSS_IMAGE_VARIANCE] = lower_variance(l, op, base, image, a->width, gain, offset);
    }
    if (previous)
        in[WS_CROSS_PREVIOUS_VALUES] =
            (ws_operand){NULL, previous->values, (int64_t)previous->inner};
    free(rows);
}
