/* runtime/model.c - opening a model, its metadata, and its programs. */
#include "runtime/model.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "runtime/backend_onednn.h"

void wsam_options_default(wsam_options *options)
{
    memset(options, 0, sizeof *options);
}

static wsam_status check_options(wsam_model *m, wsam_error *error)
{
    if (m->options.threads == 0)
        m->options.threads = wsam_default_threads();
    if (m->options.threads < 1 || m->options.threads > 1024)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%d threads: expected 1 to 1024",
                       m->options.threads);
    if (m->options.backend == WSAM_BACKEND_ONEDNN && !ws_onednn_built())
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "this build has no oneDNN backend");
    m->kernels = ws_kernels_find(m->options.isa, error);
    if (!m->kernels)
        return WSAM_ERR_UNSUPPORTED;
    return m->options.backend == WSAM_BACKEND_ONEDNN ? ws_onednn_limit(m->options.isa, error)
                                                     : WSAM_OK;
}

static wsam_status check_file(wsam_model *m, wsam_error *error)
{
    ws_file *f = m->file;
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < f->n_graphs && !status; i++)
        status = ws_graph_check(f, &f->graphs[i], m->options.max_memory, error);
    for (size_t i = 0; i < f->n_tensors && !status && !m->options.skip_checksums; i++)
        status = ws_weight_file_verify(f, &f->tensors[i], error);
    return status;
}

static wsam_status open_model(const char *path, const void *data, size_t size,
                              const wsam_options *options, wsam_model **out, wsam_error *error)
{
    if (!out)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "wsam_model_open: no place for the model");
    *out = NULL;
    if (!path && !data)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "wsam_model_open: no path");
    wsam_model *m = calloc(1, sizeof *m);
    if (!m)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory to open a model");
    pthread_mutex_init(&m->lock, NULL);
    if (options)
        m->options = *options;
    wsam_status status = check_options(m, error);
    if (!status)
        status = path ? ws_weight_file_open(path, &m->file, error)
                      : ws_weight_file_open_memory(data, size, &m->file, error);
    if (!status)
        status = check_file(m, error);
    if (!status) {
        m->packs = ws_packs_new(m->file, m->kernels, m->options.threads, m->options.max_memory);
        if (!m->packs)
            status = ws_fail(error, WSAM_ERR_MEMORY, "no memory to open a model");
    }
    if (status)
        wsam_model_close(m);
    else
        *out = m;
    return status;
}

wsam_status wsam_model_open(const char *path, const wsam_options *options, wsam_model **model,
                            wsam_error *error)
{
    return open_model(path, NULL, 0, options, model, error);
}

wsam_status wsam_model_open_memory(const void *data, size_t size, const wsam_options *options,
                                   wsam_model **model, wsam_error *error)
{
    return open_model(NULL, data, size, options, model, error);
}

void wsam_model_close(wsam_model *m)
{
    if (!m)
        return;
    for (int i = 0; i < WS_CAP_GRAPHS; i++)
        ws_lower_free(m->programs[i]);
    ws_packs_free(m->packs);
    ws_weight_file_close(m->file);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* ---- metadata ---- */

const char *wsam_model_string(const wsam_model *m, const char *key)
{
    const ws_metadata *d = ws_weight_file_metadata(m->file, key);
    return d && d->kind == WS_META_STRING ? d->string : NULL;
}

int wsam_model_int(const wsam_model *m, const char *key, int64_t *value)
{
    const ws_metadata *d = ws_weight_file_metadata(m->file, key);
    if (!d || d->kind != WS_META_INT)
        return 0;
    *value = d->integer;
    return 1;
}

const double *wsam_model_numbers(const wsam_model *m, const char *key, size_t *count)
{
    const ws_metadata *d = ws_weight_file_metadata(m->file, key);
    *count = d && d->kind == WS_META_NUMBERS ? d->count : 0;
    return *count ? d->numbers : NULL;
}

const char *wsam_model_text(const wsam_model *m, const char *key, size_t index)
{
    const ws_metadata *d = ws_weight_file_metadata(m->file, key);
    return d && d->kind == WS_META_STRINGS && index < d->count ? d->strings[index] : NULL;
}

int wsam_model_has_graph(const wsam_model *m, const char *graph)
{
    return ws_weight_file_graph(m->file, graph) != NULL;
}

int wsam_model_threads(const wsam_model *m)
{
    return m->options.threads;
}

const char *wsam_model_isa(const wsam_model *m)
{
    return m->kernels->isa;
}

/* ---- programs ---- */

/* Memory for the model-rate buffers, and their steps run once. */
static wsam_status compute_model_rate(const wsam_model *m, ws_program *p, wsam_error *error)
{
    const ws_graph_def *g = p->graph;
    ws_value *values = calloc((size_t)g->n_inputs + g->n_ops + 1, sizeof *values);
    ws_dims dims = {.prompts = 1};
    ws_plan plan = {0};
    char *arena = NULL;
    p->model_data = calloc(p->n_buffers + 1, sizeof *p->model_data);
    wsam_status status = values && p->model_data
                             ? WSAM_OK
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a program");
    ws_dims_min(g, &dims);
    if (!status)
        status = ws_graph_infer(p->file, g, &dims, values, error);
    if (!status)
        status =
            ws_plan_make(p, &dims, values, WSAM_RATE_MODEL, 0, m->options.threads, &plan, error);
    const ws_exec x = {.program = p, .dims = &dims, .values = values};
    for (size_t b = 0; b < p->n_buffers && !status; b++)
        if (p->buffers[b].rate == WSAM_RATE_MODEL)
            p->model_bytes += ws_align64(ws_step_buffer_total(&x, (int)b) * sizeof(float));
    if (!status) {
        status = ws_packs_alloc(m->packs, p->model_bytes, &p->model_memory, error);
        arena = ws_alloc_large(plan.bytes - plan.workspace_offset);
        if (!status && !arena)
            status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a program");
    }
    char *at = p->model_memory;
    for (size_t b = 0; b < p->n_buffers && !status; b++)
        if (p->buffers[b].rate == WSAM_RATE_MODEL) {
            p->model_data[b] = (float *)(void *)at;
            at += ws_align64(ws_step_buffer_total(&x, (int)b) * sizeof(float));
        }
    if (!status) {
        const ws_execution e = {.program = p,
                                .dims = &dims,
                                .values = values,
                                .data = p->model_data,
                                .rate = WSAM_RATE_MODEL,
                                .outputs = UINT32_MAX,
                                .threads = m->options.threads,
                                .workspace = arena,
                                .scratch = arena + plan.workspace_bytes,
                                .scratch_stride = plan.scratch_bytes};
        status = ws_run_steps(&e, error);
    }
    free(arena);
    free(values);
    ws_plan_free(&plan);
    return status;
}

static wsam_status make_program(wsam_model *m, size_t i, wsam_error *error)
{
    ws_program *p = NULL;
    wsam_status status =
        ws_lower(m->file, &m->file->graphs[i], m->kernels, m->packs, &m->options, &p, error);
    if (!status)
        status = compute_model_rate(m, p, error);
    if (status)
        ws_lower_free(p);
    else
        m->programs[i] = p;
    return status;
}

wsam_status ws_model_program(wsam_model *m, const char *graph, const ws_program **program,
                             wsam_error *error)
{
    const ws_graph_def *g = ws_weight_file_graph(m->file, graph);
    *program = NULL;
    if (!g)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%s: no graph '%.80s'", m->file->path, graph);
    const size_t i = (size_t)(g - m->file->graphs);
    wsam_status status = WSAM_OK;
    pthread_mutex_lock(&m->lock);
    if (!m->programs[i])
        status = make_program(m, i, error);
    *program = m->programs[i];
    pthread_mutex_unlock(&m->lock);
    return status;
}

void ws_model_observe(wsam_model *m, ws_observe_fn *observe, void *user)
{
    m->observe = observe;
    m->observe_user = user;
}
