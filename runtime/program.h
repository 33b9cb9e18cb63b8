/* runtime/program.h - a lowered graph: steps over buffers, and how they are executed.
 *
 * A buffer is a matrix of f32 (or s32 labels, or bf16 where it is narrow): the rows of a value, and as many columns as the step
 * that writes it says. Its rate decides where it lives: model-rate buffers in the program,
 * image-rate ones that later steps need in the wsam_image, all others in the session's arena. A
 * prompt-rate buffer holds one matrix per prompt of the run, one after another. */
#ifndef WS_RUNTIME_PROGRAM_H
#define WS_RUNTIME_PROGRAM_H

#include "runtime/graph/graph.h"
#include "weaksam/kernels.h"

typedef struct ws_program ws_program;
typedef struct ws_step ws_step;
typedef struct ws_exec ws_exec;

typedef struct ws_buffer {
    wsam_rate rate;
    uint32_t value;  /* whose rows it has */
    int64_t columns; /* 0: the value's own */
    int input;       /* >= 0: the graph input that the caller provides */
    int persistent;  /* image-rate, and read by prompt-rate steps or an output */
    int narrow;      /* stored in bf16 (lower/narrow_buffers.c, steps/narrow_rows.h) */
    /* The low-rank form that its rows may have (low_rank_rows.c); NULL: the value's columns. */
    const struct ws_low_rank *low_rank;
} ws_buffer;

/* A step's operand: a constant, or a buffer; neither when absent. */
typedef struct ws_operand {
    const float *constant;
    int buffer;      /* -1: not a buffer */
    int64_t columns; /* between rows */
} ws_operand;

typedef struct ws_step_kind {
    const char *name;
    int phases;
    /* Tasks of a phase at the current dimensions; scratch bytes per worker, bytes of a workspace
     * that lives for the step (NULL: none). */
    int (*tasks)(const ws_exec *x, const ws_step *s, int phase);
    size_t (*scratch)(const ws_exec *x, const ws_step *s);
    size_t (*workspace)(const ws_exec *x, const ws_step *s);
    void (*run)(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch);
    void (*release)(ws_step *s); /* frees what the step owns; NULL: nothing */
} ws_step_kind;

/* One product with its packed weight. */
typedef struct ws_product {
    const wsam_gemm_kernel *kernel;
    const void *packed;
    size_t n, k;
    int side; /* of Winograd's tiles (kernels/winograd.h), whose points are multiplied; 0: rows are */
    const float *bias;
    wsam_act act;
    wsam_act after;                       /* behind the residual: of linear and conv2d */
    const float *norm_weight, *norm_bias; /* LayerNorm of the rows on the way in, or NULL */
    float norm_eps;
} ws_product;

/* A norm, and the activation behind it. */
typedef struct ws_norm {
    const float *weight, *bias;
    float eps;
    wsam_act act;
} ws_norm;

/* A depthwise convolution, weights as [kh*kw][C], and the activation behind it. */
typedef struct ws_depthwise {
    const float *weight, *bias;
    wsam_act act;
} ws_depthwise;

/* Attention between a few tokens and many rows (steps/cross_attention.h). */
typedef struct ws_cross_attention ws_cross_attention;
typedef struct ws_low_rank ws_low_rank;

/* Operands of a step, by name. A step that does what its operator does has the operator's inputs
 * in their places (weights/operators.h); others have these, or those of steps/cross_attention.h. */
enum { WS_STEP_INPUT }; /* norms, row_variance, fold_values, concat */
enum { WS_STEP_ROWS, WS_STEP_ADDED, WS_STEP_RESIDUAL }; /* products and what contains them */
enum { WS_STEP_Q, WS_STEP_K, WS_STEP_V };               /* projected_attention */
enum { WS_STEP_MAP, WS_STEP_VECTORS };                  /* upscale */
enum { WS_STEP_OPERANDS = 14 };                         /* of image_to_token, which has the most */

struct ws_step {
    const ws_step_kind *kind; /* says which member of the union is meant */
    const char *name;         /* of the graph's operator */
    const char *kernel;       /* what computes it, for people */
    uint32_t op;              /* operator whose attributes and shapes the step uses */
    wsam_rate rate;
    ws_operand in[WS_STEP_OPERANDS];
    int out;          /* buffer */
    uint32_t value;   /* of the graph, complete behind this step; WS_REF_NONE: none */
    uint32_t outputs; /* bit per graph output that depends on it */
    int follows; /* its tasks may be run behind those of the step before (lower/join_steps.c) */
    union {
        ws_product product; /* linear, conv2d, conv_transpose2d */
        struct {
            ws_product first, second;
        } mlp;
        struct {
            ws_product expand, project;
            ws_depthwise depthwise;
            wsam_act act; /* behind the residual */
        } bottleneck;
        struct {
            ws_product first, second;
            ws_norm norm;
            int group_norm;              /* the norm's kind */
            const ws_low_rank *low_rank; /* form of the map; NULL: it is stored */
        } upscale;
        ws_norm norm; /* layer_norm, group_norm */
        ws_depthwise depthwise;
        wsam_act activation;
        struct {
            int multiply; /* or add */
        } binary;
        struct {
            uint32_t input; /* which input of the operator is copied to its place */
        } concat;
        struct {
            int bicubic; /* or bilinear */
        } resize;
        struct {
            const wsam_attention_kernel *kernel;
            const void *bias; /* as the kernel has prepared it, or NULL */
        } attention;          /* attention, projected_attention */
        struct {
            const wsam_attention_kernel *kernel;
            size_t group; /* of the classes, as many in each as a head has columns */
        } attention_spread;
        struct {
            const ws_cross_attention *attention;
            const ws_low_rank *low_rank;       /* form of the rows that it reads; NULL: stored */
            const ws_low_rank *makes_low_rank; /* of those that it writes */
            ws_norm norm;                      /* of these; weight NULL: none */
        } cross;                               /* token_to_image, image_to_token, fold_values */
        struct {
            const float *gain, *offset; /* of every row, before its variance */
        } row_variance;
        struct {
            ws_product product;      /* without kernel and packed weight */
            struct ws_onednn_op *op; /* owned by the step */
            wsam_type type;          /* of its prepared rows */
        } onednn;
    };
};

struct ws_program {
    const ws_file *file;
    const ws_graph_def *graph;
    const wsam_kernels *kernels;
    int lowering_plain;
    int onednn;  /* oneDNN takes the products it can */
    int threads; /* for its primitives */

    size_t n_buffers, n_steps;
    ws_buffer *buffers;
    ws_step *steps;
    int *value_buffer; /* buffer of a value, -1 while it has none */

    float **model_data; /* per buffer: model-rate data */
    void *model_memory; /* of the packs */
    size_t model_bytes;
};

/* Where everything is while steps run. */
struct ws_exec {
    const ws_program *program;
    const ws_dims *dims;
    const ws_value *values;
    float *const *data; /* per buffer */
    void *workspace;    /* of the current step */
    int phase;
    char *scratch;
    size_t scratch_stride;
    wsam_error *failure; /* a step that can fail writes it, from a phase of one task */
};

/* Bytes of n floats, and the larger of two sizes, for scratch and workspaces. */
static inline size_t ws_float_bytes(size_t n)
{
    return ws_align64(n * sizeof(float));
}
static inline size_t ws_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Elements of one matrix of a buffer, and of all prompts' matrices. */
size_t ws_step_buffer_elements(const ws_exec *x, int buffer);
size_t ws_step_buffer_total(const ws_exec *x, int buffer);
size_t ws_step_buffer_bytes(const ws_exec *x, int buffer); /* of all */
/* The operand's matrix for a prompt (lower rates have one for all). */
const float *ws_step_operand(const ws_exec *x, const ws_operand *o, int64_t prompt);
float *ws_step_out(const ws_exec *x, const ws_step *s, int64_t prompt);
/* Rows of the step's output matrix, and its columns. */
int64_t ws_step_out_rows(const ws_exec *x, const ws_step *s);
int64_t ws_step_out_columns(const ws_exec *x, const ws_step *s);
/* Prompts that a step runs for: 1 unless it is prompt-rate. */
int64_t ws_step_prompts(const ws_exec *x, const ws_step *s);
/* Whether the operand is one matrix for all prompts of a prompt-rate step. */
int ws_step_is_shared(const ws_exec *x, const ws_step *s, const ws_operand *o);
/* Whether the tasks of two linear steps are the same blocks of rows, of all columns (steps_product.c). */
int ws_steps_product_same_blocks(const ws_exec *x, const ws_step *a, const ws_step *b);
/* The operator's view at the current dimensions. */
ws_op_view ws_step_view(const ws_exec *x, const ws_step *s);
ws_shape ws_step_input_shape(const ws_exec *x, const ws_step *s, uint32_t input);

extern const ws_step_kind ws_step_inverted_bottleneck;
extern const ws_step_kind ws_step_onednn, ws_step_onednn_conv;
extern const ws_step_kind ws_step_gemm, ws_step_conv, ws_step_winograd, ws_step_conv_transpose,
    ws_step_mlp, ws_step_upscale;
extern const ws_step_kind ws_step_depthwise, ws_step_max_pool, ws_step_layer_norm,
    ws_step_group_norm;
extern const ws_step_kind ws_step_activation, ws_step_binary, ws_step_concat, ws_step_slice,
    ws_step_resize, ws_step_top_down;
extern const ws_step_kind ws_step_attention, ws_step_projected_attention;
extern const ws_step_kind ws_step_token_to_image, ws_step_image_to_token, ws_step_fold_values,
    ws_step_row_variance;
extern const ws_step_kind ws_step_add_positions, ws_step_grid_rows, ws_step_row_max,
    ws_step_class_attention, ws_step_attention_sum, ws_step_attention_spread;
extern const ws_step_kind ws_step_point_tokens, ws_step_position_grid, ws_step_mask_product;

/* ---- constants and packed weights of a model (lower/packs.c): shared by its graphs ---- */

typedef struct ws_packs ws_packs;
ws_packs *ws_packs_new(const ws_file *file, const wsam_kernels *kernels, int threads,
                       uint64_t max_memory);
void ws_packs_free(ws_packs *packs);
/* A tensor as f32; tensor NULL gives NULL. Owned by the packs. */
wsam_status ws_packs_f32(ws_packs *p, const ws_tensor_def *t, const float **out, wsam_error *error);
/* A weight [n][k] (leading dimensions flattened) for the kernel of type `as`: its own, or bf16 for
 * one of f32. */
wsam_status ws_packs_product(ws_packs *p, const ws_tensor_def *t, wsam_type as, size_t n, size_t k,
                             ws_product *product, wsam_error *error);
/* A weight [n][3][3][c] as those of Winograd's points for tiles of `side`, one behind the other. */
wsam_status ws_packs_winograd(ws_packs *p, const ws_tensor_def *t, int side, size_t n, size_t c,
                              ws_product *product, wsam_error *error);
/* Memory that lives as long as the packs; counted against the limit. */
wsam_status ws_packs_alloc(ws_packs *p, size_t bytes, void **out, wsam_error *error);
uint64_t ws_packs_bytes(ws_packs *p);

/* ---- lowering (lower/) ---- */

wsam_status ws_lower(const ws_file *file, const ws_graph_def *graph, const wsam_kernels *kernels,
                     ws_packs *packs, const wsam_options *options, ws_program **program,
                     wsam_error *error);
void ws_lower_free(ws_program *program);

/* lower/select_kernels.c: which kernel multiplies a weight of this type at this level, and which
 * attention. */
const wsam_gemm_kernel *ws_select_gemm(const wsam_kernels *k, wsam_type weight);
const wsam_attention_kernel *ws_select_attention(const wsam_kernels *k, const char *compute);

#endif
