/* runtime/describe.c - what a model was lowered to, and where the time of a run went, as JSON. */
#include <stdlib.h>
#include <string.h>

#include "runtime/json.h"
#include "runtime/model.h"

static const char *rate_name(wsam_rate rate)
{
    static const char *const names[] = {"model", "image", "prompt"};
    return names[rate];
}

static void put_step(ws_json *j, const ws_step *s)
{
    ws_json_string(j, "name", s->name);
    ws_json_string(j, "lowering", s->kind->name);
    ws_json_string(j, "kernel", s->kernel);
    ws_json_string(j, "rate", rate_name(s->rate));
}

static void put_symbols(ws_json *j, const ws_graph_def *g)
{
    ws_json_open(j, "symbols", '[');
    for (uint32_t i = 0; i < g->n_symbols; i++) {
        ws_json_open(j, NULL, '{');
        ws_json_string(j, "name", g->symbols[i].name);
        ws_json_int(j, "min", g->symbols[i].min);
        ws_json_int(j, "max", g->symbols[i].max);
        ws_json_int(j, "multiple", g->symbols[i].multiple);
        ws_json_close(j, '}');
    }
    ws_json_close(j, ']');
}

/* Memory at the smallest dimensions and one prompt. */
static void put_memory(ws_json *j, wsam_model *m, const ws_program *p)
{
    const uint64_t arena = wsam_plan_bytes(m, p->graph->name, NULL, 0, NULL);
    ws_json_int(j, "arena_bytes", (int64_t)arena);
    ws_json_int(j, "model_rate_bytes", (int64_t)p->model_bytes);
}

static void put_graph(ws_json *j, wsam_model *m, const ws_graph_def *g)
{
    const ws_program *p = NULL;
    wsam_error error = {.message = ""};
    ws_json_open(j, NULL, '{');
    ws_json_string(j, "name", g->name);
    put_symbols(j, g);
    if (ws_model_program(m, g->name, &p, &error)) {
        ws_json_string(j, "error", error.message);
    } else {
        put_memory(j, m, p);
        ws_json_open(j, "steps", '[');
        for (size_t i = 0; i < p->n_steps; i++) {
            ws_json_open(j, NULL, '{');
            put_step(j, &p->steps[i]);
            ws_json_close(j, '}');
        }
        ws_json_close(j, ']');
    }
    ws_json_close(j, '}');
}

char *wsam_model_describe(wsam_model *m)
{
    ws_json j = {.text = NULL};
    ws_json_open(&j, NULL, '{');
    ws_json_string(&j, "isa", m->kernels->isa);
    ws_json_int(&j, "threads", m->options.threads);
    ws_json_string(&j, "lowering", m->options.lowering == WSAM_LOWERING_PLAIN ? "plain" : "auto");
    ws_json_open(&j, "graphs", '[');
    for (size_t i = 0; i < m->file->n_graphs; i++)
        put_graph(&j, m, &m->file->graphs[i]);
    ws_json_close(&j, ']');
    ws_json_int(&j, "packed_bytes", (int64_t)ws_packs_bytes(m->packs));
    ws_json_close(&j, '}');
    return ws_json_finish(&j);
}

char *wsam_session_profile(const wsam_session *s)
{
    const ws_program *p = s->program;
    ws_json j = {.text = NULL};
    double total = 0.0;
    ws_json_open(&j, NULL, '{');
    ws_json_string(&j, "graph", p->graph->name);
    ws_json_int(&j, "threads", s->model->options.threads);
    ws_json_open(&j, "steps", '[');
    for (size_t i = 0; i < p->n_steps; i++) {
        if (s->seconds[i] < 0.0)
            continue;
        total += s->seconds[i];
        ws_json_open(&j, NULL, '{');
        put_step(&j, &p->steps[i]);
        ws_json_number(&j, "ms", 1e3 * s->seconds[i]);
        ws_json_close(&j, '}');
    }
    ws_json_close(&j, ']');
    ws_json_number(&j, "ms", 1e3 * total);
    ws_json_close(&j, '}');
    return ws_json_finish(&j);
}
