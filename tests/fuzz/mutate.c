/* tests/fuzz/mutate.c - see mutate.h. */
#include "tests/fuzz/mutate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CHANGES = 16 };

/* A change: what, where, and two numbers. */
typedef struct change {
    unsigned what, at, a, b;
} change;

static const int64_t sizes[] = {0,         1,    2,     3,       4,
                                5,         6,    7,     8,       9,
                                12,        15,   16,    17,      24,
                                31,        32,   64,    255,     256,
                                1000,      4096, 65536, 1 << 24, (1 << 24) + 1,
                                INT32_MAX, -1,   -2,    -3,      INT64_MAX,
                                INT64_MIN};
static const double reals[] = {0.0, 1.0, -1.0, 0.5, 1e-6, 1e30, -1e30, 1e300, 1e-40, NAN, INFINITY};
static const char *const words[] = {
    "",         "image",         "embedding",    "points",        "labels",      "mask",
    "iou",      "low_res",       "logits",       "coarse",        "fine",        "tokens",
    "cross_0",  "cross_1",       "cross_9",      "rois",          "predictions", "map",
    "reduced",  "cells",         "height",       "width",         "first_mask",  "masks",
    "add",      "mul",           "gelu",         "relu",          "sigmoid",     "none",
    "bilinear", "bicubic",       "separable",    "table",         "f32",         "bf16",
    "given",    "by_tokens",     "longest_side", "stretch",       "mil",         "retrain",
    "sam",      "sam,clues",     "cat\ndog",     "a\nb\nc\nd\ne", "\n\n\n",      "2",
    "14",       "crop_bilinear", ">=",           "without_box",   "roi",         "fpn_0",
    "fpn_pool", "rpn_deltas_1",  "class_logits", "mask_logits",   "detectron2",  "mmdetection"};
static const char *const kinds[] = {"linear",           "conv2d",
                                    "conv_transpose2d", "max_pool2d",
                                    "layer_norm",       "group_norm",
                                    "activation",       "binary",
                                    "concat",           "slice",
                                    "reshape",          "resize",
                                    "attention",        "projected_attention",
                                    "point_tokens",     "position_grid",
                                    "mask_product",     "add_positions",
                                    "grid_rows",        "row_max",
                                    "class_attention",  "attention_sum",
                                    "attention_spread", "top_down"};
static const char *const graphs[] = {
    "image_encoder", "backbone",     "mask_decoder", "mask_decoder_with_mask", "clues",    "head",
    "reduce_sam",    "reduce_clues", "detector",     "detector_masks",         "mist_map", "other"};
static const char *const attrs[] = {
    "stride",  "pad",      "dilation",    "groups",        "kernel", "eps",   "function",
    "axis",    "begin",    "length",      "dim0",          "dim1",   "dim2",  "dim3",
    "kind",    "height",   "width",       "heads",         "window", "scale", "bias",
    "compute", "residual", "first_label", "replace_label", "factor", "first", "weights"};

#define OF(list, i) (list)[(i) % (sizeof(list) / sizeof((list)[0]))]

static void set_word(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

/* The graph, operator, and so on that a change is about; NULL where there is none. */
static small_graph *graph_of(small_file *f, unsigned at)
{
    return f->n_graphs ? &f->graphs[at % f->n_graphs] : NULL;
}

static small_op *op_of(small_graph *g, unsigned at)
{
    return g && g->def.n_ops ? &g->ops[at % g->def.n_ops] : NULL;
}

static uint32_t reference(const small_file *f, const small_graph *g, unsigned a)
{
    const uint32_t values = g->def.n_inputs + g->def.n_ops;
    if (a < 128)
        return values ? a % values : 0;
    return a == 255 ? WS_REF_NONE : WS_REF_TENSOR + (f->n_tensors ? a % f->n_tensors : 0);
}

/* ---- changes ---- */

static void change_tensor(small_file *f, const change *c)
{
    if (!f->n_tensors)
        return;
    ws_tensor_def *t = &f->tensors[c->at % f->n_tensors];
    if (c->a < 200)
        t->dims[c->a % WSAM_MAX_RANK] = (uint32_t)OF(sizes, c->b) & 0xffff;
    else if (c->a < 220)
        t->rank = (int)(c->b % 6);
    else
        t->type = (wsam_type)(c->b % 3);
}

static void change_input(small_file *f, const change *c)
{
    small_graph *g = graph_of(f, c->at);
    if (!g || !g->def.n_inputs)
        return;
    ws_input_def *in = &g->inputs[(c->at / 4) % g->def.n_inputs];
    if (c->a < 100)
        in->dims[c->a % WSAM_MAX_RANK] = (int32_t)OF(sizes, c->b);
    else if (c->a < 130)
        in->dims[c->a % WSAM_MAX_RANK] = -1 - (int32_t)(c->b % SMALL_SYMBOLS);
    else if (c->a < 160)
        in->rank = (int)(c->b % 5);
    else if (c->a < 190)
        in->rate = (wsam_rate)(c->b % 3);
    else if (c->a < 210)
        in->type = (wsam_type)(c->b % 4);
    else
        set_word(in->name, sizeof in->name, OF(words, c->b));
}

static void change_symbol(small_file *f, const change *c)
{
    small_graph *g = graph_of(f, c->at);
    if (!g || !g->def.n_symbols)
        return;
    ws_symbol_def *s = &g->symbols[(c->at / 4) % g->def.n_symbols];
    if (c->a < 64)
        s->min = (uint32_t)OF(sizes, c->b);
    else if (c->a < 128)
        s->max = (uint32_t)OF(sizes, c->b);
    else if (c->a < 192)
        s->multiple = (uint32_t)OF(sizes, c->b);
    else
        set_word(s->name, sizeof s->name, OF(words, c->b));
}

static void change_attr(small_file *f, const change *c)
{
    small_op *o = op_of(graph_of(f, c->at), c->at / 4);
    if (!o || !o->def.n_attrs)
        return;
    ws_attr_def *a = &o->attrs[c->a % o->def.n_attrs];
    if (c->a >= 240)
        a->kind = (ws_attr_kind)(1 + c->b % 4);
    else if (a->kind == WS_ATTR_FLOAT)
        a->f = OF(reals, c->b);
    else if (a->kind == WS_ATTR_STRING)
        set_word(a->s, sizeof a->s, OF(words, c->b));
    else if (a->kind == WS_ATTR_SYMBOL)
        a->i = c->b % SMALL_SYMBOLS;
    else
        a->i = OF(sizes, c->b);
}

static void change_operand(small_file *f, const change *c)
{
    small_graph *g = graph_of(f, c->at);
    small_op *o = op_of(g, c->at / 4);
    if (!o)
        return;
    if (c->b == 255)
        o->def.n_inputs = c->a % (WS_CAP_OP_INPUTS + 1);
    else if (o->def.n_inputs)
        o->def.inputs[c->b % o->def.n_inputs % WS_CAP_OP_INPUTS] = reference(f, g, c->a);
}

static void change_op(small_file *f, const change *c)
{
    small_graph *g = graph_of(f, c->at);
    small_op *o = op_of(g, c->at / 4);
    if (!o)
        return;
    if (c->a < 128) {
        set_word(o->def.kind, sizeof o->def.kind, OF(kinds, c->b));
    } else if (c->a < 160 && o->def.n_attrs) {
        o->def.n_attrs--;
    } else if (c->a < 224 && o->def.n_attrs < SMALL_ATTRS) {
        ws_attr_def *a = &o->attrs[o->def.n_attrs++];
        memset(a, 0, sizeof *a);
        set_word(a->name, sizeof a->name, OF(attrs, c->a));
        a->kind = c->b & 1 ? WS_ATTR_SYMBOL : WS_ATTR_INT;
        a->i = c->b & 1 ? c->b / 2 % SMALL_SYMBOLS : OF(sizes, c->b / 2);
    } else {
        g->def.n_ops = c->b % (g->def.n_ops + 1); /* the end is cut off */
    }
}

/* One more operator on the last value or an output: what makes a shape depend on a size in a new
 * way. */
static void add_op(small_file *f, const change *c)
{
    small_graph *g = graph_of(f, c->at);
    if (!g || g->def.n_ops >= SMALL_OPS || !g->def.n_outputs)
        return;
    ws_output_def *out = &g->outputs[(c->at / 4) % g->def.n_outputs];
    small_op *o = &g->ops[g->def.n_ops];
    memset(o, 0, sizeof *o);
    set_word(o->def.kind, sizeof o->def.kind, c->a & 1 ? "slice" : "reshape");
    snprintf(o->def.name, sizeof o->def.name, "more.%u", g->def.n_ops);
    o->def.n_inputs = 1;
    o->def.inputs[0] = out->ref;
    o->def.n_attrs = 2 + (c->a >> 6);
    for (unsigned i = 0; i < o->def.n_attrs; i++) {
        ws_attr_def *a = &o->attrs[i];
        static const char *const slice[] = {"begin", "length", "axis", "axis", "axis"};
        static const char *const shape[] = {"dim0", "dim1", "dim2", "dim3", "dim0"};
        set_word(a->name, sizeof a->name, c->a & 1 ? slice[i] : shape[i]);
        const unsigned v = c->b >> (2 * i) & 3;
        a->kind = v == 3 ? WS_ATTR_SYMBOL : WS_ATTR_INT;
        a->i = v == 3 ? (int64_t)(i % SMALL_SYMBOLS) : (int64_t)v - (c->a & 1 ? 0 : 1);
    }
    out->ref = g->def.n_inputs + g->def.n_ops++;
}

static void change_output(small_file *f, const change *c)
{
    small_graph *g = graph_of(f, c->at);
    if (!g || !g->def.n_outputs)
        return;
    ws_output_def *out = &g->outputs[(c->at / 4) % g->def.n_outputs];
    if (c->a < 128) {
        out->ref = reference(f, g, c->b);
    } else if (c->a < 192) {
        set_word(out->name, sizeof out->name, OF(words, c->b));
    } else if (c->a < 224 && g->def.n_outputs < SMALL_OUTPUTS) {
        g->outputs[g->def.n_outputs] = *out;
        set_word(g->outputs[g->def.n_outputs++].name, sizeof out->name, OF(words, c->b));
    } else {
        *out = g->outputs[--g->def.n_outputs];
    }
}

static void change_graph(small_file *f, const change *c)
{
    small_graph *g = graph_of(f, c->at);
    if (!g)
        return;
    if (c->a < 128)
        set_word(g->def.name, sizeof g->def.name, OF(graphs, c->b));
    else if (c->a < 192)
        *g = f->graphs[--f->n_graphs];
    else if (f->n_graphs < SMALL_GRAPHS)
        f->graphs[f->n_graphs++] = *g;
}

static void change_note(small_file *f, const change *c)
{
    if (!f->n_metadata)
        return;
    small_note *n = &f->metadata[c->at % f->n_metadata];
    if (c->a >= 240)
        n->kind = (ws_meta_kind)(1 + c->b % 4);
    else if (c->a >= 224)
        *n = f->metadata[--f->n_metadata];
    else if (n->kind == WS_META_INT)
        n->integer = OF(sizes, c->b);
    else if (n->kind == WS_META_NUMBERS && c->a < 32)
        n->count = c->b % 5;
    else if (n->kind == WS_META_NUMBERS)
        n->numbers[c->a % 4] = OF(reals, c->b);
    else
        set_word(n->text, sizeof n->text, OF(words, c->b));
}

void mutate(small_file *f, const uint8_t *bytes, size_t n)
{
    static void (*const all[])(small_file *, const change *) = {
        change_tensor, change_input, change_symbol, change_attr,  change_operand,
        change_op,     add_op,       change_output, change_graph, change_note};
    for (size_t i = 0; i + 4 <= n && i < 4 * (size_t)MOST_CHANGES; i += 4) {
        const change c = {bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]};
        OF(all, c.what)(f, &c);
    }
}

int fuzz_role(small_role role, const uint8_t *data, size_t size)
{
    static small_file base;
    static int made;
    small_file *f = malloc(sizeof *f);
    wsam_error error;
    if (!f)
        abort();
    if (!made) {
        size_t n;
        small_init(&base, role);
        unsigned char *bytes = small_write(&base, &n);
        if (small_use(bytes, n, role, &error)) { /* else nothing would be tested */
            fprintf(stderr, "the file itself: %s\n", error.message);
            abort();
        }
        free(bytes);
        made = 1;
    }
    *f = base;
    mutate(f, data, size);
    size_t n;
    unsigned char *bytes = small_write(f, &n);
    small_use(bytes, n, role, &error);
    free(bytes);
    free(f);
    return 0;
}
