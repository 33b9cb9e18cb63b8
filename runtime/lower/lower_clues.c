/* runtime/lower/lower_clues.c - the operators of a clue network (steps_clues.c). */
#include "runtime/lower/lower.h"

void ws_lower_add_positions(ws_lowering *l, const ws_chain *c)
{
    ws_lowering_simple(l, &ws_step_add_positions, c->first, WS_ADD_POSITIONS_INPUTS);
}

void ws_lower_grid_rows(ws_lowering *l, const ws_chain *c)
{
    ws_lowering_simple(l, &ws_step_grid_rows, c->first, WS_GRID_ROWS_X + 1);
}

void ws_lower_row_max(ws_lowering *l, const ws_chain *c)
{
    ws_lowering_simple(l, &ws_step_row_max, c->first, WS_UNARY_INPUTS);
}

void ws_lower_class_attention(ws_lowering *l, const ws_chain *c)
{
    ws_lowering_simple(l, &ws_step_class_attention, c->first, WS_CLASS_ATTENTION_QKV + 1);
}

void ws_lower_attention_sum(ws_lowering *l, const ws_chain *c)
{
    ws_lowering_simple(l, &ws_step_attention_sum, c->first, WS_ATTENTION_SUM_INPUTS);
}

/* One step per group of classes that fits the columns of a head. */
void ws_lower_attention_spread(ws_lowering *l, const ws_chain *c)
{
    const ws_op_view v = ws_lowering_view(l, c->first);
    const int64_t classes = ws_columns(&ws_lowering_value(l, c->first)->shape);
    ws_value qkv;
    ws_op_input(&v, WS_ATTENTION_SPREAD_QKV, &qkv);
    const int64_t head = ws_columns(&qkv.shape) / 3 / ws_op_int(&v, "heads", 1);
    const wsam_attention_kernel *kernel =
        ws_select_attention(l->program->kernels, ws_op_string(&v, "compute", "f32"));
    for (int64_t group = 0; group * head < classes && !l->status; group++) {
        ws_step *s =
            ws_lowering_simple(l, &ws_step_attention_spread, c->first, WS_ATTENTION_SPREAD_INPUTS);
        if (!s)
            return;
        s->attention_spread.group = (size_t)group;
        s->attention_spread.kernel = kernel;
        s->kernel = kernel->name;
    }
}
