/* runtime/lower/lower_state.c - the state of a lowering: values, buffers, constants, steps
 * (lower.h). */
#include <stdlib.h>
#include <string.h>

#include "runtime/lower/lower.h"

const ws_value *ws_lowering_value(const ws_lowering *l, uint32_t op)
{
    return &l->values[l->graph->n_inputs + op];
}

ws_op_view ws_lowering_view(const ws_lowering *l, uint32_t op)
{
    const ws_op_view v = {l->file, l->graph, &l->graph->ops[op], l->values, &l->dims};
    return v;
}

void ws_lowering_keep(ws_lowering *l, wsam_status status)
{
    if (!l->status)
        l->status = status;
}

static int new_buffer(ws_lowering *l, wsam_rate rate, uint32_t value, int64_t columns, int input)
{
    ws_program *p = l->program;
    ws_buffer *grown = realloc(p->buffers, (p->n_buffers + 1) * sizeof *grown);
    if (!grown) {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_MEMORY, "no memory to lower a graph"));
        return 0;
    }
    p->buffers = grown;
    grown[p->n_buffers] = (ws_buffer){rate, value, columns, input, 0, NULL};
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
    ws_step *grown = realloc(p->steps, (p->n_steps + 1) * sizeof *grown);
    if (!grown) {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_MEMORY, "no memory to lower a graph"));
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
    for (int i = 0; i < WS_STEP_OPERANDS; i++)
        s->in[i] = absent;
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

ws_product ws_lowering_product(ws_lowering *l, uint32_t weight, uint32_t bias)
{
    const ws_tensor_def *t = ws_ref_tensor(l->file, weight);
    const size_t n = t->dims[0], k = ws_tensor_elements(t) / n;
    /* Callers look at the kernel also where a lowering has failed before. */
    ws_product p = {.kernel = ws_choose_gemm(l->program->kernels, t->type), .n = n, .k = k};
    if (!l->status)
        ws_lowering_keep(l, ws_packs_product(l->packs, t, n, k, &p, l->error));
    p.bias = ws_lowering_constant(l, bias);
    return p;
}

wsam_act ws_lowering_act(const ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const char *f = ws_op_string(&v, "function", "");
    return strcmp(f, "gelu") == 0 ? WSAM_ACT_GELU
                                  : (strcmp(f, "relu") == 0 ? WSAM_ACT_RELU : WSAM_ACT_SIGMOID);
}

uint32_t ws_lowering_sole_source(const ws_lowering *l, uint32_t op, uint32_t i)
{
    const ws_graph_def *g = l->graph;
    const uint32_t ref = g->ops[op].inputs[i];
    if (ref >= WS_REF_TENSOR || ref < g->n_inputs || l->readers[ref] != 1)
        return WS_NO_OP;
    return ref - g->n_inputs;
}

const float *ws_lowering_by_tap(ws_lowering *l, uint32_t weight)
{
    const ws_tensor_def *t = ws_ref_tensor(l->file, weight);
    const size_t channels = t->dims[0], taps = (size_t)t->dims[1] * t->dims[2];
    const float *from = ws_lowering_constant(l, weight);
    float *by_tap = ws_lowering_alloc(l, channels * taps * sizeof *by_tap);
    for (size_t i = 0; by_tap && i < channels; i++)
        for (size_t j = 0; j < taps; j++)
            by_tap[j * channels + i] = from[i * taps + j];
    return by_tap;
}
