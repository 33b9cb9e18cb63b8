/* weights/import/pickle_globals.c - what a pickle names and calls: known names become tags, storages
 * and tensors; nothing is ever run. */
#include <stdio.h>
#include <string.h>

#include "weights/import/pickle_machine.h"

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
    {"numpy.core.multiarray", "_reconstruct", WS_GLOBAL_NUMPY_RECONSTRUCT, WS_DTYPE_INT, 0},
    {"numpy._core.multiarray", "_reconstruct", WS_GLOBAL_NUMPY_RECONSTRUCT, WS_DTYPE_INT, 0},
    {"numpy.core.numeric", "_frombuffer", WS_GLOBAL_NUMPY_BUFFER, WS_DTYPE_INT, 0},
    {"numpy._core.numeric", "_frombuffer", WS_GLOBAL_NUMPY_BUFFER, WS_DTYPE_INT, 0},
    {"numpy", "dtype", WS_GLOBAL_NUMPY_DTYPE, WS_DTYPE_INT, 0},
    {"numpy.core.multiarray", "scalar", WS_GLOBAL_NUMPY_SCALAR, WS_DTYPE_INT, 0},
    {"numpy._core.multiarray", "scalar", WS_GLOBAL_NUMPY_SCALAR, WS_DTYPE_INT, 0},
    {"_codecs", "encode", WS_GLOBAL_ENCODE, WS_DTYPE_INT, 0},
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
            const uint32_t node = ws_pickle_new_node(p, WS_NODE_GLOBAL);
            p->nodes[node].global = known[i].global;
            p->nodes[node].dtype = known[i].dtype;
            p->nodes[node].bytes = known[i].bytes;
            ws_pickle_push(p, node);
            return;
        }
    if (runs_programs(module, m, name, n) && !p->status)
        p->status =
            ws_fail(p->error, WSAM_ERR_UNSUPPORTED,
                    "%s: the pickle asks for %.*s.%.*s, which no tensors and no arrays need",
                    p->path, (int)(m < 80 ? m : 80), module, (int)(n < 80 ? n : 80), name);
    const uint32_t node = ws_pickle_new_node(p, WS_NODE_OPAQUE);
    if (!p->status) {
        p->nodes[node].text = name;
        p->nodes[node].length = (uint32_t)(n < 60 ? n : 60);
    }
    ws_pickle_push(p, node);
}

static const char *line(ws_pickle *p, size_t *n)
{
    const unsigned char *end = p->status ? NULL : memchr(p->at, '\n', (size_t)(p->end - p->at));
    if (!end) {
        ws_pickle_fail(p, "it ends early");
        return NULL;
    }
    const char *text = (const char *)p->at;
    *n = (size_t)(end - p->at);
    p->at = end + 1;
    return text;
}

void ws_pickle_global(ws_pickle *p)
{
    size_t m = 0, n = 0;
    const char *module = line(p, &m), *name = line(p, &n);
    if (!p->status)
        push_global(p, module, m, name, n);
}

void ws_pickle_stack_global(ws_pickle *p)
{
    const uint32_t name = ws_pickle_pop(p), module = ws_pickle_pop(p);
    const ws_node *m = &p->nodes[module], *n = &p->nodes[name];
    if (p->status || m->kind != WS_NODE_STRING || n->kind != WS_NODE_STRING)
        ws_pickle_fail(p, "a global without a name");
    else
        push_global(p, m->text, m->length, n->text, n->length);
}

/* ---- persistent ids and calls ---- */

/* ('storage', type, key, location, elements[, view]) */
void ws_pickle_persistent_id(ws_pickle *p)
{
    const uint32_t id = ws_pickle_pop(p);
    if (p->status || p->nodes[id].kind != WS_NODE_TUPLE) {
        ws_pickle_fail(p, "a persistent id that is no tuple");
        return;
    }
    const ws_node *kind = &p->nodes[ws_pickle_item(p, id, 0)],
                  *type = &p->nodes[ws_pickle_item(p, id, 1)];
    const ws_node *key = &p->nodes[ws_pickle_item(p, id, 2)],
                  *count = &p->nodes[ws_pickle_item(p, id, 4)];
    const ws_node *view = &p->nodes[ws_pickle_item(p, id, 5)];
    if (kind->kind == WS_NODE_STRING && ws_node_is(kind, "storage", 7) &&
        type->kind == WS_NODE_OPAQUE) { /* of a type that is not known: fp8, quantised */
        if (!*p->storage && type->length)
            snprintf(p->storage, sizeof p->storage, "%.*s", (int)type->length, type->text);
        ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_OPAQUE));
        return;
    }
    if (kind->kind != WS_NODE_STRING || !ws_node_is(kind, "storage", 7) ||
        type->kind != WS_NODE_GLOBAL || type->global != WS_GLOBAL_STORAGE ||
        key->kind != WS_NODE_STRING || count->kind != WS_NODE_INT || count->number < 0 ||
        view->kind != WS_NODE_NONE) {
        ws_pickle_fail(p, "a persistent id that is no plain storage");
        return;
    }
    const ws_node from = {.kind = WS_NODE_STORAGE,
                          .number = count->number,
                          .text = key->text,
                          .length = key->length,
                          .dtype = type->dtype,
                          .bytes = type->bytes};
    const uint32_t node = ws_pickle_new_node(p, WS_NODE_STORAGE);
    if (!p->status)
        p->nodes[node] = from;
    ws_pickle_push(p, node);
}

static void rebuild_tensor(ws_pickle *p, uint32_t args)
{
    const uint32_t storage = ws_pickle_item(p, args, 0), offset = ws_pickle_item(p, args, 1);
    const uint32_t size = ws_pickle_item(p, args, 2), stride = ws_pickle_item(p, args, 3);
    if (p->nodes[storage].kind == WS_NODE_OPAQUE) {
        ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_OPAQUE));
        return;
    }
    if (p->nodes[storage].kind != WS_NODE_STORAGE || p->nodes[offset].kind != WS_NODE_INT ||
        p->nodes[size].kind != WS_NODE_TUPLE || p->nodes[stride].kind != WS_NODE_TUPLE) {
        ws_pickle_fail(p, "a tensor without storage or shape");
        return;
    }
    const uint32_t node = ws_pickle_new_node(p, WS_NODE_TENSOR);
    if (p->status)
        return;
    p->nodes[node].storage = storage;
    p->nodes[node].number = p->nodes[offset].number;
    p->nodes[node].size = size;
    p->nodes[node].stride = stride;
    ws_pickle_push(p, node);
}

void ws_pickle_reduce(ws_pickle *p)
{
    const uint32_t args = ws_pickle_pop(p), callee = ws_pickle_pop(p);
    if (!p->status && p->nodes[callee].kind == WS_NODE_OPAQUE) {
        ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_OPAQUE));
        return;
    }
    if (p->status || p->nodes[callee].kind != WS_NODE_GLOBAL ||
        p->nodes[args].kind != WS_NODE_TUPLE) {
        ws_pickle_fail(p, "a call of something that is no known function");
        return;
    }
    switch (p->nodes[callee].global) {
    case WS_GLOBAL_ORDERED_DICT:
        ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_DICT));
        return;
    case WS_GLOBAL_REBUILD_TENSOR:
        rebuild_tensor(p, args);
        return;
    case WS_GLOBAL_REBUILD_PARAMETER:
    case WS_GLOBAL_PARAMETER:
    case WS_GLOBAL_SIZE:
        ws_pickle_push(p, ws_pickle_item(p, args, 0));
        return;
    case WS_GLOBAL_NUMPY_RECONSTRUCT:
        ws_pickle_push(p, ws_pickle_new_node(p, WS_NODE_ARRAY));
        return;
    case WS_GLOBAL_NUMPY_BUFFER:
        ws_pickle_numpy_buffer(p, args);
        return;
    case WS_GLOBAL_NUMPY_DTYPE:
        ws_pickle_numpy_dtype(p, args);
        return;
    case WS_GLOBAL_NUMPY_SCALAR:
        ws_pickle_numpy_scalar(p, args);
        return;
    case WS_GLOBAL_ENCODE:
        ws_pickle_encode(p, args);
        return;
    case WS_GLOBAL_STORAGE:
    case WS_GLOBAL_OTHER:
        break;
    }
    ws_pickle_fail(p, "a storage type that is called");
}
