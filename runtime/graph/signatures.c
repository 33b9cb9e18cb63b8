/* runtime/graph/signatures.c - the inputs and attributes of every operator (FORMAT.md,
 * operators). */
#include "runtime/graph/signatures.h"

#include <stdio.h>
#include <string.h>

/* What an input may be. A weight is a tensor of the file, of f32 or bf16; one that is packed for
 * int8 products may be s8, too. Everything else is f32, but labels are s32. */
typedef enum input_kind { VALUE, WEIGHT, WEIGHT_OR_S8, LABELS } input_kind;

typedef struct input_spec {
    const char *name;
    input_kind kind;
    int optional;
} input_spec;

typedef struct attr_spec {
    const char *name;
    int kinds; /* bit per ws_attr_kind */
    int required;
} attr_spec;

enum {
    I = 1 << WS_ATTR_INT,
    F = 1 << WS_ATTR_FLOAT,
    S = 1 << WS_ATTR_STRING,
    Y = 1 << WS_ATTR_SYMBOL
};

typedef struct signature {
    input_spec inputs[WS_PROJECTED_INPUTS];
    uint32_t least; /* where the number of inputs is free: at least so many of the first's kind */
    attr_spec attrs[8];
} signature;

#define X_ALONE                                                                                    \
    {                                                                                              \
        [WS_UNARY_X] = { "x", VALUE, 0 }                                                           \
    }
#define PRODUCT_INPUTS(kind)                                                                       \
    {                                                                                              \
        [WS_PRODUCT_X] = {"x", VALUE, 0}, [WS_PRODUCT_WEIGHT] = {"weight", kind, 0},               \
        [WS_PRODUCT_BIAS] = {                                                                      \
            "bias",                                                                                \
            VALUE,                                                                                 \
            1                                                                                      \
        }                                                                                          \
    }
#define NORM_INPUTS                                                                                \
    {                                                                                              \
        [WS_NORM_X] = {"x", VALUE, 0}, [WS_NORM_WEIGHT] = {"weight", VALUE, 0}, [WS_NORM_BIAS] = { \
            "bias",                                                                                \
            VALUE,                                                                                 \
            0                                                                                      \
        }                                                                                          \
    }

static const signature signatures[WS_OP_KINDS] = {
    [WS_OP_LINEAR] = {.inputs = PRODUCT_INPUTS(WEIGHT_OR_S8)},
    [WS_OP_CONV2D] =
        {.inputs = PRODUCT_INPUTS(WEIGHT_OR_S8),
         .attrs = {{"stride", I, 0}, {"pad", I, 0}, {"dilation", I, 0}, {"groups", I, 0}}},
    [WS_OP_CONV_TRANSPOSE2D] = {.inputs = PRODUCT_INPUTS(WEIGHT), .attrs = {{"stride", I, 1}}},
    [WS_OP_MAX_POOL2D] = {.inputs = X_ALONE,
                          .attrs = {{"kernel", I, 1}, {"stride", I, 1}, {"pad", I, 0}}},
    [WS_OP_LAYER_NORM] = {.inputs = NORM_INPUTS, .attrs = {{"eps", F, 1}}},
    [WS_OP_GROUP_NORM] = {.inputs = NORM_INPUTS, .attrs = {{"eps", F, 1}, {"groups", I, 1}}},
    [WS_OP_ACTIVATION] = {.inputs = X_ALONE, .attrs = {{"function", S, 1}}},
    [WS_OP_BINARY] = {.inputs = {[WS_BINARY_A] = {"a", VALUE, 0}, [WS_BINARY_B] = {"b", VALUE, 0}},
                      .attrs = {{"function", S, 1}}},
    [WS_OP_CONCAT] = {.inputs = {{"x", VALUE, 0}}, .least = 2},
    [WS_OP_SLICE] = {.inputs = X_ALONE,
                     .attrs = {{"axis", I, 0}, {"begin", I | Y, 1}, {"length", I | Y, 1}}},
    [WS_OP_RESHAPE] =
        {.inputs = X_ALONE,
         .attrs = {{"dim0", I | Y, 1}, {"dim1", I | Y, 0}, {"dim2", I | Y, 0}, {"dim3", I | Y, 0}}},
    [WS_OP_RESIZE] = {.inputs = X_ALONE,
                      .attrs = {{"kind", S, 1}, {"height", I | Y, 1}, {"width", I | Y, 1}}},
    [WS_OP_ATTENTION] = {.inputs = {[WS_ATTENTION_QKV] = {"qkv", VALUE, 0},
                                    [WS_ATTENTION_REL_H] = {"rel_h", VALUE, 1},
                                    [WS_ATTENTION_REL_W] = {"rel_w", VALUE, 1},
                                    [WS_ATTENTION_TABLE] = {"table", VALUE, 1},
                                    [WS_ATTENTION_PAD] = {"pad", VALUE, 1}},
                         .attrs = {{"heads", I, 1},
                                   {"window", I, 0},
                                   {"scale", F, 1},
                                   {"bias", S, 1},
                                   {"compute", S, 0}}},
    [WS_OP_PROJECTED_ATTENTION] =
        {.inputs = {[WS_PROJECTED_Q] = {"q", VALUE, 0},
                    [WS_PROJECTED_KV] = {"kv", VALUE, 0},
                    [WS_PROJECTED_Q_POSITION] = {"q_pos", VALUE, 1},
                    [WS_PROJECTED_K_POSITION] = {"k_pos", VALUE, 1},
                    [WS_PROJECTED_Q_WEIGHT] = {"wq", WEIGHT, 0},
                    [WS_PROJECTED_Q_BIAS] = {"bq", VALUE, 0},
                    [WS_PROJECTED_K_WEIGHT] = {"wk", WEIGHT, 0},
                    [WS_PROJECTED_K_BIAS] = {"bk", VALUE, 0},
                    [WS_PROJECTED_V_WEIGHT] = {"wv", WEIGHT, 0},
                    [WS_PROJECTED_V_BIAS] = {"bv", VALUE, 0},
                    [WS_PROJECTED_OUT_WEIGHT] = {"wo", WEIGHT, 0},
                    [WS_PROJECTED_OUT_BIAS] = {"bo", VALUE, 0},
                    [WS_PROJECTED_NORM_WEIGHT] = {"norm_weight", VALUE, 1},
                    [WS_PROJECTED_NORM_BIAS] = {"norm_bias", VALUE, 1}},
         .attrs = {{"heads", I, 1}, {"residual", I, 1}, {"eps", F, 1}, {"compute", S, 0}}},
    [WS_OP_POINT_TOKENS] = {.inputs = {[WS_POINT_TOKENS_POINTS] = {"points", VALUE, 0},
                                       [WS_POINT_TOKENS_LABELS] = {"labels", LABELS, 0},
                                       [WS_POINT_TOKENS_GAUSSIAN] = {"gaussian", VALUE, 0},
                                       [WS_POINT_TOKENS_TABLE] = {"table", VALUE, 0}},
                            .attrs = {{"first_label", I, 1}, {"replace_label", I, 1}}},
    [WS_OP_POSITION_GRID] = {.inputs = {[WS_POSITION_GRID_GAUSSIAN] = {"gaussian", VALUE, 0}},
                             .attrs = {{"height", I | Y, 1}, {"width", I | Y, 1}}},
    [WS_OP_MASK_PRODUCT] = {.inputs = {[WS_MASK_PRODUCT_FEATURES] = {"features", VALUE, 0},
                                       [WS_MASK_PRODUCT_VECTORS] = {"vectors", VALUE, 0}}},
    [WS_OP_ADD_POSITIONS] = {.inputs = {[WS_ADD_POSITIONS_X] = {"x", VALUE, 0},
                                        [WS_ADD_POSITIONS_TABLE] = {"table", VALUE, 0}},
                             .attrs = {{"height", I | Y, 0}, {"width", I | Y, 0}, {"mode", S, 0}}},
    [WS_OP_GRID_ROWS] =
        {.inputs = {[WS_GRID_ROWS_X] = {"x", VALUE, 0}, [WS_GRID_ROWS_GRID] = {"grid", VALUE, 0}}},
    [WS_OP_ROW_MAX] = {.inputs = X_ALONE},
    [WS_OP_CLASS_ATTENTION] = {.inputs = {[WS_CLASS_ATTENTION_QKV] = {"qkv", VALUE, 0},
                                          [WS_CLASS_ATTENTION_GRID] = {"grid", VALUE, 0}},
                               .attrs = {{"heads", I, 1}, {"scale", F, 1}}},
    [WS_OP_ATTENTION_SUM] = {.inputs = {[WS_ATTENTION_SUM_MAPS] = {"maps", VALUE, 0},
                                        [WS_ATTENTION_SUM_SUM] = {"sum", VALUE, 1},
                                        [WS_ATTENTION_SUM_WEIGHTS] = {"weights", VALUE, 1}},
                             .attrs = {{"factor", F, 1}, {"first", I, 0}, {"weights", S, 0}}},
    [WS_OP_ATTENTION_SPREAD] = {.inputs = {[WS_ATTENTION_SPREAD_QKV] = {"qkv", VALUE, 0},
                                           [WS_ATTENTION_SPREAD_VALUES] = {"values", VALUE, 0},
                                           [WS_ATTENTION_SPREAD_SUM] = {"sum", VALUE, 1},
                                           [WS_ATTENTION_SPREAD_WEIGHTS] = {"weights", VALUE, 1}},
                                .attrs = {{"heads", I, 1},
                                          {"scale", F, 1},
                                          {"factor", F, 1},
                                          {"first", I, 0},
                                          {"weights", S, 0},
                                          {"compute", S, 0}}},
    [WS_OP_TOP_DOWN] = {.inputs = {[WS_TOP_DOWN_FINE] = {"fine", VALUE, 0},
                                   [WS_TOP_DOWN_COARSE] = {"coarse", VALUE, 0}}},
};

/* ---- kinds ---- */

#define OPERATOR_NAME(KIND, name) [WS_OP_##KIND] = #name,
static const char *const names[WS_OP_KINDS] = {WS_OPERATORS(OPERATOR_NAME)};

int ws_signatures_kind_of(const ws_op_def *op)
{
    for (int k = 0; k < WS_OP_KINDS; k++)
        if (strcmp(names[k], op->kind) == 0)
            return k;
    return -1;
}

/* ---- inputs ---- */

static const input_spec *input_of(const signature *s, uint32_t i)
{
    return &s->inputs[s->least ? 0 : i];
}

const char *ws_signatures_input_name(ws_op_kind kind, uint32_t input)
{
    return input_of(&signatures[kind], input)->name;
}

/* As many as have names; at least up to the last that is not optional. */
static void count_inputs(const signature *s, uint32_t *least, uint32_t *most)
{
    *least = s->least;
    *most = s->least ? WS_CAP_OP_INPUTS : 0;
    for (uint32_t i = 0; !s->least && i < WS_PROJECTED_INPUTS && s->inputs[i].name; i++) {
        *most = i + 1;
        *least = s->inputs[i].optional ? *least : i + 1;
    }
}

static int check_inputs(const ws_op_def *op, const signature *s, char why[128])
{
    uint32_t least, most;
    count_inputs(s, &least, &most);
    if (op->n_inputs < least || op->n_inputs > most) {
        snprintf(why, 128, "%u inputs instead of %u to %u", op->n_inputs, least, most);
        return 0;
    }
    for (uint32_t i = 0; i < op->n_inputs; i++)
        if (op->inputs[i] == WS_REF_NONE && !input_of(s, i)->optional) {
            snprintf(why, 128, "input %u (%s) is missing", i, input_of(s, i)->name);
            return 0;
        }
    return 1;
}

static const char *type_complaint(const ws_value *in, input_kind kind, int is_tensor)
{
    if (kind == LABELS)
        return in->type == WSAM_S32 ? NULL : "must be s32";
    if (in->type == WSAM_S32)
        return "has the wrong type";
    if (kind == VALUE)
        return in->type == WSAM_F32 ? NULL : "must be f32";
    if (!is_tensor)
        return "must be a tensor of the file";
    return in->type == WSAM_S8 && kind != WEIGHT_OR_S8 ? "cannot be s8" : NULL;
}

static int check_types(const ws_op_view *v, const signature *s, char why[128])
{
    for (uint32_t i = 0; i < v->op->n_inputs; i++) {
        ws_value in;
        if (!ws_op_input(v, i, &in))
            continue;
        const input_spec *spec = input_of(s, i);
        const char *complaint =
            type_complaint(&in, spec->kind, ws_ref_tensor(v->file, v->op->inputs[i]) != NULL);
        if (complaint) {
            snprintf(why, 128, "input %u (%s) %s", i, spec->name, complaint);
            return 0;
        }
    }
    return 1;
}

/* ---- attributes ---- */

/* Attribute names, kinds, and the required ones. */
static int check_attrs(const ws_op_def *op, const signature *s, char why[128])
{
    const size_t n = sizeof s->attrs / sizeof s->attrs[0];
    for (uint32_t i = 0; i < op->n_attrs; i++) {
        size_t j = 0;
        while (j < n && s->attrs[j].name && strcmp(s->attrs[j].name, op->attrs[i].name) != 0)
            j++;
        if (j == n || !s->attrs[j].name) {
            snprintf(why, 128, "unknown attribute '%s'", op->attrs[i].name);
            return 0;
        }
        if (!(s->attrs[j].kinds & 1 << op->attrs[i].kind) ||
            ws_op_attr(op, op->attrs[i].name) != &op->attrs[i]) {
            snprintf(why, 128, "attribute '%s' has the wrong kind or appears twice",
                     op->attrs[i].name);
            return 0;
        }
    }
    for (size_t j = 0; j < n && s->attrs[j].name; j++)
        if (s->attrs[j].required && !ws_op_attr(op, s->attrs[j].name)) {
            snprintf(why, 128, "attribute '%s' is missing", s->attrs[j].name);
            return 0;
        }
    return 1;
}

int ws_signatures_check(const ws_op_view *v, ws_op_kind kind, char why[128])
{
    const signature *s = &signatures[kind];
    return check_inputs(v->op, s, why) && check_attrs(v->op, s, why) && check_types(v, s, why);
}
