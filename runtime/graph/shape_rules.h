/* runtime/graph/shape_rules.h - the shape that an operator's output has (FORMAT.md, operators):
 * ws_rule_NAME for every operator, in a file shape_rules*.c. */
#ifndef WS_RUNTIME_GRAPH_SHAPE_RULES_H
#define WS_RUNTIME_GRAPH_SHAPE_RULES_H

#include "runtime/graph/graph.h"

/* `out` comes zeroed. Inputs that must be there are there, of the types of signatures.c; a rule
 * checks what a lowering will rely on, so that lowerings need no checks of their own. 0 and a
 * reason in `why` where an input or attribute does not fit. */
typedef int ws_shape_rule(const ws_op_view *v, ws_shape *out, char why[128]);

#define WS_DECLARE_RULE(KIND, name) ws_shape_rule ws_rule_##name;
WS_OPERATORS(WS_DECLARE_RULE)
#undef WS_DECLARE_RULE

#endif
