/* weights/import/pickle.c - see pickle.h. */
#include "weights/import/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Caps of a hostile pickle's memory (100 MB); SAM ViT-H has 20,000 nodes. */
enum { MEMO_CAP = 1 << 20, STACK_CAP = 1 << 20, ITEM_CAP = 1 << 20 };

static void fail(ws_pickle *p, const char *why)
{
    if (!p->status)
        p->status = ws_fail(p->error, WSAM_ERR_FORMAT, "%s: bad pickle: %s", p->path, why);
}

/* ---- bytes ---- */

static const unsigned char *take(ws_pickle *p, size_t n)
{
    if (p->status || (size_t)(p->end - p->at) < n) {
        fail(p, "it ends early");
        return NULL;
    }
    const unsigned char *at = p->at;
    p->at += n;
    return at;
}

static uint64_t number(ws_pickle *p, size_t n)
{
    const unsigned char *b = take(p, n);
    uint64_t v = 0;
    for (size_t i = n; b && i-- > 0;)
        v = v << 8 | b[i];
    return v;
}

/* ---- nodes, cells, stack ---- */

/* Room for one more item. */
static int grow(ws_pickle *p, void **array, size_t count, size_t *cap, size_t item)
{
    if (count < *cap)
        return 1;
    if (*cap >= ITEM_CAP) {
        fail(p, "it has too many parts");
        return 0;
    }
    const size_t wanted = *cap ? 2 * *cap : 256;
    void *grown = realloc(*array, wanted * item);
    if (!grown) {
        if (!p->status)
            p->status = ws_fail(p->error, WSAM_ERR_MEMORY, "%s: no memory to unpickle", p->path);
        return 0;
    }
    memset((char *)grown + *cap * item, 0, (wanted - *cap) * item);
    *array = grown;
    *cap = wanted;
    return 1;
}

static uint32_t new_node(ws_pickle *p, ws_node_kind kind)
{
    void *nodes = p->nodes;
    if (p->status || !grow(p, &nodes, p->n_nodes, &p->node_cap, sizeof *p->nodes))
        return 0;
    p->nodes = nodes;
    p->nodes[p->n_nodes].kind = kind;
    return (uint32_t)p->n_nodes++;
}

static void append(ws_pickle *p, uint32_t container, uint32_t node)
{
    void *cells = p->cells;
    if (p->status || !grow(p, &cells, p->n_cells, &p->cell_cap, sizeof *p->cells))
        return;
    p->cells = cells;
    const uint32_t cell = (uint32_t)p->n_cells++;
    p->cells[cell].node = node;
    ws_node *c = &p->nodes[container];
    if (c->last)
        p->cells[c->last].next = cell;
    else
        c->first = cell;
    c->last = cell;
}

static void push(ws_pickle *p, uint32_t node)
{
    void *stack = p->stack;
    if (p->n_stack >= STACK_CAP)
        fail(p, "the stack is too deep");
    if (p->status || !grow(p, &stack, p->n_stack, &p->stack_cap, sizeof *p->stack))
        return;
    p->stack = stack;
    p->stack[p->n_stack++] = node;
}

static uint32_t pop(ws_pickle *p)
{
    if (p->status || !p->n_stack) {
        fail(p, "the stack is empty");
        return 0;
    }
    return p->stack[--p->n_stack];
}

static ws_node *top(ws_pickle *p)
{
    if (p->status || !p->n_stack) {
        fail(p, "the stack is empty");
        return &p->nodes[0];
    }
    return &p->nodes[p->stack[p->n_stack - 1]];
}

/* The items above the last mark become items of `container`; the mark goes. */
static void collect(ws_pickle *p, uint32_t container)
{
    size_t mark = p->n_stack;
    while (mark && p->nodes[p->stack[mark - 1]].kind != WS_NODE_MARK)
        mark--;
    if (!mark) {
        fail(p, "a mark is missing");
        return;
    }
    for (size_t i = mark; i < p->n_stack; i++)
        append(p, container, p->stack[i]);
    p->n_stack = mark - 1;
}

static void push_int(ws_pickle *p, int64_t v)
{
    const uint32_t n = new_node(p, WS_NODE_INT);
    p->nodes[n].number = v;
    push(p, n);
}

static void push_string(ws_pickle *p, size_t length)
{
    const unsigned char *text = take(p, length);
    const uint32_t n = new_node(p, WS_NODE_STRING);
    if (p->status)
        return;
    p->nodes[n].text = (const char *)text;
    p->nodes[n].length = (uint32_t)length;
    push(p, n);
}

static void op_long_string(ws_pickle *p)
{
    const uint64_t n = number(p, 8);
    if (n > UINT32_MAX)
        fail(p, "it ends early");
    else
        push_string(p, (size_t)n);
}

static void push_tuple(ws_pickle *p, int n)
{
    uint32_t items[3] = {0};
    for (int i = n - 1; i >= 0; i--)
        items[i] = pop(p);
    const uint32_t tuple = new_node(p, WS_NODE_TUPLE);
    for (int i = 0; i < n; i++)
        append(p, tuple, items[i]);
    push(p, tuple);
}

/* ---- globals ---- */

typedef struct known_global {
    const char *module, *name;
    ws_global global;
    ws_dtype dtype;
    uint32_t bytes;
} known_global;

static const known_global known[] = {
    {"collections", "OrderedDict", WS_GLOBAL_ORDERED_DICT, WS_DTYPE_INT, 0},
    {"torch._utils", "_rebuild_tensor_v2", WS_GLOBAL_REBUILD_TENSOR, WS_DTYPE_INT, 0},
    {"torch._utils", "_rebuild_tensor", WS_GLOBAL_REBUILD_TENSOR, WS_DTYPE_INT, 0},
    {"torch._utils", "_rebuild_parameter", WS_GLOBAL_REBUILD_PARAMETER, WS_DTYPE_INT, 0},
    {"torch.nn.parameter", "Parameter", WS_GLOBAL_PARAMETER, WS_DTYPE_INT, 0},
    {"torch", "Size", WS_GLOBAL_SIZE, WS_DTYPE_INT, 0},
    {"torch", "FloatStorage", WS_GLOBAL_STORAGE, WS_DTYPE_F32, 4},
    {"torch", "DoubleStorage", WS_GLOBAL_STORAGE, WS_DTYPE_F64, 8},
    {"torch", "HalfStorage", WS_GLOBAL_STORAGE, WS_DTYPE_F16, 2},
    {"torch", "BFloat16Storage", WS_GLOBAL_STORAGE, WS_DTYPE_BF16, 2},
    {"torch", "LongStorage", WS_GLOBAL_STORAGE, WS_DTYPE_INT, 8},
    {"torch", "IntStorage", WS_GLOBAL_STORAGE, WS_DTYPE_INT, 4},
    {"torch", "ShortStorage", WS_GLOBAL_STORAGE, WS_DTYPE_INT, 2},
    {"torch", "CharStorage", WS_GLOBAL_STORAGE, WS_DTYPE_INT, 1},
    {"torch", "ByteStorage", WS_GLOBAL_STORAGE, WS_DTYPE_INT, 1},
    {"torch", "BoolStorage", WS_GLOBAL_STORAGE, WS_DTYPE_INT, 1},
};

typedef struct word {
    const char *text;
    size_t n;
} word;

static int is_word(word w, const char *text)
{
    return strlen(text) == w.n && memcmp(text, w.text, w.n) == 0;
}

/* The module itself, or something in it. */
static int is_in(word w, const char *module)
{
    const size_t n = strlen(module);
    return w.n >= n && memcmp(w.text, module, n) == 0 && (w.n == n || w.text[n] == '.');
}

/* What a pickle names to run code where it is loaded. Here nothing runs, whatever it names; but a
 * file that tries is not one to trust. */
static int runs_programs(const char *module, size_t m, const char *name, size_t n)
{
    static const char *const modules[] = {
        "os",     "posix",           "nt",      "subprocess", "sys",        "socket",
        "shutil", "runpy",           "pty",     "importlib",  "code",       "codeop",
        "ctypes", "pickle",          "_pickle", "marshal",    "webbrowser", "commands",
        "popen2", "multiprocessing", "pip",     "torch.hub",  "torch.jit"};
    static const char *const builtins[] = {
        "eval",  "exec",     "compile", "open",       "__import__", "getattr", "setattr",
        "apply", "execfile", "input",   "breakpoint", "globals",    "vars"};
    const word w = {module, m}, what = {name, n};
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
        if (is_in(w, modules[i]))
            return 1;
    if (is_word(w, "torch") && is_word(what, "load"))
        return 1;
    for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
        if ((is_word(w, "builtins") || is_word(w, "__builtin__")) && is_word(what, builtins[i]))
            return 1;
    return 0;
}

static void push_global(ws_pickle *p, const char *module, size_t m, const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].module) == m && memcmp(known[i].module, module, m) == 0 &&
            strlen(known[i].name) == n && memcmp(known[i].name, name, n) == 0) {
            const uint32_t node = new_node(p, WS_NODE_GLOBAL);
            p->nodes[node].global = known[i].global;
            p->nodes[node].dtype = known[i].dtype;
            p->nodes[node].bytes = known[i].bytes;
            push(p, node);
            return;
        }
    if (runs_programs(module, m, name, n) && !p->status)
        p->status = ws_fail(p->error, WSAM_ERR_UNSUPPORTED,
                            "%s: the pickle wants %.*s.%.*s, which no checkpoint of tensors needs",
                            p->path, (int)(m < 80 ? m : 80), module, (int)(n < 80 ? n : 80), name);
    const uint32_t node = new_node(p, WS_NODE_OPAQUE);
    if (!p->status) {
        p->nodes[node].text = name;
        p->nodes[node].length = (uint32_t)(n < 60 ? n : 60);
    }
    push(p, node);
}

static const char *line(ws_pickle *p, size_t *n)
{
    const unsigned char *end = p->status ? NULL : memchr(p->at, '\n', (size_t)(p->end - p->at));
    if (!end) {
        fail(p, "it ends early");
        return NULL;
    }
    const char *text = (const char *)p->at;
    *n = (size_t)(end - p->at);
    p->at = end + 1;
    return text;
}

static void op_global(ws_pickle *p)
{
    size_t m = 0, n = 0;
    const char *module = line(p, &m), *name = line(p, &n);
    if (!p->status)
        push_global(p, module, m, name, n);
}

static void op_stack_global(ws_pickle *p)
{
    const uint32_t name = pop(p), module = pop(p);
    const ws_node *m = &p->nodes[module], *n = &p->nodes[name];
    if (p->status || m->kind != WS_NODE_STRING || n->kind != WS_NODE_STRING)
        fail(p, "a global without a name");
    else
        push_global(p, m->text, m->length, n->text, n->length);
}

/* ---- persistent ids and calls ---- */

/* Item i of a tuple; node 0 (NONE) when there is none. */
static uint32_t item(const ws_pickle *p, uint32_t tuple, int i)
{
    uint32_t cell = p->nodes[tuple].first;
    while (cell && i-- > 0)
        cell = p->cells[cell].next;
    return cell ? p->cells[cell].node : 0;
}

/* ('storage', type, key, location, elements[, view]) */
static void op_persistent_id(ws_pickle *p)
{
    const uint32_t id = pop(p);
    if (p->status || p->nodes[id].kind != WS_NODE_TUPLE) {
        fail(p, "a persistent id that is no tuple");
        return;
    }
    const ws_node *kind = &p->nodes[item(p, id, 0)], *type = &p->nodes[item(p, id, 1)];
    const ws_node *key = &p->nodes[item(p, id, 2)], *count = &p->nodes[item(p, id, 4)];
    const ws_node *view = &p->nodes[item(p, id, 5)];
    if (kind->kind == WS_NODE_STRING && ws_node_is(kind, "storage", 7) &&
        type->kind == WS_NODE_OPAQUE) { /* of a type that is not known: fp8, quantised */
        if (!*p->storage && type->length)
            snprintf(p->storage, sizeof p->storage, "%.*s", (int)type->length, type->text);
        push(p, new_node(p, WS_NODE_OPAQUE));
        return;
    }
    if (kind->kind != WS_NODE_STRING || !ws_node_is(kind, "storage", 7) ||
        type->kind != WS_NODE_GLOBAL || type->global != WS_GLOBAL_STORAGE ||
        key->kind != WS_NODE_STRING || count->kind != WS_NODE_INT || count->number < 0 ||
        view->kind != WS_NODE_NONE) {
        fail(p, "a persistent id that is no plain storage");
        return;
    }
    const ws_node from = {.kind = WS_NODE_STORAGE,
                          .number = count->number,
                          .text = key->text,
                          .length = key->length,
                          .dtype = type->dtype,
                          .bytes = type->bytes};
    const uint32_t node = new_node(p, WS_NODE_STORAGE);
    if (!p->status)
        p->nodes[node] = from;
    push(p, node);
}

static void rebuild_tensor(ws_pickle *p, uint32_t args)
{
    const uint32_t storage = item(p, args, 0), offset = item(p, args, 1);
    const uint32_t size = item(p, args, 2), stride = item(p, args, 3);
    if (p->nodes[storage].kind == WS_NODE_OPAQUE) {
        push(p, new_node(p, WS_NODE_OPAQUE));
        return;
    }
    if (p->nodes[storage].kind != WS_NODE_STORAGE || p->nodes[offset].kind != WS_NODE_INT ||
        p->nodes[size].kind != WS_NODE_TUPLE || p->nodes[stride].kind != WS_NODE_TUPLE) {
        fail(p, "a tensor without storage or shape");
        return;
    }
    const uint32_t node = new_node(p, WS_NODE_TENSOR);
    if (p->status)
        return;
    p->nodes[node].storage = storage;
    p->nodes[node].number = p->nodes[offset].number;
    p->nodes[node].size = size;
    p->nodes[node].stride = stride;
    push(p, node);
}

static void op_reduce(ws_pickle *p)
{
    const uint32_t args = pop(p), callee = pop(p);
    if (!p->status && p->nodes[callee].kind == WS_NODE_OPAQUE) {
        push(p, new_node(p, WS_NODE_OPAQUE));
        return;
    }
    if (p->status || p->nodes[callee].kind != WS_NODE_GLOBAL ||
        p->nodes[args].kind != WS_NODE_TUPLE) {
        fail(p, "a call of something that is no known function");
        return;
    }
    switch (p->nodes[callee].global) {
    case WS_GLOBAL_ORDERED_DICT:
        push(p, new_node(p, WS_NODE_DICT));
        return;
    case WS_GLOBAL_REBUILD_TENSOR:
        rebuild_tensor(p, args);
        return;
    case WS_GLOBAL_REBUILD_PARAMETER:
    case WS_GLOBAL_PARAMETER:
    case WS_GLOBAL_SIZE:
        push(p, item(p, args, 0));
        return;
    case WS_GLOBAL_STORAGE:
    case WS_GLOBAL_OTHER:
        break;
    }
    fail(p, "a storage type that is called");
}

/* ---- opcodes ---- */

static void memo_put(ws_pickle *p, uint64_t index)
{
    void *memo = p->memo;
    if (index >= MEMO_CAP)
        fail(p, "a memo index is out of range");
    while (!p->status && index >= p->memo_cap) {
        if (!grow(p, &memo, p->memo_cap, &p->memo_cap, sizeof *p->memo))
            return;
        p->memo = memo;
    }
    if (p->status || !p->n_stack)
        return;
    p->n_memo += !p->memo[index];
    p->memo[index] = p->stack[p->n_stack - 1];
}

static void memo_get(ws_pickle *p, uint64_t index)
{
    if (index >= p->memo_cap || !p->memo[index])
        fail(p, "an unknown memo index");
    else
        push(p, p->memo[index]);
}

static void op_long(ws_pickle *p, size_t length)
{
    const size_t n = (size_t)number(p, length);
    const unsigned char *b = take(p, n);
    int64_t v = b && n && b[n - 1] & 0x80 ? -1 : 0;
    for (size_t i = n; b && i-- > 0;)
        v = (int64_t)((uint64_t)v << 8 | b[i]);
    push_int(p, n > 8 ? 0 : v); /* only the magic number of the legacy container is longer */
}

static void set_items(ws_pickle *p, int marked)
{
    if (marked) {
        const uint32_t list = new_node(p, WS_NODE_TUPLE);
        collect(p, list);
        const ws_node_kind kind = top(p)->kind;
        if (!p->status && kind == WS_NODE_OPAQUE)
            return;
        if (p->status || kind != WS_NODE_DICT) {
            fail(p, "items without a dictionary");
            return;
        }
        for (uint32_t c = p->nodes[list].first; c && !p->status; c = p->cells[c].next)
            append(p, p->stack[p->n_stack - 1], p->cells[c].node);
        return;
    }
    const uint32_t value = pop(p), key = pop(p);
    const ws_node_kind kind = top(p)->kind;
    if (kind != WS_NODE_DICT && kind != WS_NODE_OPAQUE)
        fail(p, "an item without a dictionary");
    if (p->status || kind == WS_NODE_OPAQUE)
        return;
    append(p, p->stack[p->n_stack - 1], key);
    append(p, p->stack[p->n_stack - 1], value);
}

static void append_items(ws_pickle *p, int marked)
{
    const uint32_t list = new_node(p, WS_NODE_TUPLE);
    if (marked)
        collect(p, list);
    else
        append(p, list, pop(p));
    const ws_node_kind kind = top(p)->kind;
    if (!p->status && kind == WS_NODE_OPAQUE)
        return;
    if (p->status || kind != WS_NODE_TUPLE) {
        fail(p, "items without a list");
        return;
    }
    for (uint32_t c = p->nodes[list].first; c && !p->status; c = p->cells[c].next)
        append(p, p->stack[p->n_stack - 1], p->cells[c].node);
}

/* BUILD: the attributes of an OrderedDict (`_metadata`), of a tensor or of anything else are
 * ignored. */
static void op_build(ws_pickle *p)
{
    pop(p);
    const ws_node_kind kind = top(p)->kind;
    if (kind != WS_NODE_DICT && kind != WS_NODE_OPAQUE && kind != WS_NODE_TENSOR)
        fail(p, "a state for something that is no object");
}

/* cls, args, keywords: as NEWOBJ. */
static void op_new_object_ex(ws_pickle *p)
{
    pop(p);
    op_reduce(p);
}

/* Bytes, sets and arrays: none of them is a tensor's. */
static void push_opaque(ws_pickle *p, uint64_t skipped)
{
    if (skipped > (uint64_t)(p->end - p->at))
        fail(p, "it ends early");
    else
        take(p, (size_t)skipped);
    push(p, new_node(p, WS_NODE_OPAQUE));
}

static void op_frozen_set(ws_pickle *p)
{
    collect(p, new_node(p, WS_NODE_TUPLE));
    push(p, new_node(p, WS_NODE_OPAQUE));
}

static void op_duplicate(ws_pickle *p)
{
    const uint32_t node = pop(p);
    push(p, node);
    push(p, node);
}

static void op_new_object(ws_pickle *p)
{
    op_reduce(p);
}

static void op_float(ws_pickle *p)
{
    take(p, 8);
    push(p, new_node(p, WS_NODE_NONE));
}

static void op_marked_tuple(ws_pickle *p)
{
    const uint32_t tuple = new_node(p, WS_NODE_TUPLE);
    collect(p, tuple);
    push(p, tuple);
}

/* Containers and calls. 1 when the opcode was one of them. */
static int structural(ws_pickle *p, unsigned char op)
{
    switch (op) {
    case '(':
        push(p, new_node(p, WS_NODE_MARK));
        return 1;
    case ')':
    case ']':
        push(p, new_node(p, WS_NODE_TUPLE));
        return 1;
    case '}':
        push(p, new_node(p, WS_NODE_DICT));
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
    case 'c':
        op_global(p);
        return 1;
    case 0x93:
        op_stack_global(p);
        return 1;
    case 'Q':
        op_persistent_id(p);
        return 1;
    case 'R':
        op_reduce(p);
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
    case 0x8f: /* EMPTY_SET */
        push(p, new_node(p, WS_NODE_OPAQUE));
        return 1;
    case 0x90: /* ADDITEMS */
        append_items(p, 1);
        return 1;
    case 0x91:
        op_frozen_set(p);
        return 1;
    case '0':
        pop(p);
        return 1;
    case '1': /* POP_MARK */
        collect(p, new_node(p, WS_NODE_TUPLE));
        return 1;
    case '2':
        op_duplicate(p);
        return 1;
    default:
        return 0;
    }
}

/* Values, memo and framing. */
static int simple(ws_pickle *p, unsigned char op)
{
    switch (op) {
    case 0x80:
        if (number(p, 1) > 5)
            fail(p, "a protocol newer than 5");
        return 1;
    case 0x95: /* FRAME */
        take(p, 8);
        return 1;
    case 'q':
        memo_put(p, number(p, 1));
        return 1;
    case 'r':
        memo_put(p, number(p, 4));
        return 1;
    case 0x94: /* MEMOIZE: the next index */
        memo_put(p, p->n_memo);
        return 1;
    case 'h':
        memo_get(p, number(p, 1));
        return 1;
    case 'j':
        memo_get(p, number(p, 4));
        return 1;
    case 'B':
        push_opaque(p, number(p, 4));
        return 1;
    case 'C':
        push_opaque(p, number(p, 1));
        return 1;
    case 0x8e: /* BINBYTES8 */
    case 0x96: /* BYTEARRAY8 */
        push_opaque(p, number(p, 8));
        return 1;
    case 0x8d: /* BINUNICODE8 */
        op_long_string(p);
        return 1;
    case 'X':
    case 'T':
        push_string(p, (size_t)number(p, 4));
        return 1;
    case 'U':
    case 0x8c:
        push_string(p, (size_t)number(p, 1));
        return 1;
    case 'K':
        push_int(p, (int64_t)number(p, 1));
        return 1;
    case 'M':
        push_int(p, (int64_t)number(p, 2));
        return 1;
    case 'J':
        push_int(p, (int32_t)number(p, 4));
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
        push_int(p, op == 0x88);
        return 1;
    case 'N':
        push(p, new_node(p, WS_NODE_NONE));
        return 1;
    default:
        return 0;
    }
}

wsam_status ws_unpickle(ws_pickle *p, const char *path, const unsigned char *bytes, size_t n,
                        uint32_t *result, size_t *used, wsam_error *error)
{
    memset(p, 0, sizeof *p);
    p->path = path;
    p->at = bytes;
    p->end = bytes + n;
    p->error = error;
    p->n_cells = 1;
    void *cells = NULL;
    if (grow(p, &cells, 1, &p->cell_cap, sizeof *p->cells))
        p->cells = cells;
    new_node(p, WS_NODE_NONE);
    for (;;) {
        const unsigned char *op = take(p, 1);
        if (!op || *op == '.')
            break;
        if (!structural(p, *op) && !simple(p, *op) && !p->status)
            p->status = ws_fail(error, WSAM_ERR_UNSUPPORTED,
                                "%s: pickle opcode 0x%02x is not accepted", path, *op);
    }
    *result = pop(p);
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
