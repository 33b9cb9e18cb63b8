/* Random graphs that pass validation, run with the fused and with the plain lowering: the same
 * outputs, no error, no access outside. The bytes choose operators, their inputs and attributes
 * from pools that fit together often; what the rules refuse is left out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "runtime/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SIDE = 8,
    MAX_OPS = 16,
    PROMPTS = 3,
    MAX_TENSORS = 64,
    DATA = 1 << 18,
    MAX_OUT = 3 << 13,
    MAX_QUERIES = 64
};

typedef struct source {
    const uint8_t *at, *end;
} source;

static unsigned pick(source *s, unsigned n)
{
    return s->at < s->end ? *s->at++ % n : 0;
}

typedef struct world {
    ws_file file;
    ws_tensor_def tensors[MAX_TENSORS];
    ws_graph_def graph;
    ws_symbol_def symbols[2];
    ws_input_def inputs[3];
    ws_op_def ops[MAX_OPS];
    ws_attr_def attrs[MAX_OPS][6];
    ws_output_def outputs[4];
    ws_value values[3 + MAX_OPS];
    unsigned char data[DATA];
    uint64_t end;
    int inexact; /* int8 rows may round the other way after another order of operations */
} world;

/* ---- tensors: values in [-1, 1] ---- */

static void fill(world *w, const ws_tensor_def *t)
{
    const size_t n = ws_tensor_elements(t);
    for (size_t i = 0; i < n; i++) {
        const int k = (int)((i * 37 + t->offset / 64 * 11) % 127) - 63;
        const float f = (float)k / 256.0f;
        uint32_t bits;
        memcpy(&bits, &f, 4);
        bits >>= 16;
        if (t->type == WSAM_F32)
            memcpy(w->data + t->offset + 4 * i, &f, 4);
        else if (t->type == WSAM_BF16)
            memcpy(w->data + t->offset + 2 * i, &bits, 2);
        else
            w->data[t->offset + i] = (unsigned char)k;
    }
    const float scale = 1.0f / 256.0f;
    for (size_t i = 0; i < t->scale_bytes / 4; i++)
        memcpy(w->data + t->scale_offset + 4 * i, &scale, 4);
}

static uint32_t tensor(world *w, wsam_type type, int rank, uint32_t a, uint32_t b, uint32_t c,
                       uint32_t d)
{
    static const size_t bytes[] = {4, 2, 1};
    const uint32_t dims[4] = {a, b, c, d};
    ws_tensor_def *t = &w->tensors[w->file.n_tensors];
    if (w->file.n_tensors == MAX_TENSORS)
        return WS_REF_NONE;
    *t = (ws_tensor_def){.type = type, .rank = rank, .offset = w->end};
    snprintf(t->name, sizeof t->name, "t%zu", w->file.n_tensors);
    memcpy(t->dims, dims, sizeof dims);
    t->bytes = ws_tensor_elements(t) * bytes[type];
    w->end = (w->end + t->bytes + 63) / 64 * 64;
    if (type == WSAM_S8) {
        t->scale_offset = w->end;
        t->scale_bytes = 4 * (uint64_t)a;
        w->end = (w->end + t->scale_bytes + 63) / 64 * 64;
        w->inexact = 1;
    }
    if (w->end > DATA)
        return WS_REF_NONE;
    fill(w, t);
    return WS_REF_TENSOR + (uint32_t)w->file.n_tensors++;
}

/* ---- operators ---- */

static void attr(world *w, ws_op_def *op, const char *name, ws_attr_kind kind, int64_t i, double f,
                 const char *text)
{
    ws_attr_def *a = &w->attrs[op - w->ops][op->n_attrs++];
    *a = (ws_attr_def){.kind = kind, .i = i, .f = f};
    snprintf(a->name, sizeof a->name, "%s", name);
    snprintf(a->s, sizeof a->s, "%s", text);
}

static void integer(world *w, ws_op_def *op, const char *name, int64_t i)
{
    attr(w, op, name, WS_ATTR_INT, i, 0.0, "");
}

static void text(world *w, ws_op_def *op, const char *name, const char *value)
{
    attr(w, op, name, WS_ATTR_STRING, 0, 0.0, value);
}

/* A value of the last few, or any. */
static uint32_t value(const world *w, source *s)
{
    const uint32_t n = w->graph.n_inputs + w->graph.n_ops;
    const unsigned back = pick(s, 4);
    return back < 3 && back < n ? n - 1 - back : pick(s, n);
}

static uint32_t channels(const world *w, uint32_t ref)
{
    const ws_shape *s = &w->values[ref].shape;
    return (uint32_t)s->dims[s->rank - 1];
}

static wsam_type product_type(source *s, int s8)
{
    const unsigned t = pick(s, 8);
    return t == 0 ? WSAM_BF16 : (t == 1 && s8 ? WSAM_S8 : WSAM_F32);
}

static void set_inputs(ws_op_def *op, uint32_t n, const uint32_t *refs)
{
    op->n_inputs = n;
    memcpy(op->inputs, refs, n * sizeof *refs);
}

/* Mostly 8, so that values fit together. */
static uint32_t width(source *s)
{
    const unsigned n = pick(s, 5);
    return n < 3 ? 8 : (n == 3 ? 16 : 24);
}

static void make_linear(world *w, source *s, ws_op_def *op, uint32_t x)
{
    const uint32_t n = width(s), k = channels(w, x);
    const uint32_t in[3] = {x, tensor(w, product_type(s, 1), 2, n, k, 1, 1),
                            pick(s, 2) ? tensor(w, WSAM_F32, 1, n, 1, 1, 1) : WS_REF_NONE};
    set_inputs(op, 3, in);
}

static void make_conv(world *w, source *s, ws_op_def *op, uint32_t x)
{
    const uint32_t c = channels(w, x), n = width(s), depthwise = pick(s, 2);
    const uint32_t k = depthwise ? 3 : 1 + 2 * pick(s, 2);
    const uint32_t in[3] = {
        x, tensor(w, product_type(s, k == 1), 4, depthwise ? c : n, k, k, depthwise ? 1 : c),
        tensor(w, WSAM_F32, 1, depthwise ? c : n, 1, 1, 1)};
    set_inputs(op, 3, in);
    integer(w, op, "groups", depthwise ? c : 1);
    integer(w, op, "pad", k / 2);
    integer(w, op, "stride", 1 + (pick(s, 4) == 0));
}

static void make_transposed(world *w, source *s, ws_op_def *op, uint32_t x)
{
    const uint32_t in[2] = {x, tensor(w, product_type(s, 0), 4, 2, 2, 8, channels(w, x))};
    set_inputs(op, 2, in);
    integer(w, op, "stride", 2);
}

static void make_norm(world *w, ws_op_def *op, uint32_t x, int group)
{
    const uint32_t c = channels(w, x);
    const uint32_t in[3] = {x, tensor(w, WSAM_F32, 1, c, 1, 1, 1),
                            tensor(w, WSAM_F32, 1, c, 1, 1, 1)};
    set_inputs(op, 3, in);
    attr(w, op, "eps", WS_ATTR_FLOAT, 0, 1e-3, "");
    if (group)
        integer(w, op, "groups", 1);
}

static void make_attention(world *w, source *s, ws_op_def *op, uint32_t x)
{
    const uint32_t d = channels(w, x) / 3, window = pick(s, 2) ? 4 : 0, g = window ? window : SIDE;
    const unsigned bias = pick(s, 3);
    static const char *const names[] = {"none", "separable", "table"};
    uint32_t in[5] = {x, WS_REF_NONE, WS_REF_NONE, WS_REF_NONE, WS_REF_NONE};
    if (bias == 1) {
        in[1] = tensor(w, WSAM_F32, 2, 2 * g - 1, d, 1, 1);
        in[2] = tensor(w, WSAM_F32, 2, 2 * g - 1, d, 1, 1);
    }
    if (bias == 2)
        in[3] = tensor(w, WSAM_F32, 2, 1, (2 * g - 1) * (2 * g - 1), 1, 1);
    if (pick(s, 2))
        in[4] = tensor(w, WSAM_F32, 1, 3 * d, 1, 1, 1);
    set_inputs(op, 5, in);
    integer(w, op, "heads", 1);
    integer(w, op, "window", window);
    attr(w, op, "scale", WS_ATTR_FLOAT, 0, 0.25, "");
    text(w, op, "bias", names[bias]);
}

static void make_projected(world *w, source *s, ws_op_def *op, uint32_t q)
{
    const uint32_t kv = value(w, s), c = channels(w, q), ck = channels(w, kv);
    uint32_t in[14] = {q, kv, pick(s, 2) ? q : WS_REF_NONE, pick(s, 2) ? kv : WS_REF_NONE};
    const uint32_t k[3] = {c, ck, ck};
    for (int i = 0; i < 3; i++) {
        in[4 + 2 * i] = tensor(w, product_type(s, 0), 2, 16, k[i], 1, 1);
        in[5 + 2 * i] = tensor(w, WSAM_F32, 1, 16, 1, 1, 1);
    }
    in[10] = tensor(w, WSAM_F32, 2, c, 16, 1, 1);
    in[11] = tensor(w, WSAM_F32, 1, c, 1, 1, 1);
    const int norm = pick(s, 2) != 0;
    in[12] = norm ? tensor(w, WSAM_F32, 1, c, 1, 1, 1) : WS_REF_NONE;
    in[13] = norm ? tensor(w, WSAM_F32, 1, c, 1, 1, 1) : WS_REF_NONE;
    set_inputs(op, 14, in);
    integer(w, op, "heads", 2);
    integer(w, op, "residual", pick(s, 2));
    attr(w, op, "eps", WS_ATTR_FLOAT, 0, 1e-3, "");
}

static void make_slice(world *w, source *s, ws_op_def *op, uint32_t x)
{
    set_inputs(op, 1, &x);
    integer(w, op, "axis", pick(s, 2));
    integer(w, op, "begin", pick(s, 2));
    if (pick(s, 2))
        attr(w, op, "length", WS_ATTR_SYMBOL, 0, 0.0, "");
    else
        integer(w, op, "length", 1 + pick(s, 3));
}

static const char *const kinds[] = {"linear",           "linear",       "conv2d",
                                    "conv_transpose2d", "max_pool2d",   "layer_norm",
                                    "group_norm",       "binary",       "binary",
                                    "concat",           "slice",        "resize",
                                    "top_down",         "mask_product", "activation",
                                    "reshape",          "attention",    "projected_attention",
                                    "position_grid"};

/* What the fused lowerings look for; each operator reads the one before, an add also where the
 * chain began. */
enum { CHAIN = 7 };
static const char *const chains[][CHAIN] = {
    {"layer_norm", "linear", "activation", "linear", "binary"},
    {"linear", "activation", "linear", "binary", "layer_norm"},
    {"conv2d", "activation", "conv2d", "activation", "conv2d", "binary", "activation"},
    {"conv2d", "activation", "conv2d", "conv2d", "binary", "activation"},
    {"conv_transpose2d", "layer_norm", "activation", "conv_transpose2d", "activation",
     "mask_product"},
    {"conv_transpose2d", "group_norm", "activation", "conv_transpose2d", "activation",
     "mask_product"},
    {"linear", "attention", "linear", "binary"}};

static void make_op(world *w, source *s, ws_op_def *op, const char *kind, uint32_t x,
                    uint32_t other)
{
    memset(op, 0, sizeof *op);
    op->attrs = w->attrs[op - w->ops];
    snprintf(op->kind, sizeof op->kind, "%s", kind);
    snprintf(op->name, sizeof op->name, "op%d", (int)(op - w->ops));
    const uint32_t two[2] = {x, other};
    if (strcmp(kind, "linear") == 0) {
        make_linear(w, s, op, x);
    } else if (strcmp(kind, "conv2d") == 0) {
        make_conv(w, s, op, x);
    } else if (strcmp(kind, "conv_transpose2d") == 0) {
        make_transposed(w, s, op, x);
    } else if (strcmp(kind, "max_pool2d") == 0) {
        set_inputs(op, 1, &x);
        integer(w, op, "kernel", 2);
        integer(w, op, "stride", 2);
    } else if (strcmp(kind, "layer_norm") == 0 || strcmp(kind, "group_norm") == 0) {
        make_norm(w, op, x, *kind == 'g');
    } else if (strcmp(kind, "binary") == 0) {
        set_inputs(op, 2, two);
        text(w, op, "function", pick(s, 4) ? "add" : "mul");
    } else if (strcmp(kind, "concat") == 0 || strcmp(kind, "mask_product") == 0 ||
               strcmp(kind, "top_down") == 0) {
        set_inputs(op, 2, two);
    } else if (strcmp(kind, "slice") == 0) {
        make_slice(w, s, op, x);
    } else if (strcmp(kind, "resize") == 0) {
        set_inputs(op, 1, &x);
        text(w, op, "kind", pick(s, 2) ? "bilinear" : "bicubic");
        integer(w, op, "height", SIDE);
        integer(w, op, "width", SIDE);
    } else if (strcmp(kind, "activation") == 0) {
        static const char *const names[] = {"gelu", "relu", "sigmoid"};
        set_inputs(op, 1, &x);
        text(w, op, "function", names[pick(s, 3)]);
    } else if (strcmp(kind, "reshape") == 0) {
        set_inputs(op, 1, &x);
        integer(w, op, "dim0", -1);
        integer(w, op, "dim1", 8);
    } else if (strcmp(kind, "attention") == 0) {
        make_attention(w, s, op, x);
    } else if (strcmp(kind, "projected_attention") == 0) {
        make_projected(w, s, op, x);
    } else {
        const uint32_t gaussian = tensor(w, WSAM_F32, 2, 2, 4, 1, 1);
        set_inputs(op, 1, &gaussian);
        integer(w, op, "height", SIDE);
        integer(w, op, "width", SIDE);
    }
}

/* ---- the graph ---- */

static void add_input(world *w, const char *name, wsam_rate rate, int rank, int32_t a, int32_t b,
                      int32_t c)
{
    ws_input_def *in = &w->inputs[w->graph.n_inputs++];
    *in = (ws_input_def){.type = WSAM_F32, .rate = rate, .rank = rank, .dims = {a, b, c}};
    snprintf(in->name, sizeof in->name, "%s", name);
}

static int is_sound(world *w)
{
    ws_dims dims = {.prompts = 1};
    wsam_error error;
    ws_dims_min(&w->graph, &dims);
    if (ws_graph_check(&w->file, &w->graph, 0, &error) ||
        ws_graph_infer(&w->file, &w->graph, &dims, w->values, &error))
        return 0;
    const ws_shape *last = &w->values[w->graph.n_inputs + w->graph.n_ops - 1].shape;
    return ws_elements(last) <= MAX_OUT / PROMPTS;
}

/* An operator, if the rules allow it. */
static int add_op(world *w, source *s, const char *kind, uint32_t x, uint32_t other)
{
    const size_t tensors = w->file.n_tensors;
    const uint64_t end = w->end;
    const int inexact = w->inexact;
    if (w->graph.n_ops == MAX_OPS ||
        (strcmp(kind, "projected_attention") == 0 && ws_rows(&w->values[x].shape) > MAX_QUERIES))
        return 0;
    make_op(w, s, &w->ops[w->graph.n_ops], kind, x, other);
    w->graph.n_ops++;
    if (is_sound(w))
        return 1;
    w->graph.n_ops--;
    w->file.n_tensors = tensors;
    w->end = end;
    w->inexact = inexact;
    return 0;
}

static void add_chain(world *w, source *s, const char *const names[CHAIN])
{
    const uint32_t start = value(w, s), vectors = value(w, s);
    uint32_t x = start;
    for (int i = 0; i < CHAIN && names[i]; i++)
        if (add_op(w, s, names[i], x, strcmp(names[i], "binary") == 0 ? start : vectors))
            x = w->graph.n_inputs + w->graph.n_ops - 1;
}

static void make_graph(world *w, source *s)
{
    w->graph = (ws_graph_def){.symbols = w->symbols, .inputs = w->inputs, .n_symbols = 1};
    w->graph.ops = w->ops;
    w->graph.outputs = w->outputs;
    snprintf(w->graph.name, sizeof w->graph.name, "g");
    w->symbols[0] = (ws_symbol_def){.name = "points", .min = 1, .max = 3, .multiple = 1};
    w->file = (ws_file){.fd = -1, .memory = w->data, .size = DATA, .tensors = w->tensors};
    snprintf(w->file.path, sizeof w->file.path, "(fuzz)");
    w->file.graphs = &w->graph;
    w->file.n_graphs = 1;
    add_input(w, "image", WSAM_RATE_IMAGE, 3, SIDE, SIDE, 8);
    add_input(w, "map", WSAM_RATE_PROMPT, 3, SIDE, SIDE, 8);
    add_input(w, "tokens", WSAM_RATE_PROMPT, 2, -1, 8, 0);
    is_sound(w); /* shapes of the inputs */
    while (s->at < s->end && w->graph.n_ops < MAX_OPS)
        if (pick(s, 2))
            add_op(w, s, kinds[pick(s, sizeof kinds / sizeof kinds[0])], value(w, s), value(w, s));
        else
            add_chain(w, s, chains[pick(s, sizeof chains / sizeof chains[0])]);
    for (uint32_t i = 0; i < w->graph.n_ops && w->graph.n_outputs < 4; i++)
        if (i + 1 == w->graph.n_ops || pick(s, 6) == 1) {
            ws_output_def *out = &w->outputs[w->graph.n_outputs++];
            snprintf(out->name, sizeof out->name, "out%u", i);
            out->ref = w->graph.n_inputs + i;
        }
}

/* ---- running ---- */

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static float pixels[SIDE * SIDE * 8], maps[PROMPTS * SIDE * SIDE * 8], tokens[PROMPTS * 3 * 8];

static wsam_tensor output_of(const world *w, uint32_t i, const ws_value *values, int64_t prompts,
                             float *data)
{
    const ws_value *v = &values[w->outputs[i].ref];
    const int lead = v->rate == WSAM_RATE_PROMPT;
    wsam_tensor t = {w->outputs[i].name, WSAM_F32, v->shape.rank + lead, {prompts}, data};
    memcpy(t.shape + lead, v->shape.dims, (size_t)v->shape.rank * sizeof t.shape[0]);
    return t;
}

/* All outputs one after another into `out`; returns how many floats. */
static size_t run(world *w, wsam_model *m, int64_t prompts, int64_t points, float *out)
{
    const wsam_dim dims[] = {{"prompts", prompts}, {"points", points}};
    const wsam_tensor image = {"image", WSAM_F32, 3, {SIDE, SIDE, 8}, pixels};
    const wsam_tensor inputs[] = {{"map", WSAM_F32, 4, {prompts, SIDE, SIDE, 8}, maps},
                                  {"tokens", WSAM_F32, 3, {prompts, points, 8}, tokens}};
    wsam_session *s = NULL;
    wsam_image *bound = NULL;
    wsam_error error = {0};
    size_t n = 0;
    if (wsam_session_create(m, "g", &s, &error) || wsam_session_reserve(s, dims, 2, &error) ||
        wsam_image_create(m, "g", dims, 2, &bound, &error) ||
        wsam_session_bind(s, &image, 1, bound, &error)) {
        /* an attention bias on a grid of variable size, a reshape or attention of a constant */
        if (error.status != WSAM_ERR_UNSUPPORTED)
            die("bind", error.message);
        goto done;
    }
    for (uint32_t i = 0; i < w->graph.n_outputs; i++) {
        const ws_value *v = &bound->values[w->outputs[i].ref];
        const size_t each = (size_t)ws_elements(&v->shape);
        if (v->rate == WSAM_RATE_PROMPT) {
            wsam_tensor t = output_of(w, i, bound->values, prompts, out + n);
            if (wsam_session_run(s, bound, dims, 2, inputs, 2, &t, 1, &error))
                die("run", error.message);
            n += each * (size_t)prompts;
        } else if (v->rate == WSAM_RATE_IMAGE) {
            wsam_tensor t;
            if (wsam_image_output(bound, w->outputs[i].name, &t, &error))
                die("output", error.message);
            memcpy(out + n, t.data, each * sizeof *out);
            n += each;
        }
    }
done:
    wsam_image_free(bound);
    wsam_session_free(s);
    return n;
}

static size_t run_lowered(world *w, wsam_lowering lowering, const char *isa, int64_t prompts,
                          int64_t points, float *out)
{
    wsam_error error;
    wsam_model m = {.file = &w->file, .options = {.threads = 1, .lowering = lowering}};
    m.kernels = ws_kernels_find(isa, &error);
    m.packs = ws_packs_new(&w->file, m.kernels, 1, 0);
    pthread_mutex_init(&m.lock, NULL);
    const size_t n = m.packs ? run(w, &m, prompts, points, out) : 0;
    ws_lower_free(m.programs[0]);
    ws_packs_free(m.packs);
    pthread_mutex_destroy(&m.lock);
    return n;
}

static void compare(const world *w, size_t n, const float *a, const float *b, const char *what)
{
    float largest = 0.0f;
    for (size_t i = 0; i < n; i++)
        if (fabsf(b[i]) < INFINITY)
            largest = fmaxf(largest, fabsf(b[i]));
    const float bound = (w->inexact ? 0.2f : 1e-3f) * (largest + 1e-3f);
    for (size_t i = 0; i < n; i++)
        if (fabsf(a[i]) < INFINITY && fabsf(b[i]) < INFINITY && fabsf(a[i] - b[i]) > bound) {
            fprintf(stderr, "element %zu of %zu: %g and %g\n", i, n, (double)a[i], (double)b[i]);
            for (uint32_t k = 0; k < w->graph.n_ops; k++)
                fprintf(stderr, "  %s(%u, %u)\n", w->ops[k].kind, w->ops[k].inputs[0],
                        w->ops[k].n_inputs > 1 ? w->ops[k].inputs[1] : WS_REF_NONE);
            die("different outputs", what);
        }
}

static void make_inputs(void)
{
    for (size_t i = 0; i < sizeof pixels / sizeof pixels[0]; i++)
        pixels[i] = (float)(i * 29 % 101) / 50.0f - 1.0f;
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        maps[i] = (float)(i * 31 % 103) / 51.0f - 1.0f;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        tokens[i] = (float)(i * 23 % 71) / 35.0f - 1.0f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float plain[4 * MAX_OUT], fused[4 * MAX_OUT], native[4 * MAX_OUT];
    source s = {data, data + size};
    world *w = calloc(1, sizeof *w);
    if (!w)
        return 0;
    const int64_t prompts = 1 + pick(&s, PROMPTS), points = 1 + pick(&s, 3);
    make_inputs();
    make_graph(w, &s);
    if (w->graph.n_ops) {
        const size_t n = run_lowered(w, WSAM_LOWERING_PLAIN, "c", prompts, points, plain);
        if (run_lowered(w, WSAM_LOWERING_AUTO, "c", prompts, points, fused) != n)
            die("different outputs", "another number");
        compare(w, n, fused, plain, "fused and plain");
        run_lowered(w, WSAM_LOWERING_AUTO, wsam_isa_best(), prompts, points, native);
        if (strcmp(wsam_isa_best(), "avx512bf16") != 0 && strcmp(wsam_isa_best(), "i8mm") != 0)
            compare(w, n, native, plain, "best level and C");
    }
    free(w);
    return 0;
}
