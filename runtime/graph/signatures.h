/* runtime/graph/signatures.h - which inputs and attributes an operator takes. */
#ifndef WS_RUNTIME_GRAPH_SIGNATURES_H
#define WS_RUNTIME_GRAPH_SIGNATURES_H

#include "runtime/graph/graph.h"

/* Whether the operator's inputs and attributes are there, of the right kinds and types; `why` gets
 * a reason where they are not. */
int ws_signatures_check(const ws_op_view *v, ws_op_kind kind, char why[128]);

/* The name of an input, for messages. */
const char *ws_signatures_input_name(ws_op_kind kind, uint32_t input);

#endif
