/* runtime/run/image_state.c - what prompts reuse of an image: every value at image rate that
 * outlives a bind, in one block. */
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "runtime/model.h"

/* One block for all values that outlive a bind. */
static wsam_status allocate_image(wsam_image *image, wsam_error *error)
{
    const ws_program *p = image->program;
    const uint64_t limit = image->model->options.max_memory;
    const ws_exec x = {.program = p, .dims = &image->dims, .values = image->values};
    size_t bytes = 0;
    for (size_t b = 0; b < p->n_buffers; b++)
        if (p->buffers[b].persistent)
            bytes += ws_align64(ws_step_buffer_bytes(&x, (int)b));
    if (limit && bytes > limit)
        return ws_fail(error, WSAM_ERR_LIMIT,
                       "graph %s: an image state of %zu bytes; the memory limit is %llu",
                       p->graph->name, bytes, (unsigned long long)limit);
    image->memory = ws_alloc_large(bytes);
    if (!image->memory)
        return ws_fail(error, WSAM_ERR_MEMORY, "graph %s: no memory for an image state",
                       p->graph->name);
    char *at = image->memory;
    for (size_t b = 0; b < p->n_buffers; b++)
        if (p->buffers[b].persistent) {
            image->data[b] = (float *)(void *)at;
            at += ws_align64(ws_step_buffer_bytes(&x, (int)b));
        }
    return WSAM_OK;
}

/* A state without the memory of its values. */
static wsam_status new_image(const wsam_model *model, const ws_program *p, const wsam_dim *dims,
                             size_t n_dims, wsam_image **out, wsam_error *error)
{
    wsam_image *image = calloc(1, sizeof *image);
    *out = image;
    if (!image)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for an image state");
    image->model = model;
    image->program = p;
    image->values = calloc((size_t)p->graph->n_inputs + p->graph->n_ops + 1, sizeof *image->values);
    image->data = calloc(p->n_buffers + 1, sizeof *image->data);
    if (!image->values || !image->data)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for an image state");
    const wsam_status status = ws_session_dims(p->graph, dims, n_dims, &image->dims, error);
    return status ? status : ws_graph_infer(p->file, p->graph, &image->dims, image->values, error);
}

static wsam_status give(wsam_status status, wsam_image *image, wsam_image **out)
{
    if (status)
        wsam_image_free(image);
    *out = status ? NULL : image;
    return status;
}

wsam_status wsam_image_create(wsam_model *model, const char *graph, const wsam_dim *dims,
                              size_t n_dims, wsam_image **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const ws_program *p;
    wsam_image *image = NULL;
    wsam_status status = ws_model_program(model, graph, &p, error);
    if (!status)
        status = new_image(model, p, dims, n_dims, &image, error);
    if (!status)
        status = allocate_image(image, error);
    return give(status, image, out);
}

wsam_status ws_image_state_create_in(wsam_session *s, const wsam_dim *dims, size_t n,
                                     wsam_image **out, wsam_error *error)
{
    const ws_plan *plan;
    wsam_image *image = NULL;
    wsam_status status = ws_session_reserve_image(s, dims, n, &plan, error);
    if (!status)
        status = new_image(s->model, s->program, dims, n, &image, error);
    for (size_t b = 0; !status && b < s->program->n_buffers; b++)
        if (s->program->buffers[b].persistent && plan->offset[b] != SIZE_MAX)
            image->data[b] = (float *)(void *)((char *)s->arena + plan->offset[b]);
    return give(status, image, out);
}

void wsam_image_free(wsam_image *image)
{
    if (!image)
        return;
    free(image->values);
    free(image->data);
    free(image->memory);
    free(image);
}

wsam_status wsam_image_output(const wsam_image *image, const char *name, wsam_tensor *view,
                              wsam_error *error)
{
    const ws_graph_def *g = image->program->graph;
    if (!image->bound)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "graph %s: the image state is not bound", g->name);
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        const uint32_t ref = g->outputs[i].ref;
        const int b = image->program->value_buffer[ref];
        if (strcmp(g->outputs[i].name, name) != 0 || !image->data[b])
            continue;
        const ws_shape *shape = &image->values[ref].shape;
        *view = (wsam_tensor){.name = g->outputs[i].name,
                              .type = image->program->buffers[b].narrow ? WSAM_BF16 : WSAM_F32,
                              .rank = shape->rank,
                              .data = image->data[b]};
        memcpy(view->shape, shape->dims, sizeof shape->dims);
        return WSAM_OK;
    }
    return ws_fail(error, WSAM_ERR_ARGUMENT, "graph %s: no image-rate output '%.80s'", g->name,
                   name);
}
