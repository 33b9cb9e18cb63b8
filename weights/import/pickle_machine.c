/* weights/import/pickle_machine.c - see pickle_machine.h. */
#include "weights/import/pickle_machine.h"

#include <stdlib.h>
#include <string.h>

void ws_pickle_fail(ws_pickle *p, const char *why)
{
    if (!p->status)
        p->status = ws_fail(p->error, WSAM_ERR_FORMAT, "%s: bad pickle: %s", p->path, why);
}

/* ---- bytes ---- */

const unsigned char *ws_pickle_take(ws_pickle *p, size_t n)
{
    if (p->status || (size_t)(p->end - p->at) < n) {
        ws_pickle_fail(p, "it ends early");
        return NULL;
    }
    const unsigned char *at = p->at;
    p->at += n;
    return at;
}

uint64_t ws_pickle_number(ws_pickle *p, size_t n)
{
    const unsigned char *b = ws_pickle_take(p, n);
    uint64_t v = 0;
    for (size_t i = n; b && i-- > 0;)
        v = v << 8 | b[i];
    return v;
}

/* ---- nodes, cells, stack ---- */

int ws_pickle_grow(ws_pickle *p, void **array, size_t count, size_t *cap, size_t item)
{
    if (count < *cap)
        return 1;
    if (count >= p->most) {
        ws_pickle_fail(p, "it has too many parts");
        return 0;
    }
    const size_t twice = *cap ? 2 * *cap : 256, wanted = twice < p->most ? twice : p->most;
    void *grown = realloc(*array, wanted * item);
    if (!grown) {
        if (!p->status)
            p->status = ws_fail(p->error, WSAM_ERR_MEMORY, "%s: no memory to unpickle", p->path);
        return 0;
    }
    *array = grown;
    *cap = wanted;
    return 1;
}

uint32_t ws_pickle_new_node(ws_pickle *p, ws_node_kind kind)
{
    void *nodes = p->nodes;
    if (p->status || !ws_pickle_grow(p, &nodes, p->n_nodes, &p->node_cap, sizeof *p->nodes))
        return 0;
    p->nodes = nodes;
    p->nodes[p->n_nodes] = (ws_node){.kind = kind};
    return (uint32_t)p->n_nodes++;
}

void ws_pickle_append(ws_pickle *p, uint32_t container, uint32_t node)
{
    void *cells = p->cells;
    if (p->status || !ws_pickle_grow(p, &cells, p->n_cells, &p->cell_cap, sizeof *p->cells))
        return;
    p->cells = cells;
    const uint32_t cell = (uint32_t)p->n_cells++;
    p->cells[cell] = (ws_cell){.node = node};
    ws_node *c = &p->nodes[container];
    if (c->last)
        p->cells[c->last].next = cell;
    else
        c->first = cell;
    c->last = cell;
}

void ws_pickle_push(ws_pickle *p, uint32_t node)
{
    void *stack = p->stack;
    if (p->n_stack >= WS_PICKLE_STACK_CAP)
        ws_pickle_fail(p, "the stack is too deep");
    if (p->status || !ws_pickle_grow(p, &stack, p->n_stack, &p->stack_cap, sizeof *p->stack))
        return;
    p->stack = stack;
    p->stack[p->n_stack++] = node;
}

uint32_t ws_pickle_pop(ws_pickle *p)
{
    if (p->status || !p->n_stack) {
        ws_pickle_fail(p, "the stack is empty");
        return 0;
    }
    return p->stack[--p->n_stack];
}

ws_node *ws_pickle_top(ws_pickle *p)
{
    if (p->status || !p->n_stack) {
        ws_pickle_fail(p, "the stack is empty");
        return &p->nodes[0];
    }
    return &p->nodes[p->stack[p->n_stack - 1]];
}

void ws_pickle_collect(ws_pickle *p, uint32_t container)
{
    size_t mark = p->n_stack;
    while (mark && p->nodes[p->stack[mark - 1]].kind != WS_NODE_MARK)
        mark--;
    if (!mark) {
        ws_pickle_fail(p, "a mark is missing");
        return;
    }
    for (size_t i = mark; i < p->n_stack; i++)
        ws_pickle_append(p, container, p->stack[i]);
    p->n_stack = mark - 1;
}

void ws_pickle_push_int(ws_pickle *p, int64_t v)
{
    const uint32_t n = ws_pickle_new_node(p, WS_NODE_INT);
    p->nodes[n].number = v;
    ws_pickle_push(p, n);
}

void ws_pickle_push_string(ws_pickle *p, size_t length)
{
    const unsigned char *text = ws_pickle_take(p, length);
    const uint32_t n = ws_pickle_new_node(p, WS_NODE_STRING);
    if (p->status)
        return;
    p->nodes[n].text = (const char *)text;
    p->nodes[n].length = (uint32_t)length;
    ws_pickle_push(p, n);
}

uint32_t ws_pickle_item(const ws_pickle *p, uint32_t tuple, int i)
{
    uint32_t cell = p->nodes[tuple].first;
    while (cell && i-- > 0)
        cell = p->cells[cell].next;
    return cell ? p->cells[cell].node : 0;
}

uint32_t ws_pickle_lookup(const ws_pickle *p, uint32_t dict, const char *key)
{
    for (uint32_t c = p->nodes[dict].first; c; c = p->cells[p->cells[c].next].next) {
        const ws_node *k = &p->nodes[p->cells[c].node];
        const uint32_t value = p->cells[c].next;
        if (!value)
            return 0;
        if (k->kind == WS_NODE_STRING && ws_node_is(k, key, strlen(key)))
            return p->cells[value].node;
    }
    return 0;
}
