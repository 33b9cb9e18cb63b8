/* runtime/steps/steps_product.c - steps around packed products: linear, convolutions, the fused
 * MLP.
 *
 * A task owns whole rows: they are prepared once (added, normalised, quantized), then all columns
 * of the weight stream past them. Tasks are cut by shape alone. */
#include <string.h>

#include "runtime/steps/narrow_rows.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int64_t blocks(int64_t rows, size_t block)
{
    return (rows + (int64_t)block - 1) / (int64_t)block;
}

static wsam_epilogue epilogue_of(const ws_product *p, const float *residual, size_t ld)
{
    const wsam_epilogue e = {p->bias, p->act, residual, ld};
    return e;
}

static wsam_rows rows_of(const ws_product *p, const float *data, size_t ld)
{
    const wsam_rows r = {data, ld, NULL, 0, p->norm_weight, p->norm_bias, p->norm_eps};
    return r;
}

/* What a task of a product makes: the columns [n0, n1) of m rows from `row` on. */
typedef struct task_rows {
    int64_t prompt;
    size_t row, m, n0, n1;
} task_rows;

/* Whether there is an operand; asked before buffers have their places, too. */
static int is_there(const ws_operand *o)
{
    return o->buffer >= 0 || o->constant;
}

/* Whether the product itself rounds its result. */
static int ends_narrow(const ws_exec *x, const ws_step *s)
{
    const ws_product *p = &s->product;
    const ws_operand *residual = &s->in[WS_STEP_RESIDUAL];
    return ws_narrow_is(x, s->out) && p->kernel->run_narrow &&
           (ws_narrow_is(x, residual->buffer) || !is_there(residual)) &&
           (p->after == WSAM_ACT_NONE || p->after == WSAM_ACT_RELU);
}

static void run_narrow(const ws_exec *x, const ws_step *s, const task_rows *t, const void *prepared)
{
    const ws_product *p = &s->product;
    const ws_operand *residual = &s->in[WS_STEP_RESIDUAL];
    const wsam_epilogue e = epilogue_of(p, NULL, 0);
    const wsam_narrow_result r = {
        .c = ws_narrow_out(x, s, t->row),
        .ldc = p->n,
        .residual = ws_narrow_is(x, residual->buffer) ? ws_narrow_rows(x, residual, t->row) : NULL,
        .ld_residual = (size_t)residual->columns,
        .relu = p->after == WSAM_ACT_RELU};
    p->kernel->run_narrow(t->m, p->n, p->k, t->n0, t->n1, prepared, p->packed, &e, &r);
}

/* Scratch for the rows as f32, where others do it. */
static size_t result_bytes(const ws_exec *x, const ws_step *s, size_t m)
{
    return ends_narrow(x, s) ? 0
                             : ws_narrow_out_bytes(x, s, m) +
                                   ws_narrow_operand_bytes(x, &s->in[WS_STEP_RESIDUAL], m);
}

/* The residual may be what the result takes the place of, of which other tasks write other columns:
 * those are not read. What comes behind the residual is done while the rows are in cache. */
static void run_rows(const ws_exec *x, const ws_step *s, const task_rows *t, const void *prepared,
                     char *room)
{
    const ws_product *p = &s->product;
    const ws_operand *residual = &s->in[WS_STEP_RESIDUAL];
    float *second = (float *)(void *)(room + ws_narrow_out_bytes(x, s, t->m));
    if (ends_narrow(x, s)) {
        run_narrow(x, s, t, prepared);
        return;
    }
    float *out = ws_narrow_begin(x, s, t->prompt, t->row, (float *)(void *)room);
    const wsam_epilogue e = epilogue_of(
        p, ws_narrow_read_columns(x, residual, t->prompt, t->row, t->m, t->n0, t->n1, second),
        (size_t)residual->columns);
    p->kernel->run(t->m, p->n, p->k, t->n0, t->n1, prepared, p->packed, &e, out, p->n);
    for (size_t i = 0; p->after != WSAM_ACT_NONE && i < t->m; i++)
        x->program->kernels->vector.act_f32(p->after, t->n1 - t->n0, out + i * p->n + t->n0,
                                            out + i * p->n + t->n0);
    ws_narrow_end(x, s, t->prompt, t->row, t->m, t->n0, t->n1, out);
}

/* ---- linear ---- */

/* All prompts' rows may be one long matrix when every operand has rows of its own per prompt. */
static int is_merged(const ws_exec *x, const ws_step *s)
{
    return !ws_step_is_shared(x, s, &s->in[WS_STEP_ROWS]) &&
           !ws_step_is_shared(x, s, &s->in[WS_STEP_ADDED]) &&
           !ws_step_is_shared(x, s, &s->in[WS_STEP_RESIDUAL]);
}

/* How a product is cut: blocks of the rows of one matrix, and parts of its columns. */
typedef struct cut {
    int64_t rows, blocks, parts;
    size_t columns; /* of a part, whole panels */
} cut;

enum { ENOUGH_TASKS = 8, FEW_ROWS = 16, LEAST_COLUMNS = 256, LEAST_WEIGHTS = 32768 };

/* Few blocks of rows are cut by columns, too: the tokens of a click are 7 rows, which one thread
 * alone took through 2 MB of MLP weights. A part prepares the rows for itself, so of more than a
 * tile of rows it has 256 columns (3 % of its products); of few rows it has weights that are worth
 * a task (128 KB, some 5 us). */
static cut cut_of(const ws_exec *x, const ws_step *s)
{
    const ws_product *p = &s->product;
    const size_t panels = (p->n + p->kernel->nr - 1) / p->kernel->nr;
    cut c = {.rows = ws_step_out_rows(x, s) * (is_merged(x, s) ? ws_step_prompts(x, s) : 1)};
    c.blocks = blocks(c.rows, p->kernel->rows);
    const size_t most = c.rows > FEW_ROWS ? p->n / LEAST_COLUMNS : p->n * p->k / LEAST_WEIGHTS;
    size_t parts = c.blocks < ENOUGH_TASKS ? ENOUGH_TASKS / (size_t)(c.blocks + !c.blocks) : 1;
    parts = smaller(smaller(parts, panels), most + !most);
    c.columns = (panels + parts - 1) / parts * p->kernel->nr;
    c.parts = blocks((int64_t)p->n, c.columns);
    return c;
}

int ws_steps_product_same_blocks(const ws_exec *x, const ws_step *a, const ws_step *b)
{
    const cut c = cut_of(x, a), d = cut_of(x, b);
    return c.rows == d.rows && c.parts == 1 && d.parts == 1 &&
           a->product.kernel->rows == b->product.kernel->rows;
}

static int gemm_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const cut c = cut_of(x, s);
    (void)phase;
    return (int)(c.blocks * c.parts * (is_merged(x, s) ? 1 : ws_step_prompts(x, s)));
}

/* Whether narrow rows are prepared from where they stand. */
static int takes_narrow(const ws_exec *x, const ws_step *s)
{
    const ws_product *p = &s->product;
    return ws_narrow_is(x, s->in[WS_STEP_ROWS].buffer) && p->kernel->prepare_narrow &&
           !p->norm_weight && !is_there(&s->in[WS_STEP_ADDED]);
}

static size_t wide_bytes(const ws_exec *x, const ws_step *s, size_t rows)
{
    return takes_narrow(x, s) ? 0 : ws_narrow_operand_bytes(x, &s->in[WS_STEP_ROWS], rows);
}

/* The rows [row, row + m) as the product wants them. */
static void prepare_rows(const ws_exec *x, const ws_step *s, int64_t prompt, size_t row, size_t m,
                         float *wide, void *prepared)
{
    const ws_product *p = &s->product;
    const ws_operand *rows = &s->in[WS_STEP_ROWS], *added = &s->in[WS_STEP_ADDED];
    const size_t ld = (size_t)rows->columns;
    const float *add = ws_step_operand(x, added, prompt);
    if (takes_narrow(x, s)) {
        p->kernel->prepare_narrow(m, p->k, ws_narrow_rows(x, rows, row), ld, prepared);
        return;
    }
    wsam_rows source = rows_of(p, ws_narrow_read(x, rows, prompt, row, m, wide), ld);
    if (add) {
        source.ld_add = (size_t)added->columns;
        source.add = add + row * source.ld_add;
    }
    p->kernel->prepare(m, p->k, &source, prepared);
}

static size_t gemm_scratch(const ws_exec *x, const ws_step *s)
{
    const ws_product *p = &s->product;
    const size_t rows = p->kernel->rows;
    return ws_narrow_operand_bytes(x, &s->in[WS_STEP_ROWS], rows) + result_bytes(x, s, rows) +
           p->kernel->prepared_bytes(rows, p->k);
}

static void gemm_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_product *p = &s->product;
    const cut c = cut_of(x, s);
    const int64_t of = task / c.parts, prompt = of / c.blocks;
    const size_t block = p->kernel->rows, n = p->n;
    const size_t row = (size_t)(of % c.blocks) * block, m = smaller(block, (size_t)c.rows - row);
    const size_t n0 = (size_t)(task % c.parts) * c.columns, n1 = smaller(n, n0 + c.columns);
    char *room = (char *)scratch + wide_bytes(x, s, block);
    void *prepared = room + result_bytes(x, s, block);
    (void)phase;
    prepare_rows(x, s, prompt, row, m, scratch, prepared);
    const task_rows t = {prompt, row, m, n0, n1};
    run_rows(x, s, &t, prepared, room);
}

const ws_step_kind ws_step_gemm = {
    .name = "linear",
    .phases = 1,
    .tasks = gemm_tasks,
    .scratch = gemm_scratch,
    .run = gemm_run,
};

/* ---- dense convolution: im2col rows of a block of output pixels ---- */

static wsam_conv_shape conv_shape(const ws_exec *x, const ws_step *s)
{
    const ws_op_view v = ws_step_view(x, s);
    const ws_shape in = ws_step_input_shape(x, s, WS_PRODUCT_X),
                   w = ws_step_input_shape(x, s, WS_PRODUCT_WEIGHT);
    const ws_shape *out = &x->values[x->program->graph->n_inputs + s->op].shape;
    const wsam_conv_shape c = {(int)in.dims[0],
                               (int)in.dims[1],
                               (int)in.dims[2],
                               (int)out->dims[0],
                               (int)out->dims[1],
                               (int)w.dims[1],
                               (int)w.dims[2],
                               (int)ws_op_int(&v, "stride", 1),
                               (int)ws_op_int(&v, "pad", 0),
                               (int)ws_op_int(&v, "dilation", 1)};
    return c;
}

/* Output pixels of a task: short patches take more of them, up to PATCH_VALUES, so that a task reads
 * long runs of the image, which the processor expects; MANY tasks are left. */
static size_t conv_block(const ws_exec *x, const ws_step *s)
{
    enum { PATCH_VALUES = 48 << 10, MANY = 256 };
    size_t pixels = s->product.kernel->rows;
    while (2 * pixels * s->product.k <= PATCH_VALUES &&
           2 * pixels * MANY <= (size_t)ws_step_out_rows(x, s))
        pixels *= 2;
    return pixels;
}

static int conv_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)(ws_step_prompts(x, s) * blocks(ws_step_out_rows(x, s), conv_block(x, s)));
}

/* Patches as they stand in a narrow image. */
static size_t narrow_patch_bytes(const ws_exec *x, const ws_step *s, size_t pixels)
{
    return ws_narrow_is(x, s->in[WS_STEP_ROWS].buffer)
               ? ws_align64(pixels * s->product.k * sizeof(uint16_t))
               : 0;
}

static size_t conv_scratch(const ws_exec *x, const ws_step *s)
{
    const ws_product *p = &s->product;
    const size_t pixels = conv_block(x, s);
    const size_t room = narrow_patch_bytes(x, s, pixels), result = result_bytes(x, s, pixels);
    return ws_float_bytes(pixels * p->k) + ws_larger(room, result) +
           p->kernel->prepared_bytes(pixels, p->k);
}

/* Narrow pixels are patched as half as many words. */
static void prepare_narrow_pixels(const ws_exec *x, const ws_step *s, size_t row, size_t m,
                                  float *patches, void *room, void *prepared)
{
    const ws_product *p = &s->product;
    const wsam_kernels *k = x->program->kernels;
    const wsam_rows source = rows_of(p, patches, p->k);
    wsam_conv_shape words = conv_shape(x, s);
    words.channels /= 2;
    k->conv.im2col_f32(&words, ws_step_operand(x, &s->in[WS_STEP_ROWS], 0), 0, row, row + m, room);
    if (p->kernel->prepare_narrow) {
        p->kernel->prepare_narrow(m, p->k, room, p->k, prepared);
        return;
    }
    k->vector.bf16_to_f32(m * p->k, room, patches);
    p->kernel->prepare(m, p->k, &source, prepared);
}

/* Patches of the pixels [row, row + m) as the product wants them. */
static void prepare_pixels(const ws_exec *x, const ws_step *s, int64_t prompt, size_t row, size_t m,
                           float *patches, void *room, void *prepared)
{
    const ws_product *p = &s->product;
    const wsam_conv_shape shape = conv_shape(x, s);
    const wsam_rows source = rows_of(p, patches, p->k);
    const float *image = ws_step_operand(x, &s->in[WS_STEP_ROWS], prompt);
    if (ws_narrow_is(x, s->in[WS_STEP_ROWS].buffer)) {
        prepare_narrow_pixels(x, s, row, m, patches, room, prepared);
        return;
    }
    if (p->kernel->prepare_patches &&
        p->kernel->prepare_patches(&shape, image, row, row + m, prepared))
        return;
    x->program->kernels->conv.im2col_f32(&shape, image, 0, row, row + m, patches);
    p->kernel->prepare(m, p->k, &source, prepared);
}

static void conv_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_product *p = &s->product;
    const size_t block = conv_block(x, s), n = p->n, rows = (size_t)ws_step_out_rows(x, s);
    const int64_t per = blocks((int64_t)rows, block), prompt = task / per;
    const size_t row = (size_t)(task % per) * block, m = smaller(block, rows - row);
    char *room = (char *)scratch + ws_float_bytes(block * p->k);
    void *prepared = room + ws_larger(narrow_patch_bytes(x, s, block), result_bytes(x, s, block));
    (void)phase;
    prepare_pixels(x, s, prompt, row, m, scratch, room, prepared);
    const task_rows t = {prompt, row, m, 0, n};
    run_rows(x, s, &t, prepared, room);
}

const ws_step_kind ws_step_conv = {
    .name = "conv2d",
    .phases = 1,
    .tasks = conv_tasks,
    .scratch = conv_scratch,
    .run = conv_run,
};

/* ---- transposed convolution, kernel = stride: one input row per task, then pixel shuffle ---- */

static int transpose_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    const ws_shape in = ws_step_input_shape(x, s, WS_PRODUCT_X);
    (void)phase;
    return (int)(ws_step_prompts(x, s) * in.dims[0]);
}

static size_t transpose_scratch(const ws_exec *x, const ws_step *s)
{
    const ws_product *p = &s->product;
    const ws_shape in = ws_step_input_shape(x, s, WS_PRODUCT_X);
    const size_t width = (size_t)in.dims[1];
    return ws_align64(width * p->n * sizeof(float)) + p->kernel->prepared_bytes(width, p->k);
}

static void transpose_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_product *p = &s->product;
    const ws_shape in = ws_step_input_shape(x, s, WS_PRODUCT_X);
    const ws_shape *out = &x->values[x->program->graph->n_inputs + s->op].shape;
    const int64_t prompt = task / in.dims[0];
    const size_t y = (size_t)(task % in.dims[0]), width = (size_t)in.dims[1];
    const int stride = (int)(out->dims[0] / in.dims[0]);
    const size_t line = (size_t)(out->dims[1] * out->dims[2]);
    float *rows = scratch;
    void *prepared = (char *)scratch + ws_align64(width * p->n * sizeof(float));
    const wsam_rows source =
        rows_of(p, ws_step_operand(x, &s->in[WS_STEP_ROWS], prompt) + y * width * p->k, p->k);
    const wsam_epilogue e = epilogue_of(p, NULL, 0);
    (void)phase;
    p->kernel->prepare(width, p->k, &source, prepared);
    p->kernel->run(width, p->n, p->k, 0, p->n, prepared, p->packed, &e, rows, p->n);
    x->program->kernels->conv.pixel_shuffle_f32(
        (int)width, stride, (int)out->dims[2], rows,
        ws_step_out(x, s, prompt) + y * (size_t)stride * line, line);
}

const ws_step_kind ws_step_conv_transpose = {
    .name = "conv_transpose2d",
    .phases = 1,
    .tasks = transpose_tasks,
    .scratch = transpose_scratch,
    .run = transpose_run,
};

/* ---- MLP: rows -> [norm] -> linear, act -> linear -> + residual; the hidden rows stay in scratch
 * ---- */

enum { HIDDEN_BYTES = 400 << 10 }; /* less than half of the smallest L2 that matters, 1 MB */

static size_t mlp_block(const ws_step *s)
{
    size_t rows = s->mlp.first.kernel->rows;
    while (rows > 16 && rows % 2 == 0 && rows * s->mlp.first.n * sizeof(float) > HIDDEN_BYTES)
        rows /= 2;
    return rows;
}

static int mlp_tasks(const ws_exec *x, const ws_step *s, int phase)
{
    (void)phase;
    return (int)blocks(ws_step_out_rows(x, s) * ws_step_prompts(x, s), mlp_block(s));
}

static size_t mlp_scratch(const ws_exec *x, const ws_step *s)
{
    const size_t rows = mlp_block(s);
    const ws_product *a = &s->mlp.first, *b = &s->mlp.second;
    (void)x;
    return ws_align64(rows * a->n * sizeof(float)) +
           ws_align64(a->kernel->prepared_bytes(rows, a->k)) +
           b->kernel->prepared_bytes(rows, b->k);
}

static void mlp_run(const ws_exec *x, const ws_step *s, int phase, int task, void *scratch)
{
    const ws_product *a = &s->mlp.first, *b = &s->mlp.second;
    const size_t block = mlp_block(s), row = (size_t)task * block;
    const size_t rows = (size_t)(ws_step_out_rows(x, s) * ws_step_prompts(x, s));
    const size_t m = smaller(block, rows - row);
    float *hidden = scratch;
    char *first = (char *)scratch + ws_align64(block * a->n * sizeof(float));
    char *second = first + ws_align64(a->kernel->prepared_bytes(block, a->k));
    const float *residual = ws_step_operand(x, &s->in[WS_STEP_RESIDUAL], 0);
    const wsam_rows source =
        rows_of(a, ws_step_operand(x, &s->in[WS_STEP_ROWS], 0) + row * a->k, a->k);
    const wsam_rows middle = rows_of(b, hidden, a->n);
    const wsam_epilogue e = epilogue_of(a, NULL, 0);
    const wsam_epilogue f = epilogue_of(b, residual ? residual + row * b->n : NULL, b->n);
    (void)phase;
    a->kernel->prepare(m, a->k, &source, first);
    a->kernel->run(m, a->n, a->k, 0, a->n, first, a->packed, &e, hidden, a->n);
    b->kernel->prepare(m, b->k, &middle, second);
    b->kernel->run(m, b->n, b->k, 0, b->n, second, b->packed, &f, ws_step_out(x, s, 0) + row * b->n,
                   b->n);
}

const ws_step_kind ws_step_mlp = {
    .name = "mlp",
    .phases = 1,
    .tasks = mlp_tasks,
    .scratch = mlp_scratch,
    .run = mlp_run,
};
