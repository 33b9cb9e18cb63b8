/* weights/builder.c - needs and stored tensors of a description; graphs are in builder_graph.c. */
#include "weights/builder_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *ws_builder_grow(ws_builder *b, void *array, size_t count, size_t *capacity, size_t item,
                      size_t cap)
{
    if (b->status)
        return NULL;
    if (count < *capacity)
        return array;
    const size_t wanted = *capacity ? 2 * *capacity : 32;
    void *grown = count < cap ? realloc(array, wanted * item) : NULL;
    if (!grown) {
        b->status =
            ws_fail(&b->error, count < cap ? WSAM_ERR_MEMORY : WSAM_ERR_LIMIT,
                    count < cap ? "no memory for a model description"
                                : "the model needs more tensors or operators than the format has");
        return NULL;
    }
    memset((char *)grown + *capacity * item, 0, (wanted - *capacity) * item);
    *capacity = wanted;
    return grown;
}

ws_builder *ws_builder_new(const ws_source *source, const wsam_convert_options *options,
                           wsam_error *error)
{
    ws_builder *b = calloc(1, sizeof *b);
    if (!b) {
        ws_fail(error, WSAM_ERR_MEMORY, "no memory for a model description");
        return NULL;
    }
    b->source = source;
    b->options = *options;
    return b;
}

void ws_builder_free(ws_builder *b)
{
    if (!b)
        return;
    for (size_t g = 0; g < b->n_graphs; g++) {
        ws_graph_def *graph = &b->graphs[g];
        for (uint32_t i = 0; i < graph->n_ops; i++)
            free(graph->ops[i].attrs);
        free(graph->ops);
        free(graph->inputs);
        free(graph->outputs);
        free(graph->symbols);
    }
    for (size_t i = 0; i < b->n_meta; i++)
        free(b->meta[i].string);
    free(b->smooth);
    free(b->needs);
    free(b->tensors);
    free(b->recipes);
    free(b->meta);
    free(b);
}

wsam_status ws_builder_status(const ws_builder *b, wsam_error *error)
{
    return b->status ? ws_fail(error, b->status, "%s", b->error.message) : WSAM_OK;
}

const wsam_convert_options *ws_builder_options(const ws_builder *b)
{
    return &b->options;
}

/* ---- needs ---- */

static int add_need(ws_builder *b, int rank, const uint32_t *dims, const char *name)
{
    for (size_t i = 0; i < b->n_needs; i++)
        if (strcmp(b->needs[i].name, name) == 0)
            return (int)i;
    ws_need *needs =
        ws_builder_grow(b, b->needs, b->n_needs, &b->needs_capacity, sizeof *needs, WS_CAP_TENSORS);
    if (!needs)
        return 0;
    b->needs = needs;
    ws_need *need = &needs[b->n_needs];
    memset(need, 0, sizeof *need);
    snprintf(need->name, sizeof need->name, "%s", name);
    need->rank = rank;
    memcpy(need->dims, dims, (size_t)rank * sizeof *dims);
    return (int)b->n_needs++;
}

int ws_need_tensor(ws_builder *b, int rank, const uint32_t *dims, const char *format, ...)
{
    char name[WS_SOURCE_NAME + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return add_need(b, rank, dims, name);
}

int ws_need_1d(ws_builder *b, uint32_t n, const char *format, ...)
{
    char name[WS_SOURCE_NAME + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return add_need(b, 1, &n, name);
}

int ws_need_2d(ws_builder *b, uint32_t n, uint32_t k, const char *format, ...)
{
    char name[WS_SOURCE_NAME + 1];
    const uint32_t dims[2] = {n, k};
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return add_need(b, 2, dims, name);
}

int ws_need_4d(ws_builder *b, uint32_t o, uint32_t i, uint32_t h, uint32_t w, const char *format,
               ...)
{
    char name[WS_SOURCE_NAME + 1];
    const uint32_t dims[4] = {o, i, h, w};
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return add_need(b, 4, dims, name);
}

void ws_need_unused(ws_builder *b, int need)
{
    if (!b->status)
        b->needs[need].unused = 1;
}

size_t ws_need_count(const ws_builder *b)
{
    return b->n_needs;
}

const ws_need *ws_need_at(const ws_builder *b, size_t i)
{
    return &b->needs[i];
}

static size_t need_elements(const ws_need *need)
{
    size_t n = 1;
    for (int d = 0; d < need->rank; d++)
        n *= need->dims[d];
    return n;
}

wsam_status ws_builder_fetch(ws_builder *b, int need, float *out, wsam_error *error)
{
    const ws_source_tensor *t = ws_source_find(b->source, b->needs[need].name);
    if (!t || ws_source_elements(t) != need_elements(&b->needs[need]))
        return ws_fail(error, WSAM_ERR_FORMAT, "tensor '%s' is missing", b->needs[need].name);
    return ws_source_read(b->source, t, out, error);
}

/* ---- needs against the checkpoint ---- */

/* A message that grows until it is full; then only the count goes on. */
typedef struct complaint {
    char text[700];
    size_t used;
    int count;
} complaint;

static void complain(complaint *c, const char *what, const char *name)
{
    c->count++;
    const size_t room = sizeof c->text - c->used;
    const int n = snprintf(c->text + c->used, room, "%s%s %s", c->used ? ", " : "", what, name);
    if (n > 0 && (size_t)n < room)
        c->used += (size_t)n;
    else
        c->text[c->used] = 0;
}

static int same_shape(const ws_need *need, const ws_source_tensor *t)
{
    if (need->rank != t->rank)
        return 0;
    for (int d = 0; d < t->rank; d++)
        if (need->dims[d] != t->dims[d])
            return 0;
    return 1;
}

static int is_needed(const ws_builder *b, const char *name)
{
    for (size_t i = 0; i < b->n_needs; i++)
        if (strcmp(b->needs[i].name, name) == 0)
            return 1;
    return 0;
}

wsam_status ws_check_needs(const ws_builder *b, wsam_error *error)
{
    complaint c = {.used = 0};
    for (size_t i = 0; i < b->n_needs; i++) {
        const ws_source_tensor *t = ws_source_find(b->source, b->needs[i].name);
        if (!t && !b->needs[i].unused)
            complain(&c, "missing", b->needs[i].name);
        else if (t && !same_shape(&b->needs[i], t))
            complain(&c, "misshaped", b->needs[i].name);
        else if (t && t->dtype == WS_DTYPE_INT)
            complain(&c, "not float:", b->needs[i].name);
    }
    for (size_t i = 0; i < b->source->n_tensors; i++)
        if (b->source->tensors[i].dtype != WS_DTYPE_INT &&
            !is_needed(b, b->source->tensors[i].name))
            complain(&c, "extra", b->source->tensors[i].name);
    if (!c.count)
        return WSAM_OK;
    return ws_fail(error, WSAM_ERR_MISMATCH, "%.120s: %d tensors do not fit the model: %s%s",
                   b->source->path, c.count, c.text, c.used + 40 > sizeof c.text ? ", ..." : "");
}

/* ---- stored tensors ---- */

static wsam_type stored_type(const ws_builder *b, ws_role role, int rank, const uint32_t *dims)
{
    uint64_t k = 1;
    if (role == WS_ROLE_EXACT || b->options.type == WSAM_FILE_F32 ||
        (role == WS_ROLE_FLOAT && b->options.exact_rest))
        return WSAM_F32;
    for (int d = 1; d < rank && k <= WS_CAP_K_S8; d++)
        k *= dims[d];
    const int s8 = role == WS_ROLE_LINEAR && b->options.type == WSAM_FILE_INT8 && k <= WS_CAP_K_S8;
    return s8 ? WSAM_S8 : WSAM_BF16;
}

ws_recipe ws_builder_recipe_new(ws_make_fn make)
{
    ws_recipe r = {.make = make};
    r.smooth_norm_weight = r.smooth_norm_bias = r.smooth_linear = -1;
    return r;
}

ws_ref ws_store_made(ws_builder *b, ws_role role, const char *name, int rank, const uint32_t *dims,
                     const ws_recipe *recipe)
{
    for (size_t i = 0; i < b->n_tensors; i++)
        if (strcmp(b->tensors[i].name, name) == 0)
            return WS_REF_TENSOR + (ws_ref)i;
    size_t recipes_capacity = b->tensors_capacity;
    ws_tensor_def *tensors = ws_builder_grow(b, b->tensors, b->n_tensors, &b->tensors_capacity,
                                             sizeof *tensors, WS_CAP_TENSORS);
    if (!tensors)
        return WS_REF_NONE;
    b->tensors = tensors;
    ws_recipe *recipes = ws_builder_grow(b, b->recipes, b->n_tensors, &recipes_capacity,
                                         sizeof *recipes, WS_CAP_TENSORS);
    if (!recipes)
        return WS_REF_NONE;
    b->recipes = recipes;
    ws_tensor_def *t = &tensors[b->n_tensors];
    if (strlen(name) > WS_CAP_NAME) {
        b->status = ws_fail(&b->error, WSAM_ERR_LIMIT, "tensor name '%.150s' is too long", name);
        return WS_REF_NONE;
    }
    memset(t, 0, sizeof *t);
    memcpy(t->name, name, strlen(name) + 1);
    t->type = stored_type(b, role, rank, dims);
    t->rank = rank;
    memcpy(t->dims, dims, (size_t)rank * sizeof *dims);
    recipes[b->n_tensors] = *recipe;
    return WS_REF_TENSOR + (ws_ref)b->n_tensors++;
}

static wsam_status make_copy(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    return ws_builder_fetch(b, r->need[0], out, error);
}

ws_ref ws_store_as(ws_builder *b, ws_role role, int need, int rank, const uint32_t *dims)
{
    if (b->status)
        return WS_REF_NONE;
    ws_recipe r = ws_builder_recipe_new(make_copy);
    r.need[0] = need;
    return ws_store_made(b, role, b->needs[need].name, rank, dims, &r);
}

ws_ref ws_store(ws_builder *b, ws_role role, int need)
{
    if (b->status)
        return WS_REF_NONE;
    return ws_store_as(b, role, need, b->needs[need].rank, b->needs[need].dims);
}

size_t ws_builder_tensor_count(const ws_builder *b)
{
    return b->n_tensors;
}

ws_tensor_def *ws_builder_tensor(ws_builder *b, size_t i)
{
    return &b->tensors[i];
}

const ws_recipe *ws_builder_recipe(const ws_builder *b, size_t i)
{
    return &b->recipes[i];
}
