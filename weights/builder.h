/* weights/builder.h - how a family describes its model: tensors with recipes, operators, metadata.
 *
 * The same description serves three purposes: it names every tensor the family needs (a checkpoint
 * is checked against it, a twin is written from it), it gives the graphs, and its recipes make the
 * stored tensors one at a time, so that memory does not grow with the model. */
#ifndef WS_WEIGHTS_BUILDER_H
#define WS_WEIGHTS_BUILDER_H

#include "weaksam/convert.h"
#include "weights/format.h"
#include "weights/import/source.h"
#include "weights/operators.h"

typedef uint32_t ws_ref; /* WS_REF_TENSOR + index, or a value of the current graph */

/* A tensor of the checkpoint that the family needs; `optional_use`: known, but nothing is made of
 * it. */
typedef struct ws_need {
    char name[WS_SOURCE_NAME + 1];
    int rank;
    uint32_t dims[WSAM_MAX_RANK];
    int unused;
} ws_need;

/* What a stored tensor is for; with the file type this decides how it is stored. */
typedef enum ws_role {
    WS_ROLE_EXACT, /* f32 in every file: norms, biases, tables, tokens, hypernetworks */
    WS_ROLE_FLOAT, /* bf16 in bf16 and int8 files: necks, patch and dense convolutions, decoder */
    WS_ROLE_LINEAR /* bf16 in bf16 files, s8 in int8 files: encoder linears and 1x1 convolutions */
} ws_role;

typedef struct ws_builder ws_builder;
typedef struct ws_recipe ws_recipe;

/* Makes the f32 values of one stored tensor; reads needs through ws_builder_fetch. */
typedef wsam_status (*ws_make_fn)(ws_builder *b, const ws_recipe *recipe, float *out,
                                  wsam_error *error);

struct ws_recipe {
    ws_make_fn make;
    int need[6]; /* indices from ws_need_tensor */
    int64_t arg[4];
    int smooth_norm_weight, smooth_norm_bias, smooth_linear; /* needs of a smoothed pair, or -1 */
    int smooth_kind;
};

ws_builder *ws_builder_new(const ws_source *source, const wsam_convert_options *options,
                           wsam_error *error);
void ws_builder_free(ws_builder *b);

/* After a description: 0, or the first failure (memory, caps). */
wsam_status ws_builder_status(const ws_builder *b, wsam_error *error);
const wsam_convert_options *ws_builder_options(const ws_builder *b);

/* ---- checkpoint tensors ---- */

/* Registers a needed tensor (printf-style name) and returns its index. */
int ws_need_tensor(ws_builder *b, int rank, const uint32_t *dims, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int ws_need_1d(ws_builder *b, uint32_t n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int ws_need_2d(ws_builder *b, uint32_t n, uint32_t k, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int ws_need_4d(ws_builder *b, uint32_t o, uint32_t i, uint32_t h, uint32_t w, const char *format,
               ...) __attribute__((format(printf, 6, 7)));
/* Marks the last need as known but unused. */
void ws_need_unused(ws_builder *b, int need);

size_t ws_need_count(const ws_builder *b);
const ws_need *ws_need_at(const ws_builder *b, size_t i);

/* Compares needs and checkpoint; one error names what is missing, misshaped or extra. Integer
 * tensors (counters) may be extra. */
wsam_status ws_check_needs(const ws_builder *b, wsam_error *error);

/* All values of a need into `out`. */
wsam_status ws_builder_fetch(ws_builder *b, int need, float *out, wsam_error *error);

/* ---- stored tensors ---- */

/* The need as it is. */
ws_ref ws_store(ws_builder *b, ws_role role, int need);
/* The need with other dimensions (a reshape). */
ws_ref ws_store_as(ws_builder *b, ws_role role, int need, int rank, const uint32_t *dims);
/* A tensor made by a recipe. */
ws_ref ws_store_made(ws_builder *b, ws_role role, const char *name, int rank, const uint32_t *dims,
                     const ws_recipe *recipe);
ws_recipe ws_builder_recipe_new(ws_make_fn make);

/* LayerNorm and the linear behind it, stored with data-free smoothing in int8 files (smooth.c). */
typedef struct ws_norm_linear {
    ws_ref norm_weight, norm_bias, weight, bias;
} ws_norm_linear;
ws_norm_linear ws_smooth_norm_linear(ws_builder *b, int norm_weight, int norm_bias, int weight,
                                     int bias, const ws_recipe *weight_recipe);

/* Common recipes (recipes.c). */
ws_ref ws_store_conv(ws_builder *b, ws_role role, int need); /* [O,I,kh,kw] -> [O,kh,kw,I] */
ws_ref ws_store_conv_transpose(ws_builder *b, ws_role role, int need); /* [I,O,s,s] -> [s,s,O,I] */
/* A linear layer behind a flattened map [C][cells], for one that is flattened [cells][C]. */
ws_ref ws_store_channels_last(ws_builder *b, ws_role role, int need, uint32_t cells);
ws_ref ws_store_rows(ws_builder *b, const char *name, int n,
                     const int *needs); /* stacked [1,C] rows */

/* ---- graphs ---- */

void ws_graph_begin(ws_builder *b, const char *name);
uint32_t ws_symbol(ws_builder *b, const char *name, uint32_t min, uint32_t max, uint32_t multiple);
/* dims: >= 0 a number, -1-s symbol s */
ws_ref ws_input(ws_builder *b, const char *name, wsam_type type, wsam_rate rate, int rank,
                const int32_t *dims);
/* `inputs` by the names of operators.h; the operator's attributes follow by ws_attr_*. */
ws_ref ws_op(ws_builder *b, const char *kind, const char *name, int n, const ws_ref *inputs);
void ws_attr_int(ws_builder *b, const char *name, int64_t value);
void ws_attr_float(ws_builder *b, const char *name, double value);
void ws_attr_string(ws_builder *b, const char *name, const char *value);
void ws_attr_symbol(ws_builder *b, const char *name, uint32_t symbol);
void ws_output(ws_builder *b, const char *name, ws_ref ref);

/* Short forms of the operators that every family uses. */
ws_ref ws_linear(ws_builder *b, const char *name, ws_ref x, ws_ref weight, ws_ref bias);
ws_ref ws_conv(ws_builder *b, const char *name, ws_ref x, ws_ref weight, ws_ref bias, int stride,
               int pad, int groups);
ws_ref ws_layer_norm(ws_builder *b, const char *name, ws_ref x, ws_ref weight, ws_ref bias,
                     double eps);
ws_ref ws_activation(ws_builder *b, const char *name, ws_ref x, const char *function);
ws_ref ws_add(ws_builder *b, const char *name, ws_ref x, ws_ref y);
/* attribute `compute` of the last operator: f32, or bf16 in bf16 and int8 files */
void ws_attr_compute(ws_builder *b);

/* ---- metadata ---- */

void ws_meta_string(ws_builder *b, const char *key, const char *value);
void ws_meta_int(ws_builder *b, const char *key, int64_t value);
void ws_meta_numbers(ws_builder *b, const char *key, int n, const double *values);

void ws_meta_strings(ws_builder *b, const char *key, size_t n, const char *const *values);

/* ---- for the writer ---- */

typedef struct ws_meta_def {
    char key[64];
    ws_meta_kind kind;
    char *string;
    int64_t integer;
    double numbers[8];
    int n_numbers;
    size_t n_strings; /* one after another in `string`, each with its zero */
} ws_meta_def;

size_t ws_builder_tensor_count(const ws_builder *b);
ws_tensor_def *ws_builder_tensor(ws_builder *b, size_t i);
const ws_recipe *ws_builder_recipe(const ws_builder *b, size_t i);
size_t ws_builder_graph_count(const ws_builder *b);
const ws_graph_def *ws_builder_graph(const ws_builder *b, size_t i);
/* Sorted by key. */
size_t ws_builder_meta(ws_builder *b, const ws_meta_def **meta);

#endif
