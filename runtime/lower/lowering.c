/* runtime/lower/lowering.c - see lowering.h: the graph, buffers, constants and steps of a lowering.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/lower/lowering.h"

const ws_op_def *ws_lowering_op(const ws_lowering *l, uint32_t op)
{
    return &l->graph->ops[op];
}

const ws_value *ws_lowering_value(const ws_lowering *l, uint32_t op)
{
    return &l->values[l->graph->n_inputs + op];
}

ws_op_view ws_lowering_view(const ws_lowering *l, uint32_t op)
{
    const ws_op_view v = {l->file, l->graph, &l->graph->ops[op], l->values, &l->dims};
    return v;
}

int ws_lowering_kind(const ws_lowering *l, uint32_t op)
{
    return op == WS_NO_OP ? -1 : ws_signatures_kind_of(ws_lowering_op(l, op));
}

uint32_t ws_lowering_ref(const ws_lowering *l, uint32_t op, uint32_t i)
{
    const ws_op_def *def = ws_lowering_op(l, op);
    return i < def->n_inputs ? def->inputs[i] : WS_REF_NONE;
}

void ws_lowering_keep(ws_lowering *l, wsam_status status)
{
    if (!l->status)
        l->status = status;
}

void ws_lowering_no_memory(ws_lowering *l)
{
    ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_MEMORY, "no memory to lower a graph"));
}

static int new_buffer(ws_lowering *l, wsam_rate rate, uint32_t value, int64_t columns, int input)
{
    ws_program *p = l->program;
    ws_buffer *grown = realloc(p->buffers, (p->n_buffers + 1) * sizeof *grown);
    if (!grown) {
        ws_lowering_no_memory(l);
        return 0;
    }
    p->buffers = grown;
    grown[p->n_buffers] = (ws_buffer){rate, value, columns, input, 0, 0, NULL};
    return (int)p->n_buffers++;
}

int ws_lowering_input(ws_lowering *l, uint32_t i)
{
    return new_buffer(l, l->graph->inputs[i].rate, i, 0, (int)i);
}

int ws_lowering_temporary(ws_lowering *l, wsam_rate rate, uint32_t value, int64_t columns)
{
    return new_buffer(l, rate, value, columns, -1);
}

int ws_lowering_buffer(ws_lowering *l, uint32_t op)
{
    const uint32_t value = l->graph->n_inputs + op;
    if (l->program->value_buffer[value] < 0)
        l->program->value_buffer[value] = new_buffer(l, l->values[value].rate, value, 0, -1);
    return l->program->value_buffer[value];
}

static const ws_operand absent = {NULL, -1, 0};

ws_operand ws_lowering_operand(ws_lowering *l, uint32_t ref)
{
    ws_operand o = absent;
    const ws_tensor_def *t = ws_ref_tensor(l->file, ref);
    if (ref == WS_REF_NONE || l->status)
        return o;
    if (t) {
        ws_lowering_keep(l, ws_packs_f32(l->packs, t, &o.constant, l->error));
        o.columns = t->dims[t->rank - 1];
        return o;
    }
    o.buffer = l->program->value_buffer[ref];
    o.columns = ws_columns(&l->values[ref].shape);
    return o;
}

const float *ws_lowering_constant(ws_lowering *l, uint32_t ref)
{
    const float *out = NULL;
    if (!l->status)
        ws_lowering_keep(l, ws_packs_f32(l->packs, ws_ref_tensor(l->file, ref), &out, l->error));
    return out;
}

void ws_lowering_no_operands(ws_operand in[WS_STEP_OPERANDS])
{
    for (int i = 0; i < WS_STEP_OPERANDS; i++)
        in[i] = absent;
}

void *ws_lowering_alloc(ws_lowering *l, size_t bytes)
{
    void *out = NULL;
    if (!l->status)
        ws_lowering_keep(l, ws_packs_alloc(l->packs, bytes, &out, l->error));
    return out;
}

static wsam_rate operand_rate(const ws_lowering *l, const ws_operand *o)
{
    return o->buffer < 0 ? WSAM_RATE_MODEL : l->program->buffers[o->buffer].rate;
}

ws_step *ws_lowering_step(ws_lowering *l, const ws_step_kind *kind, uint32_t op)
{
    ws_program *p = l->program;
    if (l->status)
        return NULL;
    ws_step *grown = realloc(p->steps, (p->n_steps + 1) * sizeof *grown);
    if (!grown) {
        ws_lowering_no_memory(l);
        return NULL;
    }
    p->steps = grown;
    ws_step *s = &grown[p->n_steps++];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->op = op;
    s->name = l->graph->ops[op].name;
    s->kernel = "runtime";
    s->rate = ws_lowering_value(l, op)->rate;
    s->out = -1;
    ws_lowering_no_operands(s->in);
    return s;
}

ws_step *ws_lowering_simple(ws_lowering *l, const ws_step_kind *kind, uint32_t op, uint32_t n)
{
    ws_operand in[WS_STEP_OPERANDS];
    for (uint32_t i = 0; i < n; i++)
        in[i] = ws_lowering_operand(l, ws_lowering_ref(l, op, i));
    const int out = ws_lowering_buffer(l, op);
    ws_step *s = ws_lowering_step(l, kind, op);
    if (!s)
        return NULL;
    memcpy(s->in, in, n * sizeof in[0]);
    s->out = out;
    s->kernel = l->program->kernels->vector.name;
    return s;
}

wsam_rate ws_lowering_rate(const ws_lowering *l, const ws_operand *operands, int n)
{
    wsam_rate rate = WSAM_RATE_MODEL;
    for (int i = 0; i < n; i++)
        if (operand_rate(l, &operands[i]) > rate)
            rate = operand_rate(l, &operands[i]);
    return rate;
}

wsam_act ws_lowering_act(const ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const char *f = ws_op_string(&v, "function", "");
    return strcmp(f, "gelu") == 0 ? WSAM_ACT_GELU
                                  : (strcmp(f, "relu") == 0 ? WSAM_ACT_RELU : WSAM_ACT_SIGMOID);
}

int ws_lowering_varies(ws_lowering *l, uint32_t value)
{
    const ws_graph_def *g = l->graph;
    ws_value *values = g->n_symbols ? calloc((size_t)g->n_inputs + g->n_ops, sizeof *values) : NULL;
    int different = 0;
    if (g->n_symbols && !values)
        ws_lowering_no_memory(l);
    for (uint32_t i = 0; values && i < g->n_symbols; i++) {
        ws_dims dims = l->dims;
        dims.symbols[i] = g->symbols[i].max - g->symbols[i].max % g->symbols[i].multiple;
        ws_lowering_keep(l, ws_graph_infer(l->file, g, &dims, values, l->error));
        if (!l->status && !ws_same_shape(&values[value].shape, &l->values[value].shape))
            different = 1;
    }
    free(values);
    return different;
}
