/* runtime/lower/lower_inverted_bottleneck.c - finds inverted bottlenecks and lowers each as one
 * step (steps_inverted_bottleneck.c): conv 1x1 -> activation -> depthwise 3x3 -> [activation] ->
 * conv 1x1 [-> add
 * -> activation]. */
#include <string.h>

#include "runtime/lower/lower.h"

typedef struct bottleneck {
    uint32_t expand, act, depthwise, act2, project, add, act3; /* WS_NO_OP where absent */
} bottleneck;

static int kind_of(const ws_lowering *l, uint32_t op)
{
    return op == WS_NO_OP ? -1 : ws_op_kind_of(&l->graph->ops[op]);
}

/* A convolution with these groups (1, or any larger number for depthwise), kernel and padding. */
static int is_conv(const ws_lowering *l, uint32_t op, int depthwise, uint32_t kernel, int64_t pad)
{
    if (kind_of(l, op) != WS_OP_CONV2D)
        return 0;
    const ws_op_view v = ws_lowering_view(l, op);
    const ws_tensor_def *w = ws_ref_tensor(l->file, v.op->inputs[1]);
    const int64_t stride = ws_op_int(&v, "stride", 1);
    return (ws_op_int(&v, "groups", 1) != 1) == depthwise && w->dims[1] == kernel &&
           w->dims[2] == kernel && ws_op_int(&v, "pad", 0) == pad &&
           ws_op_int(&v, "dilation", 1) == 1 && (depthwise || stride == 1);
}

/* From the projection backwards. */
static int match_bottleneck_body(const ws_lowering *l, uint32_t project, bottleneck *b)
{
    if (!is_conv(l, project, 0, 1, 0))
        return 0;
    b->project = project;
    b->act2 = ws_lowering_sole_source(l, project, 0);
    b->depthwise = b->act2;
    if (kind_of(l, b->act2) == WS_OP_ACTIVATION)
        b->depthwise = ws_lowering_sole_source(l, b->act2, 0);
    else
        b->act2 = WS_NO_OP;
    if (!is_conv(l, b->depthwise, 1, 3, 1))
        return 0;
    b->act = ws_lowering_sole_source(l, b->depthwise, 0);
    b->expand = b->act == WS_NO_OP ? WS_NO_OP : ws_lowering_sole_source(l, b->act, 0);
    return kind_of(l, b->act) == WS_OP_ACTIVATION && is_conv(l, b->expand, 0, 1, 0) &&
           l->graph->ops[b->expand].inputs[0] < WS_REF_TENSOR;
}

/* The operator that alone reads this one's value, WS_NO_OP when there are none or several. */
static uint32_t sole_reader(const ws_lowering *l, uint32_t op)
{
    if (l->readers[l->graph->n_inputs + op] != 1)
        return WS_NO_OP;
    for (uint32_t i = op + 1; i < l->graph->n_ops; i++)
        for (uint32_t j = 0; j < l->graph->ops[i].n_inputs; j++)
            if (l->graph->ops[i].inputs[j] == l->graph->n_inputs + op)
                return i;
    return WS_NO_OP;
}

/* add(project, x) of equal shapes, followed by an activation that alone reads it. */
static int has_tail(const ws_lowering *l, uint32_t project, uint32_t *add, uint32_t *act)
{
    ws_value other;
    *add = sole_reader(l, project);
    if (kind_of(l, *add) != WS_OP_BINARY)
        return 0;
    const ws_op_view v = ws_lowering_view(l, *add);
    *act = sole_reader(l, *add);
    return strcmp(ws_op_string(&v, "function", ""), "add") == 0 &&
           v.op->inputs[0] == l->graph->n_inputs + project && ws_op_input(&v, 1, &other) &&
           ws_same_shape(&other.shape, &ws_lowering_value(l, project)->shape) &&
           other.rate <= ws_lowering_value(l, project)->rate &&
           kind_of(l, *act) == WS_OP_ACTIVATION;
}

/* Whether `op` is the last operator of a bottleneck. */
static int match_bottleneck(const ws_lowering *l, uint32_t op, bottleneck *b)
{
    uint32_t add, act;
    b->add = b->act3 = WS_NO_OP;
    if (kind_of(l, op) == WS_OP_ACTIVATION) {
        const uint32_t sum = ws_lowering_sole_source(l, op, 0);
        const uint32_t project =
            kind_of(l, sum) == WS_OP_BINARY ? ws_lowering_sole_source(l, sum, 0) : WS_NO_OP;
        if (project == WS_NO_OP || !has_tail(l, project, &add, &act) || act != op)
            return 0;
        b->add = add;
        b->act3 = act;
        return match_bottleneck_body(l, project, b);
    }
    return match_bottleneck_body(l, op, b) && !has_tail(l, op, &add, &act);
}

static void mark(unsigned char *taken, uint32_t op)
{
    if (op != WS_NO_OP)
        taken[op] = 1;
}

int ws_find_inverted_bottleneck(const ws_lowering *l, uint32_t op, unsigned char *taken)
{
    bottleneck b;
    if (!match_bottleneck(l, op, &b))
        return 0;
    mark(taken, b.expand);
    mark(taken, b.act);
    mark(taken, b.depthwise);
    mark(taken, b.act2);
    mark(taken, b.add);
    if (b.act3 != WS_NO_OP)
        mark(taken, b.project);
    return 1;
}

static uint32_t bias_ref(const ws_op_def *op)
{
    return op->n_inputs > 2 ? op->inputs[2] : WS_REF_NONE;
}

int ws_lower_inverted_bottleneck(ws_lowering *l, uint32_t op)
{
    bottleneck b;
    if (!match_bottleneck(l, op, &b))
        return 0;
    const ws_op_def *expand = &l->graph->ops[b.expand], *middle = &l->graph->ops[b.depthwise];
    const ws_op_def *project = &l->graph->ops[b.project];
    const ws_operand in = ws_lowering_operand(l, expand->inputs[0]);
    const ws_operand residual =
        ws_lowering_operand(l, b.add == WS_NO_OP ? WS_REF_NONE : l->graph->ops[b.add].inputs[1]);
    ws_product first = ws_lowering_product(l, expand->inputs[1], bias_ref(expand));
    const ws_product second = ws_lowering_product(l, project->inputs[1], bias_ref(project));
    first.act = ws_lowering_act(l, b.act);
    const float *weight = ws_lowering_by_tap(l, middle->inputs[1]);
    const float *bias = ws_lowering_constant(l, bias_ref(middle));
    const int out = ws_lowering_buffer(l, op);
    ws_step *s = ws_lowering_step(l, &ws_step_inverted_bottleneck, b.depthwise);
    if (!s || l->status)
        return 1;
    s->rate = ws_lowering_value(l, op)->rate;
    s->in[0] = in;
    s->in[2] = residual;
    s->out = out;
    s->product[0] = first;
    s->product[1] = second;
    s->weight = weight;
    s->bias = bias;
    s->act = b.act2 == WS_NO_OP ? WSAM_ACT_NONE : ws_lowering_act(l, b.act2);
    s->flag = (int)(b.act3 == WS_NO_OP ? WSAM_ACT_NONE : ws_lowering_act(l, b.act3));
    s->kernel = first.kernel->name;
    return 1;
}
