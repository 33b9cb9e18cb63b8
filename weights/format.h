/* weights/format.h - the flat weight file: constants, and the graph as it stands in memory.
 *
 * FORMAT.md describes the bytes. The writer (weights/) and the reader (runtime/) share only this
 * header. */
#ifndef WS_WEIGHTS_FORMAT_H
#define WS_WEIGHTS_FORMAT_H

#include <stdint.h>

#include "weaksam/model.h"

enum {
    WS_FORMAT_VERSION = 1,
    WS_FORMAT_ALIGN = 64,
    WS_FORMAT_HEADER_BYTES = 64,
    WS_FORMAT_SECTION_BYTES = 32,
    WS_FORMAT_SECTIONS = 4
};
#define WS_FORMAT_MAGIC                                                                            \
    "\x89WSAM\r\n\x1a" /* eight bytes; the first is not text, \r\n shows text-mode damage */

typedef enum ws_section_kind {
    WS_SECTION_METADATA = 1,
    WS_SECTION_TENSORS = 2,
    WS_SECTION_GRAPHS = 3,
    WS_SECTION_DATA = 4
} ws_section_kind;

/* Caps: claims of a file beyond these are refused before anything is allocated for them. */
enum {
    WS_CAP_NAME = 127,            /* bytes of a name, without the terminating zero */
    WS_CAP_STRING = 65535,        /* bytes of a metadata string */
    WS_CAP_METADATA = 1024,       /* entries */
    WS_CAP_METADATA_LIST = 65536, /* numbers or strings of one entry */
    WS_CAP_TENSORS = 65536,
    WS_CAP_GRAPHS = 16,
    WS_CAP_SYMBOLS = 16, /* per graph */
    WS_CAP_INPUTS = 32,  /* per graph */
    WS_CAP_OUTPUTS = 32, /* per graph */
    WS_CAP_OPS = 16384,  /* per graph */
    WS_CAP_OP_INPUTS = 16,
    WS_CAP_ATTRS = 16, /* per operator */
    WS_CAP_DIM = 1 << 24,
    WS_CAP_TABLE_BYTES = 1 << 26, /* of the metadata, tensor and graph sections each */
    WS_CAP_K_S8 = 65536           /* K of an int8 product: 127*127*65536 < 2^31 */
};

typedef enum ws_meta_kind {
    WS_META_STRING = 1,
    WS_META_INT = 2,
    WS_META_NUMBERS = 3, /* list of f64 */
    WS_META_STRINGS = 4  /* list of strings */
} ws_meta_kind;

typedef enum ws_attr_kind {
    WS_ATTR_INT = 1,
    WS_ATTR_FLOAT = 2,
    WS_ATTR_STRING = 3, /* at most 31 bytes */
    WS_ATTR_SYMBOL = 4  /* index of a symbol of the graph */
} ws_attr_kind;

/* References of operators and outputs to values: a tensor of the file, or a value of the graph
 * (inputs first, then the outputs of the operators in order). */
#define WS_REF_TENSOR 0x80000000u
#define WS_REF_NONE   0xffffffffu

/* Dimensions of graph inputs: >= 0 an integer, < 0 symbol number -1-d. */

typedef struct ws_attr_def {
    char name[32];
    ws_attr_kind kind;
    int64_t i; /* WS_ATTR_INT, WS_ATTR_SYMBOL */
    double f;
    char s[32];
} ws_attr_def;

typedef struct ws_symbol_def {
    char name[WS_CAP_NAME + 1];
    uint32_t min, max, multiple;
} ws_symbol_def;

typedef struct ws_input_def {
    char name[WS_CAP_NAME + 1];
    wsam_type type;
    wsam_rate rate;
    int rank;
    int32_t dims[WSAM_MAX_RANK];
} ws_input_def;

typedef struct ws_op_def {
    char kind[32];              /* "linear", "attention", ...: FORMAT.md, operators */
    char name[WS_CAP_NAME + 1]; /* for messages and profiles: "blocks.3.attn" */
    uint32_t n_inputs, n_attrs;
    uint32_t inputs[WS_CAP_OP_INPUTS];
    ws_attr_def *attrs;
} ws_op_def; /* every operator has exactly one output */

typedef struct ws_output_def {
    char name[WS_CAP_NAME + 1];
    uint32_t ref;
} ws_output_def;

typedef struct ws_graph_def {
    char name[WS_CAP_NAME + 1];
    uint32_t n_symbols, n_inputs, n_ops, n_outputs;
    ws_symbol_def *symbols;
    ws_input_def *inputs;
    ws_op_def *ops;
    ws_output_def *outputs;
} ws_graph_def;

/* One row of the tensor table. Offsets are relative to the data section. */
typedef struct ws_tensor_def {
    char name[WS_CAP_NAME + 1];
    wsam_type type; /* F32, BF16, S8 */
    int rank;
    uint32_t dims[WSAM_MAX_RANK];
    uint64_t offset, bytes;             /* the values, row-major */
    uint64_t scale_offset, scale_bytes; /* S8: f32 per index of dimension 0; else 0, 0 */
    uint64_t hash;                      /* XXH3-64 of the values, then of the scales */
} ws_tensor_def;

#endif
