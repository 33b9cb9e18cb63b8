/* runtime/lower/lower.c - a graph into steps: chains of operators are found, and each is lowered at
 * the place of its last operator, where all its inputs exist. */
#include "runtime/lower/lower.h"

#include <stdlib.h>

static void count_readers(ws_lowering *l)
{
    const ws_graph_def *g = l->graph;
    for (uint32_t op = 0; op < g->n_ops; op++)
        for (uint32_t i = 0; i < g->ops[op].n_inputs; i++)
            if (g->ops[op].inputs[i] < WS_REF_TENSOR)
                l->readers[g->ops[op].inputs[i]]++;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        l->readers[g->outputs[i].ref] += 2; /* an output's value must exist by itself */
}

#define LOWERING(KIND, name) [WS_OP_##KIND] = ws_lower_##name,
static ws_lower_fn *const lowerings[WS_OP_KINDS] = {WS_OPERATORS(LOWERING)};

static void lower_chain(ws_lowering *l, const ws_chain *c)
{
    switch (c->form) {
    case WS_CHAIN:
        lowerings[ws_lowering_kind(l, c->first)](l, c);
        return;
    case WS_CHAIN_BOTTLENECK:
        ws_lower_inverted_bottleneck(l, c);
        return;
    case WS_CHAIN_MASK_HEAD:
        ws_lower_upscale(l, c);
        return;
    }
}

/* Says behind which step a value of the graph is complete, the last one that writes its buffer. Rows
 * in low-rank form, or narrow, are none. */
static void name_values(ws_program *p)
{
    for (size_t i = 0; i < p->n_steps; i++) {
        const ws_buffer *b = &p->buffers[p->steps[i].out];
        size_t later = i + 1;
        while (later < p->n_steps && p->steps[later].out != p->steps[i].out)
            later++;
        const int whole = later == p->n_steps && b->columns == 0 && !b->low_rank && !b->narrow &&
                          p->value_buffer[b->value] == p->steps[i].out;
        p->steps[i].value = whole ? b->value : WS_REF_NONE;
    }
}

static wsam_status lower_all(ws_lowering *l)
{
    const ws_graph_def *g = l->graph;
    const size_t n = (size_t)g->n_inputs + g->n_ops;
    ws_chain *chains;
    unsigned char *taken;
    l->readers = calloc(n + 1, sizeof *l->readers);
    l->low_ranks = calloc(n + 1, sizeof *l->low_ranks);
    taken = calloc((size_t)g->n_ops + 1, 1);
    chains = calloc((size_t)g->n_ops + 1, sizeof *chains);
    if (!l->readers || !l->low_ranks || !taken || !chains) {
        ws_lowering_no_memory(l);
    } else {
        for (uint32_t i = 0; i < g->n_inputs; i++)
            l->program->value_buffer[i] = ws_lowering_input(l, i);
        count_readers(l);
        ws_chains_find(l, chains, taken);
        for (uint32_t op = 0; op < g->n_ops && !l->status; op++)
            if (!taken[op])
                lower_chain(l, &chains[op]);
    }
    free(l->readers);
    free(l->low_ranks);
    free(taken);
    free(chains);
    if (!l->status)
        ws_order_steps(l);
    if (!l->status) {
        ws_narrow_buffers(l);
        name_values(l->program);
        ws_inplace_buffers(l->program);
        ws_join_steps(l->program);
    }
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
        status = ws_graph_infer(file, graph, &l.dims, values, error);
        if (!status)
            status = lower_all(&l);
    }
    free(values);
    if (status)
        ws_lower_free(p);
    else
        *out = p;
    return status;
}

void ws_lower_free(ws_program *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].kind->release)
            p->steps[i].kind->release(&p->steps[i]);
    free(p->buffers);
    free(p->steps);
    free(p->value_buffer);
    free(p->model_data);
    free(p);
}
