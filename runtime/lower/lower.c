/* runtime/lower/lower.c - a graph into steps.
 *
 * Fusion looks for chains of operators whose values nobody else reads:
 *
 * - [layer_norm] linear or conv2d [activation] [add]: one product with its epilogue;
 * - [layer_norm] linear, activation, linear [add]: the MLP, its hidden rows in scratch;
 * - depthwise conv2d, activation; a norm, activation;
 * - the chain of a mask head (lower_upscale.c).
 *
 * A chain is emitted at the place of its last operator, where all its inputs exist. The plain
 * lowering has chains of one operator. */
#include "runtime/lower/lower.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/backend_onednn.h"

/* ---- chains ---- */

/* Operators that become one step; WS_NO_OP where there is none. */
typedef struct chain {
    uint32_t norm, first, act, second, add;
    int closed; /* nothing joins it: its end belongs to a larger step */
} chain;

typedef struct fusion {
    ws_lowering *l;
    unsigned char *taken; /* per operator: part of a chain, not its end */
    chain *chains;        /* at the chain's last operator */
} fusion;

static int kind_of(const fusion *f, uint32_t op)
{
    return op == WS_NO_OP ? -1 : ws_op_kind_of(&f->l->graph->ops[op]);
}

static int is_depthwise(const fusion *f, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(f->l, op);
    return kind_of(f, op) == WS_OP_CONV2D && ws_op_int(&v, "groups", 1) != 1;
}

static int is_product(const fusion *f, uint32_t op)
{
    const int kind = kind_of(f, op);
    return kind == WS_OP_LINEAR || (kind == WS_OP_CONV2D && !is_depthwise(f, op));
}

static chain chain_of(uint32_t op)
{
    const chain c = {WS_NO_OP, op, WS_NO_OP, WS_NO_OP, WS_NO_OP, 0};
    return c;
}

/* A norm in front of a linear moves into its rows; the norm's value must have no other reader, and
 * bf16 or f32 rows must not be normalised twice for two products. */
static void absorb_norm(fusion *f, chain *c)
{
    const uint32_t norm = ws_lowering_sole_source(f->l, c->first, 0);
    if (kind_of(f, c->first) == WS_OP_LINEAR && kind_of(f, norm) == WS_OP_LAYER_NORM &&
        !f->taken[norm]) {
        c->norm = norm;
        f->taken[norm] = 1;
    }
}

/* activation(x): joins the chain that ends with x. */
static void join_activation(fusion *f, uint32_t op)
{
    const uint32_t x = ws_lowering_sole_source(f->l, op, 0);
    f->chains[op] = chain_of(op);
    if (x == WS_NO_OP)
        return;
    const chain *c = &f->chains[x];
    const int open =
        !c->closed && c->act == WS_NO_OP && c->add == WS_NO_OP && c->second == WS_NO_OP;
    if (!open ||
        !(is_product(f, c->first) || is_depthwise(f, c->first) ||
          kind_of(f, c->first) == WS_OP_LAYER_NORM || kind_of(f, c->first) == WS_OP_GROUP_NORM))
        return;
    f->chains[op] = *c;
    f->chains[op].act = op;
    f->taken[x] = 1;
}

/* linear(x): follows an activated linear as the MLP's second half, when weights and rows allow it.
 */
static void join_linear(fusion *f, uint32_t op)
{
    const uint32_t x = ws_lowering_sole_source(f->l, op, 0);
    f->chains[op] = chain_of(op);
    if (x != WS_NO_OP && kind_of(f, op) == WS_OP_LINEAR && !f->l->program->onednn) {
        const chain *c = &f->chains[x];
        if (c->act != WS_NO_OP && c->second == WS_NO_OP && c->add == WS_NO_OP &&
            kind_of(f, c->first) == WS_OP_LINEAR &&
            ws_rows(&ws_lowering_value(f->l, op)->shape) >= 64) {
            f->chains[op] = *c;
            f->chains[op].second = op;
            f->taken[x] = 1;
            return;
        }
    }
    absorb_norm(f, &f->chains[op]);
}

/* add(a, b): the residual of a product that made a (or, with equal shapes, b). */
static void join_add(fusion *f, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(f->l, op);
    ws_value a, b;
    f->chains[op] = chain_of(op);
    ws_op_input(&v, 0, &a);
    ws_op_input(&v, 1, &b);
    const uint32_t x = ws_lowering_sole_source(f->l, op, 0);
    if (strcmp(ws_op_string(&v, "function", ""), "add") != 0 || x == WS_NO_OP ||
        !ws_same_shape(&a.shape, &b.shape) || !is_product(f, f->chains[x].first) ||
        f->chains[x].closed || f->chains[x].add != WS_NO_OP || a.rate < b.rate)
        return;
    if (f->chains[x].second != WS_NO_OP && a.rate != b.rate)
        return; /* the MLP takes the rows of all prompts as one matrix */
    f->chains[op] = f->chains[x];
    f->chains[op].add = op;
    f->taken[x] = 1;
}

static void find_chains(fusion *f)
{
    const ws_graph_def *g = f->l->graph;
    for (uint32_t op = 0; op < g->n_ops; op++) {
        const int kind = kind_of(f, op);
        f->chains[op] = chain_of(op);
        if (f->l->program->lowering_plain)
            continue;
        f->chains[op].closed =
            !f->l->program->onednn && ws_find_inverted_bottleneck(f->l, op, f->taken);
        if (f->chains[op].closed)
            continue;
        if (kind == WS_OP_ACTIVATION)
            join_activation(f, op);
        else if (is_product(f, op))
            join_linear(f, op);
        else if (kind == WS_OP_BINARY)
            join_add(f, op);
        else if (kind == WS_OP_MASK_PRODUCT)
            ws_find_upscale(f->l, op, f->taken);
    }
}

static void count_readers(fusion *f)
{
    const ws_graph_def *g = f->l->graph;
    for (uint32_t op = 0; op < g->n_ops; op++)
        for (uint32_t i = 0; i < g->ops[op].n_inputs; i++)
            if (g->ops[op].inputs[i] < WS_REF_TENSOR)
                f->l->readers[g->ops[op].inputs[i]]++;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        f->l->readers[g->outputs[i].ref] += 2; /* an output's value must exist by itself */
}

/* ---- emission ---- */

static void set_norm(ws_lowering *l, ws_product *p, uint32_t norm)
{
    if (norm == WS_NO_OP)
        return;
    const ws_op_view v = ws_lowering_view(l, norm);
    p->norm_weight = ws_lowering_constant(l, v.op->inputs[1]);
    p->norm_bias = ws_lowering_constant(l, v.op->inputs[2]);
    p->norm_eps = (float)ws_op_float(&v, "eps", 1e-6);
}

static uint32_t bias_ref(const ws_op_def *op)
{
    return op->n_inputs > 2 ? op->inputs[2] : WS_REF_NONE;
}

/* The residual operand of a chain's add: the side that the product did not make. */
static ws_operand residual_of(ws_lowering *l, const chain *c)
{
    return ws_lowering_operand(l,
                               c->add == WS_NO_OP ? WS_REF_NONE : l->graph->ops[c->add].inputs[1]);
}

static int is_one_by_one(const ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const ws_tensor_def *w = ws_ref_tensor(l->file, v.op->inputs[1]);
    return w->dims[1] == 1 && w->dims[2] == 1 && ws_op_int(&v, "stride", 1) == 1 &&
           ws_op_int(&v, "pad", 0) == 0;
}

/* The product without a packed weight: oneDNN keeps its own. */
static ws_product bare_product(ws_lowering *l, uint32_t weight, uint32_t bias)
{
    const ws_tensor_def *t = ws_ref_tensor(l->file, weight);
    const ws_product p = {.n = t->dims[0],
                          .k = ws_tensor_elements(t) / t->dims[0],
                          .bias = ws_lowering_constant(l, bias)};
    return p;
}

/* Whether oneDNN takes a product. Its primitives are made for one size, so image-rate rows whose
 * number no symbol changes. */
static int is_foreign(ws_lowering *l, const chain *c, uint32_t last)
{
    const ws_tensor_def *weight = ws_ref_tensor(l->file, l->graph->ops[c->first].inputs[1]);
    return l->program->onednn && ws_lowering_value(l, last)->rate == WSAM_RATE_IMAGE &&
           !ws_lowering_varies(l, l->graph->n_inputs + last) &&
           (weight->type != WSAM_S8 || ws_onednn_exact_int8());
}

/* A step for one product, native or oneDNN's. */
static ws_step *product_step(ws_lowering *l, const chain *c, uint32_t last, ws_product *first)
{
    const ws_op_def *op = &l->graph->ops[c->first];
    const int conv = ws_op_kind_of(op) == WS_OP_CONV2D && !is_one_by_one(l, c->first);
    const int foreign = is_foreign(l, c, last);
    *first = foreign ? bare_product(l, op->inputs[1], bias_ref(op))
                     : ws_lowering_product(l, op->inputs[1], bias_ref(op));
    set_norm(l, first, c->norm);
    if (c->act != WS_NO_OP)
        first->act = ws_lowering_act(l, c->act);
    if (l->status)
        return NULL;
    if (foreign)
        return conv ? ws_lower_onednn_conv(l, c->first, first)
                    : ws_lower_onednn(l, c->first, ws_rows(&ws_lowering_value(l, last)->shape),
                                      first);
    ws_step *s = ws_lowering_step(
        l, c->second != WS_NO_OP ? &ws_step_mlp : (conv ? &ws_step_conv : &ws_step_gemm), c->first);
    if (s)
        s->kernel = first->kernel->name;
    return s;
}

static void emit_product(ws_lowering *l, const chain *c, uint32_t last)
{
    const ws_op_def *op = &l->graph->ops[c->first];
    const uint32_t x = c->norm == WS_NO_OP ? op->inputs[0] : l->graph->ops[c->norm].inputs[0];
    const ws_operand in[3] = {ws_lowering_operand(l, x), ws_lowering_operand(l, WS_REF_NONE),
                              residual_of(l, c)};
    const int out = ws_lowering_buffer(l, last);
    ws_product first, second = {.kernel = NULL};
    if (c->second != WS_NO_OP) {
        const ws_op_def *b = &l->graph->ops[c->second];
        second = ws_lowering_product(l, b->inputs[1], bias_ref(b));
    }
    ws_step *s = product_step(l, c, last, &first);
    if (!s)
        return;
    s->rate = ws_lowering_value(l, last)->rate;
    memcpy(s->in, in, sizeof in);
    s->out = out;
    s->product[0] = first;
    s->product[1] = second;
}

static void emit_depthwise(ws_lowering *l, const chain *c, uint32_t last)
{
    const ws_op_def *op = &l->graph->ops[c->first];
    const float *weight = ws_lowering_by_tap(l, op->inputs[1]);
    const ws_operand in = ws_lowering_operand(l, op->inputs[0]);
    const float *bias = ws_lowering_constant(l, bias_ref(op));
    const int out = ws_lowering_buffer(l, last);
    ws_step *s = ws_lowering_step(l, &ws_step_depthwise, c->first);
    if (!s)
        return;
    s->in[0] = in;
    s->weight = weight;
    s->bias = bias;
    s->out = out;
    s->act = c->act == WS_NO_OP ? WSAM_ACT_NONE : ws_lowering_act(l, c->act);
    s->kernel = l->program->kernels->conv.name;
}

static void emit_norm(ws_lowering *l, const chain *c, uint32_t last)
{
    const ws_op_view v = ws_lowering_view(l, c->first);
    const ws_operand in = ws_lowering_operand(l, v.op->inputs[0]);
    const float *weight = ws_lowering_constant(l, v.op->inputs[1]);
    const float *bias = ws_lowering_constant(l, v.op->inputs[2]);
    const int out = ws_lowering_buffer(l, last);
    ws_step *s = ws_lowering_step(
        l, ws_op_kind_of(v.op) == WS_OP_LAYER_NORM ? &ws_step_layer_norm : &ws_step_group_norm,
        c->first);
    if (!s)
        return;
    s->in[0] = in;
    s->weight = weight;
    s->bias = bias;
    s->eps = (float)ws_op_float(&v, "eps", 1e-6);
    s->out = out;
    s->act = c->act == WS_NO_OP ? WSAM_ACT_NONE : ws_lowering_act(l, c->act);
    s->kernel = l->program->kernels->vector.name;
}

static void emit(fusion *f, uint32_t last)
{
    ws_lowering *l = f->l;
    const chain *c = &f->chains[last];
    const int kind = kind_of(f, c->first);
    if (!l->program->lowering_plain && !l->program->onednn && ws_lower_inverted_bottleneck(l, last))
        return;
    if (is_product(f, c->first))
        emit_product(l, c, last);
    else if (is_depthwise(f, c->first))
        emit_depthwise(l, c, last);
    else if (kind == WS_OP_LAYER_NORM || kind == WS_OP_GROUP_NORM)
        emit_norm(l, c, last);
    else if (l->program->lowering_plain || !ws_lower_upscale(l, c->first))
        ws_lower_operator(l, c->first);
}

/* ---- after the steps ---- */

static uint32_t last_op_output_bits(const ws_program *p, int buffer)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < p->graph->n_outputs; i++)
        if (p->value_buffer[p->graph->outputs[i].ref] == buffer)
            bits |= 1u << i;
    return bits;
}

/* Which outputs depend on which steps, and which image-rate buffers must outlive a bind. */
static void trace_uses(ws_lowering *l)
{
    ws_program *p = l->program;
    uint32_t *needed = calloc(p->n_buffers + 1, sizeof *needed);
    if (!needed) {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_MEMORY, "no memory to lower a graph"));
        return;
    }
    for (size_t b = 0; b < p->n_buffers; b++) {
        needed[b] = last_op_output_bits(p, (int)b);
        if (needed[b] && p->buffers[b].rate == WSAM_RATE_IMAGE)
            p->buffers[b].persistent = 1;
    }
    for (size_t i = p->n_steps; i-- > 0;) {
        ws_step *s = &p->steps[i];
        s->outputs = needed[s->out];
        for (int j = 0; j < WS_STEP_OPERANDS; j++) {
            const int b = s->in[j].buffer;
            if (b < 0)
                continue;
            needed[b] |= s->outputs;
            if (p->buffers[b].rate == WSAM_RATE_IMAGE && s->rate == WSAM_RATE_PROMPT)
                p->buffers[b].persistent = 1;
        }
    }
    free(needed);
}

typedef struct place {
    uint32_t outputs;
    size_t at;
} place;

static int by_need(const void *a, const void *b)
{
    const place *x = a, *y = b;
    const int more = __builtin_popcount(y->outputs) - __builtin_popcount(x->outputs);
    if (more)
        return more;
    if (x->outputs != y->outputs)
        return x->outputs > y->outputs ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* What more outputs need comes first, then what later outputs need: a run of some outputs can be
 * continued for the others. A step's outputs contain those of every step that reads it, so none
 * moves before its operands. */
static void order_steps(ws_lowering *l)
{
    ws_program *p = l->program;
    place *places = malloc((p->n_steps + 1) * sizeof *places);
    ws_step *steps = malloc((p->n_steps + 1) * sizeof *steps);
    for (size_t i = 0; places && i < p->n_steps; i++)
        places[i] = (place){p->steps[i].outputs, i};
    if (places && steps) {
        if (p->n_steps)
            qsort(places, p->n_steps, sizeof *places, by_need);
        for (size_t i = 0; i < p->n_steps; i++)
            steps[i] = p->steps[places[i].at];
        free(p->steps);
        p->steps = steps;
    } else {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_MEMORY, "no memory to lower a graph"));
        free(steps);
    }
    free(places);
}

static wsam_status lower_all(ws_lowering *l)
{
    const ws_graph_def *g = l->graph;
    const size_t n = (size_t)g->n_inputs + g->n_ops;
    fusion f = {.l = l};
    l->readers = calloc(n + 1, sizeof *l->readers);
    l->low_ranks = calloc(n + 1, sizeof *l->low_ranks);
    f.taken = calloc((size_t)g->n_ops + 1, 1);
    f.chains = calloc((size_t)g->n_ops + 1, sizeof *f.chains);
    if (!l->readers || !l->low_ranks || !f.taken || !f.chains) {
        ws_lowering_keep(l, ws_fail(l->error, WSAM_ERR_MEMORY, "no memory to lower a graph"));
    } else {
        for (uint32_t i = 0; i < g->n_inputs; i++)
            l->program->value_buffer[i] = ws_lowering_input(l, i);
        count_readers(&f);
        find_chains(&f);
        for (uint32_t op = 0; op < g->n_ops && !l->status; op++)
            if (!f.taken[op])
                emit(&f, op);
    }
    free(l->readers);
    free(l->low_ranks);
    free(f.taken);
    free(f.chains);
    if (!l->status)
        trace_uses(l);
    if (!l->status)
        order_steps(l);
    if (!l->status)
        ws_reuse_buffers_in_place(l->program);
    return l->status;
}

wsam_status ws_lower(const ws_file *file, const ws_graph_def *graph, const wsam_kernels *kernels,
                     ws_packs *packs, const wsam_options *options, ws_program **out,
                     wsam_error *error)
{
    const size_t n = (size_t)graph->n_inputs + graph->n_ops;
    ws_program *p = calloc(1, sizeof *p);
    ws_value *values = calloc(n + 1, sizeof *values);
    ws_lowering l = {.file = file, .graph = graph, .packs = packs, .program = p, .values = values};
    wsam_status status = WSAM_OK;
    *out = NULL;
    l.error = error;
    if (p)
        p->value_buffer = malloc((n + 1) * sizeof *p->value_buffer);
    if (!p || !values || !p->value_buffer) {
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory to lower a graph");
    } else {
        for (size_t i = 0; i < n; i++)
            p->value_buffer[i] = -1;
        p->file = file;
        p->graph = graph;
        p->kernels = kernels;
        p->lowering_plain = options->lowering == WSAM_LOWERING_PLAIN;
        p->onednn = options->backend == WSAM_BACKEND_ONEDNN;
        p->threads = options->threads;
        ws_dims_min(graph, &l.dims);
        status = ws_infer(file, graph, &l.dims, values, error);
        if (!status)
            status = lower_all(&l);
    }
    free(values);
    if (status)
        ws_program_free(p);
    else
        *out = p;
    return status;
}

void ws_program_free(ws_program *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_steps; i++)
        ws_onednn_free(p->steps[i].onednn);
    free(p->buffers);
    free(p->steps);
    free(p->value_buffer);
    free(p->model_data);
    free(p);
}
