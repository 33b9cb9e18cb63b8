/* runtime/run/session_resume.c - more outputs for some prompts of a run.
 *
 * The steps of a program are ordered (lower.c) such that what only further outputs need comes after
 * everything else, so the arena still holds what they read. A prompt-rate buffer is one matrix per
 * prompt: those of the chosen prompts move together, and the rest of the program runs on fewer
 * prompts. */
#include <stdlib.h>
#include <string.h>

#include "runtime/model.h"

static void thin_out(const ws_exec *x, int buffer, const uint32_t *chosen, size_t n)
{
    const size_t each = ws_step_buffer_elements(x, buffer);
    float *data = x->data[buffer];
    for (size_t i = 0; i < n; i++)
        if (chosen[i] != i)
            memmove(data + i * each, data + chosen[i] * each, each * sizeof *data);
}

/* Marks the prompt-rate buffers that steps of the further outputs read but none of them writes. */
static void mark_inputs(const ws_program *p, uint32_t outputs, uint32_t done, unsigned char *mark)
{
    for (size_t i = p->n_steps; i-- > 0;) {
        const ws_step *s = &p->steps[i];
        if (s->rate != WSAM_RATE_PROMPT || !(s->outputs & outputs) || s->outputs & done)
            continue;
        mark[s->out] = 0; /* its readers come later and were seen */
        for (int j = 0; j < WS_STEP_OPERANDS; j++)
            if (s->in[j].buffer >= 0)
                mark[s->in[j].buffer] = p->buffers[s->in[j].buffer].rate == WSAM_RATE_PROMPT;
    }
}

static wsam_status check(const wsam_session *s, const uint32_t *chosen, size_t n, uint32_t outputs,
                         wsam_error *error)
{
    const char *graph = s->program->graph->name;
    int rising = n > 0 && n <= (size_t)s->ran.prompts;
    for (size_t i = 0; rising && i < n; i++)
        rising = chosen[i] < (uint64_t)s->ran.prompts && (!i || chosen[i - 1] < chosen[i]);
    if (!rising)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "graph %s: the chosen prompts are not of the run",
                       graph);
    if (outputs & s->done)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "graph %s: an output of the run is asked for again", graph);
    return WSAM_OK;
}

wsam_status ws_session_resume(wsam_session *s, const uint32_t *chosen, size_t n,
                              wsam_tensor *outputs, size_t n_outputs, wsam_error *error)
{
    const ws_program *p = s->program;
    ws_dims dims = s->ran;
    uint32_t bits;
    if (!s->done)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "graph %s: there is no run to continue",
                       p->graph->name);
    dims.prompts = (int64_t)n;
    wsam_status status = ws_session_wanted_outputs(s, &dims, outputs, n_outputs, &bits, error);
    if (!status)
        status = check(s, chosen, n, bits, error);
    if (status)
        return status;
    unsigned char *mark = calloc(p->n_buffers + 1, 1);
    if (!mark)
        return ws_fail(error, WSAM_ERR_MEMORY, "graph %s: no memory to continue", p->graph->name);
    const ws_exec x = {.program = p, .dims = &s->ran, .values = s->values, .data = s->data};
    mark_inputs(p, bits, s->done, mark);
    for (size_t b = 0; b < p->n_buffers; b++)
        if (mark[b])
            thin_out(&x, (int)b, chosen, n);
    free(mark);
    status = ws_session_execute(s, WSAM_RATE_PROMPT, &dims, bits, s->done, error);
    if (status) {
        s->done = 0;
        return status;
    }
    ws_session_copy_outputs(s, &dims, outputs, n_outputs);
    s->done = 0;
    return WSAM_OK;
}
