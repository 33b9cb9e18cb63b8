/* runtime/lower/chains.c - see chains.h. */
#include "runtime/lower/chains.h"

#include <string.h>

#include "runtime/lower/match_patterns.h"

typedef struct finder {
    const ws_lowering *l;
    unsigned char *taken;
    ws_chain *chains;
} finder;

static int kind_of(const finder *f, uint32_t op)
{
    return ws_lowering_kind(f->l, op);
}

static ws_chain chain_of(uint32_t op)
{
    const ws_chain c = {WS_NO_OP, op, WS_NO_OP, WS_NO_OP, WS_NO_OP, WS_NO_OP, op, WS_CHAIN};
    return c;
}

/* The chain that ends with x goes on with `op`, which the caller sets in its place. */
static ws_chain *extend(finder *f, uint32_t x, uint32_t op)
{
    f->chains[op] = f->chains[x];
    f->chains[op].last = op;
    f->taken[x] = 1;
    return &f->chains[op];
}

/* A norm in front of a linear moves into its rows; the norm's value must have no other reader, and
 * bf16 or f32 rows must not be normalised twice for two products. */
static void absorb_norm(finder *f, ws_chain *c)
{
    const uint32_t norm = ws_match_sole_source(f->l, c->first, WS_PRODUCT_X);
    if (kind_of(f, c->first) == WS_OP_LINEAR && kind_of(f, norm) == WS_OP_LAYER_NORM &&
        !f->taken[norm]) {
        c->norm = norm;
        f->taken[norm] = 1;
    }
}

/* activation(x): joins the chain that ends with x. */
static void join_activation(finder *f, uint32_t op)
{
    const uint32_t x = ws_match_sole_source(f->l, op, WS_UNARY_X);
    if (x == WS_NO_OP)
        return;
    const ws_chain *c = &f->chains[x];
    const int open =
        c->form == WS_CHAIN && c->act == WS_NO_OP && c->after == WS_NO_OP && c->second == WS_NO_OP;
    if (open && c->add != WS_NO_OP) {
        if (!f->l->program->onednn)
            extend(f, x, op)->after = op;
    } else if (open && (ws_match_product(f->l, c->first) || ws_match_depthwise(f->l, c->first) ||
                        kind_of(f, c->first) == WS_OP_LAYER_NORM ||
                        kind_of(f, c->first) == WS_OP_GROUP_NORM))
        extend(f, x, op)->act = op;
}

/* linear(x): follows an activated linear as the MLP's second half, when weights and rows allow it.
 */
static void join_product(finder *f, uint32_t op)
{
    const uint32_t x = ws_match_sole_source(f->l, op, WS_PRODUCT_X);
    if (x != WS_NO_OP && kind_of(f, op) == WS_OP_LINEAR && !f->l->program->onednn) {
        const ws_chain *c = &f->chains[x];
        if (c->act != WS_NO_OP && c->second == WS_NO_OP && c->add == WS_NO_OP &&
            kind_of(f, c->first) == WS_OP_LINEAR &&
            ws_rows(&ws_lowering_value(f->l, op)->shape) >= 64) {
            extend(f, x, op)->second = op;
            return;
        }
    }
    absorb_norm(f, &f->chains[op]);
}

/* add(a, b): the residual of a product that made a. */
static void join_add(finder *f, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(f->l, op);
    ws_value a, b;
    ws_op_input(&v, WS_BINARY_A, &a);
    ws_op_input(&v, WS_BINARY_B, &b);
    const uint32_t x = ws_match_sole_source(f->l, op, WS_BINARY_A);
    if (strcmp(ws_op_string(&v, "function", ""), "add") != 0 || x == WS_NO_OP ||
        !ws_same_shape(&a.shape, &b.shape) || !ws_match_product(f->l, f->chains[x].first) ||
        f->chains[x].form != WS_CHAIN || f->chains[x].add != WS_NO_OP ||
        f->chains[x].after != WS_NO_OP || a.rate < b.rate)
        return;
    if (f->chains[x].second != WS_NO_OP && a.rate != b.rate)
        return; /* the MLP takes the rows of all prompts as one matrix */
    extend(f, x, op)->add = op;
}

static void mark_taken(finder *f, uint32_t op)
{
    if (op != WS_NO_OP)
        f->taken[op] = 1;
}

static int find_bottleneck(finder *f, uint32_t op)
{
    ws_bottleneck_ops b;
    if (f->l->program->onednn || !ws_match_bottleneck(f->l, op, &b))
        return 0;
    mark_taken(f, b.expand);
    mark_taken(f, b.expand_act);
    mark_taken(f, b.depthwise);
    mark_taken(f, b.depthwise_act);
    mark_taken(f, b.add);
    if (b.add_act != WS_NO_OP)
        mark_taken(f, b.project);
    f->chains[op].form = WS_CHAIN_BOTTLENECK;
    return 1;
}

static void find_mask_head(finder *f, uint32_t op)
{
    ws_mask_head_ops h;
    if (!ws_match_mask_head(f->l, op, &h))
        return;
    mark_taken(f, h.first);
    mark_taken(f, h.norm);
    mark_taken(f, h.act);
    mark_taken(f, h.second);
    mark_taken(f, h.second_act);
    f->chains[op].form = WS_CHAIN_MASK_HEAD;
}

void ws_chains_find(const ws_lowering *l, ws_chain *chains, unsigned char *taken)
{
    finder f = {l, taken, chains};
    for (uint32_t op = 0; op < l->graph->n_ops; op++) {
        const int kind = kind_of(&f, op);
        chains[op] = chain_of(op);
        if (l->program->lowering_plain || find_bottleneck(&f, op))
            continue;
        if (kind == WS_OP_ACTIVATION)
            join_activation(&f, op);
        else if (ws_match_product(l, op))
            join_product(&f, op);
        else if (kind == WS_OP_BINARY)
            join_add(&f, op);
        else if (kind == WS_OP_MASK_PRODUCT)
            find_mask_head(&f, op);
    }
}
