/* weights/operators.h - the operators of the format, and the names of their inputs (FORMAT.md,
 * operators). Builder, shape rules, lowering and steps find an input by these names alone.
 *
 * To add an operator:
 *
 * 1. a line in WS_OPERATORS, the names of its inputs here, a row in FORMAT.md;
 * 2. its inputs and attributes in runtime/graph/signatures.c;
 * 3. ws_rule_NAME, the shape of its output, in a file runtime/graph/shape_rules*.c;
 * 4. ws_lower_NAME, its steps, in a file runtime/lower/lower_*.c;
 * 5. where no step does it yet: a ws_step_kind in runtime/steps/, declared in runtime/program.h,
 *    with a member of ws_step for what it needs beside its operands.
 *
 * The linker asks for 3 and 4; an operator without 2 takes no inputs and no attributes. */
#ifndef WS_WEIGHTS_OPERATORS_H
#define WS_WEIGHTS_OPERATORS_H

/* X(KIND, name): `name` is the operator's kind in the file. */
#define WS_OPERATORS(X)                                                                            \
    X(LINEAR, linear)                                                                              \
    X(CONV2D, conv2d)                                                                              \
    X(CONV_TRANSPOSE2D, conv_transpose2d)                                                          \
    X(MAX_POOL2D, max_pool2d)                                                                      \
    X(LAYER_NORM, layer_norm)                                                                      \
    X(GROUP_NORM, group_norm)                                                                      \
    X(ACTIVATION, activation)                                                                      \
    X(BINARY, binary)                                                                              \
    X(CONCAT, concat)                                                                              \
    X(SLICE, slice)                                                                                \
    X(RESHAPE, reshape)                                                                            \
    X(RESIZE, resize)                                                                              \
    X(ATTENTION, attention)                                                                        \
    X(PROJECTED_ATTENTION, projected_attention)                                                    \
    X(POINT_TOKENS, point_tokens)                                                                  \
    X(POSITION_GRID, position_grid)                                                                \
    X(MASK_PRODUCT, mask_product)                                                                  \
    X(ADD_POSITIONS, add_positions)                                                                \
    X(GRID_ROWS, grid_rows)                                                                        \
    X(ROW_MAX, row_max)                                                                            \
    X(CLASS_ATTENTION, class_attention)                                                            \
    X(ATTENTION_SUM, attention_sum)                                                                \
    X(ATTENTION_SPREAD, attention_spread)                                                          \
    X(TOP_DOWN, top_down)

#define WS_OPERATOR_KIND(KIND, name) WS_OP_##KIND,
typedef enum ws_op_kind { WS_OPERATORS(WS_OPERATOR_KIND) WS_OP_KINDS } ws_op_kind;
#undef WS_OPERATOR_KIND

/* max_pool2d, activation, slice, reshape, resize, row_max; concat has as many as it wants */
enum { WS_UNARY_X, WS_UNARY_INPUTS };

/* linear, conv2d, conv_transpose2d */
enum { WS_PRODUCT_X, WS_PRODUCT_WEIGHT, WS_PRODUCT_BIAS, WS_PRODUCT_INPUTS };

/* layer_norm, group_norm */
enum { WS_NORM_X, WS_NORM_WEIGHT, WS_NORM_BIAS, WS_NORM_INPUTS };

enum { WS_BINARY_A, WS_BINARY_B, WS_BINARY_INPUTS };

enum {
    WS_ATTENTION_QKV,
    WS_ATTENTION_REL_H,
    WS_ATTENTION_REL_W,
    WS_ATTENTION_TABLE,
    WS_ATTENTION_PAD,
    WS_ATTENTION_INPUTS
};

/* projected_attention */
enum {
    WS_PROJECTED_Q,
    WS_PROJECTED_KV,
    WS_PROJECTED_Q_POSITION,
    WS_PROJECTED_K_POSITION,
    WS_PROJECTED_Q_WEIGHT,
    WS_PROJECTED_Q_BIAS,
    WS_PROJECTED_K_WEIGHT,
    WS_PROJECTED_K_BIAS,
    WS_PROJECTED_V_WEIGHT,
    WS_PROJECTED_V_BIAS,
    WS_PROJECTED_OUT_WEIGHT,
    WS_PROJECTED_OUT_BIAS,
    WS_PROJECTED_NORM_WEIGHT,
    WS_PROJECTED_NORM_BIAS,
    WS_PROJECTED_INPUTS
};

enum {
    WS_POINT_TOKENS_POINTS,
    WS_POINT_TOKENS_LABELS,
    WS_POINT_TOKENS_GAUSSIAN,
    WS_POINT_TOKENS_TABLE,
    WS_POINT_TOKENS_INPUTS
};

enum { WS_POSITION_GRID_GAUSSIAN, WS_POSITION_GRID_INPUTS };

enum { WS_MASK_PRODUCT_FEATURES, WS_MASK_PRODUCT_VECTORS, WS_MASK_PRODUCT_INPUTS };

enum { WS_ADD_POSITIONS_X, WS_ADD_POSITIONS_TABLE, WS_ADD_POSITIONS_INPUTS };

enum { WS_GRID_ROWS_X, WS_GRID_ROWS_GRID, WS_GRID_ROWS_INPUTS };

enum { WS_CLASS_ATTENTION_QKV, WS_CLASS_ATTENTION_GRID, WS_CLASS_ATTENTION_INPUTS };

enum {
    WS_ATTENTION_SUM_MAPS,
    WS_ATTENTION_SUM_SUM,
    WS_ATTENTION_SUM_WEIGHTS,
    WS_ATTENTION_SUM_INPUTS
};

enum {
    WS_ATTENTION_SPREAD_QKV,
    WS_ATTENTION_SPREAD_VALUES,
    WS_ATTENTION_SPREAD_SUM,
    WS_ATTENTION_SPREAD_WEIGHTS,
    WS_ATTENTION_SPREAD_INPUTS
};

enum { WS_TOP_DOWN_FINE, WS_TOP_DOWN_COARSE, WS_TOP_DOWN_INPUTS };

#endif
