/* runtime/lower/narrow_buffers.c - which values of an image are stored in bf16.
 *
 * A detector's maps are large (a stage of ResNet-50 on 800 x 1333 has 69 MB in f32), and its int8
 * products wait for them more than they multiply. Between such products, which round rows to 127
 * steps of their largest value, bf16's 256 steps of each value's own size lose nothing that counts;
 * half the bytes are half the wait and half the memory. */
#include <string.h>

#include "runtime/lower/lower.h"

enum { WHOLE_VECTORS = 16 }; /* columns: kernels that read bf16 take no rest */

static const ws_product *product_of(const ws_step *s)
{
    return s->kind == &ws_step_gemm || s->kind == &ws_step_conv || s->kind == &ws_step_winograd
               ? &s->product
               : NULL;
}

static int may_write(const ws_program *p, const ws_step *s)
{
    const ws_product *product = product_of(s);
    if (s->kind == &ws_step_winograd)
        return product->kernel == &p->kernels->gemm_s8;
    return product ? 1 : s->kind == &ws_step_max_pool || s->kind == &ws_step_top_down;
}

static int may_read(const ws_program *p, const ws_step *s, int operand)
{
    const ws_product *product = product_of(s);
    if (!may_write(p, s) || (product && product->kernel == &p->kernels->gemm_bf16))
        return 0;
    return operand == WS_STEP_ROWS ||
           (operand == WS_STEP_RESIDUAL &&
            (s->kind == &ws_step_gemm || s->kind == &ws_step_conv)) ||
           (operand == WS_TOP_DOWN_COARSE && s->kind == &ws_step_top_down);
}

static int is_s8(const ws_program *p, const ws_step *s)
{
    const ws_product *product = product_of(s);
    return product && product->kernel == &p->kernels->gemm_s8;
}

/* Whether an output may be narrow: a detector's maps, which it goes on from itself by products in
 * int8. Whoever runs another graph copies its results as f32. */
static int is_multiplied(const ws_program *p, int buffer)
{
    if (strcmp(p->graph->name, "detector") != 0)
        return 0;
    for (size_t i = 0; i < p->n_steps; i++)
        if (is_s8(p, &p->steps[i]) && p->steps[i].in[WS_STEP_ROWS].buffer == buffer)
            return 1;
    return 0;
}

static int may_be_narrow(const ws_lowering *l, int buffer)
{
    const ws_program *p = l->program;
    const ws_buffer *b = &p->buffers[buffer];
    if (b->rate != WSAM_RATE_IMAGE || b->input >= 0 || b->columns || b->low_rank ||
        (b->persistent && !is_multiplied(p, buffer)) ||
        ws_columns(&l->values[b->value].shape) % WHOLE_VECTORS)
        return 0;
    for (size_t i = 0; i < p->n_steps; i++) {
        const ws_step *s = &p->steps[i];
        if (s->out == buffer && !may_write(p, s))
            return 0;
        for (int j = 0; j < WS_STEP_OPERANDS; j++)
            if (s->in[j].buffer == buffer && !may_read(p, s, j))
                return 0;
    }
    return 1;
}

static int multiplies_s8(const ws_program *p)
{
    for (size_t i = 0; i < p->n_steps; i++)
        if (is_s8(p, &p->steps[i]))
            return 1;
    return 0;
}

void ws_narrow_buffers(ws_lowering *l)
{
    ws_program *p = l->program;
    if (p->lowering_plain || !multiplies_s8(p))
        return;
    for (size_t b = 0; b < p->n_buffers; b++)
        p->buffers[b].narrow = may_be_narrow(l, (int)b);
}
