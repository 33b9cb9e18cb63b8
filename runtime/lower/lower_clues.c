/* runtime/lower/lower_clues.c - the operators of a clue network (steps_clues.c). */
#include "runtime/lower/lower.h"

/* A step with the operator's first n inputs as operands; absent ones stay absent. */
static ws_step *simple(ws_lowering *l, const ws_step_kind *kind, uint32_t op, uint32_t n)
{
    const ws_op_def *def = &l->graph->ops[op];
    ws_operand in[WS_STEP_OPERANDS];
    for (uint32_t i = 0; i < n; i++)
        in[i] = ws_lowering_operand(l, i < def->n_inputs ? def->inputs[i] : WS_REF_NONE);
    const int out = ws_lowering_buffer(l, op);
    ws_step *s = ws_lowering_step(l, kind, op);
    if (!s)
        return NULL;
    for (uint32_t i = 0; i < n; i++)
        s->in[i] = in[i];
    s->out = out;
    s->kernel = l->program->kernels->vector.name;
    return s;
}

static void lower_positions(ws_lowering *l, uint32_t op)
{
    const float *table = ws_lowering_constant(l, l->graph->ops[op].inputs[1]);
    ws_step *s = simple(l, &ws_step_add_positions, op, 1);
    if (s)
        s->weight = table;
}

/* One step per group of classes that fits the columns of a head. */
static void lower_spread(ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const int64_t classes = ws_columns(&ws_lowering_value(l, op)->shape);
    ws_value qkv;
    ws_op_input(&v, 0, &qkv);
    const int64_t head = ws_columns(&qkv.shape) / 3 / ws_op_int(&v, "heads", 1);
    const wsam_attention_kernel *kernel =
        ws_choose_attention(l->program->kernels, ws_op_string(&v, "compute", "f32"));
    for (int group = 0; group * head < classes && !l->status; group++) {
        ws_step *s = simple(l, &ws_step_attention_spread, op, 4);
        if (!s)
            return;
        s->flag = group;
        s->attention = kernel;
        s->kernel = kernel->name;
    }
}

void ws_lower_clues(ws_lowering *l, uint32_t op)
{
    switch (ws_op_kind_of(&l->graph->ops[op])) {
    case WS_OP_ADD_POSITIONS:
        lower_positions(l, op);
        return;
    case WS_OP_GRID_ROWS:
        simple(l, &ws_step_grid_rows, op, 1);
        return;
    case WS_OP_ROW_MAX:
        simple(l, &ws_step_row_max, op, 1);
        return;
    case WS_OP_CLASS_ATTENTION:
        simple(l, &ws_step_class_attention, op, 1);
        return;
    case WS_OP_ATTENTION_SUM:
        simple(l, &ws_step_attention_sum, op, 3);
        return;
    default:
        lower_spread(l, op);
        return;
    }
}
