/* weights/import/state_dict.c - the tensors of an unpickled state dict. */
#include <stdio.h>
#include <string.h>

#include "weights/import/pickle.h"

/* Sizes and strides: whole numbers, as many of each, within caps. */
static int read_shape(const ws_pickle *p, const ws_node *tensor, ws_source_tensor *t)
{
    uint32_t a = p->nodes[tensor->size].first, b = p->nodes[tensor->stride].first;
    for (; a && b; a = p->cells[a].next, b = p->cells[b].next) {
        const ws_node *size = &p->nodes[p->cells[a].node], *stride = &p->nodes[p->cells[b].node];
        if (t->rank == WS_SOURCE_RANK || size->kind != WS_NODE_INT || stride->kind != WS_NODE_INT ||
            size->number < 0 || size->number > UINT32_MAX || stride->number < 0 ||
            stride->number > (int64_t)1 << 40)
            return 0;
        t->dims[t->rank] = (uint32_t)size->number;
        t->strides[t->rank++] = (uint64_t)stride->number;
    }
    return !a && !b;
}

static wsam_status add_tensor(const ws_pickle *p, const ws_node *key, const ws_node *tensor,
                              ws_source *s, ws_locate_fn locate, void *user, wsam_error *error)
{
    char name[WS_SOURCE_NAME + 1];
    const ws_node *storage = &p->nodes[tensor->storage];
    uint64_t begin = 0, end = 0;
    if (key->length > WS_SOURCE_NAME || memchr(key->text, 0, key->length))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: a bad tensor name", s->path);
    memcpy(name, key->text, key->length);
    name[key->length] = 0;
    ws_source_tensor *t;
    const wsam_status status = ws_source_add(s, name, &t, error);
    if (status)
        return status;
    t->dtype = storage->dtype;
    if (!read_shape(p, tensor, t))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' has a bad shape", s->path, name);
    if (tensor->objects || tensor->swapped)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "%s: tensor '%s' is an array of %s", s->path,
                       name,
                       tensor->objects ? "Python objects, not of numbers" : "big-endian numbers");
    if (t->dtype == WS_DTYPE_INT)
        return WSAM_OK; /* counters are known but never read */
    if (!locate(user, storage, &begin, &end))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' has no data", s->path, name);
    if (tensor->number < 0 || (uint64_t)tensor->number > (end - begin) / storage->bytes ||
        (uint64_t)storage->number > (end - begin) / storage->bytes)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' reaches outside its data", s->path,
                       name);
    t->offset = begin + (uint64_t)tensor->number * storage->bytes;
    return ws_source_check_extent(s, t, begin, begin + (uint64_t)storage->number * storage->bytes,
                                  error);
}

/* An array that never got its state has no storage. */
static int is_tensor(const ws_pickle *p, uint32_t node)
{
    const ws_node *n = &p->nodes[node];
    return n->kind == WS_NODE_TENSOR || (p->arrays && n->kind == WS_NODE_ARRAY && n->storage);
}

static size_t tensors_in(const ws_pickle *p, uint32_t dict)
{
    size_t n = 0;
    for (uint32_t c = p->nodes[dict].first; c;) {
        const uint32_t value = p->cells[c].next;
        if (!value)
            break;
        n += (size_t)is_tensor(p, p->cells[value].node);
        c = p->cells[value].next;
    }
    return n;
}

/* Trainers wrap a state dict: {'model': ..., 'epoch': 5}, one in another. Those of DINO and DINOv2
 * keep student and teacher: the teacher is published. */
static uint32_t state_dict_of(const ws_pickle *p, uint32_t top)
{
    static const char *const wrappers[] = {"teacher", "model",     "state_dict", "model_state_dict",
                                           "ema",     "model_ema", "net",        "network",
                                           "module",  "weights",   "params"};
    enum { WRAPPERS = sizeof wrappers / sizeof wrappers[0], DEEPEST = 4 };
    for (int depth = 0; depth < DEEPEST; depth++) {
        uint32_t inner = 0;
        for (int i = 0; i < WRAPPERS && !inner && p->nodes[top].kind == WS_NODE_DICT; i++) {
            inner = ws_pickle_lookup(p, top, wrappers[i]);
            if (inner && p->nodes[inner].kind != WS_NODE_DICT)
                inner = 0;
        }
        if (!inner || (tensors_in(p, top) && !tensors_in(p, inner)))
            break;
        top = inner;
    }
    return top;
}

wsam_status ws_state_dict_tensors(const ws_pickle *p, uint32_t top, ws_source *s,
                                  ws_locate_fn locate, void *user, wsam_error *error)
{
    ws_pickle_notes(p, top, s);
    top = state_dict_of(p, top);
    if (p->nodes[top].kind != WS_NODE_DICT)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: the checkpoint holds no dictionary of tensors",
                       s->path);
    wsam_status status = WSAM_OK;
    for (uint32_t c = p->nodes[top].first; c && !status;) {
        const uint32_t value = p->cells[c].next;
        if (!value)
            break;
        const ws_node *k = &p->nodes[p->cells[c].node], *v = &p->nodes[p->cells[value].node];
        if (k->kind == WS_NODE_STRING && is_tensor(p, p->cells[value].node))
            status = add_tensor(p, k, v, s, locate, user, error);
        c = p->cells[value].next;
    }
    if (!status && !s->n_tensors)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: the checkpoint holds no tensors%s%s", s->path,
                         *p->storage ? " of a type that is supported; there are " : "", p->storage);
    return status;
}
