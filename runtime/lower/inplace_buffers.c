/* runtime/lower/inplace_buffers.c - results in place of the operand that they replace.
 *
 * The image's rows after an attention from image to tokens take the place of those before it when
 * nobody reads those any more: 4 MB a prompt in SAM's decoder instead of 8, and half of the cache
 * lines. The step reads a strip of rows completely before it writes it.
 *
 * So do a product's rows of the residual that is added to them, and the fine rows of a pyramid's
 * sum: 34 MB less in a detector, whose largest maps are residuals. Each value is read where it is
 * then written. */
#include "runtime/lower/lower.h"
#include "runtime/steps/cross_attention.h"

static int is_output(const ws_program *p, int buffer)
{
    for (uint32_t i = 0; i < p->graph->n_outputs; i++)
        if (p->value_buffer[p->graph->outputs[i].ref] == buffer)
            return 1;
    return 0;
}

/* Rows of one stride: stored ones, or of a low-rank form and the last one built on it
 * (low_rank_rows.c). */
static int same_stride(const ws_low_rank *from, const ws_low_rank *to)
{
    return from && to ? from->last == to->last && *to->last == to : from == to;
}

/* A fused MLP prepares its rows before it adds them as the residual. */
static int reads_first(const ws_step *s, int operand)
{
    return s->kind == &ws_step_mlp && operand == WS_STEP_ROWS;
}

/* Whether the step is the only one that writes its result, and the last that uses its rows. */
static int may_replace(const ws_program *p, size_t at, int operand)
{
    const ws_step *s = &p->steps[at];
    const int rows = s->in[operand].buffer;
    const ws_buffer *b = &p->buffers[rows];
    for (size_t i = 0; i < p->n_steps; i++) {
        if (i != at && p->steps[i].out == s->out)
            return 0;
        if (i > at && p->steps[i].out == rows)
            return 0;
        for (int j = 0; i >= at && j < WS_STEP_OPERANDS; j++)
            if (p->steps[i].in[j].buffer == rows &&
                (i > at || (j != operand && !reads_first(s, j))))
                return 0;
    }
    return b->rate == s->rate && b->rate != WSAM_RATE_MODEL && b->input < 0 && b->columns == 0 &&
           !b->persistent && !p->buffers[s->out].persistent &&
           b->narrow == p->buffers[s->out].narrow && p->buffers[s->out].rate == b->rate &&
           p->buffers[s->out].columns == 0 &&
           same_stride(b->low_rank, p->buffers[s->out].low_rank) && !is_output(p, rows);
}

static void replace(ws_program *p, int from, int to)
{
    for (size_t i = 0; i < p->n_steps; i++) {
        if (p->steps[i].out == from)
            p->steps[i].out = to;
        for (int j = 0; j < WS_STEP_OPERANDS; j++)
            if (p->steps[i].in[j].buffer == from)
                p->steps[i].in[j].buffer = to;
    }
    for (size_t i = 0; i < (size_t)p->graph->n_inputs + p->graph->n_ops; i++)
        if (p->value_buffer[i] == from)
            p->value_buffer[i] = to;
}

/* The operand whose place a step's result may take; -1: none. */
static int replaceable(const ws_step *s)
{
    if (s->kind == &ws_step_image_to_token)
        return WS_CROSS_ROWS;
    if (s->kind == &ws_step_gemm || s->kind == &ws_step_mlp)
        return WS_STEP_RESIDUAL;
    return s->kind == &ws_step_top_down ? WS_TOP_DOWN_FINE : -1;
}

void ws_inplace_buffers(ws_program *p)
{
    for (size_t i = 0; i < p->n_steps; i++) {
        const int operand = replaceable(&p->steps[i]);
        const int rows = operand < 0 ? -1 : p->steps[i].in[operand].buffer;
        if (rows >= 0 && may_replace(p, i, operand))
            replace(p, p->steps[i].out, rows);
    }
}
