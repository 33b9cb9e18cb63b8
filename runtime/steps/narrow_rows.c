/* runtime/steps/narrow_rows.c - see narrow_rows.h. */
#include "runtime/steps/narrow_rows.h"

int ws_narrow_is(const ws_exec *x, int buffer)
{
    return buffer >= 0 && x->program->buffers[buffer].narrow;
}

size_t ws_narrow_operand_bytes(const ws_exec *x, const ws_operand *o, size_t m)
{
    return ws_narrow_is(x, o->buffer) ? ws_float_bytes(m * (size_t)o->columns) : 0;
}

size_t ws_narrow_out_bytes(const ws_exec *x, const ws_step *s, size_t m)
{
    return ws_narrow_is(x, s->out) ? ws_float_bytes(m * (size_t)ws_step_out_columns(x, s)) : 0;
}

/* Narrow buffers are of image rate: one matrix for all prompts. */
static uint16_t *narrow_row(const ws_exec *x, int buffer, size_t row, int64_t columns)
{
    void *data = x->data[buffer];
    return (uint16_t *)data + row * (size_t)columns;
}

const uint16_t *ws_narrow_rows(const ws_exec *x, const ws_operand *o, size_t row)
{
    return narrow_row(x, o->buffer, row, o->columns);
}

const float *ws_narrow_read_columns(const ws_exec *x, const ws_operand *o, int64_t prompt,
                                    size_t row, size_t m, size_t n0, size_t n1, float *room)
{
    const size_t ld = (size_t)o->columns;
    const float *wide = ws_step_operand(x, o, prompt);
    if (!ws_narrow_is(x, o->buffer))
        return wide ? wide + row * ld : NULL;
    for (size_t i = 0; i < m; i++)
        x->program->kernels->vector.bf16_to_f32(
            n1 - n0, narrow_row(x, o->buffer, row + i, o->columns) + n0, room + i * ld + n0);
    return room;
}

const float *ws_narrow_read(const ws_exec *x, const ws_operand *o, int64_t prompt, size_t row,
                            size_t m, float *room)
{
    return ws_narrow_read_columns(x, o, prompt, row, m, 0, (size_t)o->columns, room);
}

uint16_t *ws_narrow_out(const ws_exec *x, const ws_step *s, size_t row)
{
    return narrow_row(x, s->out, row, ws_step_out_columns(x, s));
}

float *ws_narrow_begin(const ws_exec *x, const ws_step *s, int64_t prompt, size_t row, float *room)
{
    return ws_narrow_is(x, s->out)
               ? room
               : ws_step_out(x, s, prompt) + row * (size_t)ws_step_out_columns(x, s);
}

void ws_narrow_end(const ws_exec *x, const ws_step *s, int64_t prompt, size_t row, size_t m,
                   size_t n0, size_t n1, const float *room)
{
    const int64_t columns = ws_step_out_columns(x, s);
    (void)prompt;
    for (size_t i = 0; ws_narrow_is(x, s->out) && i < m; i++)
        x->program->kernels->vector.f32_to_bf16(n1 - n0, room + i * (size_t)columns + n0,
                                                narrow_row(x, s->out, row + i, columns) + n0);
}
