/* runtime/graph/describe.c - how graphs were lowered, as JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "kernels/float_scope.h"
#include "runtime/graph/describe.h"
#include "runtime/model.h"

static const char *rate_name(wsam_rate rate)
{
    static const char *const names[] = {"model", "image", "prompt"};
    return names[rate];
}

/* The window of an attention, 0 for a global one: names do not tell them apart. */
static void put_window(ws_text *j, const ws_program *p, const ws_step *s)
{
    const ws_dims dims = {.prompts = 1};
    const ws_op_view v = {
        .file = p->file, .graph = p->graph, .op = &p->graph->ops[s->op], .dims = &dims};
    if (s->kind == &ws_step_attention)
        ws_text_printf(j, ",\"window\":%lld", (long long)ws_op_int(&v, "window", 0));
}

void ws_describe_step(ws_text *j, const ws_program *p, const ws_step *s)
{
    ws_text_printf(j, "{\"name\":");
    ws_json_string(j, s->name);
    ws_text_printf(j, ",\"step\":\"%s\",\"rate\":\"%s\",\"kernel\":\"%s\"", s->kind->name,
                   rate_name(s->rate), s->kernel);
    put_window(j, p, s);
}

static wsam_status finish_json(ws_text *j, char **json, wsam_error *error)
{
    *json = ws_text_finish(j);
    return *json ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a description");
}

/* Another try may go well: nothing that is to be said of a model. */
static int is_passing(wsam_status status)
{
    return status == WSAM_ERR_MEMORY || status == WSAM_ERR_IO;
}

/* The arena that a session with the smallest dimensions and one prompt would take. */
static wsam_status put_plan(ws_text *j, wsam_model *m, const ws_graph_def *g, wsam_error *error)
{
    uint64_t bytes;
    const wsam_status status = wsam_plan_bytes(m, g->name, NULL, 0, &bytes, error);
    if (is_passing(status))
        return status;
    ws_text_printf(j, ",\"arena_bytes\":%llu", status ? 0ull : (unsigned long long)bytes);
    return WSAM_OK;
}

/* A graph that cannot be lowered is described by its error, unless another try may go well. */
static wsam_status put_program(ws_text *j, wsam_model *m, const ws_graph_def *g, wsam_error *why)
{
    const ws_program *p;
    wsam_error error = {WSAM_OK, ""};
    ws_text_printf(j, "{\"name\":");
    ws_json_string(j, g->name);
    const wsam_status status = ws_model_program(m, g->name, &p, &error);
    if (is_passing(status))
        return ws_fail(why, status, "%s", error.message);
    if (status) {
        ws_text_printf(j, ",\"error\":");
        ws_json_string(j, error.message);
        ws_text_printf(j, "}");
        return WSAM_OK;
    }
    const wsam_status planned = put_plan(j, m, g, why);
    if (planned)
        return planned;
    ws_text_printf(j, ",\"steps\":[");
    for (size_t i = 0; i < p->n_steps; i++) {
        ws_json_comma(j, i == 0);
        ws_describe_step(j, p, &p->steps[i]);
        ws_text_printf(j, "}");
    }
    ws_text_printf(j, "]}");
    return WSAM_OK;
}

wsam_status wsam_model_describe(wsam_model *m, char **json, wsam_error *error)
{
    ws_text j = {0};
    ws_text_printf(&j, "{\"isa\":\"%s\",\"threads\":%d,\"lowering\":\"%s\",\"graphs\":[",
                   m->kernels->isa, m->options.threads,
                   m->options.lowering == WSAM_LOWERING_PLAIN ? "plain" : "auto");
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < m->file->n_graphs && !status; i++) {
        ws_json_comma(&j, i == 0);
        status = put_program(&j, m, &m->file->graphs[i], error);
    }
    if (status) {
        free(j.text);
        return status;
    }
    ws_text_printf(&j, "],\"packed_bytes\":%llu}", (unsigned long long)ws_packs_bytes(m->packs));
    return finish_json(&j, json, error);
}
