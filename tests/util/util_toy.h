/* tests/util/util_toy.h - a small weight file, written from FORMAT.md alone, that a test can change
 * before it is written (and its checksums are right again) or after.
 *
 * Two graphs: `small_encoder` (image [4,4,8] -> convolution 1x1 with s8 weights -> GELU ->
 * LayerNorm -> linear -> embedding [4,4,8]) and `tiny_decoder` (embedding; prompt input `vectors`
 * [points,8] -> low_res [points,4,4]). */
#ifndef WS_TESTS_UTIL_UTIL_TOY_H
#define WS_TESTS_UTIL_UTIL_TOY_H

#include <stddef.h>

#include "weaksam/model.h"
#include "weights/format.h"

enum { TOY_TENSORS = 6, TOY_GRAPHS = 2, TOY_OPS = 4, TOY_DATA = 4096 };

/* The tensors by index. */
enum { TOY_S8 = 0, TOY_BIAS, TOY_NORM_W, TOY_NORM_B, TOY_LINEAR, TOY_BF16 };

typedef struct toy_op {
    ws_op_def def;
    ws_attr_def attrs[4];
} toy_op;

typedef struct toy_graph {
    ws_graph_def def; /* its pointers lead to the arrays here */
    ws_symbol_def symbols[2];
    ws_input_def inputs[2];
    toy_op ops[TOY_OPS];
    ws_output_def outputs[1];
} toy_graph;

typedef struct toy {
    uint32_t version, n_sections, n_tensors, n_graphs, n_metadata; /* as claimed by the counts */
    ws_tensor_def tensors[TOY_TENSORS];
    toy_graph graphs[TOY_GRAPHS];
    unsigned char data[TOY_DATA];
} toy;

void toy_init(toy *t);

/* The file in memory that the caller frees; all checksums are right. */
unsigned char *toy_write(const toy *t, size_t *size);

/* Makes the checksums right again after bytes were changed, as far as the section table and the
 * tensor table still lead to something inside the file. */
void toy_rehash(unsigned char *file, size_t size);

/* Opens the bytes as a model, and closes it. */
wsam_status toy_open(const unsigned char *file, size_t size, int skip_checksums, wsam_error *error);
/* Opens them and runs both graphs. */
wsam_status toy_use(const unsigned char *file, size_t size, wsam_error *error);

#endif
