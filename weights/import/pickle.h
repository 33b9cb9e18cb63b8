/* weights/import/pickle.h - Python's pickle (protocols 2 to 5), as PyTorch checkpoints use it, as
 * data.
 *
 * A symbolic stack machine: opcodes build a graph of nodes, known globals become tags. What trainers
 * keep beside tensors (options, counters, numpy scalars, types) becomes opaque nodes that take their
 * arguments, state and items and give nothing. Nothing is ever called or imported; a pickle that
 * wants to run a program is refused by the name of what it wants. */
#ifndef WS_WEIGHTS_IMPORT_PICKLE_H
#define WS_WEIGHTS_IMPORT_PICKLE_H

#include "weights/import/source.h"

typedef enum ws_node_kind {
    WS_NODE_NONE,
    WS_NODE_INT,
    WS_NODE_FLOAT,
    WS_NODE_STRING,
    WS_NODE_TUPLE, /* also lists: items */
    WS_NODE_DICT,  /* items: key, value, key, value, ... */
    WS_NODE_GLOBAL,
    WS_NODE_STORAGE,
    WS_NODE_TENSOR,
    WS_NODE_BYTES,  /* text of `length` bytes of the input */
    WS_NODE_LATIN,  /* the same as UTF-8 text, a character for a byte */
    WS_NODE_DTYPE,  /* numpy's: dtype, bytes; 0 bytes where it is none of numbers */
    WS_NODE_ARRAY,  /* numpy's: as TENSOR, its storage a BUFFER; text is its type, such as f4 */
    WS_NODE_SCALAR, /* numpy's: as ARRAY, without a dimension */
    WS_NODE_BUFFER,
    WS_NODE_OPAQUE, /* an object that is none of these; a class; a set */
    WS_NODE_MARK
} ws_node_kind;

typedef enum ws_global {
    WS_GLOBAL_ORDERED_DICT,
    WS_GLOBAL_REBUILD_TENSOR,
    WS_GLOBAL_REBUILD_PARAMETER,
    WS_GLOBAL_PARAMETER,
    WS_GLOBAL_SIZE,
    WS_GLOBAL_STORAGE, /* `dtype` says which */
    WS_GLOBAL_NUMPY_RECONSTRUCT,
    WS_GLOBAL_NUMPY_BUFFER,
    WS_GLOBAL_NUMPY_DTYPE,
    WS_GLOBAL_NUMPY_SCALAR,
    WS_GLOBAL_ENCODE, /* _codecs.encode */
    WS_GLOBAL_OTHER   /* of an OPAQUE node */
} ws_global;

typedef struct ws_node {
    ws_node_kind kind;
    union {
        int64_t number; /* INT; STORAGE: elements; TENSOR: storage offset */
        double real;    /* FLOAT */
    };
    const char *text; /* STRING, STORAGE's key: not terminated, `length` bytes of the input */
    uint32_t length;
    uint32_t first, last;  /* TUPLE, DICT: cells */
    uint32_t size, stride; /* TENSOR: tuples */
    uint32_t storage;      /* TENSOR, ARRAY: node */
    ws_global global;
    ws_dtype dtype;      /* STORAGE, and GLOBAL storage types */
    uint32_t bytes;      /* of an element */
    uint64_t begin, end; /* BUFFER: bytes of the file, or behind it */
    uint8_t latin;       /* BUFFER: its bytes are LATIN */
    uint8_t swapped;     /* ARRAY: big-endian; DTYPE: `number` says so */
    uint8_t objects;     /* ARRAY: its elements are no numbers */
} ws_node;

typedef struct ws_cell {
    uint32_t node, next; /* next 0: the last */
} ws_cell;

typedef struct ws_pickle {
    const char *path; /* for messages */
    const unsigned char *at, *end;
    ws_node *nodes; /* node 0 is unused */
    ws_cell *cells; /* cell 0 is unused */
    uint32_t *stack, *memo;
    size_t n_memo;    /* indices in use */
    size_t most;      /* nodes, cells or indices */
    int arrays;       /* numpy's arrays are tensors, too */
    char storage[64]; /* the first storage type that is not known; "" */
    size_t n_nodes, n_cells, n_stack, node_cap, cell_cap, stack_cap, memo_cap;
    wsam_status status;
    wsam_error *error;
} ws_pickle;

/* Runs one pickle from bytes[0..n); *result is its top object, *used the bytes it took. The bytes
 * must stay. */
wsam_status ws_unpickle(ws_pickle *p, const char *path, const unsigned char *bytes, size_t n,
                        uint32_t *result, size_t *used, wsam_error *error);
/* The same with another bound on its parts than WS_PICKLE_ITEM_CAP (pickle_machine.h); small files have fewer. */
wsam_status ws_unpickle_up_to(size_t most, ws_pickle *p, const char *path,
                              const unsigned char *bytes, size_t n, uint32_t *result, size_t *used,
                              wsam_error *error);
void ws_pickle_free(ws_pickle *p);

/* Where a storage's bytes are in the file, by its key; 0 when it is not there. */
typedef int (*ws_locate_fn)(void *user, const ws_node *storage, uint64_t *begin, uint64_t *end);

/* The value of a string key of a dictionary; 0 when it is not there. */
uint32_t ws_pickle_lookup(const ws_pickle *p, uint32_t dict, const char *key);

/* Adds every tensor of a state dict (itself, or under `model` or `state_dict`) to the source. */
wsam_status ws_state_dict_tensors(const ws_pickle *p, uint32_t top, ws_source *source,
                                  ws_locate_fn locate, void *user, wsam_error *error);

/* pickle_values.c: the numbers of numpy's array or scalar, row by row. */
typedef struct ws_pickle_numbers {
    int rank;
    uint64_t dims[WS_SOURCE_RANK];
    size_t n;
    double *values;
    int whole;  /* integers */
    int digits; /* that tell two values of the type apart */
} ws_pickle_numbers;

/* The caller frees out->values. */
wsam_status ws_pickle_numbers_read(const ws_pickle *p, uint32_t node, ws_pickle_numbers *out,
                                   wsam_error *error);

/* Class names and configuration beside the state dict (pickle_notes.c). */
void ws_pickle_notes(const ws_pickle *p, uint32_t top, ws_source *source);

static inline int ws_node_is(const ws_node *n, const char *text, size_t length)
{
    return n->length == length && __builtin_memcmp(n->text, text, length) == 0;
}

#endif
