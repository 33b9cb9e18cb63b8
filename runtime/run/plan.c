/* runtime/run/plan.c - see plan.h. First fit, by order of definition and largest first, of which the
 * plan keeps the better; a few hundred buffers, so quadratic is fine. */
#include "runtime/run/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct life {
    int buffer;
    size_t first, last, size, offset;
    uint32_t outputs; /* that need the first step */
} life;

static int lives_in_arena(const ws_program *p, const ws_buffer *b, wsam_rate rate, int with_image)
{
    return b->rate == rate && b->input < 0 &&
           (with_image || !(b->persistent && rate == WSAM_RATE_IMAGE)) && p->graph != NULL;
}

static int is_output(const ws_program *p, int buffer)
{
    for (uint32_t i = 0; i < p->graph->n_outputs; i++)
        if (p->value_buffer[p->graph->outputs[i].ref] == buffer)
            return 1;
    return 0;
}

/* The last step of those that are run together with this one. */
static size_t end_of_joined(const ws_program *p, size_t i)
{
    while (i + 1 < p->n_steps && p->steps[i + 1].follows)
        i++;
    return i;
}

/* First and last step that touch each buffer, the last of those that are run together: their tasks
 * write while others read. A run of prompts may leave out what one output needs and go on with it
 * later (session_resume.c): what steps for some outputs read of those for more stays, since steps for
 * the others may run between, whatever their order is. */
static void find_lives(const ws_exec *x, wsam_rate rate, int with_image, life *lives)
{
    const ws_program *p = x->program;
    for (size_t b = 0; b < p->n_buffers; b++)
        lives[b] = (life){(int)b, SIZE_MAX, 0, 0, 0, 0};
    for (size_t i = 0; i < p->n_steps; i++) {
        const ws_step *s = &p->steps[i];
        if (s->rate != rate)
            continue;
        for (int j = -1; j < WS_STEP_OPERANDS; j++) {
            const int b = j < 0 ? s->out : s->in[j].buffer;
            if (b < 0 || !lives_in_arena(p, &p->buffers[b], rate, with_image))
                continue;
            life *l = &lives[b];
            if (l->first == SIZE_MAX) {
                l->first = i;
                l->outputs = s->outputs;
            }
            const int is_kept = rate == WSAM_RATE_PROMPT && s->outputs != l->outputs;
            l->last =
                l->last == SIZE_MAX || is_kept || is_output(p, b) ? SIZE_MAX : end_of_joined(p, i);
            l->size = ws_align64(ws_step_buffer_bytes(x, b));
        }
    }
}

static int by_first(const void *a, const void *b)
{
    const life *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->buffer - y->buffer;
}

static int by_size(const void *a, const void *b)
{
    const life *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return by_first(a, b);
}

static int by_offset(const void *a, const void *b)
{
    const life *x = *(const life *const *)a, *y = *(const life *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The lowest gap among the placed buffers that are alive together with `l`. */
static size_t place(const life *l, life **placed, size_t n)
{
    size_t at = 0;
    qsort(placed, n, sizeof *placed, by_offset);
    for (size_t i = 0; i < n; i++) {
        if (placed[i]->last < l->first || placed[i]->first > l->last)
            continue;
        if (placed[i]->offset >= at && placed[i]->offset - at >= l->size)
            return at;
        if (placed[i]->offset + placed[i]->size > at)
            at = placed[i]->offset + placed[i]->size;
    }
    return at;
}

static void largest_needs(const ws_exec *x, wsam_rate rate, size_t *workspace, size_t *scratch)
{
    *workspace = *scratch = 0;
    for (size_t i = 0; i < x->program->n_steps; i++) {
        const ws_step *s = &x->program->steps[i];
        if (s->rate != rate)
            continue;
        const size_t w = s->kind->workspace ? s->kind->workspace(x, s) : 0;
        const size_t c = s->kind->scratch ? s->kind->scratch(x, s) : 0;
        *workspace = w > *workspace ? w : *workspace;
        *scratch = c > *scratch ? c : *scratch;
    }
    *workspace = ws_align64(*workspace);
    *scratch = ws_align64(*scratch + 1);
}

/* Gives every buffer its offset, in the order of `lives`; returns where the last one ends. */
static size_t place_in_order(life *lives, size_t n, life **placed)
{
    size_t count = 0, end = 0;
    for (size_t i = 0; i < n; i++) {
        life *l = &lives[i];
        if (l->first == SIZE_MAX)
            continue;
        l->offset = place(l, placed, count);
        placed[count++] = l;
        end = l->offset + l->size > end ? l->offset + l->size : end;
    }
    return end;
}

static void place_all(const ws_exec *x, wsam_rate rate, int with_image, int threads, life *lives,
                      life **placed, ws_plan *plan)
{
    static int (*const orders[])(const void *, const void *) = {by_first, by_size};
    const size_t n = x->program->n_buffers;
    size_t least = SIZE_MAX;
    find_lives(x, rate, with_image, lives);
    for (size_t b = 0; b < n; b++)
        plan->offset[b] = SIZE_MAX;
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
        if (n)
            qsort(lives, n, sizeof *lives, orders[o]);
        const size_t end = place_in_order(lives, n, placed);
        for (size_t i = 0; end < least && i < n; i++)
            if (lives[i].first != SIZE_MAX) {
                plan->offset[lives[i].buffer] = lives[i].offset;
                plan->size[lives[i].buffer] = lives[i].size;
            }
        least = end < least ? end : least;
    }
    largest_needs(x, rate, &plan->workspace_bytes, &plan->scratch_bytes);
    plan->workspace_offset = least;
    plan->scratch_offset = least + plan->workspace_bytes;
    plan->bytes = plan->scratch_offset + plan->scratch_bytes * (size_t)threads;
}

/* All prompts' values and temporaries within the cap: no later size or task number overflows. */
static wsam_status check_sizes(const ws_exec *x, wsam_error *error)
{
    const ws_program *p = x->program;
    for (size_t b = 0; b < p->n_buffers; b++) {
        const ws_shape *s = &x->values[p->buffers[b].value].shape;
        const int64_t prompts = x->dims->prompts,
                      columns = p->buffers[b].columns ? p->buffers[b].columns : ws_columns(s);
        const ws_shape all = {3, {prompts, ws_rows(s), columns}};
        if (ws_elements(&all) > WS_CAP_ELEMENTS || ws_rows(&all) > WS_CAP_ELEMENTS)
            return ws_fail(error, WSAM_ERR_LIMIT,
                           "graph %s: %lld prompts of values of %lld x %lld are too many",
                           p->graph->name, (long long)prompts, (long long)ws_rows(s),
                           (long long)columns);
    }
    return WSAM_OK;
}

wsam_status ws_plan_make(const ws_program *p, const ws_dims *dims, const ws_value *values,
                         wsam_rate rate, int with_image, int threads, ws_plan *plan,
                         wsam_error *error)
{
    const ws_exec x = {.program = p, .dims = dims, .values = values};
    life *lives = calloc(p->n_buffers + 1, sizeof *lives);
    life **placed = calloc(p->n_buffers + 1, sizeof *placed);
    memset(plan, 0, sizeof *plan);
    plan->offset = calloc(p->n_buffers + 1, sizeof *plan->offset);
    plan->size = calloc(p->n_buffers + 1, sizeof *plan->size);
    wsam_status status = check_sizes(&x, error);
    if (!status && (!lives || !placed || !plan->offset || !plan->size))
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a plan");
    if (!status)
        place_all(&x, rate, with_image, threads, lives, placed, plan);
    free(lives);
    free(placed);
    if (status)
        ws_plan_free(plan);
    return status;
}

void ws_plan_free(ws_plan *plan)
{
    free(plan->offset);
    free(plan->size);
    memset(plan, 0, sizeof *plan);
}

wsam_status ws_plan_fits(const ws_program *p, const ws_dims *dims, const ws_value *values,
                         wsam_rate rate, const ws_plan *plan, wsam_error *error)
{
    const ws_exec x = {.program = p, .dims = dims, .values = values};
    for (size_t i = 0; i < p->n_steps; i++) {
        const ws_step *s = &p->steps[i];
        if (s->rate != rate)
            continue;
        const int in_arena = plan->offset[s->out] != SIZE_MAX;
        if ((in_arena && ws_step_buffer_bytes(&x, s->out) > plan->size[s->out]) ||
            (s->kind->scratch && s->kind->scratch(&x, s) > plan->scratch_bytes) ||
            (s->kind->workspace && s->kind->workspace(&x, s) > plan->workspace_bytes))
            return ws_fail(error, WSAM_ERR_LIMIT,
                           "graph %s: operator '%s' does not fit the reserve", p->graph->name,
                           s->name);
    }
    return WSAM_OK;
}
