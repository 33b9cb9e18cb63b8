/* runtime/steps/step_access.c - what steps ask about buffers while they run. */
#include "runtime/steps/cross_attention.h"

static const ws_buffer *buffer_of(const ws_exec *x, int buffer)
{
    return &x->program->buffers[buffer];
}

static int64_t buffer_columns(const ws_exec *x, int buffer)
{
    const ws_buffer *b = buffer_of(x, buffer);
    return b->columns ? b->columns : ws_columns(&x->values[b->value].shape);
}

size_t ws_step_buffer_elements(const ws_exec *x, int buffer)
{
    const ws_buffer *b = buffer_of(x, buffer);
    const size_t columns = b->low_rank
                               ? ws_low_rank_stride(b->low_rank, ws_low_rank_tokens(x, b->low_rank))
                               : (size_t)buffer_columns(x, buffer);
    return (size_t)ws_rows(&x->values[b->value].shape) * columns;
}

size_t ws_step_buffer_total(const ws_exec *x, int buffer)
{
    const size_t n = ws_step_buffer_elements(x, buffer);
    return buffer_of(x, buffer)->rate == WSAM_RATE_PROMPT ? n * (size_t)x->dims->prompts : n;
}

size_t ws_step_buffer_bytes(const ws_exec *x, int buffer)
{
    const size_t each = buffer_of(x, buffer)->narrow ? sizeof(uint16_t) : sizeof(float);
    return ws_step_buffer_total(x, buffer) * each;
}

const float *ws_step_operand(const ws_exec *x, const ws_operand *o, int64_t prompt)
{
    if (o->buffer < 0)
        return o->constant;
    const float *base = x->data[o->buffer];
    return buffer_of(x, o->buffer)->rate == WSAM_RATE_PROMPT
               ? base + (size_t)prompt * ws_step_buffer_elements(x, o->buffer)
               : base;
}

float *ws_step_out(const ws_exec *x, const ws_step *s, int64_t prompt)
{
    return x->data[s->out] + (size_t)prompt * ws_step_buffer_elements(x, s->out);
}

int64_t ws_step_out_rows(const ws_exec *x, const ws_step *s)
{
    return ws_rows(&x->values[buffer_of(x, s->out)->value].shape);
}

int64_t ws_step_out_columns(const ws_exec *x, const ws_step *s)
{
    return buffer_columns(x, s->out);
}

int64_t ws_step_prompts(const ws_exec *x, const ws_step *s)
{
    return s->rate == WSAM_RATE_PROMPT ? x->dims->prompts : 1;
}

int ws_step_is_shared(const ws_exec *x, const ws_step *s, const ws_operand *o)
{
    if (o->buffer < 0)
        return o->constant != NULL && s->rate == WSAM_RATE_PROMPT;
    return s->rate == WSAM_RATE_PROMPT && buffer_of(x, o->buffer)->rate != WSAM_RATE_PROMPT;
}

ws_op_view ws_step_view(const ws_exec *x, const ws_step *s)
{
    const ws_program *p = x->program;
    const ws_op_view v = {p->file, p->graph, &p->graph->ops[s->op], x->values, x->dims};
    return v;
}

ws_shape ws_step_input_shape(const ws_exec *x, const ws_step *s, uint32_t input)
{
    const ws_op_view v = ws_step_view(x, s);
    ws_value value = {.shape = {.rank = 0}};
    ws_op_input(&v, input, &value);
    return value.shape;
}
