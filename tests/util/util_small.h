/* tests/util/util_small.h - small weight files with the roles of real ones (a segmenter, a clue
 * network, a detection head, a detector, MIST), that a test can change before they are written with right checksums.
 * Everything is in arrays of fixed size: a copy is a memcpy. */
#ifndef WS_TESTS_UTIL_UTIL_SMALL_H
#define WS_TESTS_UTIL_UTIL_SMALL_H

#include <stddef.h>

#include "weights/format.h"

enum {
    SMALL_METADATA = 20,
    SMALL_TENSORS = 40,
    SMALL_GRAPHS = 4,
    SMALL_SYMBOLS = 4,
    SMALL_INPUTS = 4,
    SMALL_OPS = 28,
    SMALL_ATTRS = 6,
    SMALL_OUTPUTS = 16,
    SMALL_BYTES = 1 << 18 /* of all tensors: more is cut off, and the file refused */
};

typedef struct small_note {
    char key[32];
    ws_meta_kind kind;
    char text[64]; /* for WS_META_STRINGS one string */
    int64_t integer;
    double numbers[4];
    uint32_t count;
} small_note;

typedef struct small_op {
    ws_op_def def;
    ws_attr_def attrs[SMALL_ATTRS];
} small_op;

typedef struct small_graph {
    ws_graph_def def; /* its pointers are unused: the arrays are here */
    ws_symbol_def symbols[SMALL_SYMBOLS];
    ws_input_def inputs[SMALL_INPUTS];
    small_op ops[SMALL_OPS];
    ws_output_def outputs[SMALL_OUTPUTS];
} small_graph;

/* Offsets, sizes and checksums of tensors come from their shapes when the file is written; values
 * are drawn from their names. */
typedef struct small_file {
    uint32_t n_metadata, n_tensors, n_graphs;
    small_note metadata[SMALL_METADATA];
    ws_tensor_def tensors[SMALL_TENSORS];
    small_graph graphs[SMALL_GRAPHS];
} small_file;

typedef enum small_role {
    SMALL_SEGMENTER,
    SMALL_CLUES,
    SMALL_HEAD,
    SMALL_DETECTOR,
    SMALL_MIST,
    SMALL_BACKBONE,
    SMALL_ROLES
} small_role;

void small_init(small_file *file, small_role role);

/* The file in memory that the caller frees. */
unsigned char *small_write(const small_file *file, size_t *size);

/* Opens the file and does with it what pipelines do: WSAM_OK, or what the first of them said. */
wsam_status small_use(const unsigned char *bytes, size_t size, small_role role, wsam_error *error);

#endif
