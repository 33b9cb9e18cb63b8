/* runtime/graph/describe.h - a step as JSON. */
#ifndef WS_RUNTIME_GRAPH_DESCRIBE_H
#define WS_RUNTIME_GRAPH_DESCRIBE_H

#include "base/text.h"
#include "runtime/program.h"

/* The members of a step's object, which stays open: {"name":...,"kernel":"..." */
void ws_describe_step(ws_text *json, const ws_program *program, const ws_step *step);

#endif
