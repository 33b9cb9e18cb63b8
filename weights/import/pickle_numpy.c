/* weights/import/pickle_numpy.c - numpy's arrays in a pickle.
 *
 * An array is called into being empty (_reconstruct) and gets its shape, type and bytes as its state;
 * protocol 5 makes it at once (_frombuffer). Its bytes are a byte string, a Python 2 string, or, of
 * protocol 2 by Python 3, text whose characters are the bytes. */
#include <string.h>

#include "weights/import/pickle_machine.h"

/* ---- types ---- */

/* dtype('f4', False, True): the code alone matters; its state says which byte order. */
void ws_pickle_numpy_dtype(ws_pickle *p, uint32_t args)
{
    static const struct {
        char code[3];
        ws_dtype dtype;
        uint32_t bytes;
    } known[] = {{"f4", WS_DTYPE_F32, 4}, {"f8", WS_DTYPE_F64, 8}, {"f2", WS_DTYPE_F16, 2},
                 {"i8", WS_DTYPE_INT, 8}, {"i4", WS_DTYPE_INT, 4}, {"i2", WS_DTYPE_INT, 2},
                 {"i1", WS_DTYPE_INT, 1}, {"u8", WS_DTYPE_INT, 8}, {"u4", WS_DTYPE_INT, 4},
                 {"u2", WS_DTYPE_INT, 2}, {"u1", WS_DTYPE_INT, 1}, {"b1", WS_DTYPE_INT, 1}};
    const uint32_t code = ws_pickle_item(p, args, 0);
    const uint32_t node = ws_pickle_new_node(p, WS_NODE_DTYPE);
    if (p->status)
        return;
    p->nodes[node].dtype = WS_DTYPE_INT; /* bytes 0: of objects, texts, records */
    p->nodes[node].text = p->nodes[code].text;
    p->nodes[node].length = p->nodes[code].kind == WS_NODE_STRING ? p->nodes[code].length : 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (p->nodes[node].length == 2 && ws_node_is(&p->nodes[code], known[i].code, 2)) {
            p->nodes[node].dtype = known[i].dtype;
            p->nodes[node].bytes = known[i].bytes;
        }
    ws_pickle_push(p, node);
}

/* (3, '<', None, ...): '>' stands for bytes in the other order. */
void ws_pickle_numpy_order(ws_pickle *p, uint32_t dtype, uint32_t state)
{
    const ws_node *order = &p->nodes[ws_pickle_item(p, state, 1)];
    if (order->kind == WS_NODE_STRING && ws_node_is(order, ">", 1))
        p->nodes[dtype].number = 1;
}

/* ---- arrays ---- */

/* Numbers of elements from one index to the next, rows or columns together. */
static uint32_t make_strides(ws_pickle *p, uint32_t shape, int fortran)
{
    int64_t dims[WS_SOURCE_RANK], strides[WS_SOURCE_RANK], stride = 1;
    int rank = 0;
    for (uint32_t c = p->nodes[shape].first; c; c = p->cells[c].next) {
        const ws_node *n = &p->nodes[p->cells[c].node];
        if (rank == WS_SOURCE_RANK || n->kind != WS_NODE_INT || n->number < 0 ||
            n->number > UINT32_MAX) {
            ws_pickle_fail(p, "an array of a strange shape");
            return 0;
        }
        dims[rank++] = n->number;
    }
    for (int i = 0; i < rank; i++) {
        const int d = fortran ? i : rank - 1 - i;
        strides[d] = stride;
        stride =
            dims[d] && stride > ((int64_t)1 << 40) / dims[d] ? (int64_t)1 << 40 : stride * dims[d];
    }
    const uint32_t tuple = ws_pickle_new_node(p, WS_NODE_TUPLE);
    for (int d = 0; d < rank && !p->status; d++) {
        const uint32_t number = ws_pickle_new_node(p, WS_NODE_INT);
        p->nodes[number].number = strides[d];
        ws_pickle_append(p, tuple, number);
    }
    return tuple;
}

/* The array's bytes as elements. */
static uint32_t make_storage(ws_pickle *p, uint32_t dtype, uint32_t data)
{
    const ws_node type = p->nodes[dtype], bytes = p->nodes[data];
    const uint32_t node = ws_pickle_new_node(p, WS_NODE_BUFFER);
    if (p->status)
        return 0;
    const int plain = bytes.kind == WS_NODE_BYTES || bytes.kind == WS_NODE_STRING;
    ws_node *s = &p->nodes[node];
    s->dtype = type.dtype;
    s->bytes = type.bytes ? type.bytes : 1;
    s->text = plain || bytes.kind == WS_NODE_LATIN ? bytes.text : NULL;
    s->length = s->text ? bytes.length : 0;
    s->latin = bytes.kind == WS_NODE_LATIN;
    s->number = s->length / s->bytes; /* of text: at most so many */
    return node;
}

static void set_array(ws_pickle *p, uint32_t array, uint32_t shape, uint32_t dtype, int fortran,
                      uint32_t data)
{
    if (p->nodes[shape].kind != WS_NODE_TUPLE || p->nodes[dtype].kind != WS_NODE_DTYPE) {
        p->nodes[array].kind = WS_NODE_OPAQUE; /* of something else than numbers */
        return;
    }
    const uint32_t strides = make_strides(p, shape, fortran);
    const uint32_t storage = make_storage(p, dtype, data);
    if (p->status)
        return;
    ws_node *a = &p->nodes[array];
    a->size = shape;
    a->stride = strides;
    a->storage = storage;
    a->number = 0;
    a->swapped = p->nodes[dtype].number != 0;
    a->objects = !p->nodes[dtype].bytes;
    a->text = p->nodes[dtype].text;
    a->length = p->nodes[dtype].length;
}

static int is_true(const ws_pickle *p, uint32_t node)
{
    return p->nodes[node].kind == WS_NODE_INT && p->nodes[node].number;
}

/* State of an array: (1, shape, dtype, fortran, data). */
void ws_pickle_numpy_state(ws_pickle *p, uint32_t array, uint32_t state)
{
    set_array(p, array, ws_pickle_item(p, state, 1), ws_pickle_item(p, state, 2),
              is_true(p, ws_pickle_item(p, state, 3)), ws_pickle_item(p, state, 4));
}

/* _frombuffer(data, dtype, shape, 'C' or 'F') */
void ws_pickle_numpy_buffer(ws_pickle *p, uint32_t args)
{
    const uint32_t order = ws_pickle_item(p, args, 3);
    const uint32_t array = ws_pickle_new_node(p, WS_NODE_ARRAY);
    const int fortran =
        p->nodes[order].kind == WS_NODE_STRING && ws_node_is(&p->nodes[order], "F", 1);
    if (!p->status)
        set_array(p, array, ws_pickle_item(p, args, 2), ws_pickle_item(p, args, 1), fortran,
                  ws_pickle_item(p, args, 0));
    ws_pickle_push(p, array);
}

/* scalar(dtype, data) */
void ws_pickle_numpy_scalar(ws_pickle *p, uint32_t args)
{
    const uint32_t scalar = ws_pickle_new_node(p, WS_NODE_SCALAR);
    const uint32_t none = ws_pickle_new_node(p, WS_NODE_TUPLE);
    if (!p->status)
        set_array(p, scalar, none, ws_pickle_item(p, args, 0), 0, ws_pickle_item(p, args, 1));
    ws_pickle_push(p, scalar);
}

/* _codecs.encode(text, 'latin1'): a character of the text is a byte. */
void ws_pickle_encode(ws_pickle *p, uint32_t args)
{
    const ws_node text = p->nodes[ws_pickle_item(p, args, 0)];
    const uint32_t node =
        ws_pickle_new_node(p, text.kind == WS_NODE_STRING ? WS_NODE_LATIN : WS_NODE_OPAQUE);
    if (!p->status) {
        p->nodes[node].text = text.text;
        p->nodes[node].length = text.length;
    }
    ws_pickle_push(p, node);
}
