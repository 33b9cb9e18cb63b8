/* runtime/run/session.c - sessions: reserve, bind, run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "runtime/model.h"

enum { IMAGE_PLAN = 0, PROMPT_PLAN = 1 };

/* ---- dimensions ---- */

static int find_symbol(const ws_graph_def *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_symbols; i++)
        if (strcmp(g->symbols[i].name, name) == 0)
            return (int)i;
    return -1;
}

wsam_status ws_session_dims(const ws_graph_def *g, const wsam_dim *dims, size_t n, ws_dims *out,
                            wsam_error *error)
{
    memset(out, 0, sizeof *out);
    ws_dims_min(g, out);
    for (size_t i = 0; i < n; i++) {
        const int s = find_symbol(g, dims[i].name);
        const int64_t v = dims[i].value;
        if (strcmp(dims[i].name, "prompts") == 0) {
            if (v < 1 || v > 65536)
                return ws_fail(error, WSAM_ERR_ARGUMENT,
                               "graph %s: %lld prompts: expected 1 to 65536", g->name,
                               (long long)v);
            out->prompts = v;
        } else if (s < 0) {
            continue; /* one list may serve several graphs */
        } else if (v < g->symbols[s].min || v > g->symbols[s].max || v % g->symbols[s].multiple) {
            return ws_fail(error, WSAM_ERR_ARGUMENT,
                           "graph %s: %s = %lld: expected %u to %u, a multiple of %u", g->name,
                           dims[i].name, (long long)v, g->symbols[s].min, g->symbols[s].max,
                           g->symbols[s].multiple);
        } else {
            out->symbols[s] = v;
        }
    }
    return WSAM_OK;
}

/* ---- sessions ---- */

static void forget_times(wsam_session *s)
{
    for (size_t i = 0; i < s->program->n_steps; i++)
        s->seconds[i] = -1.0;
}

wsam_status wsam_session_create(wsam_model *model, const char *graph, wsam_session **out,
                                wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const ws_program *p;
    *out = NULL;
    wsam_status status = ws_model_program(model, graph, &p, error);
    if (status)
        return status;
    wsam_session *s = calloc(1, sizeof *s);
    if (!s)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a session");
    s->model = model;
    s->program = p;
    s->values = calloc((size_t)p->graph->n_inputs + p->graph->n_ops + 1, sizeof *s->values);
    s->data = calloc(p->n_buffers + 1, sizeof *s->data);
    s->seconds = calloc(p->n_steps + 1, sizeof *s->seconds);
    if (!s->values || !s->data || !s->seconds) {
        wsam_session_free(s);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a session");
    }
    forget_times(s);
    *out = s;
    return WSAM_OK;
}

static void drop_plans(wsam_session *s)
{
    ws_plan_free(&s->plans[IMAGE_PLAN]);
    ws_plan_free(&s->plans[PROMPT_PLAN]);
    free(s->arena);
    s->arena = NULL;
    s->is_reserved = 0;
    s->done = 0;
}

void wsam_session_free(wsam_session *s)
{
    if (!s)
        return;
    drop_plans(s);
    free(s->values);
    free(s->data);
    free(s->seconds);
    free(s);
}

void wsam_session_set_progress(wsam_session *s, wsam_progress_fn fn, void *user)
{
    s->progress = fn;
    s->progress_user = user;
}

static wsam_status make_plans(const wsam_model *m, const ws_program *p, const ws_dims *dims,
                              int with_image, ws_value *values, ws_plan plans[2], wsam_error *error)
{
    wsam_status status = ws_graph_infer(p->file, p->graph, dims, values, error);
    if (!status)
        status = ws_plan_make(p, dims, values, WSAM_RATE_IMAGE, with_image, m->options.threads,
                              &plans[IMAGE_PLAN], error);
    if (!status)
        status = ws_plan_make(p, dims, values, WSAM_RATE_PROMPT, 0, m->options.threads,
                              &plans[PROMPT_PLAN], error);
    return status;
}

/* Bind and run never overlap in a session: they share one arena. */
static uint64_t arena_bytes(const ws_plan plans[2])
{
    return plans[IMAGE_PLAN].bytes > plans[PROMPT_PLAN].bytes ? plans[IMAGE_PLAN].bytes
                                                              : plans[PROMPT_PLAN].bytes;
}

wsam_status wsam_plan_bytes(const wsam_model *model, const char *graph, const wsam_dim *dims,
                            size_t n_dims, uint64_t *bytes, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_session *s = NULL;
    ws_dims d;
    *bytes = 0;
    wsam_model *m;
    memcpy(&m, &model, sizeof m); /* lowering on first use changes caches, not the model */
    wsam_status status = wsam_session_create(m, graph, &s, error);
    if (!status)
        status = ws_session_dims(s->program->graph, dims, n_dims, &d, error);
    if (!status)
        status = make_plans(m, s->program, &d, 0, s->values, s->plans, error);
    if (!status)
        *bytes = arena_bytes(s->plans);
    wsam_session_free(s);
    return status;
}

static wsam_status reserve(wsam_session *s, const wsam_dim *dims, size_t n_dims, int with_image,
                           wsam_error *error)
{
    const uint64_t limit = s->model->options.max_memory;
    ws_dims d;
    wsam_status status = ws_session_dims(s->program->graph, dims, n_dims, &d, error);
    if (status)
        return status;
    drop_plans(s);
    status = make_plans(s->model, s->program, &d, with_image, s->values, s->plans, error);
    const uint64_t bytes = status ? 0 : arena_bytes(s->plans),
                   weights = ws_packs_bytes(s->model->packs);
    if (!status && limit && (weights > limit || bytes > limit - weights))
        status =
            ws_fail(error, WSAM_ERR_LIMIT,
                    "graph %s: needs %llu bytes beside %llu of weights; the memory limit is %llu",
                    s->program->graph->name, (unsigned long long)bytes, (unsigned long long)weights,
                    (unsigned long long)limit);
    if (!status) {
        s->arena = ws_alloc_large((size_t)bytes);
        if (!s->arena)
            status = ws_fail(error, WSAM_ERR_MEMORY, "graph %s: no memory for %llu bytes",
                             s->program->graph->name, (unsigned long long)bytes);
    }
    if (status)
        drop_plans(s);
    s->reserved = d;
    s->is_reserved = !status;
    return status;
}

wsam_status wsam_session_reserve(wsam_session *s, const wsam_dim *dims, size_t n_dims,
                                 wsam_error *error)
{
    WS_FLOAT_SCOPE;
    return reserve(s, dims, n_dims, 0, error);
}

wsam_status ws_session_reserve_image(wsam_session *s, const wsam_dim *dims, size_t n,
                                     const ws_plan **plan, wsam_error *error)
{
    *plan = &s->plans[IMAGE_PLAN];
    for (size_t i = 0; i < s->program->n_steps; i++)
        if (s->program->steps[i].rate == WSAM_RATE_PROMPT)
            return ws_fail(error, WSAM_ERR_ARGUMENT, "graph %s: prompts would overwrite the image",
                           s->program->graph->name);
    return reserve(s, dims, n, 1, error);
}

/* ---- inputs and outputs ---- */

static const wsam_tensor *find_tensor(const wsam_tensor *tensors, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (tensors[i].name && strcmp(tensors[i].name, name) == 0)
            return &tensors[i];
    return NULL;
}

/* The caller's tensor has the value's type and shape (with a leading prompts dimension at prompt
 * rate). */
static wsam_status check_tensor(const ws_graph_def *g, const wsam_tensor *t, const ws_value *v,
                                int64_t prompts, wsam_error *error)
{
    const int lead = v->rate == WSAM_RATE_PROMPT;
    int good = t->type == v->type && t->rank == v->shape.rank + lead &&
               (t->data || ws_elements(&v->shape) == 0) && (!lead || t->shape[0] == prompts);
    for (int d = 0; good && d < v->shape.rank; d++)
        good = t->shape[d + lead] == v->shape.dims[d];
    if (good)
        return WSAM_OK;
    return ws_fail(error, WSAM_ERR_ARGUMENT, "graph %s: tensor '%s' has the wrong type or shape",
                   g->name, t->name);
}

static wsam_status set_inputs(wsam_session *s, wsam_rate rate, const ws_dims *dims,
                              const wsam_tensor *inputs, size_t n, wsam_error *error)
{
    const ws_program *p = s->program;
    for (uint32_t i = 0; i < p->graph->n_inputs; i++) {
        const ws_input_def *in = &p->graph->inputs[i];
        if (in->rate != rate)
            continue;
        const wsam_tensor *t = find_tensor(inputs, n, in->name);
        if (!t)
            return ws_fail(error, WSAM_ERR_ARGUMENT, "graph %s: input '%s' is missing",
                           p->graph->name, in->name);
        const wsam_status status = check_tensor(p->graph, t, &s->values[i], dims->prompts, error);
        if (status)
            return status;
        s->data[p->value_buffer[i]] = t->data;
    }
    return WSAM_OK;
}

static void set_arena(wsam_session *s, const ws_plan *plan)
{
    for (size_t b = 0; b < s->program->n_buffers; b++) {
        s->data[b] = s->program->model_data[b];
        if (plan->offset[b] != SIZE_MAX)
            s->data[b] = (float *)(void *)((char *)s->arena + plan->offset[b]);
    }
}

/* A symbol that is only ever where a slice begins takes no memory. */
static int is_size(const ws_graph_def *g, uint32_t symbol)
{
    for (uint32_t i = 0; i < g->n_inputs; i++)
        for (int d = 0; d < g->inputs[i].rank; d++)
            if (g->inputs[i].dims[d] == -1 - (int32_t)symbol)
                return 1;
    for (uint32_t i = 0; i < g->n_ops; i++)
        for (uint32_t k = 0; k < g->ops[i].n_attrs; k++) {
            const ws_attr_def *a = &g->ops[i].attrs[k];
            if (a->kind == WS_ATTR_SYMBOL && a->i == symbol && strcmp(a->name, "begin") != 0)
                return 1;
        }
    return 0;
}

static wsam_status start(wsam_session *s, wsam_rate rate, const ws_dims *dims, wsam_error *error)
{
    const ws_program *p = s->program;
    const ws_plan *plan = &s->plans[rate == WSAM_RATE_IMAGE ? IMAGE_PLAN : PROMPT_PLAN];
    s->done = 0;
    if (!s->is_reserved)
        return ws_fail(error, WSAM_ERR_LIMIT, "graph %s: nothing is reserved", p->graph->name);
    if (dims->prompts > s->reserved.prompts)
        return ws_fail(error, WSAM_ERR_LIMIT, "graph %s: prompts = %lld, reserved are %lld",
                       p->graph->name, (long long)dims->prompts, (long long)s->reserved.prompts);
    for (uint32_t i = 0; i < p->graph->n_symbols; i++)
        if (rate == WSAM_RATE_PROMPT && dims->symbols[i] > s->reserved.symbols[i] &&
            is_size(p->graph, i))
            return ws_fail(error, WSAM_ERR_LIMIT, "graph %s: %s = %lld, reserved are %lld",
                           p->graph->name, p->graph->symbols[i].name, (long long)dims->symbols[i],
                           (long long)s->reserved.symbols[i]);
    wsam_status status = ws_graph_infer(p->file, p->graph, dims, s->values, error);
    if (!status)
        status = ws_plan_fits(p, dims, s->values, rate, plan, error);
    if (!status)
        set_arena(s, plan);
    return status;
}

wsam_status ws_session_execute(wsam_session *s, wsam_rate rate, const ws_dims *dims,
                               uint32_t outputs, uint32_t done, wsam_error *error)
{
    const ws_plan *plan = &s->plans[rate == WSAM_RATE_IMAGE ? IMAGE_PLAN : PROMPT_PLAN];
    forget_times(s);
    const ws_execution e = {.program = s->program,
                            .dims = dims,
                            .values = s->values,
                            .data = s->data,
                            .rate = rate,
                            .outputs = outputs,
                            .done = done,
                            .threads = s->model->options.threads,
                            .workspace = (char *)s->arena + plan->workspace_offset,
                            .scratch = (char *)s->arena + plan->scratch_offset,
                            .scratch_stride = plan->scratch_bytes,
                            .seconds = s->seconds,
                            .progress = s->progress,
                            .progress_user = s->progress_user,
                            .observe = s->model->observe,
                            .observe_user = s->model->observe_user};
    return ws_run_steps(&e, error);
}

wsam_status wsam_session_bind(wsam_session *s, const wsam_tensor *inputs, size_t n_inputs,
                              wsam_image *image, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const ws_program *p = s->program;
    if (image->program != p)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "graph %s: the image state belongs to another graph", p->graph->name);
    image->bound = 0;
    wsam_status status = start(s, WSAM_RATE_IMAGE, &image->dims, error);
    if (!status)
        status = set_inputs(s, WSAM_RATE_IMAGE, &image->dims, inputs, n_inputs, error);
    if (status)
        return status;
    const ws_exec x = {.program = p, .dims = &image->dims, .values = s->values};
    for (size_t b = 0; b < p->n_buffers; b++) {
        if (!image->data[b])
            continue;
        if (p->buffers[b].input >= 0) /* the caller's memory may go away: prompts read our copy */
            memcpy(image->data[b], s->data[b], ws_step_buffer_total(&x, (int)b) * sizeof(float));
        s->data[b] = image->data[b];
    }
    status = ws_session_execute(s, WSAM_RATE_IMAGE, &image->dims, UINT32_MAX, 0, error);
    image->bound = !status;
    return status;
}

/* Bits of the named outputs; each must be prompt-rate and fit its value. */
wsam_status ws_session_wanted_outputs(const wsam_session *s, const ws_dims *dims,
                                      const wsam_tensor *outputs, size_t n, uint32_t *bits,
                                      wsam_error *error)
{
    const ws_graph_def *g = s->program->graph;
    *bits = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t j = 0;
        while (j < g->n_outputs && strcmp(g->outputs[j].name, outputs[i].name) != 0)
            j++;
        if (j == g->n_outputs || s->values[g->outputs[j].ref].rate != WSAM_RATE_PROMPT)
            return ws_fail(error, WSAM_ERR_ARGUMENT, "graph %s: no prompt-rate output '%.80s'",
                           g->name, outputs[i].name);
        const wsam_status status =
            check_tensor(g, &outputs[i], &s->values[g->outputs[j].ref], dims->prompts, error);
        if (status)
            return status;
        *bits |= 1u << j;
    }
    return WSAM_OK;
}

void ws_session_copy_outputs(const wsam_session *s, const ws_dims *dims, wsam_tensor *outputs,
                             size_t n)
{
    const ws_graph_def *g = s->program->graph;
    const ws_exec x = {.program = s->program, .dims = dims, .values = s->values};
    for (size_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < g->n_outputs; j++)
            if (strcmp(g->outputs[j].name, outputs[i].name) == 0) {
                const int b = s->program->value_buffer[g->outputs[j].ref];
                memcpy(outputs[i].data, s->data[b], ws_step_buffer_total(&x, b) * sizeof(float));
            }
}

/* The image state was made for the dimensions that its values depend on. */
static wsam_status check_image_dims(const wsam_image *image, const ws_dims *dims, wsam_error *error)
{
    const ws_graph_def *g = image->program->graph;
    const uint32_t symbols = ws_graph_values_image_symbols(g, image->values);
    for (uint32_t i = 0; i < g->n_symbols; i++)
        if (symbols & 1u << i && dims->symbols[i] != image->dims.symbols[i])
            return ws_fail(error, WSAM_ERR_ARGUMENT, "graph %s: %s = %lld, the image has %lld",
                           g->name, g->symbols[i].name, (long long)dims->symbols[i],
                           (long long)image->dims.symbols[i]);
    return WSAM_OK;
}

wsam_status wsam_session_run(wsam_session *s, const wsam_image *image, const wsam_dim *dims,
                             size_t n_dims, const wsam_tensor *inputs, size_t n_inputs,
                             wsam_tensor *outputs, size_t n_outputs, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const ws_program *p = s->program;
    ws_dims d;
    uint32_t bits;
    if (!image || image->program != p || !image->bound)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "graph %s: the image state is unbound or belongs to another graph",
                       p->graph->name);
    wsam_status status = ws_session_dims(p->graph, dims, n_dims, &d, error);
    if (!status)
        status = check_image_dims(image, &d, error);
    if (!status)
        status = start(s, WSAM_RATE_PROMPT, &d, error);
    if (!status)
        status = set_inputs(s, WSAM_RATE_PROMPT, &d, inputs, n_inputs, error);
    if (!status)
        status = ws_session_wanted_outputs(s, &d, outputs, n_outputs, &bits, error);
    if (status)
        return status;
    for (size_t b = 0; b < p->n_buffers; b++)
        if (image->data[b])
            s->data[b] = image->data[b];
    status = ws_session_execute(s, WSAM_RATE_PROMPT, &d, bits, 0, error);
    if (status)
        return status;
    ws_session_copy_outputs(s, &d, outputs, n_outputs);
    s->ran = d;
    s->done = bits;
    return WSAM_OK;
}
