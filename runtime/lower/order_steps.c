/* runtime/lower/order_steps.c - what outputs need of steps and buffers, and the order that lets a
 * run be continued. */
#include <stdlib.h>

#include "runtime/lower/lower.h"

static uint32_t output_bits(const ws_program *p, int buffer)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < p->graph->n_outputs; i++)
        if (p->value_buffer[p->graph->outputs[i].ref] == buffer)
            bits |= 1u << i;
    return bits;
}

static void trace_uses(ws_lowering *l)
{
    ws_program *p = l->program;
    uint32_t *needed = calloc(p->n_buffers + 1, sizeof *needed);
    if (!needed)
        ws_lowering_no_memory(l);
    for (size_t b = 0; needed && b < p->n_buffers; b++) {
        needed[b] = output_bits(p, (int)b);
        if (needed[b] && p->buffers[b].rate == WSAM_RATE_IMAGE)
            p->buffers[b].persistent = 1;
    }
    for (size_t i = p->n_steps; needed && i-- > 0;) {
        ws_step *s = &p->steps[i];
        s->outputs = needed[s->out];
        for (int j = 0; j < WS_STEP_OPERANDS; j++) {
            const int b = s->in[j].buffer;
            if (b < 0)
                continue;
            needed[b] |= s->outputs;
            if (p->buffers[b].rate == WSAM_RATE_IMAGE && s->rate == WSAM_RATE_PROMPT)
                p->buffers[b].persistent = 1;
        }
    }
    free(needed);
}

typedef struct place {
    wsam_rate rate;
    uint32_t outputs;
    size_t at;
} place;

static int by_need(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->rate != y->rate)
        return x->rate < y->rate ? -1 : 1;
    if (x->rate != WSAM_RATE_PROMPT)
        return (x->at > y->at) - (x->at < y->at);
    const int more = __builtin_popcount(y->outputs) - __builtin_popcount(x->outputs);
    if (more)
        return more;
    if (x->outputs != y->outputs)
        return x->outputs > y->outputs ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* What more outputs need comes first, then what later outputs need: a run of some outputs can be
 * continued for the others. A step's outputs contain those of every step that reads it, so none
 * moves before its operands. Steps of an image stay in the graph's order, in which a detector's
 * pyramid and RPN have the fewest maps at a time. */
static void sort_steps(ws_lowering *l)
{
    ws_program *p = l->program;
    place *places = malloc((p->n_steps + 1) * sizeof *places);
    ws_step *steps = malloc((p->n_steps + 1) * sizeof *steps);
    for (size_t i = 0; places && i < p->n_steps; i++)
        places[i] = (place){p->steps[i].rate, p->steps[i].outputs, i};
    if (places && steps) {
        if (p->n_steps)
            qsort(places, p->n_steps, sizeof *places, by_need);
        for (size_t i = 0; i < p->n_steps; i++)
            steps[i] = p->steps[places[i].at];
        free(p->steps);
        p->steps = steps;
    } else {
        ws_lowering_no_memory(l);
        free(steps);
    }
    free(places);
}

void ws_order_steps(ws_lowering *l)
{
    trace_uses(l);
    if (!l->status)
        sort_steps(l);
}
