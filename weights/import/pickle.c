/* weights/import/pickle.c - see pickle.h. The opcodes. */
#include "weights/import/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "weights/import/pickle_machine.h"

static void op_long_string(ws_pickle *p)
{
    const uint64_t n = ws_pickle_number(p, 8);
    if (n > UINT32_MAX)
        ws_pickle_fail(p, "it ends early");
    else
        ws_pickle_push_string(p, (size_t)n);
}

static void push_tuple(ws_pickle *p, int n)
{
    uint32_t items[3] = {0};
    for (int i = n - 1; i >= 0; i--)
        items[i] = ws_pickle_pop(p);
    const uint32_t tuple = ws_pickle_new_node(p, WS_NODE_TUPLE);
    for (int i = 0; i < n; i++)
        ws_pickle_append(p, tuple, items[i]);
    ws_pickle_push(p, tuple);
}

static void memo_put(ws_pickle *p, uint64_t index)
{
    void *memo = p->memo;
    if (index >= p->most)
        ws_pickle_fail(p, "a memo index is out of range");
    while (!p->status && index >= p->memo_cap) {
        const size_t before = p->memo_cap;
        if (!ws_pickle_grow(p, &memo, p->memo_cap, &p->memo_cap, sizeof *p->memo))
            return;
        p->memo = memo;
        memset(p->memo + before, 0, (p->memo_cap - before) * sizeof *p->memo);
    }
    if (p->status || !p->n_stack)
        return;
    p->n_memo += !p->memo[index];
    p->memo[index] = p->stack[p->n_stack - 1];
}

static void memo_get(ws_pickle *p, uint64_t index)
{
    if (index >= p->memo_cap || !p->memo[index])
        ws_pickle_fail(p, "an unknown memo index");
    else
        ws_pickle_push(p, p->memo[index]);
}

static void op_long(ws_pickle *p, size_t length)
{
    const size_t n = (size_t)ws_pickle_number(p, length);
    const unsigned char *b = ws_pickle_take(p, n);
    int64_t v = b && n && b[n - 1] & 0x80 ? -1 : 0;
    for (size_t i = n; b && i-- > 0;)
        v = (int64_t)((uint64_t)v << 8 | b[i]);
    ws_pickle_push_int(p,
                       n > 8 ? 0 : v); /* only the magic number of the legacy container is longer */
}

static void set_items(ws_pickle *p, int marked)
{
    if (marked) {
        const uint32_t list = ws_pickle_new_node(p, WS_NODE_TUPLE);
        ws_pickle_collect(p, list);
        const ws_node_kind kind = ws_pickle_top(p)->kind;
        if (!p->status && kind == WS_NODE_OPAQUE)
            return;
        if (p->status || kind != WS_NODE_DICT) {
            ws_pickle_fail(p, "items without a dictionary");
            return;
        }
        for (uint32_t c = p->nodes[list].first; c && !p->status; c = p->cells[c].next)
            ws_pickle_append(p, p->stack[p->n_stack - 1], p->cells[c].node);
        return;
    }
    const uint32_t value = ws_pickle_pop(p), key = ws_pickle_pop(p);
    const ws_node_kind kind = ws_pickle_top(p)->kind;
    if (kind != WS_NODE_DICT && kind != WS_NODE_OPAQUE)
        ws_pickle_fail(p, "an item without a dictionary");
    if (p->status || kind == WS_NODE_OPAQUE)
        return;
    ws_pickle_append(p, p->stack[p->n_stack - 1], key);
    ws_pickle_append(p, p->stack[p->n_stack - 1], value);
}

static void append_items(ws_pickle *p, int marked)
{
    const uint32_t list = ws_pickle_new_node(p, WS_NODE_TUPLE);
    if (marked)
        ws_pickle_collect(p, list);
    else
        ws_pickle_append(p, list, ws_pickle_pop(p));
    const ws_node_kind kind = ws_pickle_top(p)->kind;
    if (!p->status && kind == WS_NODE_OPAQUE)
        return;
    if (p->status || kind != WS_NODE_TUPLE) {
        ws_pickle_fail(p, "items without a list");
        return;
    }
    for (uint32_t c = p->nodes[list].first; c && !p->status; c = p->cells[c].next)
        ws_pickle_append(p, p->stack[p->n_stack - 1], p->cells[c].node);
}

/* BUILD: the state of numpy's arrays and types; the attributes of an OrderedDict (`_metadata`), of a
 * tensor or of anything else are ignored. */
static void op_build(ws_pickle *p)
{
    const uint32_t state = ws_pickle_pop(p);
    const ws_node_kind kind = ws_pickle_top(p)->kind;
    const uint32_t node = p->status ? 0 : p->stack[p->n_stack - 1];
    if (kind == WS_NODE_ARRAY)
        ws_pickle_numpy_state(p, node, state);
    else if (kind == WS_NODE_DTYPE)
        ws_pickle_numpy_order(p, node, state);
    else if (kind != WS_NODE_DICT && kind != WS_NODE_OPAQUE && kind != WS_NODE_TENSOR)
        ws_pickle_fail(p, "a state for something that is no object");
}

/* cls, args, keywords: as NEWOBJ. */
static void op_new_object_ex(ws_pickle *p)
{
    ws_pickle_pop(p);
    ws_pickle_reduce(p);
}

/* Bytes: those of an array, or nothing of a tensor's. */
static void push_bytes(ws_pickle *p, uint64_t length)
{
    const unsigned char *text = NULL;
    if (length > (uint64_t)(p->end - p->at) || length > UINT32_MAX)
        ws_pickle_fail(p, "it ends early");
    else
        text = ws_pickle_take(p, (size_t)length);
    const uint32_t node = ws_pickle_new_node(p, WS_NODE_BYTES);
    if (!p->status) {
        p->nodes[node].text = (const char *)text;
        p->nodes[node].length = (uint32_t)length;
    }
    ws_pickle_push(p, node);
}

static void op_frozen_set(ws_pickle *p)
{
    ws_pickle_collect(p, ws_pickle_new_node(p, WS_NODE_TUPLE));
    ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_OPAQUE));
}

static void op_duplicate(ws_pickle *p)
{
    const uint32_t node = ws_pickle_pop(p);
    ws_pickle_push(p, node);
    ws_pickle_push(p, node);
}

static void op_new_object(ws_pickle *p)
{
    ws_pickle_reduce(p);
}

/* Big-endian, as the only number of a pickle. */
static void op_float(ws_pickle *p)
{
    const uint64_t bits = __builtin_bswap64(ws_pickle_number(p, 8));
    const uint32_t node = ws_pickle_new_node(p, WS_NODE_FLOAT);
    if (!p->status)
        memcpy(&p->nodes[node].real, &bits, sizeof bits);
    ws_pickle_push(p, node);
}

static void op_marked_tuple(ws_pickle *p)
{
    const uint32_t tuple = ws_pickle_new_node(p, WS_NODE_TUPLE);
    ws_pickle_collect(p, tuple);
    ws_pickle_push(p, tuple);
}

/* Containers and what goes into them. 1 when the opcode was one of them. */
static int op_of_container(ws_pickle *p, unsigned char op)
{
    switch (op) {
    case '(':
        ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_MARK));
        return 1;
    case ')':
    case ']':
        ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_TUPLE));
        return 1;
    case '}':
        ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_DICT));
        return 1;
    case 0x85:
    case 0x86:
    case 0x87:
        push_tuple(p, op - 0x84);
        return 1;
    case 't':
        op_marked_tuple(p);
        return 1;
    case 's':
    case 'u':
        set_items(p, op == 'u');
        return 1;
    case 'a':
    case 'e':
        append_items(p, op == 'e');
        return 1;
    case 0x8f: /* EMPTY_SET */
        ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_OPAQUE));
        return 1;
    case 0x90: /* ADDITEMS */
        append_items(p, 1);
        return 1;
    case 0x91:
        op_frozen_set(p);
        return 1;
    default:
        return 0;
    }
}

/* What names and calls something: nothing is ever run. 1 when the opcode was one of them. */
static int op_of_call(ws_pickle *p, unsigned char op)
{
    switch (op) {
    case 'c':
        ws_pickle_global(p);
        return 1;
    case 0x93:
        ws_pickle_stack_global(p);
        return 1;
    case 'Q':
        ws_pickle_persistent_id(p);
        return 1;
    case 'R':
        ws_pickle_reduce(p);
        return 1;
    case 0x81:
        op_new_object(p);
        return 1;
    case 'b':
        op_build(p);
        return 1;
    case 0x92:
        op_new_object_ex(p);
        return 1;
    default:
        return 0;
    }
}

/* Protocol, frames, the memo and the stack. 1 when the opcode was one of them. */
static int op_of_memo(ws_pickle *p, unsigned char op)
{
    switch (op) {
    case 0x80:
        if (ws_pickle_number(p, 1) > 5)
            ws_pickle_fail(p, "a protocol newer than 5");
        return 1;
    case 0x95: /* FRAME */
        ws_pickle_take(p, 8);
        return 1;
    case 'q':
        memo_put(p, ws_pickle_number(p, 1));
        return 1;
    case 'r':
        memo_put(p, ws_pickle_number(p, 4));
        return 1;
    case 0x94: /* MEMOIZE: the next index */
        memo_put(p, p->n_memo);
        return 1;
    case 'h':
        memo_get(p, ws_pickle_number(p, 1));
        return 1;
    case 'j':
        memo_get(p, ws_pickle_number(p, 4));
        return 1;
    case '0':
        ws_pickle_pop(p);
        return 1;
    case '1': /* POP_MARK */
        ws_pickle_collect(p, ws_pickle_new_node(p, WS_NODE_TUPLE));
        return 1;
    case '2':
        op_duplicate(p);
        return 1;
    default:
        return 0;
    }
}

/* Strings, bytes and numbers. 1 when the opcode was one of them. */
static int op_of_value(ws_pickle *p, unsigned char op)
{
    switch (op) {
    case 'B':
        push_bytes(p, ws_pickle_number(p, 4));
        return 1;
    case 'C':
        push_bytes(p, ws_pickle_number(p, 1));
        return 1;
    case 0x8e: /* BINBYTES8 */
    case 0x96: /* BYTEARRAY8 */
        push_bytes(p, ws_pickle_number(p, 8));
        return 1;
    case 0x8d: /* BINUNICODE8 */
        op_long_string(p);
        return 1;
    case 'X':
    case 'T':
        ws_pickle_push_string(p, (size_t)ws_pickle_number(p, 4));
        return 1;
    case 'U':
    case 0x8c:
        ws_pickle_push_string(p, (size_t)ws_pickle_number(p, 1));
        return 1;
    case 'K':
        ws_pickle_push_int(p, (int64_t)ws_pickle_number(p, 1));
        return 1;
    case 'M':
        ws_pickle_push_int(p, (int64_t)ws_pickle_number(p, 2));
        return 1;
    case 'J':
        ws_pickle_push_int(p, (int32_t)ws_pickle_number(p, 4));
        return 1;
    case 0x8a:
    case 0x8b:
        op_long(p, op == 0x8a ? 1 : 4);
        return 1;
    case 'G':
        op_float(p);
        return 1;
    case 0x88:
    case 0x89:
        ws_pickle_push_int(p, op == 0x88);
        return 1;
    case 'N':
        ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_NONE));
        return 1;
    default:
        return 0;
    }
}

wsam_status ws_unpickle(ws_pickle *p, const char *path, const unsigned char *bytes, size_t n,
                        uint32_t *result, size_t *used, wsam_error *error)
{
    return ws_unpickle_up_to(WS_PICKLE_ITEM_CAP, p, path, bytes, n, result, used, error);
}

/* So many that all of it stays below four times the file and 64 MB: the file itself, 16 MB of a program, and of each
 * part a node, a cell, and a place on the stack and in the memo. */
static size_t parts_of(size_t bytes)
{
    const size_t room = (size_t)48 << 20;
    return (room + 3 * bytes) / (sizeof(ws_node) + sizeof(ws_cell) + 2 * sizeof(uint32_t));
}

wsam_status ws_unpickle_up_to(size_t most, ws_pickle *p, const char *path,
                              const unsigned char *bytes, size_t n, uint32_t *result, size_t *used,
                              wsam_error *error)
{
    memset(p, 0, sizeof *p);
    p->most = parts_of(n) < most ? parts_of(n) : most;
    p->path = path;
    p->at = bytes;
    p->end = bytes + n;
    p->error = error;
    p->n_cells = 1;
    void *cells = NULL;
    if (ws_pickle_grow(p, &cells, 1, &p->cell_cap, sizeof *p->cells)) {
        p->cells = cells;
        p->cells[0] = (ws_cell){0};
    }
    ws_pickle_new_node(p, WS_NODE_NONE);
    for (;;) {
        const unsigned char *op = ws_pickle_take(p, 1);
        if (!op || *op == '.')
            break;
        if (!op_of_value(p, *op) && !op_of_memo(p, *op) && !op_of_container(p, *op) &&
            !op_of_call(p, *op) && !p->status)
            p->status = ws_fail(error, WSAM_ERR_UNSUPPORTED,
                                "%s: pickle opcode 0x%02x is not accepted", path, *op);
    }
    *result = ws_pickle_pop(p);
    *used = (size_t)(p->at - bytes);
    return p->status;
}

void ws_pickle_free(ws_pickle *p)
{
    free(p->nodes);
    free(p->cells);
    free(p->stack);
    free(p->memo);
    memset(p, 0, sizeof *p);
}
