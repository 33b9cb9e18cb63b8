/* runtime/steps/steps_clues.c - what a clue network adds to a ViT: attention maps that are reduced
 * as they are made.
 *
 * A layer's probabilities are heads * T^2 floats, 950 MB for all layers of a COCO picture. Nothing
 * of that size is kept: class_attention makes the rows of the class tokens alone, attention_sum
 * weighs them into one map, and attention_spread multiplies the patch rows with a few columns of
 * values at once, by the attention kernel itself: sum over q of P[p][q] M[q][c] is attention with M
 * for values. That computes q.k a second time (a quarter of the network's time at T = 1044) and
 * needs memory for q, k and M only, which grows with T. */
#include <math.h>
#include <string.h>

#include "runtime/program.h"

enum { ROWS = 64 }; /* per task */

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* ---- grid_rows: the last rows ---- */

static int single_task(const ws_exec *x, const ws_step *s, int phase)
{
    (void)x;
    (void)s;
    (void)phase;
    return 1;
}

static void grid_rows_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_shape in = ws_step_input_shape(x, s, WS_GRID_ROWS_X);
    const size_t n = ws_step_buffer_elements(x, s->out);
    (void)phase;
    (void)task;
    (void)scratch;
    memcpy(ws_step_out(x, s, 0),
           ws_step_operand(x, &s->in[WS_GRID_ROWS_X], 0) + ((size_t)ws_elements(&in) - n),
           n * sizeof(float));
}

const ws_step_kind ws_step_grid_rows = {
    .name = "grid_rows",
    .phases = 1,
    .tasks = single_task,
    .run = grid_rows_run,
};

/* ---- row_max: the largest of every column ---- */

static int column_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)ceil_div((size_t)ws_step_out_columns(x, s), ROWS);
}

static void row_max_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_shape in = ws_step_input_shape(x, s, WS_UNARY_X);
    const size_t c = (size_t)ws_columns(&in), first = (size_t)task * ROWS;
    const size_t n = c - first < ROWS ? c - first : ROWS;
    const float *rows = ws_step_operand(x, &s->in[WS_UNARY_X], 0) + first;
    float *out = ws_step_out(x, s, 0) + first;
    (void)phase;
    (void)scratch;
    memcpy(out, rows, n * sizeof *out);
    for (int64_t i = 1; i < ws_rows(&in); i++)
        for (size_t j = 0; j < n; j++)
            out[j] = rows[(size_t)i * c + j] > out[j] ? rows[(size_t)i * c + j] : out[j];
}

const ws_step_kind ws_step_row_max = {
    .name = "row_max",
    .phases = 1,
    .tasks = column_tasks,
    .run = row_max_run,
};

/* ---- class_attention: probabilities [heads][K][h*w] of the first K rows ---- */

typedef struct sizes {
    size_t tokens, classes, patches; /* T = K + h*w */
    size_t heads, head, width;       /* width = heads * head */
} sizes;

/* `grid` is the operator's input that has the shape [h][w][...]. */
static sizes clue_sizes_of(const ws_exec *x, const ws_step *s, uint32_t grid)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape qkv = ws_step_input_shape(x, s, WS_CLASS_ATTENTION_QKV),
                   g = ws_step_input_shape(x, s, grid);
    sizes z = {.tokens = (size_t)ws_rows(&qkv), .width = (size_t)ws_columns(&qkv) / 3};
    z.patches = (size_t)(g.dims[0] * g.dims[1]);
    z.classes = z.tokens - z.patches;
    z.heads = (size_t)ws_op_int(&v, "heads", 1);
    z.head = z.width / z.heads;
    return z;
}

static int class_attention_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const sizes z = clue_sizes_of(x, s, WS_CLASS_ATTENTION_GRID);
    (void)phase;
    return (int)(z.heads * z.classes);
}

static size_t class_attention_scratch(const ws_exec *x, const ws_step *s)
{
    return clue_sizes_of(x, s, WS_CLASS_ATTENTION_GRID).tokens * sizeof(float);
}

static void class_attention_run(const ws_exec *x, const ws_step *s, int phase, int task,
                                void *scratch)
{
    const ws_op_view v = ws_step_view(x, s);
    const sizes z = clue_sizes_of(x, s, WS_CLASS_ATTENTION_GRID);
    const size_t head = (size_t)task / z.classes, row = (size_t)task % z.classes;
    const float *q = ws_step_operand(x, &s->in[WS_CLASS_ATTENTION_QKV], 0) + head * z.head;
    const float scale = (float)ws_op_float(&v, "scale", 1.0);
    const wsam_vector_kernels *k = &x->program->kernels->vector;
    float *p = scratch;
    (void)phase;
    k->dot_rows_f32(z.tokens, z.head, q + z.width, 3 * z.width, q + row * 3 * z.width, p);
    for (size_t i = 0; i < z.tokens; i++)
        p[i] *= scale;
    k->softmax_f32(1, z.tokens, p, z.tokens, p, z.tokens);
    memcpy(ws_step_out(x, s, 0) + (size_t)task * z.patches, p + z.classes, z.patches * sizeof *p);
}

const ws_step_kind ws_step_class_attention = {
    .name = "class_attention",
    .phases = 1,
    .tasks = class_attention_tasks,
    .scratch = class_attention_scratch,
    .run = class_attention_run,
};

/* ---- attention_sum: maps [heads][K][h*w] into one ---- */

/* How head h of the operator's layer counts: `factor`, times its weight. Weights by token are the
 * published first fusion, whose pooled input is 1 / T for every map. */
static float clue_head_weight(const ws_exec *x, const ws_step *s, const ws_operand *weights,
                              size_t head, size_t tokens)
{
    const ws_op_view v = ws_step_view(x, s);
    const float *w = ws_step_operand(x, weights, 0);
    const float factor = (float)ws_op_float(&v, "factor", 1.0);
    if (!w)
        return factor;
    w += (size_t)ws_op_int(&v, "first", 0) + head;
    if (strcmp(ws_op_string(&v, "weights", "given"), "by_tokens") == 0)
        return factor / (1.0f + expf(-*w / (float)tokens));
    return factor * *w;
}

static int attention_sum_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)ceil_div((size_t)ws_step_out_rows(x, s), ROWS);
}

static void attention_sum_run(const ws_exec *x, const ws_step *s, int phase, int task,
                              void *scratch)
{
    const ws_shape maps = ws_step_input_shape(x, s, WS_ATTENTION_SUM_MAPS);
    const size_t heads = (size_t)maps.dims[0], k = (size_t)maps.dims[1];
    const size_t pixels = (size_t)ws_step_out_rows(x, s), first = (size_t)task * ROWS;
    const size_t n = pixels - first < ROWS ? pixels - first : ROWS;
    const float *sum = ws_step_operand(x, &s->in[WS_ATTENTION_SUM_SUM], 0);
    float *out = ws_step_out(x, s, 0) + first * k;
    (void)phase;
    (void)scratch;
    if (sum)
        memcpy(out, sum + first * k, n * k * sizeof *out);
    else
        memset(out, 0, n * k * sizeof *out);
    for (size_t h = 0; h < heads; h++) {
        const float weight =
            clue_head_weight(x, s, &s->in[WS_ATTENTION_SUM_WEIGHTS], h, pixels + k);
        for (size_t c = 0; c < k; c++) {
            const float *map =
                ws_step_operand(x, &s->in[WS_ATTENTION_SUM_MAPS], 0) + (h * k + c) * pixels + first;
            for (size_t i = 0; i < n; i++)
                out[i * k + c] += weight * map[i];
        }
    }
}

const ws_step_kind ws_step_attention_sum = {
    .name = "attention_sum",
    .phases = 1,
    .tasks = attention_sum_tasks,
    .run = attention_sum_run,
};

/* ---- attention_spread ----
 *
 * A step takes as many classes as a head has columns, from its group's first on. Phases: values for
 * every head, then the kernel's two, then the weighted sum over heads. */

static wsam_attention_shape attention_spread_shape(const ws_exec *x, const ws_step *s,
                                                   const sizes *z)
{
    const ws_op_view v = ws_step_view(x, s);
    const wsam_attention_shape a = {.heads = (int)z->heads,
                                    .head_dim = (int)z->head,
                                    .q_h = 1,
                                    .q_w = (int)z->patches,
                                    .k_h = 1,
                                    .k_w = (int)z->tokens,
                                    .scale = (float)ws_op_float(&v, "scale", 1.0)};
    return a;
}

/* The workspace: values [T][width], answers [h*w][width], then what the kernel packs. */
static size_t values_bytes(const sizes *z)
{
    return ws_align64(z->tokens * z->width * sizeof(float));
}

static size_t answers_bytes(const sizes *z)
{
    return ws_align64(z->patches * z->width * sizeof(float));
}

static size_t attention_spread_workspace(const ws_exec *x, const ws_step *s)
{
    const sizes z = clue_sizes_of(x, s, WS_ATTENTION_SPREAD_VALUES);
    const wsam_attention_shape a = attention_spread_shape(x, s, &z);
    return values_bytes(&z) + answers_bytes(&z) +
           ws_align64(s->attention_spread.kernel->packed_bytes(&a));
}

static size_t attention_spread_scratch(const ws_exec *x, const ws_step *s)
{
    const sizes z = clue_sizes_of(x, s, WS_ATTENTION_SPREAD_VALUES);
    const wsam_attention_shape a = attention_spread_shape(x, s, &z);
    return s->attention_spread.kernel->scratch_bytes(&a);
}

static int attention_spread_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const sizes z = clue_sizes_of(x, s, WS_ATTENTION_SPREAD_VALUES);
    const wsam_attention_shape a = attention_spread_shape(x, s, &z);
    if (phase == 1)
        return s->attention_spread.kernel->pack_tasks(&a);
    if (phase == 2)
        return s->attention_spread.kernel->run_tasks(&a);
    return (int)ceil_div(phase ? z.patches : z.tokens, ROWS);
}

/* Columns of the step's classes. */
static size_t class_span(const ws_step *s, const sizes *z, size_t *first)
{
    *first = s->attention_spread.group * z->head;
    return z->classes - *first < z->head ? z->classes - *first : z->head;
}

/* Rows of the values: zeros for class tokens, the classes' values for patches, alike per head. */
static void fill_values(const ws_exec *x, const ws_step *s, const sizes *z, size_t task,
                        float *values)
{
    size_t first, end = (task + 1) * ROWS < z->tokens ? (task + 1) * ROWS : z->tokens;
    const size_t n = class_span(s, z, &first);
    const float *from = ws_step_operand(x, &s->in[WS_ATTENTION_SPREAD_VALUES], 0) + first;
    for (size_t i = task * ROWS; i < end; i++) {
        float *row = values + i * z->width;
        memset(row, 0, z->width * sizeof *row);
        for (size_t h = 0; h < z->heads && i >= z->classes; h++)
            memcpy(row + h * z->head, from + (i - z->classes) * z->classes, n * sizeof *row);
    }
}

static void add_answers(const ws_exec *x, const ws_step *s, const sizes *z, size_t task,
                        const float *answers)
{
    size_t first, end = (task + 1) * ROWS < z->patches ? (task + 1) * ROWS : z->patches;
    const size_t n = class_span(s, z, &first), k = z->classes;
    const float *sum = ws_step_operand(x, &s->in[WS_ATTENTION_SPREAD_SUM], 0);
    float *out = ws_step_out(x, s, 0) + first;
    for (size_t i = task * ROWS; i < end; i++) {
        if (sum)
            memcpy(out + i * k, sum + first + i * k, n * sizeof *out);
        else
            memset(out + i * k, 0, n * sizeof *out);
    }
    for (size_t h = 0; h < z->heads; h++) {
        const float weight =
            clue_head_weight(x, s, &s->in[WS_ATTENTION_SPREAD_WEIGHTS], h, z->tokens);
        for (size_t i = task * ROWS; i < end; i++)
            for (size_t c = 0; c < n; c++)
                out[i * k + c] += weight * answers[i * z->width + h * z->head + c];
    }
}

static void attention_spread_run(const ws_exec *x, const ws_step *s, int phase, int task,
                                 void *scratch)
{
    const sizes z = clue_sizes_of(x, s, WS_ATTENTION_SPREAD_VALUES);
    const wsam_attention_shape a = attention_spread_shape(x, s, &z);
    const float *qkv = ws_step_operand(x, &s->in[WS_ATTENTION_SPREAD_QKV], 0);
    float *values = x->workspace, *answers = values + values_bytes(&z) / sizeof(float);
    float *packed = answers + answers_bytes(&z) / sizeof(float);
    const wsam_attention_io io = {.q = qkv + z.classes * 3 * z.width,
                                  .k = qkv + z.width,
                                  .v = values,
                                  .ld_q = 3 * z.width,
                                  .ld_k = 3 * z.width,
                                  .ld_v = z.width,
                                  .out = answers,
                                  .ld_out = z.width};
    if (phase == 0)
        fill_values(x, s, &z, (size_t)task, values);
    else if (phase == 1)
        s->attention_spread.kernel->pack(&a, &io, task, packed);
    else if (phase == 2)
        s->attention_spread.kernel->run(&a, &io, task, packed, scratch);
    else
        add_answers(x, s, &z, (size_t)task, answers);
}

const ws_step_kind ws_step_attention_spread = {
    .name = "attention_spread",
    .phases = 4,
    .tasks = attention_spread_tasks,
    .scratch = attention_spread_scratch,
    .workspace = attention_spread_workspace,
    .run = attention_spread_run,
};
